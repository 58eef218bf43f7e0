/**
 * What a finger touches. Each maker takes (node, give, app) and returns {el, wide?, set(answer)}: `give(value)` records
 * an answer, `set` paints one. A control never holds an answer of its own.
 */
import { button, clock, date, fill, h, icon, localInput, number, plainNumber, quantity, say, sheet, t, unitOf } from "./dom.js";
import { isNA, late } from "./model.js";

let serial = 0;
const text = (v) => (v === undefined || v === null ? "" : `${v}`);

/** The words of an answer, as a person would say them. */
export const words = (node, value) => {
  if (value === null || value === undefined) return t("no_answer");
  if (isNA(value)) return `${t("na")}: ${t(`na_${value.not_applicable}`) || value.not_applicable}`;
  if (Array.isArray(value)) return value.length ? value.map((v) => words({ ...node, type: "choice" }, v)).join(", ") : t("none");
  if (typeof value === "boolean") return t(value ? "yes" : "no");
  const option = node.options?.find((o) => text(o.value) === text(value));
  if (option) return say(option, "label");
  if (typeof value === "object" && "matched" in value) return t(value.matched ? "matches" : "matches_not");
  if (typeof value === "object") return `${number(value.value)} ${unitOf(value.unit)}`;
  if (typeof value === "number") return `${number(value)} ${unitOf(node.unit)}`.trim();
  if (node.type === "datetime") return clock(value);
  return node.type === "date" ? date(value) : text(value);
};

/** Radios as one outlined box; touching the chosen one again offers to clear it. */
const segments = (node, give, app, options, kind = "") => {
  const name = `q${++serial}`;
  const inputs = options.map(({ value }) => {
    const input = h("input", { type: "radio", name, value: text(value) });
    input.given = value;
    return input;
  });
  const [grade, ...meaning] = kind.includes("mrcs") ? [(o) => o.label.match(/^\d/)?.[0] ?? "–", (o) => h("small", { text: ` ${o.label.replace(/^\d /, "")}` })] : [(o) => o.label];
  const label = (o, n) => h("label", {}, inputs[n], h("span", {}, icon("check"), h("b", { text: grade(o) }), meaning.map((m) => m(o))));
  const el = h("fieldset", { class: `seg ${kind}` }, h("legend", { class: "vh", text: app.name(node) }), options.map(label));
  let painted = "";
  el.addEventListener("change", async (event) => {
    const { given } = event.target;
    if (given !== NA) return give(given);
    const reason = await whyNot(node, app);
    if (reason) give({ not_applicable: reason });
    else paint();
  });
  el.addEventListener("click", async (event) => {
    if (event.target.type !== "radio" || !event.detail || event.target.value !== painted) return;
    if (await app.confirm(t("clear_answer"), app.name(node))) give(null);
  });
  const paint = () => inputs.forEach((i) => (i.checked = painted !== "" && i.value === painted));
  const set = (a) => {
    painted = isNA(a?.value ?? null) ? NA : text(a?.value);
    paint();
    el.dataset.at = a?.mark ?? "";
  };
  return { el, set, wide: kind.includes("wrap") };
};
const NA = "\u0000na";

const whyNot = (node, app) =>
  sheet(t("why_na"), (close) => [
    h("p", { class: "mut", text: app.name(node) }),
    h("div", { class: "tiles" }, app.reasons().map((r) => button(r.label, () => close(r.value)))),
  ]);

/** "Not applicable" beside a control, where the definition allows it. */
const unless = (node, give, app) =>
  node.na_allowed &&
  button(t("na"), async () => {
    const reason = await whyNot(node, app);
    if (reason) give({ not_applicable: reason });
  });

const choice = (node, give, app) => {
  const options = node.type === "boolean"
    ? [true, false].map((value) => ({ value, label: t(value ? "yes" : "no") }))
    : node.options.map((o) => ({ value: o.value, label: say(o, "label") }));
  if (node.na_allowed) options.push({ value: NA, label: t("na") });
  // A muscle grade: the number is what is looked for, its meaning stands below.
  if (options.length === 7 && options[0].value === "5") return segments(node, give, app, options, "nrs mrcs wrap");
  const letters = options.reduce((n, o) => n + o.label.length + 5, 0);
  return segments(node, give, app, options, options.length > 5 || letters > app.room ? "wrap" : "");
};

/** Several: in the second script, which a list that asks for it waits for. */
const several = (node, give, app) => late.several(node, give, app, unless);

