/** The complication report: pre-filled from the run, kept by the same queue that never loses, sent with an id made here. */
import { button, h, say, sheet, t } from "./dom.js";
import { control } from "./controls.js";
import { queue, uuid7 } from "../clinic/js/queue.js";
import { inPage } from "./model.js";

const MUSCLES = ["hip_flexion", "knee_extension", "ankle_dorsiflexion", "great_toe_extension", "plantarflexion"];
const SYMPTOMS = ["leg_weakness", "saddle_numbness", "bladder_bowel", "new_leg_pain", "progressive_leg_pain", "severe_back_pain", "sensory_level", "gait_ataxia", "bilateral_leg_symptoms"];
/** A list of the clinic's words as options of a question. */
const options = (values, prefix) => values.map((value) => ({ value, label: t(`${prefix}${value}`) }));

export const report = (app, start = {}) => {
  const { run } = app;
  const given = { occurred_at: new Date().toISOString(), symptoms: [], mrc: {}, ...start };
  const types = inPage("complications");
  const questions = [
    ["type", { type: "choice", options: types, title: t("what_happened") }],
    ["level", { type: "choice", options: run.levels.map((value) => ({ value, label: value })), title: t("level") }],
    ["occurred_at", { type: "datetime", title: t("when_found") }],
    ["symptomatic", { type: "boolean", title: t("has_symptoms") }],
    ["detected_by", { type: "choice", options: options(["fluoroscopy", "ct", "examination", "patient", "other"], "found_"), title: t("found_by") }],
    ["symptoms", { type: "multi_choice", options: options(SYMPTOMS, "sym_"), title: t("signs_now") }],
    ...["l", "r"].flatMap((side) => MUSCLES.map((m) => [`mrc.${m}_${side}`, { type: "choice", options: ["5", "4", "3", "2", "1", "0", "nt"].map((value) => ({ value, label: value === "nt" ? t("nt") : value })), title: `${t(`mrc_${m}`)}, ${t(side === "l" ? "left" : "right")}` }])),
    ["perianal_sensation", { type: "choice", options: options(["normal", "impaired", "absent", "nt"], "sens_"), title: t("perianal") }],
    ["bladder", { type: "choice", options: options(["normal", "impaired", "absent", "catheter", "nt"], "sens_"), title: t("bladder") }],
    ["note", { type: "text", max: 2000, title: t("note") }],
  ];
  const read = (name) => (name.startsWith("mrc.") ? given.mrc[name.slice(4)] : given[name]);
  const write = (name, value) => {
    const [into, key] = name.startsWith("mrc.") ? [given.mrc, name.slice(4)] : [given, name];
    if (value === null) delete into[key];
    else into[key] = value;
  };
  return sheet(t("report_title"), (close) => {
    const tell = h("p", { class: "red", role: "alert" });
    const row = ([name, node]) => {
      const by = { ...app, name: () => node.title, room: 60 };
      const made = control(node, (value) => {
        write(name, value);
        made.set({ value });
      }, by);
      made.set({ value: read(name) });
      return h("div", { class: made.wide ? "ask wide" : "ask" }, h("h3", { text: node.title }), made.el);
    };
    const picker = h("select", { class: "field", "aria-label": t("what_happened"), on: { change: () => (given.type = picker.value) } }, h("option", { value: "", text: t("choose") }), types.map((o) => h("option", { value: o.value, text: say(o, "label"), selected: o.value === given.type })));
    const send = () => {
      if (!given.type) {
        tell.textContent = t("say_what");
        picker.focus();
        return;
      }
      const exam = Object.fromEntries(Object.entries({ perianal_sensation: given.perianal_sensation, bladder: given.bladder }).filter(([, v]) => v));
      if (Object.keys(given.mrc).length) exam.mrc = Object.fromEntries(Object.entries(given.mrc).map(([m, v]) => [m, v === "nt" ? v : Number(v)]));
      const neuro = { ...(Object.keys(exam).length ? { exam } : {}), ...(given.symptoms.length ? { symptoms: given.symptoms } : {}), ...(given.note ? { note: given.note } : {}), ...(given.symptoms.length || Object.keys(exam).length ? { onset_at: given.occurred_at } : {}) };
      const body = { id: uuid7(), procedure: run.state.procedure.id, type: given.type, occurred_at: given.occurred_at, fields: {}, treatment: {}, neuro };
      // Whose report it is stays with it, whoever is unlocked when it is sent.
      if (app.tickets[app.session?.user]) body.ticket = app.tickets[app.session.user];
      for (const name of ["level", "symptomatic", "detected_by"]) if (given[name] !== undefined && given[name] !== null) body[name] = given[name];
      const label = say(types.find((o) => o.value === given.type) ?? {}, "label");
      // A report with signs of the nerves is watched like a deficit: unsent for 15 s, and the screen says to call.
      queue.add({ kind: "report", run: run.id, body, who: app.session?.name, label, urgent: Boolean(Object.keys(neuro).length) });
      close(true);
    };
    const neuro = h("details", { open: Boolean(given.symptoms.length) }, h("summary", { text: t("legs_and_saddle") }), questions.slice(5, -1).map(row));
    return h("div", { class: "report" }, h("p", { class: "mut", text: t("report_says") }), h("div", { class: "ask wide" }, h("h3", { text: t("what_happened") }), picker), questions.slice(1, 5).map(row), neuro, row(questions[questions.length - 1]), tell, h("div", { class: "row end" }, button(t("keep_report"), send, "pri")));
  }, { kind: "wide" });
};
