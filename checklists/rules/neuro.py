"""Computed values of examinations and observations: muscle grades against the baseline, pain and saturation over time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from checklists.rules.call import Call
from checklists.rules.conditions import is_number
from checklists.rules.nodes import Scope
from checklists.rules.times import parse_instant

LEG_MUSCLES = ("hip_flexion", "knee_extension", "ankle_dorsiflexion", "great_toe_extension", "plantarflexion")
ARM_MUSCLES = ("elbow_flexion", "wrist_extension", "elbow_extension", "finger_flexion", "finger_abduction")
SIDES = ("l", "r")
AS_GOOD = frozenset({"as_baseline", "better"})
PAIN_SERIES = "POS-NEU-01.nrs_back"
OBSERVED_AT = "POS-NEU-01.at"


# -- muscle grades against the examination before -----------------------------------------------------------------------
def _grade(value: Any) -> int | None:
    """Return a muscle grade; `nt` (not tested) is unknown, never 5."""
    return int(value) if isinstance(value, str) and value.isdecimal() else None


def _first(call: Call, node_id: str, scope: Scope, repeat: str) -> Any:
    """Return the first value of an item, None where the lists at hand do not have it."""
    found = call.view.find(node_id, scope, repeat).values if node_id in call.view.index.nodes else ()
    return found[0] if found else None


def _baseline(call: Call, muscle: str, side: str) -> int | None:
    before = str(call.args[1])
    grades = call.view.memo.get(before)
    if grades is None:
        grades = call.view.memo[before] = _baselines(call, before)
    found: int | None = grades[muscle, side]
    return found


def _baselines(call: Call, before: str) -> dict[tuple[str, str], int | None]:
    """Return every grade of the examination before: five for a limb of full power, else the muscle's own."""
    grades: dict[tuple[str, str], int | None] = {}
    for limb, muscles in (("leg", LEG_MUSCLES), ("arm", ARM_MUSCLES)):
        for side in SIDES:
            power = _first(call, f"{before}.{limb}_{side}", Scope(), "")
            for muscle in muscles:
                own = None if power == "full" else _first(call, f"{before}.{muscle}_{side}", Scope(), "")
                grades[muscle, side] = 5 if power == "full" else _grade(own)
    return grades


def _now(call: Call, muscle: str, side: str) -> int | None:
    """Return today's grade: the muscle's own, or the earlier one where the whole leg is as before."""
    name = str(call.args[0])
    own = _first(call, f"{name}.{muscle}_{side}", call.scope, call.node.repeat)
    if own is not None:
        return _grade(own)
    limb = "leg" if muscle in LEG_MUSCLES else "arm"
    if _first(call, f"{name}.{limb}_{side}", call.scope, call.node.repeat) == "as_baseline":
        return _baseline(call, muscle, side)
    return None


def _falls(call: Call) -> list[tuple[str, int]]:
    """Return side and fall (earlier minus now) of each muscle that was tested both times."""
    falls = []
    for muscle in LEG_MUSCLES + ARM_MUSCLES:
        for side in SIDES:
            before, now = _baseline(call, muscle, side), _now(call, muscle, side)
            if before is not None and now is not None:
                falls.append((side, before - now))
    return falls


def mrc_max_fall(call: Call) -> Any:
    falls = _falls(call)
    return max(0, *(fall for _, fall in falls)) if falls else None


def mrc_new_three_or_less(call: Call) -> Any:
    known = False
    for muscle in LEG_MUSCLES + ARM_MUSCLES:
        for side in SIDES:
            before, now = _baseline(call, muscle, side), _now(call, muscle, side)
            if now is None:
                continue
            known = True
            if now <= 3 and (before is None or before > 3):
                return True
    return False if known else None


def mrc_both_sides(call: Call) -> Any:
    falls = _falls(call)
    return {side for side, fall in falls if fall >= 1} == set(SIDES) if falls else None


# -- the series of observations -----------------------------------------------------------------------------------------
class Observed(NamedTuple):
    """One value of a series with its time; observations without a time keep their order and have none."""

    instance: str
    at: datetime | None
    value: Any


def _series(call: Call, node_id: str) -> list[Observed]:
    """Return the observed values of a series item in order of time (worked out once for each look)."""
    known = call.view.memo.get(node_id)
    if known is None:
        known = call.view.memo[node_id] = _observe(call, node_id)
    return list(known)


def _observe(call: Call, node_id: str) -> list[Observed]:
    node, clock = call.view.index.nodes[node_id], call.view.index.nodes[OBSERVED_AT]
    rows = []
    for place, instance in enumerate(call.view.instances(node)):
        scope = Scope("", "", instance)
        at = parse_instant(call.view.value(clock, scope))
        seen = Observed(instance, at, call.view.value(node, scope))
        rows.append((at is None, at.timestamp() if at else 0.0, place, seen))
    return [row[3] for row in sorted(rows, key=lambda row: row[:3])]


def _until_here(call: Call, node_id: str) -> list[Observed]:
    """Return the series up to and including this observation, values that are numbers only."""
    series = _series(call, node_id)
    here = next((place for place, one in enumerate(series) if one.instance == call.scope.instance), len(series) - 1)
    return [one for one in series[: here + 1] if is_number(one.value)]


def rise_over_lowest_since_end(call: Call) -> Any:
    """Rise of back pain over its lowest value since the procedure ended, this one included."""
    ended = parse_instant(next(iter(call.view.fact("procedure.ended_at", Scope())), None))
    value = call.number(0)
    if value is None:
        return None
    series = _until_here(call, PAIN_SERIES) if PAIN_SERIES in call.view.index.nodes else []
    since = [one.value for one in series if not (ended and one.at and one.at < ended)]
    return value - min([value, *since])


def rise_within(call: Call) -> Any:
    name, minutes = str(call.args[0]), int(str(call.args[1]).split()[0])
    series = _until_here(call, name)
    if not series or series[-1].instance != call.scope.instance:
        return None
    last = series[-1]
    recent = [
        one.value
        for one in series
        if one is last or (one.at and last.at and last.at - one.at <= timedelta(minutes=minutes))
    ]
    return last.value - min(recent)


def at_least_for(call: Call) -> Any:
    name, least, minutes = str(call.args[0]), int(call.args[1]), int(str(call.args[2]).split()[0])
    series = _until_here(call, name)
    if not series or series[-1].instance != call.scope.instance:
        return None
    last = series[-1]
    for one in reversed(series):
        if one.value < least:
            return False
        if one.at and last.at and last.at - one.at >= timedelta(minutes=minutes):
            return True
    return False


def spo2_low_twice(call: Call) -> Any:
    first = call.number(1)
    series = _until_here(call, str(call.args[0]))
    if not series or series[-1].instance != call.scope.instance:
        return None

    def low(value: Any) -> bool:
        return bool(value < 90 or (first is not None and first - value >= 4))

    return len(series) >= 2 and low(series[-1].value) and low(series[-2].value)


def last_spo2_within(call: Call) -> Any:
    first, most = call.number(1), int(call.args[2])
    series = [one.value for one in _series(call, str(call.args[0])) if is_number(one.value)]
    return None if first is None or not series else first - series[-1] <= most


def last_observation_as_baseline(call: Call) -> Any:
    name = str(call.args[0])
    columns = [_series(call, f"{name}.{part}") for part in ("leg_l", "leg_r", "light_touch", "saddle")]
    if not columns[0]:
        return None
    return all(column[-1].value in AS_GOOD for column in columns)
