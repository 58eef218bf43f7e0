/** The items of a phase as rows, in the order in which they are read aloud. Rows are built once and then only painted. */
import { button, clock, fill, h, icon, say, t } from "./dom.js";
import { control, words } from "./controls.js";
import { keyAt, late } from "./model.js";

const FIRST = 8;
const MARKS = { tablet: "tablet", server: "check", team: "check-check" };
/** Where an answer is, in an icon and a word; then who and when. */
export const markLine = (a, app) => [
  h("span", { class: `mark ${a.mark}` }, icon(MARKS[a.mark]), t(`on_${a.mark}`)),
  a.by && h("span", { class: "dot", text: app.personName(a.by) }),
  a.at && h("span", { class: "dot" }, h("time", { datetime: a.at, text: clock(a.at) })),
];

/** One control at one place, with its state. `small` leaves the mark to an icon: in a table the words would drown it. */
const place = (node, at, app, small) => {
  const key = keyAt(node, at);
  const give = (value) => app.tick(node, at, value);
  const made = control(node.raw, give, app);
  const by = h("p", { class: "by" });
  made.el.dataset.key = by.dataset.by = key;
  const paint = () => {
    const a = app.run.shown(node, at);
    made.set(a);
    const undo = app.undoable(key);
    const proposal = !a && app.proposal(node, at);
    const refused = app.run.refused.get(key);
    const waits = app.run.waits.get(key);
    const shown = a && a.value !== null ? [a.mark, a.by, a.at, Boolean(undo)] : [proposal];
    fill(by, [shown, refused?.reason, waits?.outcome, waits?.value], () => [
      a && a.value !== null && a.mark && (small ? h("span", { class: `mark ${a.mark}` }, icon(MARKS[a.mark], t(`on_${a.mark}`))) : markLine(a, app)),
      undo && button(t("undo"), () => app.undo(key), "quiet undo"),
      proposal !== undefined && proposal !== false && button(t("confirm_value", { value: node.type === "user_ref" ? app.personName(proposal) : words(node.raw, proposal) }), () => give(proposal), "chip on"),
      waits && h("span", { class: "mark held" }, icon("clock"), `${words(node.raw, waits.value)}: ${t(waits.outcome)}`),
      waits?.id && button(t(waits.outcome === "held" ? "countersign" : "amend"), () => app.people_("settle", waits), "chip"),
      refused && h("b", { class: "red", text: `${t("refused")}: ${refused.reason || refused.refused}` }),
    ]);
    return a;
  };
  return { node, at, key, by, paint, el: made.el, wide: made.wide };
};

const conflictBox = (node, at, a, app) =>
  h(
    "div",
    { class: "alt" },
    a.conflict.map((c) =>
      h(
        "div",
        {},
        h("b", { text: words(node.raw, c.value) }),
        h("p", { class: "by" }, icon("check"), [app.personName(c.by), c.device, clock(c.at)].filter(Boolean).join(" · ")),
        button(t("keep_this", { value: words(node.raw, c.value) }), () => app.decide(node, at, a, c)),
      ),
    ),
  );

