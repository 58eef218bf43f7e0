/** Outside the plain course: emergency, a level or a case that is not treated, pauses, and the second confirmation after one. */
import { button, clock, date, fill, h, icon, say, sheet, t } from "./dom.js";
import { call, queue, uuid7 } from "../clinic/js/queue.js";
import { nearby } from "./picks.js";
import { rowId } from "./rows.js";

const failed = (answer) => (answer.status === 0 ? t("needs_network") : answer.body?.detail || t("not_taken"));
const act = (app, path, label, body = {}) => queue.add({ kind: "act", path: `runs/${app.run.id}/${path}/`, run: app.run.id, who: app.session?.name, label, body: { id: uuid7(), ...body } });

/** Everything that is seldom: one button, one sheet. */
export const menu = async (app) => {
  const { state } = app.run;
  const open = state.status === "open";
  const chosen = await sheet(t("more_acts"), (close) => h("div", { class: "tiles outside" },
    open && !state.is_emergency && button(t("emergency"), () => close(emergency), "", "siren"),
    open && button(t("level_not_treated"), () => close(levels), "", "x"),
    open && button(t(ended(app) ? "goes_on" : "end_early"), () => close(ended(app) ? goOn : endEarly), "", "hand"),
    state.is_emergency && button(t("debt"), () => close(debts), "", "timer"),
    button(t("pauses"), () => close(ledger), "", "history"),
  ));
  return chosen?.(app);
};
const ended = (app) => ["abandoned", "converted_open"].includes(app.run.state.facts["procedure.outcome"]);

/** The short list now. It works without a network as well: the queue tells the server when it can. */
const emergency = async (app) => {
  if (!(await app.confirm(t("emergency"), t("emergency_says"), t("emergency_yes")))) return;
  app.run.state.is_emergency = true;
  app.run.overlay();
  app.paint();
  await act(app, "emergency", t("emergency"));
};

/** A reason in a few words; resolves with it, or undefined. */
const reasonFor = (title, says, choices) => sheet(title, (close) => {
  const text = h("textarea", { class: "field wide", rows: 2, "aria-label": t("why"), placeholder: t("why") });
  return [h("p", { text: says }), text, h("div", { class: "tiles" }, choices.map(([value, label, name]) => button(label, () => (text.value.trim().length > 2 ? close({ value, reason: text.value.trim() }) : text.focus()), "", name)))];
});
const post = async (app, path, body) => {
  const answer = await call("POST", `runs/${app.run.id}/${path}/`, body);
  if (answer.status !== 201) app.say(failed(answer));
  await app.refresh(true);
};

const levels = async (app) => {
  const status = app.run.state.level_status;
  const given = await reasonFor(t("level_not_treated"), t("level_not_treated_says"), Object.entries(status).map(([level, now]) => [{ level, treat: now === "not_treated" }, `${level}: ${t(now === "not_treated" ? "treat_after_all" : "do_not_treat")}`]));
  if (given) await post(app, "levels", { ...given.value, reason: given.reason });
};
const endEarly = async (app) => {
  const given = await reasonFor(t("end_early"), t("end_early_says"), ["abandoned", "converted_open"].map((outcome) => [outcome, t(outcome)]));
  if (given) await post(app, "outcome", { outcome: given.value, reason: given.reason });
};
const goOn = async (app) => {
  const given = await reasonFor(t("goes_on"), t("goes_on_says"), [["", t("goes_on")]]);
  if (given) await post(app, "outcome", { outcome: "", reason: given.reason });
};

/** What the emergency left for later, each with the way to it. */
export const debts = (app) => sheet(t("debt"), (close) => {
  const { run } = app;
  const { debt } = run.gate;
  const slot = (b) => run.asked.find((s) => s.node.item === b.item && s.node.part === (b.part ?? "") && (!b.level || s.at.level === b.level) && (!b.side || s.at.side === b.side)) ?? { node: run.nodes.get(b.part ? `${b.item}.${b.part}` : b.item), at: {} };
  const line = (b) => {
    if (b.item === "LIST") return h("a", { class: "blk amber", href: `/runs/${b.run}/` }, icon("timer"), h("span", {}, h("b", { text: say(b, "reason") })), icon("arrow-up"));
    const s = slot(b);
    return h("a", { class: "blk amber", href: `#${rowId(s.node, s.at)}`, on: { click: (e) => (close(), app.go(e, s)) } }, icon("timer"), h("span", {}, h("b", { text: [say(s.node.raw), b.level, b.side && t(b.side)].filter(Boolean).join(" · ") }), say(b, "reason")), icon("arrow-up"));
  };
  return [h("p", { text: run.state.debt_due_at ? t("debt_says", { at: clock(run.state.debt_due_at) }) : t("debt_hour") }), h("div", { class: "stack" }, debt.length ? debt.map(line) : h("p", { text: t("debt_none") }))];
});

/** Every stop and every going on, with its reason. */
const ledger = (app) => sheet(t("pauses"), () => {
  const { pauses } = app.run.state;
  const reasons = app.run.definition.conventions.reasons.pause;
  const why = (p) => [reasons.find((r) => r.value === p.reason), p.text].map((one) => (one?.label ? say(one, "label") : one)).filter(Boolean).join(": ");
  return h("ol", { class: "stack" }, pauses.length ? pauses.map((p) => h("li", { class: "note" }, h("span", {}, h("b", { text: `${clock(p.at)} · ${t(`pause_${p.kind}`)}` }), why(p) && h("br"), why(p)))) : h("li", { text: t("no_pauses") }));
});

