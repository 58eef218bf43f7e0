/** Numbers by big keys; loaded right after the first paint. */
import { button, h, number, plainNumber, sheet, t, typed, unitOf } from "./dom.js";

/** A sheet with big keys. Resolves with a number, {value, unit} for another unit, or undefined. */
export const keypad = (title, node, start) =>
  sheet(
    title,
    (close) => {
      let shown = start === undefined || start === null ? "" : number(plainNumber(start));
      let fresh = true; // the first key replaces what stood there
      const units = node.units?.length > 1 ? node.units : undefined;
      let unit = (start && start.unit) || node.unit;
      const out = h("output", { class: "typed", "aria-live": "polite" });
      const tell = h("p", { class: "by" });
      const factor = () => units?.find((u) => u.code === unit)?.factor ?? 1;
      const value = () => typed(shown.replace(/\s/g, ""));
      const wrong = () => {
        const v = value() * factor();
        if (Number.isNaN(v) || (node.type === "integer" && !Number.isInteger(value()) && factor() === 1)) return t("not_a_number");
        return v < node.min || v > node.max ? t("out_of_range", { min: number(node.min), max: number(node.max) }) : "";
      };
      const paint = () => {
        out.replaceChildren(shown || "–", " ", h("small", { text: unitOf(unit) }));
        const v = value() * factor();
        const unusual = v > (node.warn_high ?? Infinity) || v < (node.warn_low ?? -Infinity);
        tell.textContent = shown && wrong() ? wrong() : unusual ? t("unusual") : t("takes", { min: number(node.min), max: number(node.max), unit: unitOf(node.unit) });
        tell.className = shown && (wrong() || unusual) ? "by amber" : "by";
        keep.classList.toggle("off", !shown || Boolean(wrong()));
      };
      const press = (key) => {
        if (key === "⌫") shown = shown.slice(0, -1);
        else shown = (fresh ? "" : shown) + key;
        fresh = false;
        paint();
      };
      const done = () => {
        if (shown && !wrong()) close(unit === node.unit ? value() : { value: value(), unit });
      };
      const point = number(1.5).includes(",") ? "," : ".";
      const keys = [..."789456123", node.type === "integer" && !units ? (node.min < 0 ? "-" : "") : point, "0", "⌫"];
      const pad = h("div", { class: "pad" }, keys.map((k) => (k ? h("button", { type: "button", "aria-label": k === "⌫" ? t("delete_digit") : null, on: { click: () => press(k) } }, k) : h("span"))));
      const keep = button(t("keep"), done, "pri wide");
      addKeys(pad, press, done);
      const choose = units && h("div", { class: "row" }, units.map((u) => button(unitOf(u.code), (e) => {
        unit = u.code;
        for (const b of e.target.parentNode.children) b.setAttribute("aria-pressed", b === e.target);
        paint();
      }, "chip")));
      paint();
      return [out, tell, choose, pad, keep];
    },
    { kind: "small" },
  );
/** A keyboard, where there is one, types into the pad as well. */
const addKeys = (pad, press, done) =>
  setTimeout(() =>
    pad.closest("dialog")?.addEventListener("keydown", (e) => {
      if (/^[\d.,-]$/.test(e.key)) press(e.key);
      else if (e.key === "Backspace") press("⌫");
      else if (e.key === "Enter" && e.target.tagName !== "BUTTON") done();
    }),
  );