/** A row: one node (in one repetition), with one control or with one for each level and side. */
const row = (node, at, app, number, suffix = "") => {
  const disc = h("span", { class: "n" });
  const by = h("p", { class: "by" });
  const clash = h("div", { class: "clashes" });
  const places = new Map();
  const table = h("table", { class: "grid" });
  const ctl = h("div", { class: "ctl" });
  const more = h("div", { class: "more" });
  const many = node.byLevel;
  const sub = node.parent && !number;
  const head = h("h3", { text: say(node.raw) + suffix });
  const el = h("li", { class: `item ${sub ? "sub" : ""} ${node.isContainer ? "group" : ""}`, tabindex: "-1", id: rowId(node, at) }, disc, h("div", {}, head, by), ctl);
  const help = say(node.raw, "help");
  if (help) by.before(h("p", { class: "help", text: help }));

  const arrange = (wanted) => {
    const keys = wanted.map((w) => w.key).join();
    if (el.arranged === keys) return;
    el.arranged = keys;
    for (const w of wanted) if (!places.has(w.key)) places.set(w.key, place(node, w.at, app, many));
    const kept = wanted.map((w) => places.get(w.key));
    if (many) {
      table.replaceChildren(
        h("caption", { class: "vh", text: say(node.raw) }),
        h("tbody", {}, kept.map((p) => h("tr", {}, h("th", { scope: "row" }, p.at.level, p.at.side && h("small", { text: t(p.at.side) })), h("td", {}, p.el), h("td", {}, p.by)))),
      );
      more.append(table);
    } else if (kept.length) {
      (kept[0].wide ? more : ctl).append(kept[0].el);
      if (kept[0].wide) ctl.append(by); // beside the question, so that the row keeps its height
    }
    more.append(clash);
    more.hidden = !many && !kept[0]?.wide;
    if (!more.parentNode) el.append(more);
  };

  const paint = (wanted, next) => {
    arrange(wanted);
    const states = wanted.map((w) => [places.get(w.key), places.get(w.key).paint()]);
    const conflicts = states.filter(([, a]) => a?.conflict?.length);
    const blocks = app.blocks(node, wanted);
    const done = states.length > 0 && states.every(([p]) => app.run.answered(p.key));
    const marks = states.map(([, a]) => a?.mark);
    const kind = conflicts.length ? "clash" : blocks.length ? "stop" : done ? (["tablet", "server", "team"].find((m) => marks.includes(m)) ?? "") : next ? "next" : "";
    if (el.kind !== kind) {
      el.kind = kind;
      el.classList.toggle("clash", kind === "clash");
      el.classList.toggle("stop", kind === "stop");
      el.classList.toggle("ask", kind === "next" || kind === "");
      disc.className = `n ${kind}`;
      disc.replaceChildren(
        kind === "clash" ? icon("triangle-alert", t("two_answers")) : kind === "stop" ? icon("octagon-alert", t("hard_stop")) : done && kind !== "next" ? icon("check") : number ? `${number}` : "",
      );
    }
    if (conflicts.length) more.hidden = false;
    clash.hidden = !conflicts.length;
    fill(clash, conflicts.map(([p, a]) => [p.key, a.conflict]), () => conflicts.map(([p, a]) => conflictBox(node, p.at, a, app)));
    const first = states[0]?.[0];
    if (!many && first) {
      const notes = conflicts.length ? t("two_values") : blocks.map((b) => b.text).join(" · ");
      by.dataset.by = first.key;
      fill(by, [notes, first.by.shown], () => [notes && h("b", { class: kind === "stop" ? "red" : "amber", text: notes }), ...(conflicts.length ? [] : [...first.by.childNodes])]);
    } else fill(by, blocks.map((b) => b.text), () => blocks.map((b) => h("b", { class: "red", text: b.text })));
  };
  return { el, paint, node, at };
};
export const rowId = (node, at = {}) => `i-${[node.id, node.byInstance && at.instance].filter(Boolean).join("-")}`;

/** The head of a series: its repetitions so far and the button that opens the next. */
const seriesRow = (node, app, number) => {
  const disc = h("span", { class: "n", text: number ?? "" });
  const by = h("p", { class: "by" });
  const add = button(t(`add_${node.repeat}`), () => app.repeat(node), "", "plus");
  const el = h("li", { class: `item series ${node.parent ? "sub" : ""}`, tabindex: "-1", id: rowId(node) }, disc, h("div", {}, h("h3", { text: say(node.raw) }), say(node.raw, "help") && h("p", { class: "help", text: say(node.raw, "help") }), by), h("div", { class: "ctl" }, add));
  const paint = (count) => {
    const blocks = app.blocks(node, []);
    fill(by, [count, blocks], () => [h("span", { text: t("so_far", { n: count }) }), blocks.map((b) => h("b", { class: "red", text: b.text }))]);
    disc.className = `n ${blocks.length ? "stop" : count ? "server" : ""}`;
    fill(disc, [blocks.length, count], () => blocks.length ? icon("octagon-alert", t("hard_stop")) : count ? icon("check") : `${number ?? ""}`);
  };
  return { el, paint, node, at: {} };
};

