// The rules of checklists/rules/ for the tablet: conditions, applicability, computed values, value checks, gates, progress.
// No dependencies and no clock: `now` comes with the state. tests/vectors/*.json hold this file and the Python together;
// docs/definitions.md describes the definition JSON and what is exported here
// and in rules_checks.js and rules_more.js.

export const LEVELS = [
  ...[2, 3, 4, 5, 6, 7].map((n) => `C${n}`), ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13].map((n) => `T${n}`),
  ...[1, 2, 3, 4, 5, 6].map((n) => `L${n}`), "S1", "S2",
];
export const SIDES = ["left", "right", "midline"];
export const NOWHERE = Object.freeze({ level: "", side: "", instance: "" });

export const keyText = (key) => [key.item, key.part, key.level, key.side, key.instance].map((p) => p ?? "").join("|");
export const keyOf = (text) => {
  const [item, part = "", level = "", side = "", instance = ""] = text.split("|");
  return { item, part, level, side, instance };
};
export const nodeId = (key) => (key.part ? `${key.item}.${key.part}` : key.item);

// -- the items of all lists at hand ------------------------------------------------------------------------------------
class Node {
  constructor(raw, phase, parent) {
    const dot = raw.id.indexOf(".");
    this.id = raw.id;
    this.item = dot < 0 ? raw.id : raw.id.slice(0, dot);
    this.part = dot < 0 ? "" : raw.id.slice(dot + 1);
    this.raw = raw;
    this.phase = phase;
    this.parent = parent;
    this.type = raw.type;
    this.repeat = raw.repeats ?? parent?.repeat ?? "";
    this.repeatsFromSeries = raw.repeats ? raw.type === "series" : Boolean(parent?.repeatsFromSeries);
    this.isContainer = raw.type === "group" || raw.type === "series";
    this.isAnswerable = !this.isContainer && !(raw.by?.length === 1 && raw.by[0] === "computed");
    this.byLevel = raw.per === "level" || raw.per === "level_side";
    this.bySide = raw.per === "level_side";
    this.byInstance = this.repeat !== "" && raw.type !== "series";
    this.children = (raw.items ?? []).map((child) => new Node(child, phase, this));
  }

  key(scope = NOWHERE) {
    return {
      item: this.item, part: this.part, level: this.byLevel ? scope.level : "",
      side: this.bySide ? scope.side : "", instance: this.byInstance ? scope.instance : "",
    };
  }

  * walk() {
    yield this;
    for (const child of this.children) yield* child.walk();
  }
}

export function buildIndex(definitions) {
  const index = { nodes: new Map(), roots: [], feeds: new Map(), tables: {} };
  for (const definition of definitions) {
    Object.assign(index.tables, definition.conventions?.tables ?? {});
    for (const raw of definition.items) {
      const root = new Node(raw, definition.phase, null);
      index.roots.push(root);
      for (const node of root.walk()) {
        index.nodes.set(node.id, node);
        if (node.raw.feeds && node.raw.per === "procedure") index.feeds.set(node.raw.feeds, node);
      }
    }
  }
  return index;
}

const ofPhase = (index, phase) => index.roots.filter((root) => root.phase === phase).flatMap((root) => [...root.walk()]);

// -- conditions --------------------------------------------------------------------------------------------------------
export const isNotApplicable = (value) => value !== null && typeof value === "object" && "not_applicable" in value;
export const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

export function holds(condition, resolve, limit) {
  if (condition.all) return condition.all.every((leaf) => holds(leaf, resolve, limit));
  if (condition.any) return condition.any.some((leaf) => holds(leaf, resolve, limit));
  const found = resolve(condition);
  if (condition.op === "exists") return found.exists === Boolean(condition.value);
  let wanted = condition.value;
  if (wanted !== null && typeof wanted === "object") {
    wanted = limit(wanted.catalogue);
    if (wanted === null || wanted === undefined) return false;
  }
  if (condition.op === "!=") return found.values.length > 0 && !found.values.some((value) => value === wanted);
  return found.values.some((value) => compare(condition.op, value, wanted));
}

