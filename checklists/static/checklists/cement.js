/** The cement moment: volumes by level and side, the mixing clock, the total, and STOP. Everything else waits. */
import { button, clock, fill, h, icon, number, quantity, say, sheet, t } from "./dom.js";
import { control, words } from "./controls.js";
import { keypad } from "./keypad.js";
import { keyAt } from "./model.js";
import { markLine, rowId } from "./rows.js";

/** A running clock: "8:47", "1:02:05". */
const ticking = (ms) => {
  const s = Math.max(0, Math.floor(ms / 1000));
  const [hh, mm] = [Math.floor(s / 3600), Math.floor((s % 3600) / 60)];
  return hh ? `${hh}:${`${mm}`.padStart(2, "0")}:${`${s % 60}`.padStart(2, "0")}` : `${mm}:${`${s % 60}`.padStart(2, "0")}`;
};
const SVG = "http://www.w3.org/2000/svg";
const shape = (cls, d, transform) => {
  const p = document.createElementNS(SVG, "path");
  for (const [k, v] of Object.entries({ class: cls, d, transform })) if (v) p.setAttribute(k, v);
  return p;
};
const vertebra = (kind) => {
  const svg = document.createElementNS(SVG, "svg");
  for (const [k, v] of Object.entries({ class: `vert ${kind}`, viewBox: "0 0 56 96", "aria-hidden": "true" })) svg.setAttribute(k, v);
  svg.append(
    shape("di", "M7 -10h42q6 10 0 20h-42q-6-10 0-20ZM7 86h42q6 10 0 20h-42q-6-10 0-20Z"),
    shape("bo", "M-22 -33Q0 -26.4 22 -33Q17.2 0 22 33Q0 26.4 -22 33Q-17.2 0 -22 -33Z", "translate(28 48)"),
  );
  return svg;
};

/** How much of what: a fill, and a tick at the limit two thirds along. */
const gauge = (value, limit, over) => {
  const [filled, tick] = [h("i", { class: over ? "fill late" : "fill" }), h("i", { class: "lim" })];
  filled.style.insetInline = `0 ${100 - Math.min(100, (value / limit) * 67)}%`;
  tick.style.insetInlineStart = "67%";
  return h("div", { class: "win", "aria-hidden": "true" }, filled, tick);
};

export class Cement {
  constructor(app) {
    this.app = app;
    const part = (cls, ...kids) => h("section", { class: `card ${cls}` }, ...kids);
    this.table = h("table", { class: "lev" });
    this.work = part("");
    this.rest = h("section", { class: "last" });
    this.mix = part("");
    this.total = part("");
    const stop = h("button", { class: "stopb", id: "stop", type: "button", on: { click: () => this.stop() } }, h("b", {}, icon("octagon"), t("stop")), t("stop_says"));
    this.el = h("div", { class: "cem" }, h("div", {}, part("flush", this.table), this.work, this.rest), h("div", {}, this.mix, this.total, stop));
    setInterval(() => this.tickClock(), 500);
  }
  node(id) {
    return this.app.run.nodes.get(id);
  }
  read(id, at) {
    const node = this.node(id);
    return node && this.app.run.answer(keyAt(node, at));
  }
  amount(at) {
    const v = this.read("INT-CMT-05", at)?.value;
    return typeof v === "number" ? v : undefined;
  }
  sum(levels) {
    const all = levels.flatMap((level) => this.app.run.sides(level).map((side) => this.amount({ level, side }))).filter((v) => v !== undefined);
    return all.length ? Math.round(all.reduce((a, b) => a + b, 0) * 100) / 100 : undefined;
  }
  ended(level) {
    return Boolean(this.read("INT-STP-01", { level })?.value);
  }

