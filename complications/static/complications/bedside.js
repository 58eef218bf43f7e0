/**
 * The bedside form on a phone, with and without a network. What is typed is kept on the phone as it is typed; what is
 * recorded goes into the outbox and leaves it by the server's receipt alone. The page says of each which of both it is,
 * and that an answer which has not left this phone stops no paging.
 */
import { tick } from "../clinic/js/clocks.js";
import { call, net, queue, uuid7 } from "../clinic/js/queue.js";
import { cache, outbox, plain } from "../clinic/js/store.js";
import { ask, faults, fill, form, fromSent, isEmpty, isWorse, read, serverFaults, showFaults, times, values } from "./bedside_form.js";
import { cards, el, hm, icon, phoneLinks } from "./bedside_cards.js";
import { fetchCase, keepPage, keptCase, keptCases, person } from "./kept.js";

const table = (name) => JSON.parse(document.getElementById(name).textContent);
const words = { ...table("words"), ...table("tables") };
Object.assign(words.parts, words.milestone);
const kinds = new Map([...document.getElementById("kinds").content.children].map((one) => [one.dataset.kind, one.textContent]));
const id = /\/escalations\/([0-9a-f-]{36})\//.exec(location.pathname)?.[1];
const place = (name) => document.getElementById(name);
const AGAIN = 15000;
// Day before month in both languages.
const locale = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;

const state = { known: undefined, fresh: false, status: undefined, who: undefined, unkept: false, cryptic: Boolean(globalThis.crypto?.subtle) };

// -- what is kept of a half-filled form -----------------------------------------------------------------------------
const draftName = () => `draft:${id}:${state.known.you.user}`;
let keeping = Promise.resolve();
/** One after another, so that an older state never lands on a newer one. */
const keep = () => {
  if (!state.known) return;
  const now = values();
  keeping = keeping.then(async () => {
    try {
      if (isEmpty(now)) await cache.drop([draftName()]);
      else await cache.put(draftName(), { ...now, at: Date.now() });
      state.unkept = false;
    } catch {
      state.unkept = true;
    }
    drawKept(isEmpty(now));
  });
};
const drawKept = (empty) => {
  const line = place("kept");
  const bad = state.unkept || !state.cryptic;
  line.hidden = empty && !bad;
  line.classList.toggle("amber", bad);
  line.replaceChildren(icon(bad ? "triangle-alert" : "smartphone"), el("span", {}, bad ? words.not_kept : words.kept));
};

// -- the case --------------------------------------------------------------------------------------------------------
const mine = (entry) => !entry.maker || entry.maker === state.who?.user;
const waiting = () => queue.waiting.filter((entry) => entry.run === id && entry.maker);

const load = async () => {
  const answer = await fetchCase(id);
  state.status = answer.status;
  if (answer.status === 200) {
    const other = state.known && state.known.you.user !== answer.body.you.user;
    state.fresh = true;
    state.who = answer.body.you;
    document.documentElement.dataset.theme = state.who.theme;
    show({ ...answer.body, at: Date.now() }, other);
  } else {
    state.fresh = false;
    // Logged out, or no longer allowed: nothing of the patient stays on the screen.
    if (answer.status === 401 || answer.status === 403 || answer.status === 404) hideCase();
  }
  draw();
};
const hideCase = () => {
  state.known = undefined;
  place("case").hidden = true;
};
const show = async (known, other = false) => {
  const first = !state.known || other;
  state.known = known;
  place("case").hidden = false;
  if (!first) return;
  ask(known.form, words, known.escalation.baseline ? words.was.replace("%s", day(known.escalation.baseline.occurred_at)) : words.no_baseline);
  const draft = await cache.get(draftName()).catch(() => undefined);
  if (draft && isEmpty(values())) {
    fill(draft);
    drawKept(false);
  } else if (other) {
    fill({});
    drawKept(true);
  }
  draw();
  // The link to the decision leads there, once there is something to lead to.
  if (!other && location.hash && !place(location.hash.slice(1))?.hidden) place(location.hash.slice(1))?.scrollIntoView();
};
const day = (iso) => `${hm(iso)}, ${new Date(iso).toLocaleDateString(locale, { day: "numeric", month: "short" })}`;