/** Keeps a list of rows in step with what the run asks. */
export class Rows {
  constructor(app, list) {
    Object.assign(this, { app, list, rows: new Map() });
  }
  get(id, make) {
    if (!this.rows.has(id)) this.rows.set(id, make());
    return this.rows.get(id);
  }
  /** `filter` chooses the slots that this list shows. */
  paint(filter = () => true) {
    const { app } = this;
    const wanted = [];
    const bySlot = new Map();
    // What is computed is shown once it has a value: an empty sum asks for nothing.
    for (const slot of app.run.asked.filter((x) => filter(x) && (x.node.isAnswerable || app.run.shown(x.node, x.at)))) {
      const id = rowId(slot.node, slot.at);
      bySlot.set(id, [...(bySlot.get(id) ?? []), slot]);
    }
    const next = app.run.missing.find(filter);
    let count = 0;
    const visit = (node, at, number, suffix) => {
      if (node.type === "series") {
        if (!app.run.look.applies(node, { level: "", side: "", instance: "", ...at }) || !filter({ node, at })) return;
        const all = app.run.instances(node);
        const head = this.get(rowId(node), () => seriesRow(node, app, number));
        wanted.push([head, () => head.paint(all.length)]);
        all.forEach((instance, n) => {
          const inside = { ...at, instance };
          const slots = app.run.asked.filter((s) => s.at.instance === instance && s.node.id.startsWith(`${node.id}.`));
          const open = app.unfolded(instance, n === all.length - 1);
          const fold = late.foldRow && this.get(`f-${node.id}-${instance}`, () => late.foldRow(node, inside, app, n + 1, words, keyAt));
          if (fold) wanted.push([fold, () => fold.paint(open, slots)]);
          if (open) for (const child of node.children) visit(child, inside);
        });
      } else if (node.raw.repeats) {
        const all = app.run.instances(node);
        for (const instance of all) one(node, { ...at, instance }, number, all.length > 1 ? ` · ${t(`one_${node.repeat}`)} ${instance}` : "");
      } else one(node, at, number, suffix);
    };
    const one = (node, at, number, suffix) => {
      if (node.type === "group" && (node.children ?? []).some((c) => bySlot.has(rowId(c, at)))) {
        const r = this.get(rowId(node, at), () => row(node, at, app, number, suffix));
        wanted.push([r, () => r.paint([], false)]);
      } else add(node, at, number, suffix);
      for (const child of node.children) visit(child, at, undefined, suffix);
    };
    const add = (node, at, number, suffix) => {
      const slots = bySlot.get(rowId(node, at));
      if (!slots) return;
      const r = this.get(rowId(node, at), () => row(node, at, app, number, suffix));
      wanted.push([r, () => r.paint(slots, next?.node === node && next.key === slots.find((s) => s.key === next.key)?.key)]);
    };
    for (const root of app.run.roots) visit(root, {}, ++count);

    let cursor = this.list.firstElementChild;
    // What fits on the screen stands at once; the rest of a list that is drawn for the first time follows a frame later.
    const now = this.drawn ? wanted : wanted.slice(0, FIRST);
    requestAnimationFrame(() => (this.drawn = true));
    if (now.length < wanted.length) app.paintSoon();
    const kept = new Set(now.map(([r]) => r.el));
    for (const [r, paint] of now) {
      paint();
      while (cursor && !kept.has(cursor)) {
        const after = cursor.nextElementSibling;
        cursor.remove();
        cursor = after;
      }
      if (cursor === r.el) cursor = cursor.nextElementSibling;
      else this.list.insertBefore(r.el, cursor);
    }
    while (cursor) {
      const after = cursor.nextElementSibling;
      cursor.remove();
      cursor = after;
    }
  }
}
