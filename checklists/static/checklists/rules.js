// The rules of checklists/rules/ for the tablet: conditions, applicability, computed values, value checks, gates, progress.
// No dependencies and no clock: `now` comes with the state. tests/vectors/*.json hold this file and the Python together;
// docs/definitions.md describes the definition JSON and what is exported here.

export const LEVELS = [
  ...[2, 3, 4, 5, 6, 7].map((n) => `C${n}`), ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13].map((n) => `T${n}`),
  ...[1, 2, 3, 4, 5, 6].map((n) => `L${n}`), "S1", "S2",
];
const SIDES = ["left", "right", "midline"];
const NOWHERE = Object.freeze({ level: "", side: "", instance: "" });

export const keyText = (key) => [key.item, key.part, key.level, key.side, key.instance].map((p) => p ?? "").join("|");
export const keyOf = (text) => {
  const [item, part = "", level = "", side = "", instance = ""] = text.split("|");
  return { item, part, level, side, instance };
};
const nodeId = (key) => (key.part ? `${key.item}.${key.part}` : key.item);

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
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

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

function compare(op, value, wanted) {
  if (op === "=") return value === wanted;
  if (!isNumber(value) || !isNumber(wanted)) return false;
  if (op === ">") return value > wanted;
  if (op === "<") return value < wanted;
  if (op === ">=") return value >= wanted;
  return op === "<=" && value <= wanted;
}

// -- values ------------------------------------------------------------------------------------------------------------
const fault = (code) => ({ code });

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

export function keyFault(index, key) {
  const node = index.nodes.get(nodeId(key));
  if (!node) return fault("unknown_item");
  if (!node.isAnswerable) return fault("not_answerable");
  if (Boolean(key.level) !== node.byLevel || (key.level && !LEVELS.includes(key.level))) return fault("wrong_level");
  if (Boolean(key.side) !== node.bySide || (key.side && !SIDES.includes(key.side))) return fault("wrong_side");
  if (Boolean(key.instance) !== node.byInstance) return fault("wrong_instance");
  if (key.instance && (key.instance.length > 40 || key.instance.includes("|"))) return fault("wrong_instance");
  return null;
}

export function valueFault(node, value) {
  if (value === null || value === undefined) return null;
  if (isNotApplicable(value)) {
    if (!node.raw.na_allowed) return fault("na_not_allowed");
    const reason = value.not_applicable;
    const good = isClean(reason) && Object.keys(value).length === 1;
    return good && reason.trim().length >= 2 && reason.trim().length <= 200 ? null : fault("wrong_type");
  }
  return CHECKS[node.type](node, value);
}

const optionValues = (node) => (node.raw.options ?? []).map((option) => option.value);

function choiceFault(node, value) {
  if (typeof value !== "string") return fault("wrong_type");
  return optionValues(node).includes(value) ? null : fault("unknown_option");
}

function multiChoiceFault(node, value) {
  if (!Array.isArray(value) || !value.every((one) => typeof one === "string")) return fault("wrong_type");
  if (new Set(value).size !== value.length) return fault("wrong_type");
  if (!value.every((one) => optionValues(node).includes(one))) return fault("unknown_option");
  const { min_count: low = 0, max_count: high = value.length } = node.raw;
  if (value.length < low || value.length > high) return fault("out_of_range");
  const alone = node.raw.options.some((option) => option.exclusive && value.includes(option.value));
  return value.length > 1 && alone ? fault("out_of_range") : null;
}

function numberFault(node, value) {
  let entered = value;
  if (value !== null && typeof value === "object") {
    if (Array.isArray(value) || Object.keys(value).sort().join() !== "unit,value") return fault("wrong_type");
    if (factorOf(node, value.unit) === null) return fault("wrong_unit");
    entered = value.value;
  }
  if (!isNumber(entered)) return fault("wrong_type");
  const number = numberOf(node, value);
  if (node.type === "integer" && typeof value === "number" && !Number.isInteger(number)) return fault("wrong_type");
  const { min = -Infinity, max = Infinity } = node.raw;
  return number < min || number > max ? fault("out_of_range") : null;
}

