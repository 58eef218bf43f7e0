/** The run page: draws from what the tablet holds, ticks without waiting, and tells the truth about the network. */
import { button, h, lang, say, sheet, t } from "./dom.js";
import { call, net, queue } from "../clinic/js/queue.js";
import { cache, outbox, plain } from "../clinic/js/store.js";
import { POLL, paintRun, paintState } from "./page.js";
import { Run, definitionOf, inPage, keyAt, late } from "./model.js";
import { Rows, rowId } from "./rows.js";
import { CallNow } from "./guard.js";

const UNDO = 10000;
const $ = (id) => document.getElementById(id);
const runId = location.pathname.match(/^\/runs\/([0-9a-f-]{36})\//)?.[1];

const app = {
  run: new Run(runId),
  session: undefined,
  people: [],
  phones: [],
  undos: new Map(),
  folds: new Map(),
  // Whose tick it is travels with the tick, also after a cold start offline: user name → the last ticket the server gave.
  tickets: {},
  etag: undefined,
  view: "list",
  notes: [],
  proposals: {},
  /** How many letters of options stand beside a question before they go below it. */
  get room() {
    return innerWidth < 900 ? 24 : 46;
  },
  get offline() {
    return net.state !== "up";
  },

  name: (raw) => say(raw),
  reasons: () => app.run.definition.conventions.reasons.not_applicable.map((r) => ({ value: r.value, label: say(r, "label") })),
  personName: (user) => app.people.find((p) => p.user === user)?.name ?? user?.name ?? user ?? "",
  confirm: (title, says, yes = t("yes"), no = t("no")) => sheet(title, (close) => [h("p", { text: says }), h("div", { class: "row end" }, button(no, () => close(false)), button(yes, () => close(true), "pri"))], { kind: "small" }),
  say: (text, kind = "amber") => {
    app.notes.push({ text, kind });
    app.paint();
  },
  showWaiting: async () => (await import("./waiting.js")).showWaiting(app),
  save: async () => (await import("./waiting.js")).save(),
  // What is not needed to draw the first page comes right after it, before anybody could want it without a network.
  report: async (start) => (await import("./report.js")).report(app, start),
  people_: async (act, ...given) => (await import("./people.js"))[act](app, ...given),
  async pickPerson(title) {
    const { pickPerson } = await import("./people.js");
    return (await pickPerson(app.people, title))?.user;
  },
  async openCement() {
    const { Cement } = await import("./cement.js");
    app.cement ??= new Cement(app);
    app.paint();
  },

  /** One touch: the control is already painted by the browser; the mark follows at once, everything else after it. */
  tick(node, at, value, options = {}) {
    if (!app.ready) return app.disk.then(() => app.tick(node, at, value, options)); // what waits here may be its parent
    if (app.run.state.status === "signed") app.say(t("phase_is_signed"));
    const key = keyAt(node, at);
    const before = app.run.answer(key);
    const kept = app.run.tick(node, at, value, { who: app.session?.user, label: say(node.raw), ...app.stamp(), ...options });
    if (!kept) return;
    app.undos.set(key, { until: Date.now() + UNDO, value: before?.value ?? null, node, at });
    setTimeout(() => app.paintSoon(), UNDO + 50);
    paintState(app); // at once: not for one frame may it say that all is on the server
    app.paintSoon();
    kept.then(() => app.paintSoon());
  },
  /** What goes with every event: whose it is, and what this device's clock thinks. */
  stamp: () => ({ extra: { case_check: app.run.state.case_check, clock: { monotonic_ms: Math.round(performance.now()), skew_ms: net.skew }, ...(app.tickets[app.session?.user] ? { ticket: app.tickets[app.session.user] } : {}) } }),
  undoable: (key) => (app.undos.get(key)?.until > Date.now() ? app.undos.get(key) : undefined),
  undo(key) {
    const { node, at, value } = app.undos.get(key);
    app.tick(node, at, value, { extra: { ...app.stamp().extra, reason: "slip" } });
    app.undos.delete(key);
    app.paintSoon();
  },
  /** One person decides between two answers; both stay in the history. */
  decide(node, at, a, chosen) {
    const newest = a.conflict[a.conflict.length - 1].head;
    app.tick(node, at, chosen.value, { parent: newest, extra: { ...app.stamp().extra, mode: "resolve" } });
  },
  /** A value that one touch confirms; it is never stored before that. */
  proposal(node, at) {
    const { prefill } = node.raw;
    const { procedure, facts } = app.run.state;
    const own = app.proposals[keyAt(node, at)] ?? app.run.state.proposals?.[keyAt(node, at)];
    if (own !== undefined) return own;
    // Worked out from other answers, but a person's word counts: it is shown to be confirmed.
    if (node.raw.computed) return app.run.look.value(node, { level: "", side: "", instance: "", ...at }) ?? undefined;
    if (node.id === "TOU-CNF-01.operator") return procedure.operator?.user;
    if (prefill === "booking")
      return { "PRE-IDX-01": procedure.indication, "PRE-LVL-01": facts?.["procedure.booked_levels"], "PRE-PRC-01": procedure.kind }[node.id];
    if (prefill === "previous side" && at.side === "right") return app.run.valueOf(node.id, { level: at.level, side: "left" });
    if (prefill === "person unlocked") return app.session?.user;
    return prefill && app.run.nodes.has(prefill) ? app.run.valueOf(prefill) : undefined;
  },
  /** Blockers that stand on a row: rules that fire on what was answered, not what is merely open. */
  blocks: (node) =>
    app.run.gate.blockers
      .filter((b) => b.item === node.item && (b.part ?? "") === node.part && b.kind !== "warning" && b.code !== "unanswered" && b.code !== "conflict")
      .map((b) => ({ ...b, text: [b.level, say(b, "reason")].filter(Boolean).join(": ") })),
  unfolded: (instance, last) => app.folds.get(instance) ?? last,
  toggle(instance) {
    const open = document.getElementById(`f-${instance}`)?.querySelector("[aria-expanded=true]");
    app.folds.set(instance, !open);
    app.paint();
  },
  repeat: async (node) => (await import("./acts.js")).repeat(app, node),
  menu: async () => (await import("./outside.js")).menu(app),
  pause: async () => (await import("./acts.js")).pause(app),
  scanned(node, text, give) {
    give(text);
    import("./scan.js").then(({ propose }) => propose(app, node, text)).catch(() => {});
  },
  go(event, slot) {
    event.preventDefault();
    app.view = "list";
    app.folds.set(slot.at.instance, true);
    app.paint();
    const el = document.getElementById(rowId(slot.node, slot.at));
    el?.scrollIntoView({ block: "center" });
    el?.focus({ preventScroll: true });
  },

  paintSoon() {
    if (app.due) return;
    app.due = true;
    requestAnimationFrame(() => setTimeout(() => {
      app.due = false;
      app.paint();
    }));
  },
  paint() {
    if (app.run.state && app.known) {
      paintRun(app);
      app.outside?.watch(app);
    }
    else if (app.run.state) app.identify();
    paintState(app);
  },
  /** Nothing of the patient is drawn before somebody made sure, a moment ago or now, that it is this one. */
  async identify() {
    const { status, phase, identity_until: until } = app.run.state;
    app.known = status === "signed" || phase === "follow_up" || Date.parse(until ?? 0) > Date.now() - (net.skew ?? 0);
    if (app.known) {
      app.asking?.(); // somebody made sure in this room, and the server has just said so
      return app.paint();
    }
    // A copy from the disk knows less than the server does: it gets a moment to say that nobody needs to be asked.
    if (net.state === "unknown" && performance.now() < 2000) return setTimeout(app.paintSoon, 500);
    if (app.asking) return undefined;
    app.asking = () => {};
    const { identify } = await later(() => import("./identity.js"));
    if (!app.known) await identify(app);
    app.known = true;
    app.asking = undefined;
    return app.paint();
  },
  /** The tablet's own choice of language counts before the person's; rows are written anew in it. */
  speak(code) {
    const before = lang.now;
    lang.set(localStorage.getItem("lang") ?? code ?? before);
    $("lang").textContent = lang.now === "en" ? "TR" : "EN";
    if (before === lang.now) return;
    app.etag = undefined;
    app.rows.rows.clear();
    $("items")?.replaceChildren();
  },
  /** Who is at work, as the server or the disk says it. */
  atWork(session) {
    app.session = session;
    app.run.me = session.user;
    app.people = session.people;
    app.phones = phoneList(session.site?.phone_list);
    app.speak(session.language);
  },
  async sessionIs(session, before = app.session) {
    if (!session?.site) return;
    if (before && before.user !== session.user) app.etag = undefined;
    app.atWork(session);
    if (before && before.site?.id !== session.site.id) await cache.forget();
    await plain.put("session", { ...session, csrf_token: undefined });
    app.paint();
  },
  async keepTicket(user, ticket) {
    const kept = app.tickets[user];
    app.tickets[user] = ticket;
    if (!kept || app.ticketKept !== user) await plain.put("tickets", app.tickets).catch(() => {});
    app.ticketKept = user;
  },
  async refresh(force) {
    if (force) app.etag = undefined;
    // A reading that was asked for before the last receipt is thrown away: ask until one is newer.
    while ((await read()) === "older");
  },
};

const phoneList = (list) => (Array.isArray(list) ? list : Object.entries(list ?? {}).map(([name, number]) => ({ name, number })));

Object.assign(app, { rows: new Rows(app, $("items")), callNow: new CallNow(app) });

/** Read the run from the server; what was sent meanwhile is newer than an answer that was asked for before. */
const read = async () => {
  const { asked, who } = first.run ? {} : { asked: app.sent, who: app.session?.user };
  const answer = first.run ?? ask();
  first.run = undefined;
  const { status, body, headers: got } = await answer;
  // Also an answer to the person who had the tablet before: its ticket would put their name to another's ticks.
  const older = () => asked !== app.sent || (who !== app.session?.user && body.ticket_of !== app.session?.user);
  if (status === 200 && older()) return "older";
  if (status === 200) {
    const { sha256 } = body.definition;
    const definition = app.run.sha256 === sha256 ? app.run.definition : await definitionOf(sha256);
    if (!definition) return 0;
    if (older()) return "older";
    app.etag = got.get("ETag");
    app.run.load({ ...body, runs: app.run.state?.runs }, definition);
    const kept = app.keepTicket(body.ticket_of, body.ticket);
    app.paint();
    await kept;
    await keep();
    return status;
  }
  if (status === 404 || status === 403) app.say(body?.detail ?? t("not_found"));
  if (status === 304) paintState(app);
  else app.paint();
  return status;
};
/** The signature's hash is over the language that is shown; before it is known, the server takes the person's. */
const ask = (language = lang.now) => call("GET", `runs/${app.run.id}/?${language ? `language=${language}&` : ""}definition=0&gate=0`, undefined, app.etag ? { "If-None-Match": app.etag } : {});
/** The phases of this procedure change seldom: every ten seconds is often enough for the rail. */
const readRail = async () => {
  if (!app.run.state || Date.now() - (app.railAt ?? 0) < 10000) return;
  app.railAt = Date.now();
  const { status, body } = await call("GET", `procedures/${app.run.state.procedure.id}/runs/?gate=0`);
  if (status !== 200) return;
  app.run.state.runs = body.results;
  app.paintSoon();
};
/** The cold start's copy. */
const keep = () => cache.put(`run:${app.run.id}`, { ...app.run.state, at: Date.now() });

const poll = async () => {
  if (!document.hidden && app.run.id && !app.polling) {
    app.polling = true;
    // A full disk must not end the reading: what is shown would grow old without a word.
    await app.refresh().catch(() => {});
    readRail().catch(() => {});
    app.polling = false;
  }
  setTimeout(poll, POLL);
};

/** What the server wrote into the page: session and run, as they were a moment ago. */
const told = inPage("given");
if (told) net.heard(200, told.run.now);
/** What is asked before anything else is done. */
const first = told ? {} : { run: runId && ask(localStorage.getItem("lang")), session: call("GET", "session/") };

/** Resolves when a frame has been shown; a page that nobody sees does not wait for ever. */
const seen = () => new Promise((done) => {
  requestAnimationFrame(() => setTimeout(done));
  setTimeout(done, 500);
});
/** Draw a run that came before the server was asked. */
const draw = async (state) => {
  const definition = await definitionOf(state.definition.sha256);
  if (definition) app.run.load(state, definition);
  app.paint();
};

const start = async () => {
  app.speak(lang.now);
  document.documentElement.dataset.theme = localStorage.getItem("theme") ?? "auto";
  queue.addEventListener("change", () => {
    app.run.requeue();
    app.paintSoon();
  });
  queue.addEventListener("unkept", () => {
    app.unkept = true;
    app.paint();
  });
  queue.addEventListener("receipt", ({ detail: { named, answer } }) => {
    app.sent = (app.sent ?? 0) + 1;
    for (const [entry, result] of named) {
      if (entry.kind === "report") app.notes.push({ text: answer?.escalation ? t("paged", { what: entry.label }) : t("report_received", { what: entry.label }), kind: answer?.escalation ? "red" : "amber" });
      else if (entry.kind === "event" && entry.run === app.run.id) {
        app.run.received(entry, result);
        if (entry.urgent && result.outcome !== "refused") app.notes.push({ text: t("urgent_received", { what: entry.label }), kind: "red", href: "/escalations/" });
      }
      if (result.outcome === "late" || result.outcome === "held") app.notes.push({ text: `${entry.label}: ${t(`outcome_${result.outcome}`)}`, kind: "amber" });
    }
    app.etag = undefined;
    app.paintSoon();
    if (app.run.state) keep();
  });
  net.addEventListener("change", () => app.paintSoon());
  setInterval(() => paintState(app), 1000);
  $("theme").addEventListener("click", () => {
    const dark = getComputedStyle(document.documentElement).colorScheme.includes("dark");
    localStorage.setItem("theme", (document.documentElement.dataset.theme = dark ? "light" : "dark"));
  });
  $("lang").addEventListener("click", () => {
    localStorage.setItem("lang", lang.now === "en" ? "tr" : "en");
    app.speak();
    app.paint();
  });
  $("me").addEventListener("click", async () => {
    if (!app.session) return location.assign(`/accounts/login/?next=${encodeURIComponent(location.pathname)}`);
    const session = await app.people_("switchTo");
    if (session) app.sessionIs(session);
  });

  const found = (asked) => Promise.resolve(asked).catch(() => undefined);
  app.disk = Promise.all([
    found(plain.get("session")),
    found(plain.get("tickets")),
    found(!told && runId && cache.get(`run:${runId}`)),
    queue.start().catch(() => (app.unkept = true)),
  ]);
  if (told) {
    // The list is drawn while the disk is being opened; a tick waits for it.
    app.atWork(told.session);
    await draw(told.run);
  }
  const [known, tickets, held] = await app.disk;
  app.tickets = tickets ?? {};
  app.ready = true;
  if (known && !told) app.atWork(known);
  if (held) await draw(held);
  else app.paint();
  if (told && app.run.state) {
    app.keepTicket(told.run.ticket_of, told.run.ticket);
    await seen();
    // Asked for again as it was shown: in the language that was chosen on this tablet.
    if (lang.now === told.run.language) app.etag = told.etag;
    keep();
    readRail();
    setTimeout(poll, POLL);
  } else if (runId) await poll();
  const { status, body } = told ? { status: 200, body: told.session } : await first.session;
  if (status === 200) await app.sessionIs(body, known);
  await rest();
};

/** What comes later is tried until it is here. */
const later = async (load) => {
  try {
    return await load();
  } catch {
    await new Promise((done) => setTimeout(done, 5000));
    return later(load);
  }
};
/** Everything that the first paint does without, before anybody could want it without a network. */
const rest = async () => {
  const [{ others, shelf }, { worker }, { Lock }, { watchPaging }, outside, picks] = await later(() => Promise.all([import("./others.js"), import("./worker.js"), import("./lock.js"), import("./health.js"), import("./outside.js"), import("./picks.js"), import("./identity.js"), import("./people.js"), import("./report.js"), import("./cement.js"), import("./keypad.js"), import("./waiting.js"), import("./scan.js"), import("./acts.js"), import("./rules_more.js")]));
  app.lock = new Lock(app);
  watchPaging(app);
  app.outside = outside;
  Object.assign(late, picks);
  app.paint();
  if (runId) others(app, runId);
  else shelf();
  worker(app);
};

// For tests and for support at the bedside: what this tablet holds, from the browser's console.
globalThis.tablet = Object.assign(app, { kept: () => outbox.all(), shelved: () => cache.names() });
start();