// What an order compares: numbers, days as their text, instants whatever their zone; an object keeps instants from numbers.
const ordered = (value) => {
  if (isNumber(value) || isDay(value)) return value;
  const time = instant(value);
  return time === null ? null : new Date(time);
};

function compare(op, value, wanted) {
  if (op === "=") return value === wanted;
  [value, wanted] = [ordered(value), ordered(wanted)];
  if (value === null || typeof value !== typeof wanted) return false;
  if (op === ">") return value > wanted;
  if (op === "<") return value < wanted;
  if (op === ">=") return value >= wanted;
  return op === "<=" && value <= wanted;
}

// -- values ------------------------------------------------------------------------------------------------------------

export function factorOf(node, unit) {
  if (unit === node.raw.unit) return 1;
  return (node.raw.units ?? []).find((known) => known.code === unit)?.factor ?? null;
}

export function numberOf(node, value) {
  if (value !== null && typeof value === "object") {
    return Math.floor(value.value * (factorOf(node, value.unit) ?? 1) * 1e6 + 0.5) / 1e6;
  }
  return value;
}

function comparable(node, value) {
  if (value === null || value === undefined || isNotApplicable(value)) return [];
  if ((node.type === "integer" || node.type === "decimal") && typeof value === "object") return [numberOf(node, value)];
  return Array.isArray(value) ? value : [value];
}

const INSTANT = /^(19|20|21)\d{2}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})$/;

export function instant(value) {
  if (typeof value !== "string" || !INSTANT.test(value) || !isDay(value.slice(0, 10))) return null;
  const time = Date.parse(value);
  return Number.isNaN(time) ? null : time;
}