const numeric = (node, give, app) => {
  if (node.type === "integer" && node.min === 0 && node.max === 10 && !node.na_allowed)
    return segments(node, give, app, [...Array(11).keys()].map((value) => ({ value, label: `${value}` })), "nrs wrap");
  let now;
  const step = node.step ?? 1;
  const move = (by) => {
    const v = Math.round((plainNumber(now) + by * step) * 1000) / 1000;
    if (v >= node.min && v <= node.max) give(v);
  };
  const value = h("button", { class: "btn val", type: "button", on: { click: async () => {
    const { keypad } = await import("./keypad.js");
    const v = await keypad(app.name(node), node, isNA(now ?? null) ? undefined : now);
    if (v !== undefined) give(v);
  } } });
  const less = h("button", { class: "btn ico", type: "button", "aria-label": t("less", { by: number(step) }), on: { click: () => move(-1) } }, "−");
  const more = h("button", { class: "btn ico", type: "button", "aria-label": t("more", { by: number(step) }), on: { click: () => move(1) } }, "+");
  const el = h("div", { class: "num", role: "group", "aria-label": app.name(node) }, less, value, more, unless(node, give, app));
  const set = (a) => {
    now = a?.value ?? undefined;
    const known = typeof plainNumber(now ?? null) === "number";
    less.hidden = more.hidden = !known || typeof now === "object";
    el.dataset.at = a?.mark ?? "";
    const v = plainNumber(now);
    const unusual = known && (v > (node.warn_high ?? Infinity) || v < (node.warn_low ?? -Infinity));
    value.classList.toggle("unusual", unusual);
    fill(value, [now, node.unit], () => known ? [unusual && icon("triangle-alert", t("unusual")), quantity(v, now.unit ?? node.unit)] : now ? words(node, now) : [t("enter"), h("small", { text: unitOf(node.unit) })]);
    value.setAttribute("aria-label", `${app.name(node)}: ${words(node, now)}`);
  };
  return { el, set };
};

/** A time: "now" in one touch; another one is typed, and only then does its field stand there. */
const moment = (node, give, app) => {
  const day = node.type === "date";
  const input = h("input", { type: day ? "date" : "datetime-local", class: "field", "aria-label": app.name(node), hidden: true });
  const read = (v) => (day ? v : new Date(v).toISOString());
  input.addEventListener("change", () => give(input.value ? read(input.value) : null));
  const now = button(t(day ? "today" : "now"), () => give(day ? localInput(Date.now()).slice(0, 10) : new Date().toISOString()));
  const other = button(t(day ? "other_date" : "other_time"), () => {
    other.hidden = true;
    input.hidden = false;
    input.value ||= localInput(Date.now()).slice(0, day ? 10 : 16);
    input.focus();
  });
  const el = h("div", { class: "num" }, now, other, input, unless(node, give, app));
  const set = (a) => {
    el.dataset.at = a?.mark ?? "";
    const v = a?.value;
    const shown = !v || isNA(v) ? "" : day ? v : localInput(v);
    if (document.activeElement === input) return;
    if (input.value !== shown) input.value = shown;
    input.hidden = !shown;
    other.hidden = Boolean(shown);
  };
  return { el, set };
};

/** Text and scans are kept when the field is left, and after three quiet seconds. */
const written = (node, give, app) => {
  const long = (node.max ?? 0) > 120;
  const input = h(long ? "textarea" : "input", { class: "field", maxlength: node.max, rows: long ? 2 : null, autocomplete: "off", "aria-label": app.name(node), placeholder: node.type === "scan" ? t("scan_or_type") : null });
  let timer;
  let last = "";
  const keep = () => {
    clearTimeout(timer);
    const v = input.value.trim();
    if (v === last || (v && v.length < (node.min ?? 0))) return;
    last = v;
    if (node.type === "scan" && v) app.scanned(node, v, give);
    else give(v || null);
  };
  input.addEventListener("change", keep);
  input.addEventListener("input", () => {
    clearTimeout(timer);
    if (node.type !== "scan") timer = setTimeout(keep, 3000);
  });
  addEventListener("pagehide", keep);
  const set = (a) => {
    const v = typeof a?.value === "object" && a.value ? words(node, a.value) : text(a?.value);
    if (document.activeElement !== input) input.value = last = v;
    input.dataset.at = a?.mark ?? "";
  };
  return { el: h("div", { class: `num ${long ? "long" : ""}` }, input, unless(node, give, app)), set, wide: long };
};

const person = (node, give, app) => {
  const el = button(t("choose_person"), async () => {
    const who = await app.pickPerson(app.name(node));
    if (who) give(who);
  });
  const set = (a) => {
    el.dataset.at = a?.mark ?? "";
    fill(el, a?.value ?? "", () => (a?.value ? app.personName(a.value) : t("choose_person")));
  };
  return { el, set };
};

const shownOnly = (node) => {
  const el = h("output", { class: "computed" });
  return { el, set: (a) => fill(el, a?.value ?? "", () => (a?.value === undefined || a?.value === null ? t("not_yet") : words(node, a.value))) };
};

const MAKERS = { boolean: choice, choice, coded: choice, multi_choice: several, integer: numeric, decimal: numeric, datetime: moment, date: moment, text: written, scan: written, user_ref: person };
export const control = (node, give, app) => (node.by?.join() === "computed" ? shownOnly(node) : (MAKERS[node.type] ?? written)(node, give, app));
