// What lists compute beyond a sign-in: sums and times, drug holds, grades of muscles, series of observations. Loaded before such a list is shown.
import { FUNCTIONS, MINUTE, NOWHERE, both, instant, isNumber, members, within } from "./rules.js";

const LEG_MUSCLES = ["hip_flexion", "knee_extension", "ankle_dorsiflexion", "great_toe_extension", "plantarflexion"];
const ARM_MUSCLES = ["elbow_flexion", "wrist_extension", "elbow_extension", "finger_flexion", "finger_abduction"];
const MUSCLES = [...LEG_MUSCLES, ...ARM_MUSCLES].flatMap((muscle) => ["l", "r"].map((side) => [muscle, side]));

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

Object.assign(FUNCTIONS, {
  count: (call) => call.all(0).length || null,
  sum: (call) => {
    const numbers = call.all(0).filter(isNumber);
    return numbers.length ? numbers.reduce((a, b) => a + b, 0) : null;
  },
  difference: (call) => both(call.number(0), call.number(1), (a, b) => a - b),
  days_between: (call) => both(call.day(0), call.day(1), (a, b) => Math.round((b - a) / 86400000)),
  hours_between: (call) => both(call.instant(0), call.instant(1), (a, b) => (b - a) / (60 * MINUTE)),
  subset: (call) => members(call, within),
  not_subset: (call) => members(call, (a, b) => !within(a, b)),
  answered_any: (call) => (call.all(0).length ? call.all(0).some((value) => call.args.slice(1).includes(value)) : null),
  allergy_clear: (call) => {
    const [against, known] = [call.view.index.tables.drug_allergies?.[call.one(0)], call.all(1)];
    return !against || !known.length ? null : !against.some((one) => known.includes(one));
  },
  minutes_between: (call) => (call.args[0] === "INT-CMT-02.mixed_at" ? minutesSinceMixing(call)
    : both(call.instant(0), call.instant(1), (a, b) => (b - a) / MINUTE)),
  hold_satisfied: (call) => {
    const [agent, taken, clearance, now] = [call.one(0), call.instant(1), call.number(2), call.instant(3)];
    if (agent === null || taken === null || now === null) return null;
    const rows = (call.view.index.tables.hold_hours ?? []).filter((row) => row.agent === agent
      && (row.crcl_min === undefined || (clearance !== null && clearance >= row.crcl_min)));
    if (!rows.length) return null;
    const row = rows.reduce((best, one) => ((one.crcl_min ?? 0) > (best.crcl_min ?? 0) ? one : best));
    return (now - taken) / (60 * MINUTE) >= row.hours;
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
});