// -- drawing ---------------------------------------------------------------------------------------------------------
const draw = () => {
  drawHead();
  drawNet();
  if (state.known) drawCase();
  cards({ id, state, words, entries: waiting().map((entry) => ({ entry, own: mine(entry) })), acts, place: place("sent") });
  for (const stone of form.querySelectorAll("[data-stone]")) {
    const at = times.milestones[stone.dataset.stone];
    stone.setAttribute("aria-pressed", Boolean(at));
    stone.lastElementChild.textContent = at ? ` ${hm(at)}` : "";
  }
  const arrived = place("arrived");
  arrived.setAttribute("aria-pressed", Boolean(times.arrived_at));
  arrived.lastElementChild.textContent = times.arrived_at ? words.arrived_since.replace("%s", hm(times.arrived_at)) : words.arrived;
};
const drawHead = () => {
  const { known } = state;
  const head = place("head");
  head.hidden = !known;
  if (!known) return;
  const { escalation } = known;
  const red = known.case.open && escalation.status !== "decided" ? { t0: "red", t1: "red", t2: "look" }[escalation.tier] : "";
  head.className = `tier sm ${red || "calm"}`;
  place("tier").textContent = words.tier[escalation.tier];
  // The phone's clock may be wrong: it runs against the server's.
  place("since").dataset.since = new Date(Date.parse(escalation.origin) + (net.skew ?? 0)).toISOString();
  tick();
};
/** What the connection means for the case: said before anything else, because somebody may wait for nobody. */
const drawNet = () => {
  const { known } = state;
  const off = net.state === "down" || (!state.fresh && state.status === 0);
  const out = state.status === 401 || net.state === "login";
  const line = place("net");
  line.className = `netline ${off || out ? "amber" : ""}`;
  const said = out ? words.logged_out : off ? (!id ? words.offline_list : known ? words.offline.replace("%s", hm(known.at)) : words.offline_empty) : state.fresh ? words.online : words.looking;
  if (line.dataset.said !== said) {
    line.dataset.said = said;
    line.replaceChildren(icon(off || out ? "wifi-off" : "wifi"), el("span", {}, said), ...(out ? [el("a", { href: `/accounts/login/?next=${encodeURIComponent(location.pathname)}` }, words.log_in)] : []));
  }
  const nobody = known?.case.open && !known.case.arrived && !known.escalation.decision;
  const urgent = (off || out) && (nobody || waiting().length);
  const alarm = place("unsent");
  alarm.hidden = !urgent;
  const phones = known?.escalation.phone_list ?? state.who?.phones ?? [];
  const shown = JSON.stringify([urgent, nobody, phones, waiting().length]);
  if (!urgent || alarm.dataset.shown === shown) return;
  alarm.dataset.shown = shown;
  alarm.replaceChildren(
    icon("phone-call"),
    el("div", { class: "stack" }, el("b", {}, words.not_sent), el("p", {}, nobody ? words.paging_goes_on : words.nobody_knows), ...phoneLinks(phones, words)),
  );
};
const drawCase = () => {
  const { escalation, case: about, may_decide } = state.known;
  place("who").textContent = escalation.patient.name;
  place("born").textContent = words.born.replace("%s", new Date(`${escalation.patient.birth_date}T12:00`).toLocaleDateString(locale, { day: "numeric", month: "short", year: "numeric" }));
  place("age").textContent = about.age;
  place("what").textContent = [kinds.get(escalation.kind) ?? "", escalation.levels.join(" + "), ...about.findings].filter(Boolean).join(" · ");
  const has = place("has");
  const decision = escalation.decision && `${words.in_force} ${words.decision[escalation.decision]}`;
  has.textContent = [decision, escalation.responsible ? words.has_it.replace("%s", escalation.responsible.name) : words.nobody_has_it].filter(Boolean).join(" · ");
  place("decide").hidden = !may_decide;
  place("arrival").hidden = about.arrived || !may_decide;
  place("closed").hidden = about.open;
  for (const option of form.querySelectorAll("[data-pathway]")) option.hidden = (option.dataset.pathway === "spine") !== about.spine;
};

