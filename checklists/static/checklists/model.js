/** One run as the tablet knows it: definition, the server's answers, and on top of them what still waits here. */
import { buildIndex, evaluate, gateOf, isNotApplicable as isNA, keyText, needsMore, progressOf } from "./rules.js";
import { call, queue, uuid7 } from "../clinic/js/queue.js";
import { plain } from "../clinic/js/store.js";

export { isNA };
/** The key of a node's answer at a place, as one string. */
export const keyAt = (node, at) => keyText(node.key({ ...NOWHERE, ...at }));
/** What the server wrote into the page itself. */
export const inPage = (id) => JSON.parse(document.getElementById(id)?.textContent ?? null);
/** A published list by its hash. It never changes and names no patient: it comes once, and stays on the device for good. */
export const definitionOf = async (sha256) => {
  const name = "definition:" + sha256;
  const here = inPage(sha256);
  if (here) setTimeout(() => plain.put(name, here).catch(() => {}), 100); // not while the page is being drawn
  const known = here ?? (await plain.get(name));
  if (known) return complete(known);
  const { status, body } = await call("GET", `definitions/${sha256}/`);
  if (status !== 200) return undefined;
  plain.put(name, body).catch(() => {});
  return complete(body);
};
/** Controls that the second script brings. */
export const late = {};
const asksSeveral = ({ items = [] }) => items.some((one) => one.type === "multi_choice" || asksSeveral(one));
/** Without its functions a list would show wrong conditions: then it is as if it were not at hand yet. */
const complete = async (definition) => {
  const wants = () => needsMore(definition) || (!late.several && asksSeveral(definition));
  if (wants()) await Promise.all([import("./picks.js"), import("./rules_more.js")]).then(([picks]) => Object.assign(late, picks)).catch(() => {});
  return wants() ? undefined : definition;
};
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const NOWHERE = { level: "", side: "", instance: "" };

export class Run {
  constructor(id) {
    this.id = id;
    this.server = new Map();
    this.mine = new Map();
    this.refused = new Map();
    this.opened = new Map(); // repeat name → repetitions begun here that hold no answer yet
  }

  /** Take what the server (or the sealed cache) says, with the list that the run pins. */
  load(state, definition) {
    this.state = state;
    if (definition !== this.definition) {
      this.sha256 = state.definition.sha256;
      this.definition = definition;
      this.index = buildIndex([definition]);
      this.nodes = this.index.nodes;
      this.roots = this.index.roots;
    }
    const head = (h) => ({ value: h.value, head: h.event, by: h.actor, at: h.occurred_at });
    const heads = new Map(state.conflicts.map((c) => [keyText(c), c.heads.map(head)]));
    this.server = new Map(state.answers.map((a) => [keyText(a), { ...a, ...head(a), conflict: heads.get(keyText(a)) }]));
    this.waits = new Map((state.waiting ?? []).map((w) => [keyText(w), w]));
    this.earlier = state.context;
    this.overlay();
  }

  /** Lay the waiting events over the server's answers, in the order in which they were made. */
  overlay() {
    this.mine = new Map();
    this.refused = new Map();
    for (const e of queue.waiting)
      if (e.run === this.id && e.kind === "event") (e.refused ? this.refused : this.mine).set(keyText(e.body), e);
    this.known = undefined;
  }

  /** The queue has changed, perhaps by nothing of this run. */
  requeue() {
    if (this.mine.size + this.refused.size || queue.waiting.some((e) => e.run === this.id)) this.overlay();
  }

  /** After a receipt: what the server took stands as its answer until the next reading brings its own words. */
  received(entry, { outcome, id }) {
    if (outcome === "late" || outcome === "refused") return;
    const key = keyText(entry.body);
    const before = this.server.get(key);
    const now = { ...entry.body, head: id, by: entry.who, at: entry.body.occurred_at };
    if (outcome === "held") this.waits.set(key, { ...now, outcome });
    else if (outcome === "conflict") {
      if (before) this.server.set(key, { ...before, conflict: [...(before.conflict ?? [before]), now] });
    } else this.server.set(key, now);
  }

  /** What the page shows for a key: {value, head, mark, by, at, conflict?} or undefined. */
  answer(key) {
    const waits = this.mine.get(key);
    // No mark before the disk has it: what says "On this tablet" survives a page that is closed at once.
    if (waits) return { value: waits.body.value, head: waits.body.id, mark: waits.n || waits.unkept ? "tablet" : "", by: waits.who, at: waits.body.occurred_at };
    const kept = this.server.get(key);
    // What another person's tablet brought has been seen by two at least; whether others saw ours, nobody has said.
    return kept && { ...kept, mark: kept.by && this.me && kept.by !== this.me ? "team" : "server" };
  }
  answered(key) {
    const a = this.answer(key);
    return a !== undefined && a.value !== null && !a.conflict?.length;
  }

