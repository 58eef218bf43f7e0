/** Controls that no sign in begins with: several answers to one question, and the line of a repetition. */
import { button, fill, h, icon, say, t } from "./dom.js";

/** The vertebrae within two of this procedure's levels. */
export const nearby = (levels, options) => {
  const at = levels.map((level) => options.indexOf(level));
  return new Set(options.filter((_, n) => at.some((place) => Math.abs(place - n) <= 2)));
};

/** Several: chips that stay in the order of the list; an exclusive one stands alone. */
export const several = (node, give, app, unless) => {
  const boxes = node.options.map((o) => {
    const box = h("input", { type: "checkbox" });
    box.option = o;
    return box;
  });
  const chips = boxes.map((b) => h("label", { class: "pick" }, b, h("span", {}, icon("check"), say(b.option, "label"))));
  const el = h("fieldset", { class: "picks" }, h("legend", { class: "vh", text: app.name(node) }), chips);
  // Of the 27 vertebrae those around the procedure's levels stand ready; the others are one touch away.
  const near = node.options.length > 20 && nearby(app.run.levels, node.options.map((o) => o.value));
  const all = near && button(t("other_levels"), () => el.classList.add("all"));
  if (near) {
    chips.forEach((chip, n) => chip.classList.toggle("far", !near.has(node.options[n].value)));
    el.append(all);
  }
  if (node.na_allowed) el.append(unless(node, give, app));
  el.addEventListener("change", (event) => {
    const { option, checked } = event.target;
    if (checked) for (const b of boxes) if (b !== event.target && (option.exclusive || b.option.exclusive)) b.checked = false;
    const chosen = boxes.filter((b) => b.checked).map((b) => b.option.value);
    give(chosen.length ? chosen : null);
  });
  const set = (a) => {
    const chosen = Array.isArray(a?.value) ? a.value : [];
    for (const b of boxes) b.checked = chosen.includes(b.option.value);
    if (near && chosen.some((v) => !near.has(v))) el.classList.add("all");
    el.dataset.at = a?.mark ?? "";
  };
  return { el, set, wide: true };
};

/** One touch for a whole examination that found nothing new; each answer is written out and can be changed. */
const quick = (node, at, app, keyAt) => {
  const same = node.children.filter((c) => c.raw.options?.some((o) => o.value === "as_baseline") && c.raw.required === "always");
  if (same.length < 2) return null;
  return button(t("all_as_before"), () => {
    const awake = node.children.find((c) => c.id.endsWith(".awake"));
    if (awake && !app.run.answered(keyAt(awake, at))) app.tick(awake, at, "yes");
    for (const c of same) if (!app.run.answered(keyAt(c, at))) app.tick(c, at, "as_baseline");
  });
};

/** One repetition: folded to a line when a later one is open. */
export const foldRow = (node, at, app, ordinal, words, keyAt) => {
  const sum = h("p", { class: "by" });
  const toggle = h("button", { class: "btn quiet", type: "button", on: { click: () => app.toggle(at.instance) } });
  const el = h("li", { class: "item fold", tabindex: "-1", id: `f-${at.instance}` }, h("span", { class: "n sml", text: ordinal }), h("div", {}, h("h3", { text: `${t(`one_${node.repeat}`)} ${ordinal}` }), sum), h("div", { class: "ctl row" }, quick(node, at, app, keyAt), toggle));
  const paint = (open, slots) => {
    const said = slots.filter((s) => app.run.answered(s.key));
    fill(sum, [open, said.map((s) => app.run.answer(s.key).value)], () =>
      h("span", { text: said.slice(0, 9).map((s) => words(s.node.raw, app.run.answer(s.key).value)).join(" · ") || t("no_answer") }),
    );
    toggle.textContent = t(open ? "fold" : "unfold");
    toggle.setAttribute("aria-expanded", open);
  };
  return { el, paint, node, at };
};
