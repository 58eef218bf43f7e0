/** Small tools of the run page: elements without HTML strings, words, numbers and times. */
const SVG = "http://www.w3.org/2000/svg";

/** An element. Props: `class`, `on` = {event: handler}, `text`, anything else an attribute (false and null leave it out). */
export const h = (tag, props, ...kids) => {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === false || value === null || value === undefined) continue;
    if (name === "on") for (const [type, act] of Object.entries(value)) el.addEventListener(type, act);
    else if (name === "text") el.textContent = value;
    else el.setAttribute(name, value === true ? "" : value);
  }
  el.append(...kids.flat(9).filter((k) => k !== null && k !== undefined && k !== false));
  return el;
};

/** An icon of the page's sprite; with a label it speaks, without one it is decoration beside a word. */
export const icon = (name, label) => {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "i");
  if (label) svg.setAttribute("role", "img");
  svg.setAttribute(label ? "aria-label" : "aria-hidden", label ?? "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
};

/** Replace an element's children only when what they show has changed: nothing jumps, and focus stays. */
export const fill = (el, shown, make) => {
  const mark = typeof shown === "string" ? shown : JSON.stringify(shown);
  if (el.shown === mark) return;
  el.shown = mark;
  el.replaceChildren(...[make()].flat(9).filter(Boolean));
};

const all = JSON.parse(document.getElementById("words").textContent);
export const lang = {
  now: "en",
  /** How numbers and dates are written: day before month, comma or point as in the language. */
  get locale() {
    return this.now === "en" ? "en-GB" : this.now;
  },
  set(code) {
    this.now = all[code] ? code : "en";
    document.documentElement.lang = this.now;
  },
};
/** A sentence of the interface; `{name}` is filled from `values`. */
export const t = (key, values = {}) =>
  (all[lang.now][key] ?? all.en[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
/** A text of the definition in the person's language. */
export const say = (node, field = "title") => (lang.now !== "en" && node[`${field}_${lang.now}`]) || node[field] || "";

/** Whole numbers without the browser's tables of languages, which take as long to load as the rest of the page to draw. */
export const number = (value) => {
  if (Number.isInteger(value) && Math.abs(value) < 1000) return `${value}`;
  return typeof value === "number" ? value.toLocaleString(lang.locale, { maximumFractionDigits: 3 }) : `${value}`;
};
/** The number of an answer, which may name its unit. */
export const plainNumber = (v) => (v !== null && typeof v === "object" ? v.value : v);
/** What a person typed, decimal comma or point, as a number; NaN when it is none. */
export const typed = (text) => (/^[-+]?\d+([.,]\d+)?$/.test(text.trim()) ? Number(text.trim().replace(",", ".")) : NaN);
const UNITS = {
  "{score}": "", "{INR}": "", "{grade}": "", Cel: "°C", "mm[Hg]": "mmHg", "[psi]": "psi", "10*9/L": "×10⁹/L", "/min": "/min",
  "10*3/uL": "×10³/µL", "Gy.cm2": "Gy·cm²", "dGy.cm2": "dGy·cm²", "cGy.cm2": "cGy·cm²", "uGy.m2": "µGy·m²", "mg{MME}/d": "mg/d",
  "mGy.cm2": "mGy·cm²", "mGy.cm": "mGy·cm", deg: "°",
};
export const unitOf = (unit) => (unit ? (UNITS[unit] ?? unit) : "");
/** A number that never parts from its unit. */
export const quantity = (value, unit) =>
  h("span", { class: "q" }, number(value), unitOf(unit) ? h("small", { text: unitOf(unit) }) : null);

/** "9 Jan", in Turkish "9 Oca": in both the day comes first. */
const dayMonth = (d) => `${d.getDate()} ${t("months").split(" ")[d.getMonth()]}`;
const two = (n) => `${n}`.padStart(2, "0");
const sameDay = (a, b) => a.toDateString() === b.toDateString();
/** "14:32", with the date when it is not today. */
export const clock = (at, seconds = false) => {
  const d = new Date(at);
  const hm = `${two(d.getHours())}:${two(d.getMinutes())}${seconds ? `:${two(d.getSeconds())}` : ""}`;
  if (sameDay(d, new Date())) return hm;
  return `${dayMonth(d)} ${hm}`;
};
export const date = (iso) => {
  const d = iso && new Date(`${iso.slice(0, 10)}T12:00`);
  return d && `${dayMonth(d)} ${d.getFullYear()}`;
};
/** What `<input type=datetime-local>` wants, in the tablet's own zone. */
export const localInput = (at) => {
  const d = new Date(at);
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}T${two(d.getHours())}:${two(d.getMinutes())}`;
};
export const initials = (name) => name.split(/[\s.]+/).filter(Boolean).map((w) => w[0]).slice(0, 2).join("").toUpperCase();

/** A modal sheet. `build(close)` returns its content; resolves with what `close` was given, or undefined when dismissed. */
export const sheet = (title, build, { kind = "" } = {}) =>
  new Promise((done) => {
    let result;
    const close = (value) => {
      result = value;
      box.close();
    };
    const box = h(
      "dialog",
      { class: `sheet ${kind} ${document.body.classList.contains("locked") ? "clear" : ""}`, "aria-label": title },
      h("header", {}, h("h2", { text: title }), h("button", { class: "btn", type: "button", on: { click: () => close() } }, t("close"))),
      build(close),
    );
    box.addEventListener("close", () => {
      box.remove();
      done(result);
    });
    document.body.append(box);
    box.showModal();
  });
export const button = (label, act, kind = "", name) =>
  h("button", { class: `btn ${kind}`, type: "button", on: { click: act } }, name ? icon(name) : null, label);
