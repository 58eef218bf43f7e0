/**
 * The form of the bedside: its values as a plain object (what is kept of a half-filled form), as what is sent, and back.
 * What it refuses is what the server would refuse; the rest is the server's to say, and is shown at the same fields.
 */
import { mrcKeypad } from "./mrc.js";

const form = document.getElementById("bedside");
const SIGNS = [...new Set([...form.querySelectorAll(".sens input[type=radio]")].map((one) => one.name))];
const MEASURED = ["pvr_ml", "nrs_back", "nrs_leg"];
// Where a refusal of the server is shown that names another field.
const PLACES = { next_exam_at: "reexam_interval_minutes", not_at_bedside: "arrival", exam: "exam", "imaging.finding": "finding", "imaging.canal_percent": "canal_percent" };

let redraw;
/** When the person said that they are at the bedside, and what happened when, by the phone's clock. */
export const times = { arrived_at: undefined, milestones: {} };

const number = (text) => (/^\d+([.,]\d+)?$/.test(text.trim()) ? Number(text.trim().replace(",", ".")) : NaN);
const value = (name) => new FormData(form).get(name) ?? "";

/** Put the patient's baseline beside each value, and leave out what their levels do not ask. */
export const ask = ({ muscles, was }, words, baseline) => {
  redraw ??= mrcKeypad();
  for (const row of form.querySelectorAll("#mrc tbody tr")) row.hidden = !muscles.includes(row.dataset.muscle);
  for (const cell of form.querySelectorAll("[data-mrc]")) cell.dataset.was = was[cell.dataset.mrc] ?? "";
  for (const place of form.querySelectorAll("[data-was-of]")) {
    const option = form.querySelector(`[name="${place.dataset.wasOf}"][value="${CSS.escape(was[place.dataset.wasOf] ?? "")}"]`);
    place.textContent = option ? words.was.replace("%s", option.nextElementSibling.textContent) : "";
  }
  document.getElementById("mrc-was").textContent = baseline;
  const total = document.getElementById("mrc-total");
  total.textContent = total.textContent.replace(/\d+/, muscles.length * 2);
  redraw();
};

/** Everything that is filled in, as it is kept. */
export const values = () => {
  const found = {};
  for (const [name, text] of new FormData(form)) if (text) found[name] = text;
  return { fields: found, ...structuredClone(times) };
};
export const isEmpty = ({ fields, arrived_at, milestones }) => !Object.keys(fields).length && !arrived_at && !Object.keys(milestones).length;

/** Fill the form with what was kept. */
export const fill = ({ fields = {}, arrived_at, milestones = {} }) => {
  form.reset();
  for (const input of form.querySelectorAll("input[type=hidden]")) input.value = fields[input.name] ?? "";
  for (const [name, text] of Object.entries(fields)) {
    const held = form.elements[name];
    if (held instanceof RadioNodeList) held.value = text;
    else if (held?.type === "checkbox") held.checked = true;
    else if (held) held.value = text;
  }
  times.arrived_at = arrived_at;
  times.milestones = { ...milestones };
  redraw?.();
};

/** What was sent, as the form holds it: to correct it. */
export const fromSent = (body) => {
  const fields = { ...(body.exam ?? {}), ...(body.decision ?? {}), ...(body.imaging ?? {}) };
  for (const [muscle, grade] of Object.entries(body.exam?.mrc ?? {})) fields[`mrc.${muscle}`] = `${grade}`;
  delete fields.mrc;
  if (fields.cement_removed) fields.cement_removed = "true";
  return { fields: Object.fromEntries(Object.entries(fields).map(([name, one]) => [name, `${one}`])), arrived_at: body.arrived_at, milestones: body.milestones ?? {} };
};

