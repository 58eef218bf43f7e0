/**
 * The queue that never loses. Whatever is typed is on the disk before it is sent, and leaves the disk only when the
 * server has named its id in a receipt. Order is kept per run; a run that holds a deficit goes first.
 */
import { outbox } from "./store.js";

const BATCH = 100;
const PAUSES = [1, 2, 4, 8, 15].map((s) => s * 1000);
const PATIENCE = 20000;

/** A UUID whose first 48 bits are the time, so that ids sort as they were made. */
export const uuid7 = (ms = Date.now()) => {
  const b = crypto.getRandomValues(new Uint8Array(16));
  for (let i = 5; i >= 0; i--, ms = Math.floor(ms / 256)) b[i] = ms % 256;
  b[6] = (b[6] & 15) | 112;
  b[8] = (b[8] & 63) | 128;
  return [...b].map((x, i) => ([4, 6, 8, 10].includes(i) ? "-" : "") + x.toString(16).padStart(2, "0")).join("");
};

/** Read when sending: the token of the log-in that is valid now, never one that was stored with an event. */
const csrf = () => document.cookie.match(/(?:^|; )(?:__Host-)?csrftoken=([^;]+)/)?.[1] ?? "";

/**
 * Ask the server. Resolves to {status, body, headers}; status 0 is "nobody answered". Never throws.
 * Every answer, also a refusal, tells `net` whether the server is there.
 */
export const call = async (method, path, body, headers = {}) => {
  const answer = await ask(method, path, body, headers);
  if (answer.status !== 403 || answer.body?.code !== "csrf" || method === "GET") return answer;
  await ask("GET", "session/"); // brings the token of the log-in that is valid now
  return ask(method, path, body, headers);
};
const ask = async (method, path, body, headers = {}) => {
  try {
    const response = await fetch(`/api/v1/${path}`, {
      method,
      credentials: "same-origin",
      cache: "no-store",
      signal: AbortSignal.timeout(PATIENCE),
      headers: {
        Accept: "application/json",
        ...(body ? { "Content-Type": "application/json", "X-CSRFToken": csrf() } : {}),
        ...headers,
      },
      body: body && JSON.stringify(body),
    });
    const text = response.status === 304 ? "" : await response.text();
    net.heard(response.status, response.headers.get("Date"));
    let data;
    try {
      data = text ? JSON.parse(text) : undefined;
    } catch {
      // A proxy's page in place of an answer: no receipt can be read from it.
      return { status: response.ok ? 0 : response.status, headers: response.headers };
    }
    return { status: response.status, body: data, headers: response.headers };
  } catch {
    net.lost();
    return { status: 0 };
  }
};

/** What is known about the server: `up` | `down` | `login` (it answers, but wants a log-in). */
export const net = Object.assign(new EventTarget(), {
  state: "unknown",
  since: Date.now(),
  at: 0,
  set(state) {
    if (state === this.state) return;
    this.state = state;
    this.since = Date.now();
    this.dispatchEvent(new Event("change"));
  },
  skew: null,
  heard(status, date) {
    this.at = Date.now();
    if (date) this.skew = this.at - Date.parse(date);
    this.set(status === 401 ? "login" : status >= 500 ? "down" : "up");
  },
  lost() {
    this.set("down");
  },
});