  /** One look at everything: which items apply where. Made anew after each change. */
  get look() {
    if (this.known) return this.known;
    const answers = { ...this.earlier };
    const conflicts = [];
    for (const key of new Set([...this.server.keys(), ...this.mine.keys()])) {
      const a = this.answer(key);
      if (a.conflict?.length) conflicts.push(key);
      answers[key] = a.value;
    }
    const { facts, level_status: levelStatus } = this.state;
    return (this.known = evaluate(this.index, { answers, conflicts, facts, levelStatus, now: new Date().toISOString() }));
  }
  /** What stands between the phase and its signature, worst first, with and without the network. */
  get gate() {
    return (this.look.gate ??= gateOf(this.look, this.state.phase, { emergency: this.state.is_emergency, overrides: this.state.overrides.map(keyText), beside: this.state.beside }));
  }
  get progress() {
    return (this.look.progress ??= progressOf(this.look, this.state.phase));
  }
  get levels() {
    return this.look.levels;
  }
  /** Both sides stay open until the side was chosen: what is answered on one must not hide the other. */
  sides(level) {
    const sides = this.look.sides(level);
    return this.valueOf("TOU-SUR-01.sides", { level }) || sides.includes("midline") ? sides : ["left", "right"];
  }
  /** The repetitions of a series, oldest first: those that hold an answer, then those begun here. */
  instances(node) {
    const held = this.look.instances(node);
    const begun = (this.opened.get(node.repeat) ?? []).filter((i) => !held.includes(i));
    return [...held, ...begun];
  }
  /** Begin a repetition. Mixes are numbered, because cement volumes name them; the others get a name of their own. */
  begin(node) {
    const instance = node.repeat === "mix" ? `${this.instances(node).length + 1}` : uuid7();
    this.opened.set(node.repeat, [...(this.opened.get(node.repeat) ?? []), instance]);
    this.known = undefined;
    return instance;
  }

  /** Everything that is asked now, in reading order: [{node, at, key}]. */
  get asked() {
    const look = this.look;
    if (look.slots) return look.slots;
    const slots = [];
    const visit = (node, instance) => {
      const inside = node.byInstance ? (instance ? [instance] : this.instances(node)) : [""];
      if (!node.isContainer)
        for (const level of node.byLevel ? look.levels : [""])
          for (const side of node.bySide ? this.sides(level) : [""])
            for (const i of inside) {
              const at = { level, side, instance: i };
              if (look.applies(node, at)) slots.push({ node, at, key: keyAt(node, at) });
            }
      for (const child of node.children)
        if (node.type === "series") for (const i of this.instances(node)) visit(child, i);
        else if (child.byInstance && !instance) for (const i of inside) visit(child, i);
        else visit(child, instance);
    };
    for (const root of this.roots) visit(root, "");
    return (look.slots = slots);
  }
  get missing() {
    return this.asked.filter(({ node, key }) => node.isAnswerable && node.raw.required !== "optional" && !this.answered(key));
  }
  /** What is shown at a place: a stored answer, or what was computed from others. */
  shown(node, at) {
    const a = this.answer(keyAt(node, at));
    if (a || !node.raw.computed || node.isAnswerable) return a;
    const value = this.look.value(node, { ...NOWHERE, ...at });
    return value === null ? undefined : { value };
  }
  /** The value of any item, by its id: undefined when there is none. */
  valueOf(id, at = {}) {
    const [item, ...part] = id.split(".");
    const key = keyText({ item, part: part.join("."), ...at });
    const a = this.answer(key);
    return (a?.conflict?.length ? undefined : a?.value) ?? this.earlier[key] ?? undefined;
  }

  /** Would this value call for a person at once, by itself or through what is computed from it? Then it goes first. */
  urgent(node, at, value) {
    const near = [node, ...(node.parent?.children ?? []).filter((n) => n.raw.computed)];
    const triggers = near.flatMap((n) => (n.raw.raises ?? []).filter((r) => r.kind === "trigger").map((r) => [n, r.when]));
    if (!triggers.length || value === null) return false;
    try {
      const look = this.look;
      const then = evaluate(this.index, { ...look.state, answers: { ...look.state.answers, [keyAt(node, at)]: value } });
      return triggers.some(([n, when]) => then.holds(when, n, { ...NOWHERE, ...at }) && !look.holds(when, n, { ...NOWHERE, ...at }));
    } catch {
      return true; // a fault in a rule keeps no tick from the queue, and counts as the worst
    }
  }

  /** Record one answer. Painting does not wait for it; the disk has it when the promise resolves. */
  tick(node, at, value, { who, label, urgent, occurred_at = new Date().toISOString(), extra = {}, parent } = {}) {
    const key = keyAt(node, at);
    const before = this.answer(key);
    if (parent === undefined && before && !before.conflict?.length && same(before.value, value)) return undefined;
    const body = { id: uuid7(), item: node.item, value, parent: parent ?? before?.head ?? null, occurred_at, ...extra };
    if (node.part) body.part = node.part;
    const [, , level, side, instance] = key.split("|");
    for (const [name, v] of Object.entries({ level, side, instance })) if (v) body[name] = v;
    const kept = queue.add({ run: this.id, body, who, label, urgent: urgent ?? this.urgent(node, at, value) });
    this.overlay();
    return kept;
  }
}