// Text that a database can hold: no NUL, no half of a surrogate pair.
const isClean = (value) => typeof value === "string" && !/\0|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(value);

function lengthFault(value, low, high) {
  if (typeof value !== "string") return fault("wrong_type");
  const length = [...value.trim()].length;
  return length < low || length > high || !isClean(value) ? fault("out_of_range") : null;
}

const INSTANT = /^(19|20|21)\d{2}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})$/;

export function instant(value) {
  if (typeof value !== "string" || !INSTANT.test(value) || !isDay(value.slice(0, 10))) return null;
  const time = Date.parse(value);
  return Number.isNaN(time) ? null : time;
}

function isDay(value) {
  if (typeof value !== "string" || !/^(19|20|21)\d{2}-\d{2}-\d{2}$/.test(value)) return false;
  const time = Date.parse(`${value}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().slice(0, 10) === value;
}

const CHECKS = {
  boolean: (node, value) => (typeof value === "boolean" ? null : fault("wrong_type")),
  choice: choiceFault,
  coded: choiceFault,
  multi_choice: multiChoiceFault,
  integer: numberFault,
  decimal: numberFault,
  date: (node, value) => (isDay(value) ? null : fault("wrong_type")),
  datetime: (node, value) => (instant(value) === null ? fault("wrong_type") : null),
  text: (node, value) => lengthFault(value, node.raw.min ?? 1, node.raw.max ?? 4000),
  user_ref: (node, value) => (lengthFault(value, 1, 150) ? fault("wrong_type") : null),
  scan: (node, value) => {
    if (value === null || typeof value !== "object") return lengthFault(value, 1, 300);
    const { matched, method = "", ...rest } = value;
    const good = typeof matched === "boolean" && isClean(method) && method.length <= 20;
    return good && !Array.isArray(value) && Object.keys(rest).length === 0 ? null : fault("wrong_type");
  },
};

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
const LEG_MUSCLES = ["hip_flexion", "knee_extension", "ankle_dorsiflexion", "great_toe_extension", "plantarflexion"];
const ARM_MUSCLES = ["elbow_flexion", "wrist_extension", "elbow_extension", "finger_flexion", "finger_abduction"];
const MUSCLES = [...LEG_MUSCLES, ...ARM_MUSCLES].flatMap((muscle) => ["l", "r"].map((side) => [muscle, side]));
const MINUTE = 60000;

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

const both = (a, b, make) => (a === null || b === null ? null : make(a, b));
const members = (call, make) => both(setOf(call.all(0)), setOf(call.all(1)), make);
const setOf = (values) => (values.length ? new Set(values) : null);
const within = (a, b) => [...a].every((one) => b.has(one));

function minutesSinceMixing(call) {
  const { view } = call;
  const mixed = call.instant(0);
  const injected = view.index.nodes.get("INT-CMT-04");
  const named = new Map(view.levels.map((level) => [level, view.find("INT-CMT-05.mix", { ...NOWHERE, level }, "").values]));
  const anyMix = [...named.values()].every((mixes) => !mixes.length) && view.instances(call.node).length === 1;
  const times = view.levels
    .filter((level) => anyMix || named.get(level).some((mix) => String(mix) === call.scope.instance))
    .map((level) => instant(view.value(injected, { ...NOWHERE, level })))
    .filter((time) => time !== null);
  return mixed !== null && times.length ? (Math.min(...times) - mixed) / MINUTE : null;
}

const grade = (value) => (typeof value === "string" && /^\d$/.test(value) ? Number(value) : null);
const limbOf = (muscle) => (LEG_MUSCLES.includes(muscle) ? "leg" : "arm");

function baselineGrade(call, muscle, side) {
  const { view, args } = call;
  const name = `${args[1]}.${muscle}_${side}`;
  if (!view.baseline.has(name)) {
    const power = view.find(`${args[1]}.${limbOf(muscle)}_${side}`, NOWHERE, "").values;
    const full = power.length === 1 && power[0] === "full";
    view.baseline.set(name, full ? 5 : grade(view.find(name, NOWHERE, "").values[0]));
  }
  return view.baseline.get(name);
}

function gradeNow(call, muscle, side) {
  const { view, scope, node, args } = call;
  const said = (name) => (view.index.nodes.has(name) ? view.find(name, scope, node.repeat).values[0] : undefined);
  const own = said(`${args[0]}.${muscle}_${side}`);
  if (own !== undefined) return grade(own);
  return said(`${args[0]}.${limbOf(muscle)}_${side}`) === "as_baseline" ? baselineGrade(call, muscle, side) : null;
}

const falls = (call) => MUSCLES
  .map(([muscle, side]) => [side, both(baselineGrade(call, muscle, side), gradeNow(call, muscle, side), (a, b) => a - b)])
  .filter(([, fall]) => fall !== null);

function series(call, id) {
  const { view } = call;
  if (view.series.has(id)) return view.series.get(id);
  const [node, clock] = [view.index.nodes.get(id), view.index.nodes.get("POS-NEU-01.at")];
  const rows = view.instances(node).map((name, place) => {
    const scope = { ...NOWHERE, instance: name };
    return { name, place, at: instant(view.value(clock, scope)), value: view.value(node, scope) };
  }).sort((a, b) => (a.at === null) - (b.at === null) || (a.at ?? 0) - (b.at ?? 0) || a.place - b.place);
  view.series.set(id, rows);
  return rows;
}

function untilHere(call, id) {
  const all = series(call, id);
  const here = all.findIndex((one) => one.name === call.scope.instance);
  return all.slice(0, (here < 0 ? all.length - 1 : here) + 1).filter((one) => isNumber(one.value));
}

function endingHere(call, id, make) {
  const rows = untilHere(call, id);
  const last = rows.at(-1);
  return last && last.name === call.scope.instance ? make(rows, last) : null;
}

const normalised = (value) => String(value).toUpperCase().replace(/[^A-Z0-9]/g, "");

const FUNCTIONS = {
  count: (call) => call.all(0).length || null,
  sum: (call) => {
    const numbers = call.all(0).filter(isNumber);
    return numbers.length ? numbers.reduce((a, b) => a + b, 0) : null;
  },
  difference: (call) => both(call.number(0), call.number(1), (a, b) => a - b),
  days_between: (call) => both(call.day(0), call.day(1), (a, b) => Math.round((b - a) / 86400000)),
  hours_between: (call) => both(call.instant(0), call.instant(1), (a, b) => (b - a) / (60 * MINUTE)),
  minutes_between: (call) => (call.args[0] === "INT-CMT-02.mixed_at" ? minutesSinceMixing(call)
    : both(call.instant(0), call.instant(1), (a, b) => (b - a) / MINUTE)),
  subset: (call) => members(call, within),
  not_subset: (call) => members(call, (a, b) => !within(a, b)),
  same_set: (call) => members(call, (a, b) => a.size === b.size && within(a, b)),
  equals: (call) => {
    const first = call.one(0);
    if (first !== null && typeof first === "object") return first.matched ?? null;
    return both(first, call.one(1), (a, b) => normalised(a) === normalised(b));
  },
  not_before: (call) => both(call.day(0), call.day(1), (a, b) => a >= b),
  answered_any: (call) => (call.all(0).length ? call.all(0).some((value) => call.args.slice(1).includes(value)) : null),
  hold_satisfied: (call) => {
    const [agent, taken, clearance, now] = [call.one(0), call.instant(1), call.number(2), call.instant(3)];
    if (agent === null || taken === null || now === null) return null;
    const rows = (call.view.index.tables.hold_hours ?? []).filter((row) => row.agent === agent
      && (row.crcl_min === undefined || (clearance !== null && clearance >= row.crcl_min)));
    if (!rows.length) return null;
    const row = rows.reduce((best, one) => ((one.crcl_min ?? 0) > (best.crcl_min ?? 0) ? one : best));
    return (now - taken) / (60 * MINUTE) >= row.hours;
  },
  allergy_agrees: (call) => {
    const [said, known] = [call.one(0), call.all(1)];
    return said === null || !known.length ? null : (known.length === 1 && known[0] === "none") === (said === "no");
  },
  allergy_clear: (call) => {
    const [against, known] = [call.view.index.tables.drug_allergies?.[call.one(0)], call.all(1)];
    return !against || !known.length ? null : !against.some((one) => known.includes(one));
  },
  bcis_grade: (call) => {
    const [pressure, spo2, pressureLow, spo2Low] = [0, 1, 2, 3].map((place) => call.number(place));
    if (call.one(5) === true) return 3;
    const fall = !pressure || pressureLow === null ? null : ((pressure - pressureLow) / pressure) * 100;
    if ((spo2Low !== null && spo2Low < 88) || (fall !== null && fall > 40) || call.one(4) === true) return 2;
    if ((spo2Low !== null && spo2Low < 94) || (fall !== null && fall > 20)) return 1;
    return spo2Low === null || fall === null || spo2 === null ? null : 0;
  },
  leak_consistent: (call) => {
    const [stopped, leak] = [call.all(0), call.all(1)];
    return !stopped.length || !leak.length ? null : !(stopped.includes("leak_seen") && leak.length === 1 && leak[0] === "none");
  },
  mrc_max_fall: (call) => {
    const found = falls(call);
    return found.length ? Math.max(0, ...found.map(([, fall]) => fall)) : null;
  },
  mrc_new_three_or_less: (call) => {
    let known = false;
    for (const [muscle, side] of MUSCLES) {
      const [before, now] = [baselineGrade(call, muscle, side), gradeNow(call, muscle, side)];
      if (now !== null) {
        known = true;
        if (now <= 3 && (before === null || before > 3)) return true;
      }
    }
    return known ? false : null;
  },
  mrc_both_sides: (call) => {
    const found = falls(call);
    return found.length ? new Set(found.filter(([, fall]) => fall >= 1).map(([side]) => side)).size === 2 : null;
  },
  rise_over_lowest_since_end: (call) => {
    const value = call.number(0);
    if (value === null) return null;
    const ended = instant(call.view.fact("procedure.ended_at", NOWHERE)[0]);
    const rows = call.view.index.nodes.has("POS-NEU-01.nrs_back") ? untilHere(call, "POS-NEU-01.nrs_back") : [];
    const since = rows.filter((one) => !(ended !== null && one.at !== null && one.at < ended)).map((one) => one.value);
    return value - Math.min(value, ...since);
  },
  rise_within: (call) => endingHere(call, call.args[0], (rows, last) => {
    const minutes = parseInt(call.args[1], 10);
    const recent = rows.filter((one) => one === last
      || (one.at !== null && last.at !== null && last.at - one.at <= minutes * MINUTE));
    return last.value - Math.min(...recent.map((one) => one.value));
  }),
  at_least_for: (call) => endingHere(call, call.args[0], (rows, last) => {
    const [least, minutes] = [Number(call.args[1]), parseInt(call.args[2], 10)];
    for (const one of [...rows].reverse()) {
      if (one.value < least) return false;
      if (one.at !== null && last.at !== null && last.at - one.at >= minutes * MINUTE) return true;
    }
    return false;
  }),
  spo2_low_twice: (call) => endingHere(call, call.args[0], (rows) => {
    const first = call.number(1);
    const low = (value) => value < 90 || (first !== null && first - value >= 4);
    return rows.length >= 2 && low(rows.at(-1).value) && low(rows.at(-2).value);
  }),
  last_spo2_within: (call) => {
    const rows = series(call, call.args[0]).filter((one) => isNumber(one.value));
    return both(call.number(1), rows.at(-1)?.value ?? null, (first, last) => first - last <= Number(call.args[2]));
  },
  last_observation_as_baseline: (call) => {
    const columns = ["leg_l", "leg_r", "light_touch", "saddle"].map((part) => series(call, `${call.args[0]}.${part}`));
    return columns[0].length ? columns.every((column) => ["as_baseline", "better"].includes(column.at(-1).value)) : null;
  },
};

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
