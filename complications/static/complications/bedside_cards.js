/** What was recorded here: on this phone, stored, refused, or standing beside another surgeon's decision. */
const SVG = "http://www.w3.org/2000/svg";

/** An element; `on` is its click. */
export const el = (tag, { on, ...props } = {}, ...kids) => {
  const made = document.createElement(tag);
  for (const [name, one] of Object.entries(props)) made.setAttribute(name, one);
  if (on) made.addEventListener("click", on);
  made.append(...kids.filter((kid) => kid !== undefined && kid !== false));
  return made;
};
export const icon = (name) => {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "i");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
};
/** "03:21" on the phone's clock. */
export const hm = (at) => {
  const moment = new Date(at);
  return [moment.getHours(), moment.getMinutes()].map((part) => `${part}`.padStart(2, "0")).join(":");
};
export const phoneLinks = (phones, words) =>
  phones.length ? phones.map((one) => el("a", { class: "btn wide", href: `tel:${`${one.number}`.replace(/[^\d+*#]/g, "")}` }, icon("phone"), `${one.name} ${one.number}`)) : [el("p", {}, words.no_phones)];

const card = (tone, name, title, ...kids) => el("li", { class: `note ${tone}` }, icon(name), el("div", { class: "stack g8" }, el("b", {}, title), ...kids));
const button = (label, on, kind = "") => el("button", { class: `btn ${kind} wide`, type: "button", on }, label);
const said = (errors, detail) => (errors?.length ? errors.map((one) => one.detail) : [detail]).filter(Boolean).map((text) => el("p", {}, text));

/** One that is still on this phone. */
const onPhone = ({ entry, own }, words, acts) => {
  const at = words.written.replace("%s", hm(entry.made));
  if (entry.refused && entry.read) return undefined;
  if (!own) return card("amber", "lock", words.other_waits.replace("%s", entry.who), el("p", {}, `${at}. ${words.other_waits_says.replace("%s", entry.who)}`));
  if (entry.refused) {
    return card("red", "octagon-alert", words.refused, el("p", {}, `${entry.label} · ${at}`), ...said(entry.errors, entry.reason),
      button(words.correct, () => { acts.correct(entry.body, entry.errors, entry.reason); acts.drop(entry); }, "pri"),
      button(words.send_again, () => acts.again(entry)));
  }
  if (entry.unkept) return card("red", "octagon-alert", words.unkept, el("p", {}, `${entry.label} · ${at}`));
  return card("amber", "smartphone", words.on_phone, el("p", {}, `${entry.label} · ${at}`));
};

const decided = (title, what, by, at, reason) =>
  el("div", { class: "versus" }, el("span", { class: "met" }, title), el("b", {}, what), el("span", {}, [by, at].filter(Boolean).join(" · ")), reason ? el("q", {}, reason) : "");

/** One that the server has, with what became of it. */
const onServer = (entry, state, words, acts) => {
  const own = entry.by.user === state.who?.user;
  const { parts, errors = [], in_force: standing } = entry.outcome;
  const what = Object.keys(parts).map((name) => words.parts[name] ?? name);
  const times = `${words.written.replace("%s", hm(entry.made_at))} · ${words.stored_at.replace("%s", hm(entry.received_at))}${own ? "" : ` · ${entry.by.name}`}`;
  const open = !(state.left ?? []).includes(entry.id);
  const { decision } = entry.data;
  if (own && open && parts.decision === "not_in_force") {
    const now = state.known.escalation;
    return card("red", "triangle-alert", standing.decision ? words.conflict : words.conflict_closed,
      el("p", {}, words.conflict_says),
      decided(words.stands, standing.decision ? words.decision[standing.decision] : words.escalation_status[standing.status], standing.by?.name, standing.decided_at && hm(standing.decided_at), standing.reason),
      decided(words.yours, words.decision[decision.decision], entry.by.name, hm(entry.made_at), decision.reason),
      ...(state.known.case.open ? [button(words.make_mine, () => acts.mine(entry), now.decision ? "" : "pri")] : []),
      button(words.leave, () => acts.leave(entry)),
      el("p", { class: "met" }, times));
  }
  if (own && open && Object.values(parts).includes("refused")) {
    const left = Object.keys(parts).filter((name) => parts[name] === "refused").map((name) => words.parts[name] ?? name).join(", ");
    return card("red", "octagon-alert", words.partly.replace("%s", left), ...said(errors), el("p", { class: "met" }, times),
      ...(parts.decision === "refused" ? [button(words.correct, () => { acts.correct({ decision, imaging: entry.data.imaging }, errors); acts.leave(entry); }, "pri")] : []),
      button(words.leave_it, () => acts.leave(entry)));
  }
  return card("green", "circle-check", words.stored, el("p", {}, [...what.filter((name) => name !== words.parts.decision), decision && `${words.parts.decision}: ${words.decision[decision.decision]}${parts.decision === "stored" ? "" : ` (${words.not_in_force})`}`].filter(Boolean).join(" · ")), el("p", { class: "met" }, times));
};

/** Draw all of them, the unsent first; nothing is drawn anew that says the same. */
export const cards = ({ state, words, entries, acts, place }) => {
  const sent = state.known?.entries ?? [];
  const shown = JSON.stringify([entries.map(({ entry, own }) => [entry.body.id, entry.n, entry.refused, entry.read, entry.unkept, own]), sent.map((one) => one.id), state.left, state.known?.escalation.decided_at, state.known?.case.open, state.who?.user]);
  if (place.dataset.shown === shown) return;
  place.dataset.shown = shown;
  const known = new Set(sent.map((one) => one.id));
  place.replaceChildren(
    ...entries.filter(({ entry }) => !known.has(entry.body.id)).map((one) => onPhone(one, words, acts)).filter(Boolean),
    ...sent.map((one) => onServer(one, state, words, acts)),
  );
};