/** What must not be overlooked stands above the list as long as it is so. */
export const strips = (app, strip) => {
  const { state, gate } = app.run;
  if (!state || state.status !== "open") return [];
  const owed = gate.debt.length;
  return [
    state.is_emergency && strip("", "siren", t("emergency_on"), owed ? t("debt_n", { n: owed, at: state.debt_due_at ? clock(state.debt_due_at) : t("in_an_hour") }) : t("debt_none"), owed > 0 && button(t("show_n", { n: owed }), () => debts(app))),
    state.paused_at && strip("", "circle-pause", t("paused_since", { at: clock(state.paused_at) }), t("paused_says"), button(t("resume"), app.pause, "pri")),
    ended(app) && strip("", "hand", t(state.facts["procedure.outcome"]), t("ended_says")),
  ];
};
export const mark = (app) => app.run.state && [app.run.state.is_emergency, app.run.gate.debt.length, app.run.state.debt_due_at, app.run.state.paused_at, app.run.state.facts["procedure.outcome"]];

/** Called after each painting: a long pause asks again before anything else, and nothing dismisses the question. */
export const watch = (app) => {
  const { state } = app.run;
  const due = state.ask_again && !state.paused_at && state.status === "open" && !app.confirmed;
  if (!state.ask_again) app.confirmed = false;
  if (due && !app.confirming && !document.body.classList.contains("locked")) reconfirm(app);
  if (!due) app.confirming?.close();
};

const reconfirm = (app) => {
  const { run } = app;
  const p = run.state.procedure;
  const given = { patient: false, levels: new Set(), sides: {} };
  const tell = h("p", { class: "red", role: "alert" });
  const where = h("div", { class: "stack" });
  const box = h("dialog", { class: "sheet wide again", "aria-label": t("again_title"), on: { cancel: (e) => e.preventDefault(), close: () => (box.remove(), (app.confirming = undefined)) } });
  const near = nearby(app.run.levels, LEVELS);
  const sides = [["left", t("patients_left")], ["right", t("patients_right")], ["both", t("side_both")], ["midline", t("patients_midline")]];
  const press = (label, on, touch) => {
    const el = button(label, () => {
      el.setAttribute("aria-pressed", touch());
      paint();
    });
    el.setAttribute("aria-pressed", on);
    return el;
  };
  const paint = () => {
    tell.textContent = "";
    fill(where, [[...given.levels]], () => [...given.levels].map((level) => h("fieldset", { class: "seg wrap" }, h("legend", { text: t("side_of", { level }) }), sides.map(([side, label]) => h("label", {}, h("input", { type: "radio", name: `again-${level}`, value: side, checked: given.sides[level] === side, on: { change: () => (given.sides[level] = side) } }), h("span", {}, icon("check"), label))))));
  };
  const confirm = async () => {
    const wanted = (level) => run.valueOf("TOU-SUR-01.sides", { level }) ?? p.sides?.[level];
    const differs = [
      !given.patient && "again_patient",
      (given.levels.size !== run.levels.length || run.levels.some((level) => !given.levels.has(level))) && "again_levels",
      run.levels.some((level) => wanted(level) && given.sides[level] !== wanted(level)) && "again_sides",
    ].filter(Boolean);
    if (differs.length) {
      tell.textContent = t("again_differs", { what: differs.map((name) => t(name)).join(", ") });
      return;
    }
    app.confirmed = true;
    box.close();
    await act(app, "pauses", t("again_title"), { kind: "confirmed", patient: true, levels: [...given.levels], sides: given.sides });
  };
  box.append(
    h("header", {}, h("h2", { text: t("again_title") }), h("span", { class: "row" }, button(t("report_complication"), () => app.report(), "", "flag"), button(t("pause"), () => app.pause(), "", "circle-pause"))),
    h("div", { class: "stack" },
      h("p", { text: t("again_says") }),
      h("h3", { text: t("again_patient") }),
      press(`${p.patient.family_name.toLocaleUpperCase(p.patient.language ?? "en")}, ${p.patient.given_name} · ${t("born")} ${date(p.patient.birth_date)}`, false, () => (given.patient = !given.patient)),
      h("h3", { text: t("again_levels") }),
      h("div", { class: "tiles lvls" }, LEVELS.filter((level) => near.has(level)).map((level) => press(level, false, () => {
        if (given.levels.delete(level)) return false;
        given.levels.add(level);
        return true;
      }))),
      h("h3", { text: t("again_sides") }),
      where,
      tell,
      button(t("again_confirm"), confirm, "pri wide", "check"),
    ),
  );
  app.confirming = box;
  paint();
  document.body.append(box);
  box.showModal();
};
const LEVELS = ["C2", "C3", "C4", "C5", "C6", "C7", ...Array.from({ length: 12 }, (_, i) => `T${i + 1}`), "T13", "L1", "L2", "L3", "L4", "L5", "L6", "S1", "S2"];