  paint() {
    const { run } = this.app;
    const { levels } = run;
    if (!this.at || !levels.includes(this.at.level) || !run.sides(this.at.level).includes(this.at.side)) {
      const level = levels.find((l) => !this.ended(l)) ?? levels[0];
      this.at = level && { level, side: run.sides(level)[0] };
    }
    if (!this.at) return;
    this.paintLevels(levels);
    this.paintWork();
    this.paintMix();
    const total = this.sum(levels);
    const limit = this.node("INT-CMT-05.session_total")?.raw.warn_high;
    const over = limit !== undefined && total > limit;
    fill(this.total, [total, limit], () => [
      h("h2", { class: "over", text: t("cement_session") }),
      h("p", { class: `big ${over ? "amber" : ""}` }, over ? icon("triangle-alert", t("unusual")) : null, total === undefined ? "0" : number(total), " ", h("small", { text: "mL" })),
      limit && gauge(total ?? 0, limit, over),
      limit && h("p", { class: "t14 mut", text: t("warns_above", { n: `${number(limit)} mL` }) }),
    ]);
    const left = run.missing.filter(({ node }) => node.id !== "INT-CMT-05");
    const groups = new Map();
    for (const slot of left) groups.set(slot.at.level || t("all_levels"), [...(groups.get(slot.at.level || t("all_levels")) ?? []), slot]);
    fill(this.rest, [...groups].map(([k, v]) => [k, v.length]), () => [
      h("p", { class: "over", text: t("left_before_sign", { n: left.length }) }),
      h("div", { class: "todo calm" }, [...groups].map(([label, slots]) => h("a", { href: `#${rowId(slots[0].node, slots[0].at)}`, on: { click: (e) => this.app.go(e, slots[0]) } }, label, h("small", { text: slots.length })))),
    ]);
  }
  paintLevels(levels) {
    const { run } = this.app;
    const legs = this.node("INT-NEU-01");
    const leak = this.node("INT-LEK-01");
    const state = levels.map((level) => [level, this.ended(level), run.sides(level), ...["left", "right", "midline"].map((side) => this.amount({ level, side })), this.read("INT-LEK-01", { level }), this.read("INT-NEU-01", { level })]);
    fill(this.table, [state, this.at], () => [
      h("caption", { class: "vh", text: t("levels") }),
      h("thead", {}, h("tr", {}, ["level", "patients_left", "patients_right", "level_total", "leak_seen", "legs_move"].map((k) => h("th", { scope: "col", text: t(k) })))),
      h("tbody", {}, levels.map((level) => {
        const here = this.at.level === level;
        const done = this.ended(level);
        const side = (name) => {
          if (!run.sides(level).includes(name) && !(name === "left" && run.sides(level).includes("midline"))) return h("td", { class: "wait", text: "–" });
          const real = run.sides(level).includes(name) ? name : "midline";
          const v = this.amount({ level, side: real });
          const now = here && this.at.side === real;
          return h("td", { class: now ? "now" : "" }, h("button", { class: "cell", type: "button", "aria-pressed": now, "aria-label": `${level} ${t(real)}: ${v === undefined ? t("no_answer") : `${number(v)} mL`}`, on: { click: () => this.choose(level, real) } }, v === undefined ? h("span", { class: "wait", text: t(now ? "at_work" : "not_yet") }) : h("b", {}, quantity(v, "mL"))));
        };
        const asked = (node) => h("td", {}, h("button", { class: "cell", type: "button", on: { click: () => this.ask(node, { level }) } }, h("b", { class: "t17", text: this.read(node.id, { level })?.value == null ? t("not_yet") : words(node.raw, this.read(node.id, { level }).value) })));
        const sum = this.sum([level]);
        return h("tr", {}, h("th", { scope: "row" }, h("span", { class: "vb" }, vertebra(done ? "ce" : here ? "ac" : ""), h("span", {}, level, h("small", { class: "mark", text: t(done ? "level_done" : here ? "level_open" : "level_next") })))), side("left"), side("right"), h("td", {}, sum === undefined ? h("span", { class: "wait", text: t("not_yet") }) : h("b", {}, quantity(sum, "mL"))), leak && asked(leak), legs && asked(legs));
      })),
    ]);
  }
  choose(level, side) {
    this.at = { level, side };
    this.paint();
  }
  /** One question in a sheet of its own, painted over the cement view. */
  async ask(node, at) {
    await sheet(`${at.level} · ${say(node.raw)}`, (close) => {
      const made = control(node.raw, (value) => {
        this.app.tick(node, at, value);
        if (node.type !== "multi_choice") close(true);
      }, this.app);
      made.set(this.app.run.answer(keyAt(node, at)));
      return [made.el, button(t("done"), () => close(true), "pri wide")];
    });
    this.paint();
  }
  paintWork() {
    const { app, at } = this;
    const node = this.node("INT-CMT-05");
    const begun = this.node("INT-CMT-04");
    const place = at;
    const a = app.run.answer(keyAt(node, place));
    const v = typeof a?.value === "number" ? a.value : undefined;
    const started = this.read("INT-CMT-04", { level: at.level });
    const give = (value) => app.tick(node, place, Math.round(Math.min(node.raw.max, Math.max(node.raw.min, value)) * 10) / 10);
    const by = (delta) => h("button", { type: "button", "aria-label": t(delta < 0 ? "less" : "more", { by: `${number(Math.abs(delta))} mL` }), on: { click: () => give((this.amount(at) ?? 0) + delta) } }, `${delta < 0 ? "−" : "+"} ${number(Math.abs(delta))}`);
    fill(this.work, [at, a, started], () => [
      h("div", { class: "row" }, h("h2", { text: `${at.level}, ${t(`patients_${at.side}`)}` }), started?.value && h("span", { class: "met", text: t("since", { at: clock(started.value, true) }) })),
      !started?.value
        ? button(t("start_injection", { level: at.level }), () => app.tick(begun, { level: at.level }, new Date().toISOString()), "pri wide tall")
        : h("div", { class: "inj" }, h("div", { class: "step", role: "group", "aria-label": `${say(node.raw)} ${at.level} ${t(at.side)}` }, by(-0.1), h("button", { class: "val", type: "button", "aria-label": t("volume_type", { v: v === undefined ? "0" : number(v) }), on: { click: async () => {
            const typed = await keypad(`${at.level} ${t(at.side)}`, node.raw, v);
            if (typed !== undefined) give(typed);
          } } }, v === undefined ? "–" : number(v), " ", h("small", { text: "mL" })), by(0.1), by(0.5)), button(t("end_level", { level: at.level }), () => this.ask(this.node("INT-STP-01"), { level: at.level }), "pri")),
      h("p", { class: "by" }, a?.mark ? markLine(a, app) : null, h("span", { class: "push", text: t("takes", { min: number(node.raw.min), max: number(node.raw.max), unit: "mL" }) })),
    ]);
  }
  /** No working time is shown until the site has entered its own: a window that nobody checked would be believed. */
  paintMix() {
    const { app } = this;
    const node = this.node("INT-CMT-02.mixed_at");
    const mixes = app.run.instances(node);
    const instance = mixes[mixes.length - 1];
    const a = instance && app.run.answer(keyAt(node, { instance }));
    this.mixed = a?.value ? Date.parse(a.value) : undefined;
    const again = () => app.tick(node, { level: "", side: "", instance: !instance || this.mixed ? app.run.begin(node) : instance }, new Date().toISOString());
    fill(this.mix, [this.mixed, mixes.length], () => this.mixed
      ? [h("div", { class: "row" }, h("h2", { class: "over", text: t("since_mixing", { at: clock(this.mixed, true) }) }), button(t("new_mix"), again, "quiet push")), h("p", { class: "big", role: "timer", id: "mixclock", text: ticking(Date.now() - this.mixed) }), h("p", { class: "t14 mut", text: t("no_window") })]
      : [h("h2", { class: "over", text: t("mixing") }), button(t("mixing_now"), again, "pri wide tall", "timer")],
    );
  }
  tickClock() {
    const el = this.mixed && document.getElementById("mixclock");
    if (el) el.textContent = ticking(Date.now() - this.mixed);
  }