export const queue = Object.assign(new EventTarget(), {
  /** Mirror of the outbox, oldest first: what the page draws from. */
  waiting: [],
  failures: 0,
  again: undefined,
  channel: globalThis.BroadcastChannel && new BroadcastChannel("outbox"),

  async start() {
    this.channel?.addEventListener("message", () => this.reload());
    await this.reload();
    for (const name of ["online", "pageshow", "focus"]) addEventListener(name, () => this.flush());
    addEventListener("offline", () => net.lost());
    document.addEventListener("visibilitychange", () => document.hidden || this.flush());
    setInterval(() => document.hidden || this.flush(), 15000);
    this.flush();
  },
  async reload() {
    const kept = await outbox.all();
    // Entries that are being written at this moment stand in the mirror without a number.
    this.waiting = [...kept, ...this.waiting.filter((e) => !e.n && !kept.some((k) => k.body.id === e.body.id))];
    this.tell("change");
  },
  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  },
  /**
   * Keep one thing and send it when possible. `kind` is "event" (a tick of `run`), "report" (a complication) or "act"
   * (what `path` takes, with an id that makes it one); `urgent` marks a deficit or STOP. `maker` is the user name of somebody
   * in whose name alone it may be sent: it waits until they are logged in here. Resolves when the disk has it; the mirror has it at once.
   */
  async add({ kind = "event", path, run = "", body, urgent = false, who = "", label = "", maker }) {
    const entry = { kind, path, run, body, urgent, who, label, maker, made: Date.now() };
    this.waiting.push(entry);
    this.tell("change");
    try {
      entry.n = await outbox.add(entry);
    } catch (error) {
      entry.unkept = true; // the mirror still sends it while the page lives, and the page says so in red
      this.tell("unkept", { entry, error });
    }
    this.channel?.postMessage(0);
    this.flush();
    return entry;
  },
  /** Not yet received and not refused, of one run or of all. */
  unsent(run) {
    return this.waiting.filter((e) => !e.refused && (run === undefined || e.run === run));
  },

  async flush() {
    clearTimeout(this.again);
    if (navigator.locks) await navigator.locks.request("outbox", { ifAvailable: true }, (lock) => lock && this.drain());
    else if (!this.draining) await (this.draining = this.drain().finally(() => (this.draining = undefined)));
  },
  async drain() {
    const stuck = new Set(); // runs that the server does not take just now: the others go on
    const single = new Set(); // runs whose batch was refused as a whole: one by one, to find the one that is
    // Who is logged in here at this moment, as the server says it; nobody when it does not answer.
    const here = this.unsent().some((e) => e.maker) && (await call("GET", "session/")).body?.user;
    for (;;) {
      const runs = new Map();
      for (const e of this.unsent().filter((x) => (x.n || x.unkept) && (!x.maker || x.maker === here))) {
        // What one person writes of one case arrives in the order in which it was written.
        const of = e.kind === "event" ? e.run : e.maker ? `${e.path} ${e.maker}` : e.body.id;
        if (!stuck.has(of)) runs.set(of, [...(runs.get(of) ?? []), e]);
      }
      const [of, entries] = [...runs].sort(([, a], [, b]) => b.some((e) => e.urgent) - a.some((e) => e.urgent))[0] ?? [];
      if (!entries) break;
      const batch = entries.slice(0, single.has(of) || entries[0].kind !== "event" ? 1 : BATCH);
      const answer = await this.send(batch);
      if (answer === "sent") this.failures = 0;
      else if (answer !== "down" && answer !== "later" && batch.length > 1) single.add(of);
      else if (answer === "unreadable") await this.refuse(batch[0], "unreadable");
      else if (answer === "down") break;
      else {
        // Something else in this run is in the way; a deficit does not wait behind it.
        stuck.add(of);
        for (const e of entries) if (e.urgent && e !== batch[0]) await this.send([e]);
      }
    }
    if (this.unsent().length) {
      const pause = PAUSES[Math.min(this.failures++, PAUSES.length - 1)];
      this.again = setTimeout(() => this.flush(), pause * (0.8 + Math.random() * 0.4));
    }
  },
  /**
   * One request. "sent" | "down" (nobody there, or wants a log-in) | "later" or "fault" (keeps this run back, the others go
   * on) | "unreadable". Only the service's own word refuses: a proxy's page, which has no code, judges nothing.
   */
  async send(batch) {
    const [{ kind, path, run, maker, body: own }] = batch;
    const report = kind !== "event";
    const answer = report
      ? await call("POST", path ?? "complications/", maker ? { ...own, sent_at: new Date().toISOString() } : own)
      : await call("POST", `runs/${run}/events/`, { events: batch.map((e) => e.body) });
    const { status, body } = answer;
    const said = typeof body?.code === "string";
    if (status === 500) return "fault";
    if (status === 0 || status === 401 || status > 500 || status === 429) return "down";
    if (report && (status === 200 || status === 201)) {
      await this.receipt([[batch[0], { id: own.id, outcome: "applied" }]], body);
      return "sent";
    }
    // What its maker may not send today they may not send tomorrow.
    if (report && said && [400, 409, 422, ...(maker && body.code !== "other_person" ? [403, 404] : [])].includes(status)) {
      await this.refuse(batch[0], body.code, body.detail, body.errors);
      return "sent";
    }
    if (status === 200 && Array.isArray(body?.results)) {
      const results = new Map(body.results.map((r) => [r.id, r]));
      const named = batch.filter((e) => results.has(e.body.id)).map((e) => [e, results.get(e.body.id)]);
      if (!named.length) return "later";
      await this.receipt(named, body);
      return "sent";
    }
    return [400, 413, 422].includes(status) && (said || batch.length > 1) ? "unreadable" : "later";
  },
  /** Only here does anything leave the outbox. A refused entry stays, with the server's sentence. */
  async receipt(named, answer) {
    const gone = named.filter(([, r]) => r.outcome !== "refused").map(([e]) => e);
    await outbox.received(gone.filter((e) => e.n).map((e) => e.n));
    this.waiting = this.waiting.filter((e) => !gone.includes(e));
    for (const [e, r] of named) if (r.outcome === "refused") await this.refuse(e, r.code, r.reason);
    this.tell("receipt", { named, answer });
    this.tell("change");
    this.channel?.postMessage(0);
  },
  async refuse(entry, code, reason = "", errors = []) {
    Object.assign(entry, { refused: code, reason, errors });
    if (entry.n) await outbox.put(entry);
    this.tell("change");
  },
  /** A person has read why it was refused: it is shown no more, and still kept. */
  async seen(entry) {
    entry.read = true;
    if (entry.n) await outbox.put(entry);
    this.tell("change");
  },
});