/** What is sent: only what was filled in, and nothing as normal that nobody looked at. */
export const read = () => {
  const body = {};
  const mrc = {};
  for (const input of form.querySelectorAll('#mrc tbody tr:not([hidden]) input[type="hidden"]')) {
    if (input.value) mrc[input.name.slice(4)] = input.value === "nt" ? "nt" : Number(input.value);
  }
  const exam = { ...(Object.keys(mrc).length ? { mrc } : {}) };
  for (const name of SIGNS) if (value(name)) exam[name] = value(name);
  for (const name of MEASURED) if (value(name)) exam[name] = number(value(name));
  if (Object.keys(exam).length) body.exam = exam;
  if (times.arrived_at) body.arrived_at = times.arrived_at;
  if (Object.keys(times.milestones).length) body.milestones = { ...times.milestones };
  const imaging = {};
  if (value("finding")) imaging.finding = value("finding");
  if (value("canal_percent")) imaging.canal_percent = number(value("canal_percent"));
  if (value("level") && Object.keys(imaging).length) imaging.level = value("level");
  if (Object.keys(imaging).length) body.imaging = imaging;
  if (value("decision")) {
    body.decision = { decision: value("decision"), reason: value("reason").trim() };
    if (value("level")) body.decision.level = value("level");
    if (value("centre").trim()) body.decision.centre = value("centre").trim();
    if (value("reexam_interval_minutes")) body.decision.reexam_interval_minutes = Number(value("reexam_interval_minutes"));
    if (value("cement_removed")) body.decision.cement_removed = true;
  }
  return body;
};

/** Whether a muscle is weaker than it was, or a leg does not move. */
export const isWorse = (body, was) =>
  body.exam?.legs_move === "none" || body.exam?.legs_move === "one" || Object.entries(body.exam?.mrc ?? {}).some(([name, grade]) => grade !== "nt" && was[name] !== undefined && grade < Number(was[name]));

/** What this form lacks, as [field, sentence]. */
export const faults = (body, known, words) => {
  const found = [];
  const say = (field, word) => found.push([field, words[word]]);
  for (const name of MEASURED) if (value(name) && Number.isNaN(number(value(name)))) say(name, "no_number");
  for (const name of ["nrs_back", "nrs_leg"]) if (number(value(name)) > 10) say(name, "to_ten");
  const percent = value("canal_percent") && number(value("canal_percent"));
  if (percent !== "" && !(percent >= 0 && percent <= 100)) say("canal_percent", "to_hundred");
  const decided = body.decision?.decision;
  if (!decided && (value("reason").trim() || value("centre").trim())) say("decision", "choose_decision");
  if (decided) {
    if (!body.decision.reason) say("reason", "say_why");
    if (decided === "observe" && !body.decision.reexam_interval_minutes) say("reexam_interval_minutes", "say_when");
    if (decided === "transfer" && !body.decision.centre) say("centre", "say_where");
    if (decided === "no_deficit" && isWorse(body, known.form.was)) say("decision", "contradicts");
    if (!known.case.arrived && !known.case.from_afar && !times.arrived_at) say("arrival", "say_arrived");
  }
  if (!found.length && !Object.keys(body).length) say("all", "nothing_yet");
  return found;
};

/** Show each sentence at its field, and lead to the first; an empty list takes all of them away. */
export const showFaults = (found) => {
  for (const place of form.querySelectorAll("[data-error]")) {
    const mine = found.filter(([field]) => placeOf(field) === place.dataset.error).map(([, sentence]) => sentence);
    place.hidden = !mine.length;
    place.lastElementChild.textContent = mine.join(" ");
    for (const field of form.querySelectorAll(`[name="${place.dataset.error}"]:not([type=hidden])`)) {
      field.toggleAttribute("aria-invalid", Boolean(mine.length));
      if (mine.length) field.setAttribute("aria-describedby", place.id);
      else field.removeAttribute("aria-describedby");
    }
  }
  const first = form.querySelector("[data-error]:not([hidden])");
  if (!first) return;
  const target = form.querySelector(`[name="${first.dataset.error}"]:not([type=hidden])`) ?? first;
  first.scrollIntoView({ block: "center" });
  target.focus?.({ preventScroll: true });
};
const placeOf = (field) => {
  const name = PLACES[field] ?? field;
  if (form.querySelector(`[data-error="${CSS.escape(name)}"]`)) return name;
  return name.startsWith("exam") ? "exam" : "all";
};
export const serverFaults = (errors, detail) => (errors?.length ? errors.map((one) => [one.code === "not_at_bedside" ? "not_at_bedside" : one.field, one.detail]) : [["all", detail]]);
export { form };