// -- acts ------------------------------------------------------------------------------------------------------------
/** Put a form into the outbox: from here on it is sent whatever happens to this page. */
const send = async (body) => {
  const { known } = state;
  const what = [body.exam && words.parts.examination, (body.imaging || body.milestones) && words.parts.imaging, body.decision && `${words.parts.decision}: ${words.decision[body.decision.decision]}`, body.arrived_at && words.parts.arrival].filter(Boolean);
  return queue.add({
    kind: "act",
    path: `escalations/${id}/bedside/`,
    run: id,
    body: { id: uuid7(), made_at: new Date().toISOString(), ticket: known.you.ticket, saw: known.escalation.decided_at, ...body },
    urgent: isWorse(body, known.form.was) || Boolean(body.decision),
    who: known.you.name,
    maker: known.you.user,
    label: what.join(" · "),
  });
};
const acts = {
  /** Read everything again into the form, with what the server said at its fields. */
  correct: (body, errors, detail) => {
    fill(fromSent(body));
    draw();
    keep();
    showFaults(serverFaults(errors, detail));
  },
  /** What was refused may be taken now: a right was given, a case opened again. */
  again: async (entry) => {
    Object.assign(entry, { refused: undefined, reason: undefined, errors: undefined });
    if (entry.n) await outbox.put(entry);
    queue.tell("change");
    queue.flush();
  },
  drop: (entry) => queue.seen(entry),
  /** Somebody decided meanwhile: with that in sight, this one is to stand. */
  mine: async (entry) => {
    await send({ decision: entry.data.decision, ...(entry.data.imaging && Object.keys(entry.data.imaging).length ? { imaging: entry.data.imaging } : {}) });
    await acts.leave(entry);
  },
  leave: async (entry) => {
    state.left = [...(state.left ?? []), entry.id].slice(-50);
    await plain.put("left", state.left).catch(() => {});
    draw();
  },
};

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!state.known) return;
  const body = read();
  const found = faults(body, state.known, words);
  showFaults(found);
  if (found.length) return;
  const button = place("record");
  button.disabled = true;
  const entry = await send(body);
  button.disabled = false;
  if (!entry.unkept) {
    fill({});
    keep();
  }
  draw();
  place("sent").scrollIntoView({ block: "start" });
  place("sent").focus({ preventScroll: true });
});
for (const name of ["input", "change"]) {
  form.addEventListener(name, () => {
    keep();
    draw();
  });
}
place("arrived").addEventListener("click", () => {
  times.arrived_at = times.arrived_at ? undefined : new Date().toISOString();
  showFaults([]);
  keep();
  draw();
});
for (const stone of form.querySelectorAll("[data-stone]")) {
  stone.addEventListener("click", () => {
    const kind = stone.dataset.stone;
    if (times.milestones[kind]) delete times.milestones[kind];
    else times.milestones[kind] = new Date().toISOString();
    keep();
    draw();
  });
}

// -- start -----------------------------------------------------------------------------------------------------------
const shelf = async () => {
  const held = await keptCases();
  place("shelf").hidden = false;
  place("shelf-list").replaceChildren(...held.map((one) => el("li", {}, el("a", { class: "btn wide between", href: `/escalations/${one.escalation.id}/bedside/` }, `${words.tier[one.escalation.tier]} · ${one.escalation.patient.name}`))));
  place("shelf-none").hidden = held.length > 0;
};
const watchPaging = async () => {
  if (!document.hidden) {
    const health = await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(8000) }).then((answer) => answer.json(), () => ({}));
    const age = health.engine_age_s;
    const stopped = age === null || age > 30;
    if (stopped && place("stopped").hidden) place("stopped-phones").replaceChildren(...phoneLinks(state.known?.escalation.phone_list ?? state.who?.phones ?? [], words));
    place("stopped").hidden = !stopped;
  }
  setTimeout(watchPaging, 10000);
};

const start = async () => {
  state.who = await person();
  state.left = await plain.get("left").catch(() => undefined);
  document.documentElement.dataset.theme = state.who?.theme ?? "auto";
  queue.addEventListener("change", draw);
  // The server has something: what it made of it, it says itself.
  queue.addEventListener("receipt", load);
  queue.channel?.addEventListener("message", () => load());
  net.addEventListener("change", () => {
    draw();
    if (net.state === "up" && !state.fresh) load();
  });
  if (!id) await shelf();
  else {
    const kept = await keptCase(id);
    if (kept) await show(kept);
    draw();
  }
  await queue.start().catch(() => (state.unkept = true));
  if (id) {
    await load();
    setInterval(() => { if (!document.hidden) load(); }, AGAIN);
    document.addEventListener("visibilitychange", () => { if (!document.hidden) load(); });
    addEventListener("online", load);
  } else {
    // The list itself comes from the server as soon as it is there.
    const back = async () => { if ((await call("GET", "session/")).status === 200) location.reload(); };
    setInterval(back, AGAIN);
    addEventListener("online", back);
  }
  if (!(await keepPage())) place("no-worker").hidden = false;
  watchPaging();
};
start();