  /** The time is kept by the touch itself; the questions come after, and may be left. */
  async stop() {
    const { app } = this;
    const now = new Date().toISOString();
    const why = this.node("INT-STP-01");
    const where = this.node("INT-LEK-01");
    if (!this.at) return app.report({ occurred_at: now });
    const { level } = this.at;
    const place = () => ({ level });
    const reasons = (more) => {
      const had = this.read("INT-STP-01", { level })?.value;
      return [...new Set([...(Array.isArray(had) ? had : []).filter((r) => r !== "planned_fill"), "leak_seen", ...more])].slice(0, why.raw.max_count);
    };
    app.tick(why, place(), reasons([]), { urgent: true, occurred_at: now });
    const found = await sheet(t("stopped_at", { at: clock(now, true), level }), (close) => {
      const sites = new Set();
      const signs = new Set();
      const toggles = (options, set) => h("div", { class: "tiles" }, options.map((o) => h("button", { class: "btn", type: "button", "aria-pressed": "false", on: { click: (e) => {
        const on = set.delete(o.value) ? false : Boolean(set.add(o.value));
        e.currentTarget.setAttribute("aria-pressed", on);
      } } }, say(o, "label"))));
      return [
        h("h3", { text: t("leak_where") }),
        toggles(where.raw.options.filter((o) => !o.exclusive), sites),
        h("h3", { text: t("leak_symptoms") }),
        toggles(why.raw.options.filter((o) => ["leg_symptom", "pain", "haemodynamic"].includes(o.value)), signs),
        h("div", { class: "row" }, button(t("keep_and_report"), () => close({ sites: [...sites], signs: [...signs], report: true }), "pri"), button(t("keep"), () => close({ sites: [...sites], signs: [...signs] }))),
      ];
    }, { kind: "red" });
    if (!found) return undefined;
    if (found.signs.length) app.tick(why, place(), reasons(found.signs), { occurred_at: now });
    if (found.sites.length) app.tick(where, place(), found.sites, { urgent: true, occurred_at: now });
    if (found.report) {
      const raised = where.raw.raises?.find((r) => r.when.value === found.sites[0]);
      app.report({ type: raised?.code, level, occurred_at: now, symptomatic: found.signs.includes("leg_symptom") || found.signs.includes("haemodynamic"), symptoms: found.signs.includes("leg_symptom") ? ["new_leg_pain"] : [] });
    }
  }
}