export function isDay(value) {
  if (typeof value !== "string" || !/^(19|20|21)\d{2}-\d{2}-\d{2}$/.test(value)) return false;
  const time = Date.parse(`${value}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().slice(0, 10) === value;
}

// -- one look at all answers -------------------------------------------------------------------------------------------
export function regionOf(level) {
  const number = Number(level.slice(1));
  if (level[0] === "C") return "c";
  if (level[0] === "S") return "s";
  if (level[0] === "T") return number <= 6 ? "t1_t6" : number <= 10 ? "t7_t10" : "t11_t12";
  return number <= 2 ? "l1_l2" : "l3_l6";
}

const instanceRank = (name) => (/^\d{1,9}$/.test(name) ? [0, Number(name), ""] : [1, 0, name]);

function byInstance(left, right) {
  const [a, b] = [instanceRank(left), instanceRank(right)];
  return a[0] - b[0] || a[1] - b[1] || (a[2] < b[2] ? -1 : a[2] > b[2] ? 1 : 0);
}

const missing = (value) => value === null || value === undefined;

export const evaluate = (index, state) => new View(index, state);

class View {
  constructor(index, state) {
    this.index = index;
    this.state = { facts: {}, levelStatus: {}, conflicts: [], ...state };
    this.conflicts = new Set(this.state.conflicts);
    this.appliesMemo = new Map();
    this.computedMemo = new Map();
    this.baseline = new Map();
    this.series = new Map(); // observations in order of time, worked out once for each look
    this.stored = Object.entries(state.answers).filter(([, value]) => !missing(value)).map(([text, value]) => [keyOf(text), value]);
    this.knownInstances = this.#instancesInUse();
    this.levels = this.#levelsInUse();
  }

  #instancesInUse() {
    const found = new Map();
    for (const [key] of this.stored) {
      const node = key.instance ? this.index.nodes.get(nodeId(key)) : null;
      if (node) found.set(node.repeat, (found.get(node.repeat) ?? new Set()).add(key.instance));
    }
    return new Map([...found].map(([repeat, names]) => [repeat, [...names].sort(byInstance)]));
  }

  #levelsInUse() {
    const planned = this.state.answers["PRE-LVL-01||||"];
    const chosen = new Set(Array.isArray(planned) ? planned : this.state.facts["procedure.booked_levels"] ?? []);
    for (const [key] of this.stored) if (key.level) chosen.add(key.level);
    return LEVELS.filter((level) => chosen.has(level));
  }

  sides(level) {
    const chosen = this.state.answers[`TOU-SUR-01|sides|${level}||`];
    if (typeof chosen === "string") return chosen === "both" ? ["left", "right"] : [chosen];
    const answered = new Set(this.stored.filter(([key]) => key.side && key.level === level).map(([key]) => key.side));
    const used = SIDES.filter((side) => answered.has(side));
    return used.length ? used : ["left", "right"];
  }

  instances(node) {
    const known = this.knownInstances.get(node.repeat) ?? [];
    return known.length ? known : node.repeatsFromSeries ? [] : ["1"];
  }

  * scopes(node) {
    for (const level of node.byLevel ? this.levels : [""]) {
      for (const side of node.bySide ? this.sides(level) : [""]) {
        for (const instance of node.byInstance ? this.instances(node) : [""]) yield { level, side, instance };
      }
    }
  }

  * places(node, scope) {
    const levels = !node.byLevel ? [""] : scope.level ? [scope.level] : this.levels;
    for (const level of levels) {
      const sameSide = scope.side && scope.level === level;
      for (const side of !node.bySide ? [""] : sameSide ? [scope.side] : this.sides(level)) {
        if (!node.byInstance) yield { level, side, instance: "" };
        else if (scope.instance) yield { level, side, instance: scope.instance };
        else for (const instance of this.instances(node)) yield { level, side, instance };
      }
    }
  }

  applies(node, scope = NOWHERE) {
    const place = `${node.id}|${scope.level}|${scope.side}|${scope.instance}`;
    if (!this.appliesMemo.has(place)) {
      this.appliesMemo.set(place, true);
      this.appliesMemo.set(place, this.#parentApplies(node, scope)
        && (!node.raw.applies || this.holds(node.raw.applies, node, scope)));
    }
    return this.appliesMemo.get(place);
  }

  #parentApplies(node, scope) {
    if (!node.parent) return true;
    const places = [...this.places(node.parent, scope)];
    return !places.length || places.some((place) => this.applies(node.parent, place));
  }

  value(node, scope = NOWHERE) {
    if (!this.applies(node, scope)) return null;
    const stored = node.isAnswerable ? this.state.answers[keyText(node.key(scope))] ?? null : null;
    return stored === null && node.raw.computed ? this.#compute(node, scope) : stored;
  }

  #compute(node, scope) {
    const place = `${node.id}|${scope.level}|${scope.side}|${scope.instance}`;
    if (!this.computedMemo.has(place)) {
      this.computedMemo.set(place, null);
      this.computedMemo.set(place, compute(this, node, scope));
    }
    return this.computedMemo.get(place);
  }

  answered(node, scope = NOWHERE) {
    if (!node.isContainer) return this.value(node, scope) !== null;
    return node.children.some((child) => (child.isContainer || child.isAnswerable)
      && [...this.places(child, scope)].some((place) => this.answered(child, place)));
  }

  find(id, scope, repeat) {
    const node = this.index.nodes.get(id);
    if (!node) return this.#foreign(id);
    const places = [...this.places(node, node.repeat === repeat ? scope : { ...scope, instance: "" })];
    return {
      values: places.flatMap((place) => comparable(node, this.value(node, place))),
      exists: places.some((place) => this.answered(node, place)),
    };
  }

  #foreign(id) {
    const stored = this.stored.filter(([key]) => nodeId(key) === id).map(([, value]) => value);
    return { values: stored.flat().filter((one) => !isNotApplicable(one)), exists: stored.length > 0 };
  }

  fact(name, scope) {
    if (name === "level.region" || name === "level.status") {
      const levels = scope.level ? [scope.level] : this.levels;
      if (name === "level.region") return levels.map(regionOf);
      return levels.map((level) => this.state.levelStatus[level]).filter((status) => status !== undefined);
    }
    const node = this.index.feeds.get(name);
    const fed = node ? comparable(node, this.value(node)) : [];
    if (fed.length) return fed;
    const known = this.state.facts[name];
    return missing(known) ? [] : Array.isArray(known) ? known : [known];
  }

  arguments(name, node, scope) {
    if (name === "now") return [this.state.now];
    if (name.includes("|")) {
      for (const one of name.split("|")) {
        const found = this.arguments(one, node, scope);
        if (found.length) return found;
      }
      return [];
    }
    return this.index.nodes.has(name) ? this.find(name, scope, node.repeat).values : this.fact(name, scope);
  }

  holds(condition, node, scope) {
    const resolve = (leaf) => {
      if (leaf.item) return this.find(leaf.item, scope, node.repeat);
      if (leaf.fact) {
        const values = this.fact(leaf.fact, scope);
        return { values, exists: values.length > 0 };
      }
      return { values: node.isContainer ? [] : comparable(node, this.value(node, scope)), exists: this.answered(node, scope) };
    };
    const limit = (name) => {
      const table = this.index.tables.limits?.[name];
      const chosen = table ? this.find(table.by, scope, node.repeat).values : [];
      const known = chosen.find((one) => one in table.values);
      return known === undefined ? null : table.values[known];
    };
    return holds(condition, resolve, limit);
  }

  // Shown as unusual, never refused: a number beyond warn_low or warn_high.
  unusual(node, value) {
    const number = missing(value) || isNotApplicable(value) ? null : numberOf(node, value);
    return isNumber(number) && (number < (node.raw.warn_low ?? -Infinity) || number > (node.raw.warn_high ?? Infinity));
  }
}

// -- computed values ---------------------------------------------------------------------------------------------------
export const MINUTE = 60000;

function compute(view, node, scope) {
  const { fn, args } = node.raw.computed;
  const call = {
    view, node, scope, args,
    all: (place) => view.arguments(args[place], node, scope),
    one: (place) => view.arguments(args[place], node, scope)[0] ?? null,
    number: (place) => (isNumber(call.one(place)) ? call.one(place) : null),
    instant: (place) => instant(call.one(place)),
    day: (place) => dayOf(view.arguments(args[place] === "today" ? "now" : args[place], node, scope)[0], view.fact("site.zone", scope)[0]),
  };
  const value = FUNCTIONS[fn](call);
  if (typeof value === "number" && !Number.isInteger(value)) {
    return node.type === "integer" ? Math.floor(value) : Math.floor(value * 100 + 0.5) / 100;
  }
  return value;
}

function dayOf(value, zone = "UTC") {
  if (isDay(value)) return Date.parse(`${value}T00:00:00Z`);
  const time = instant(value);
  if (time === null) return null;
  return Date.parse(`${new Intl.DateTimeFormat("en-CA", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" }).format(time)}T00:00:00Z`);
}

export const both = (a, b, make) => (a === null || b === null ? null : make(a, b));
export const members = (call, make) => both(setOf(call.all(0)), setOf(call.all(1)), make);
const setOf = (values) => (values.length ? new Set(values) : null);
export const within = (a, b) => [...a].every((one) => b.has(one));

const normalised = (value) => String(value).toUpperCase().replace(/[^A-Z0-9]/g, "");

// What a sign-in compares; rules_more.js adds what the other lists compute.
export const FUNCTIONS = {
  same_set: (call) => members(call, (a, b) => a.size === b.size && within(a, b)),
  equals: (call) => {
    const first = call.one(0);
    if (first !== null && typeof first === "object") return first.matched ?? null;
    return both(first, call.one(1), (a, b) => normalised(a) === normalised(b));
  },
  not_before: (call) => both(call.day(0), call.day(1), (a, b) => a >= b),
  allergy_agrees: (call) => {
    const [said, known] = [call.one(0), call.all(1)];
    return said === null || !known.length ? null : (known.length === 1 && known[0] === "none") === (said === "no");
  },
};

/** Does a list compute something that rules_more.js has to bring first? */
export const needsMore = ({ items = [] }) => items.some((one) => (one.computed && !FUNCTIONS[one.computed.fn]) || needsMore(one));

// -- gate and progress -------------------------------------------------------------------------------------------------
const KIND = { H0: "hard", H1: "overridable", S: "warning" };
const STRENGTH = { hard: 0, overridable: 1, warning: 2 };

export function gateOf(view, phase, { emergency = false, overrides = [], beside = [] } = {}) {
  const gate = { open: true, blockers: [], overridden: [], debt: [] };
  const lifted = new Set(overrides);
  for (const one of beside) {
    if (one.owed || (emergency && !one.never && one.kind !== "warning")) gate.debt.push(one);
    else if (one.kind === "overridable" && lifted.has(keyText(one))) gate.overridden.push(one);
    else gate.blockers.push(one);
  }
  for (const node of ofPhase(view.index, phase)) {
    for (const scope of view.scopes(node)) {
      const blocker = blockerAt(view, node, scope, emergency);
      if (!blocker) continue;
      if (emergency && node.raw.emergency === "debt" && !blocker.never) gate.debt.push(blocker);
      else if (blocker.kind === "overridable" && lifted.has(keyText(blocker))) gate.overridden.push(blocker);
      else gate.blockers.push(blocker);
    }
  }
  gate.blockers.sort((a, b) => STRENGTH[a.kind] - STRENGTH[b.kind]);
  gate.open = gate.blockers.every((blocker) => blocker.kind === "warning");
  return gate;
}

function blockerAt(view, node, scope, emergency) {
  if (!view.applies(node, scope)) return null;
  const key = node.key(scope);
  const make = (kind, code, reason, reasonTr, never = false) => ({
    item: key.item, part: key.part || null, level: key.level || null, side: key.side || null, instance: key.instance || null,
    kind, code, reason, reason_tr: reasonTr, who: node.raw.by ?? [], never, run: null, owed: false,
  });
  if (view.conflicts.has(keyText(key))) {
    return make("hard", "conflict", "Two different answers: one person must decide", "İki farklı yanıt: bir kişi karar vermeli");
  }
  const firing = (node.raw.stop_rules ?? []).filter((rule) => view.holds(rule.when, node, scope))
    .map((rule) => [KIND[rule.class] === "hard" && emergency && !rule.never ? "overridable" : KIND[rule.class], rule])
    .sort((a, b) => STRENGTH[a[0]] - STRENGTH[b[0]]);
  if (firing.length) {
    const [kind, rule] = firing[0];
    const code = rule.when.op === "exists" && rule.when.value === false && !rule.when.item && !rule.when.fact ? "unanswered" : "rule";
    return make(kind, code, rule.because, rule.because_tr, Boolean(rule.never) && kind === "hard");
  }
  const due = node.isAnswerable && node.raw.required !== "optional";
  return due && !view.answered(node, scope) ? make("warning", "unanswered", "Not answered", "Yanıtlanmadı") : null;
}

export function progressOf(view, phase) {
  const progress = { answered: 0, required: 0 };
  for (const node of ofPhase(view.index, phase)) {
    if (!node.isAnswerable || node.raw.required === "optional") continue;
    for (const scope of view.scopes(node)) {
      if (!view.applies(node, scope)) continue;
      progress.required += 1;
      progress.answered += view.answered(node, scope) ? 1 : 0;
    }
  }
  return progress;
}
