"""Values that the computer works out of answers: every function of the catalogue, once, here (and once in rules.js).

A function whose inputs are missing, not applicable or unusable has no value (None): a rule that must act on that says
`exists = false`. Times are compared as instants, dates in the site's zone. Numbers are rounded the same way on both sides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from checklists.rules.conditions import Found, is_number
from checklists.rules.nodes import Index, Node, Scope
from checklists.rules.values import parse_instant

LEG_MUSCLES = ("hip_flexion", "knee_extension", "ankle_dorsiflexion", "great_toe_extension", "plantarflexion")
ARM_MUSCLES = ("elbow_flexion", "wrist_extension", "elbow_extension", "finger_flexion", "finger_abduction")
SIDES = ("l", "r")
AS_GOOD = frozenset({"as_baseline", "better"})
PAIN_SERIES = "POS-NEU-01.nrs_back"
OBSERVED_AT = "POS-NEU-01.at"


class View(Protocol):
    """What a function may ask about the answers."""

    index: Index

    @property
    def levels(self) -> tuple[str, ...]: ...
    def arguments(self, name: str, node: Node, scope: Scope) -> list[Any]: ...
    def find(self, node_id: str, scope: Scope, repeat: str) -> Found: ...
    def fact(self, name: str, scope: Scope) -> list[Any]: ...
    def value(self, node: Node, scope: Scope) -> Any: ...
    def instances(self, node: Node) -> tuple[str, ...]: ...


class Call(NamedTuple):
    """One computed item at one place."""

    view: View
    node: Node
    scope: Scope
    args: Sequence[str]

    def all(self, place: int) -> list[Any]:
        """Return all values of an argument."""
        return self.view.arguments(str(self.args[place]), self.node, self.scope)

    def one(self, place: int) -> Any:
        """Return the first value of an argument, or None."""
        found = self.all(place)
        return found[0] if found else None

    def number(self, place: int) -> Any:
        """Return an argument as a number, or None."""
        value = self.one(place)
        return value if is_number(value) else None

    def instant(self, place: int) -> datetime | None:
        """Return an argument as an instant, or None."""
        return parse_instant(self.one(place))

    def day(self, place: int) -> date | None:
        """Return an argument as a day in the site's zone, or None; `today` is the day of `now`."""
        name = "now" if self.args[place] == "today" else str(self.args[place])
        found = self.view.arguments(name, self.node, self.scope)
        return _day(found[0], self.zone) if found else None

    @property
    def zone(self) -> ZoneInfo:
        known = self.view.fact("site.zone", self.scope)
        return ZoneInfo(str(known[0]) if known else "UTC")


def compute(view: View, node: Node, scope: Scope, function: str, args: Sequence[str]) -> Any:
    """Return the value of a computed item, or None when it has none."""
    value = FUNCTIONS[function](Call(view, node, scope, args))
    if isinstance(value, float):
        value = math.floor(value) if node.type == "integer" else math.floor(value * 100 + 0.5) / 100
    return value


def _day(value: Any, zone: ZoneInfo) -> date | None:
    if isinstance(value, str) and len(value) == 10:
        return date.fromisoformat(value)
    instant = parse_instant(value)
    return instant.astimezone(zone).date() if instant else None


def _count(call: Call) -> Any:
    return len(call.all(0)) or None


def _sum(call: Call) -> Any:
    numbers = [value for value in call.all(0) if is_number(value)]
    return float(sum(numbers)) if numbers else None


def _difference(call: Call) -> Any:
    first, second = call.number(0), call.number(1)
    return None if first is None or second is None else first - second


def _days_between(call: Call) -> Any:
    first, second = call.day(0), call.day(1)
    return (second - first).days if first and second else None


def _hours_between(call: Call) -> Any:
    first, second = call.instant(0), call.instant(1)
    return (second - first).total_seconds() / 3600 if first and second else None


def _minutes_between(call: Call) -> Any:
    if call.args[0] == "INT-CMT-02.mixed_at":
        return _minutes_since_mixing(call)
    first, second = call.instant(0), call.instant(1)
    return (second - first).total_seconds() / 60 if first and second else None


def _minutes_since_mixing(call: Call) -> Any:
    """Minutes from a mix to the first injection out of it; a level belongs to the mix that one of its sides names.

    Where no side names a mix, the injections belong to the only mix there is.
    """
    mixed = call.instant(0)
    mix, injected = call.view.index.nodes["INT-CMT-05.mix"], call.view.index.nodes["INT-CMT-04"]
    named: dict[str, list[Any]] = {
        level: list(call.view.find(mix.id, Scope(level), "").values) for level in call.view.levels
    }
    nobody_named = not any(named.values())
    only = len(call.view.instances(call.node)) == 1
    times = [
        instant
        for level in call.view.levels
        if (nobody_named and only) or any(str(one) == call.scope.instance for one in named[level])
        if (instant := parse_instant(call.view.value(injected, Scope(level)))) is not None
    ]
    return (min(times) - mixed).total_seconds() / 60 if mixed and times else None


def _members(call: Call, place: int) -> set[Any] | None:
    found = call.all(place)
    return set(found) if found else None


def _subset(call: Call) -> Any:
    first, second = _members(call, 0), _members(call, 1)
    return None if first is None or second is None else first <= second


def _not_subset(call: Call) -> Any:
    inside = _subset(call)
    return None if inside is None else not inside


def _same_set(call: Call) -> Any:
    first, second = _members(call, 0), _members(call, 1)
    return None if first is None or second is None else first == second


def _normalised(value: Any) -> str:
    return "".join(letter for letter in str(value).upper() if letter.isalnum() and letter.isascii())


def _equals(call: Call) -> Any:
    first, second = call.one(0), call.one(1)
    if isinstance(first, dict):
        return first.get("matched")
    return None if first is None or second is None else _normalised(first) == _normalised(second)


def _not_before(call: Call) -> Any:
    first, second = call.day(0), call.day(1)
    return first >= second if first and second else None


def _answered_any(call: Call) -> Any:
    found = call.all(0)
    return any(value in call.args[1:] for value in found) if found else None


def _hold_satisfied(call: Call) -> Any:
    agent, taken, clearance, now = call.one(0), call.instant(1), call.number(2), call.instant(3)
    if agent is None or taken is None or now is None:
        return None
    rows = [row for row in call.view.index.tables.get("hold_hours", ()) if row["agent"] == agent]
    fitting = [row for row in rows if "crcl_min" not in row or (clearance is not None and clearance >= row["crcl_min"])]
    if not fitting:
        return None
    hours = max(fitting, key=lambda row: row.get("crcl_min", 0))["hours"]
    return (now - taken).total_seconds() / 3600 >= hours


def _allergy_agrees(call: Call) -> Any:
    said, known = call.one(0), call.all(1)
    if said is None or not known:
        return None
    return (known == ["none"]) is (said == "no")


def _allergy_clear(call: Call) -> Any:
    drug, known = call.one(0), call.all(1)
    against = call.view.index.tables.get("drug_allergies", {}).get(drug)
    return None if against is None or not known else not any(one in known for one in against)


def _bcis_grade(call: Call) -> Any:
    """Grade the cement reaction; Donaldson 2009, as published also where the first value is already low."""
    pressure, spo2, pressure_low, spo2_low = (call.number(place) for place in range(4))
    lost_consciousness, resuscitated = call.one(4), call.one(5)
    if resuscitated is True:
        return 3
    fall = None if not pressure or pressure_low is None else (pressure - pressure_low) / pressure * 100
    if (spo2_low is not None and spo2_low < 88) or (fall is not None and fall > 40) or lost_consciousness is True:
        return 2
    if (spo2_low is not None and spo2_low < 94) or (fall is not None and fall > 20):
        return 1
    return None if spo2_low is None or fall is None or spo2 is None else 0


def _leak_consistent(call: Call) -> Any:
    stopped, leak = call.all(0), call.all(1)
    return None if not stopped or not leak else not ("leak_seen" in stopped and leak == ["none"])


# -- muscle grades against the examination before -----------------------------------------------------------------------
def _grade(value: Any) -> int | None:
    """Return a muscle grade; `nt` (not tested) is unknown, never 5."""
    return int(value) if isinstance(value, str) and value.isdecimal() else None


def _baseline(call: Call, muscle: str, side: str) -> int | None:
    limb = "leg" if muscle in LEG_MUSCLES else "arm"
    before = str(call.args[1])
    power = call.view.find(f"{before}.{limb}_{side}", Scope(), "").values
    if list(power) == ["full"]:
        return 5
    found = call.view.find(f"{before}.{muscle}_{side}", Scope(), "").values
    return _grade(found[0]) if found else None


def _now(call: Call, muscle: str, side: str) -> int | None:
    """Return today's grade: the muscle's own, or the earlier one where the whole leg is as before."""
    name = str(call.args[0])
    found = call.view.find(f"{name}.{muscle}_{side}", call.scope, call.node.repeat).values
    if found:
        return _grade(found[0])
    limb = "leg" if muscle in LEG_MUSCLES else "arm"
    if list(call.view.find(f"{name}.{limb}_{side}", call.scope, call.node.repeat).values) == ["as_baseline"]:
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


def _mrc_max_fall(call: Call) -> Any:
    falls = _falls(call)
    return max(0, *(fall for _, fall in falls)) if falls else None


def _mrc_new_three_or_less(call: Call) -> Any:
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


def _mrc_both_sides(call: Call) -> Any:
    falls = _falls(call)
    return {side for side, fall in falls if fall >= 1} == set(SIDES) if falls else None


# -- the series of observations -----------------------------------------------------------------------------------------
class Observed(NamedTuple):
    """One value of a series with its time; observations without a time keep their order and have none."""

    instance: str
    at: datetime | None
    value: Any


def _series(call: Call, node_id: str) -> list[Observed]:
    """Return the observed values of a series item in order of time."""
    node, clock = call.view.index.nodes[node_id], call.view.index.nodes[OBSERVED_AT]
    rows = []
    for place, instance in enumerate(call.view.instances(node)):
        at = parse_instant(call.view.value(clock, Scope("", "", instance)))
        rows.append(
            (
                at is None,
                at.timestamp() if at else 0.0,
                place,
                Observed(instance, at, call.view.value(node, Scope("", "", instance))),
            )
        )
    return [row[3] for row in sorted(rows, key=lambda row: row[:3])]


def _until_here(call: Call, node_id: str) -> list[Observed]:
    """Return the series up to and including this observation, values that are numbers only."""
    series = _series(call, node_id)
    here = next((place for place, one in enumerate(series) if one.instance == call.scope.instance), len(series) - 1)
    return [one for one in series[: here + 1] if is_number(one.value)]


def _rise_over_lowest_since_end(call: Call) -> Any:
    """Rise of back pain over its lowest value since the procedure ended, this one included."""
    ended = parse_instant(next(iter(call.view.fact("procedure.ended_at", Scope())), None))
    value = call.number(0)
    if value is None:
        return None
    series = _until_here(call, PAIN_SERIES) if PAIN_SERIES in call.view.index.nodes else []
    since = [one.value for one in series if not (ended and one.at and one.at < ended)]
    return value - min([value, *since])


def _rise_within(call: Call) -> Any:
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


def _at_least_for(call: Call) -> Any:
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


def _spo2_low_twice(call: Call) -> Any:
    first = call.number(1)
    series = _until_here(call, str(call.args[0]))
    if not series or series[-1].instance != call.scope.instance:
        return None

    def low(value: Any) -> bool:
        return bool(value < 90 or (first is not None and first - value >= 4))

    return len(series) >= 2 and low(series[-1].value) and low(series[-2].value)


def _last_spo2_within(call: Call) -> Any:
    first, most = call.number(1), int(call.args[2])
    series = [one.value for one in _series(call, str(call.args[0])) if is_number(one.value)]
    return None if first is None or not series else first - series[-1] <= most


def _last_observation_as_baseline(call: Call) -> Any:
    name = str(call.args[0])
    columns = [_series(call, f"{name}.{part}") for part in ("leg_l", "leg_r", "light_touch", "saddle")]
    if not columns[0]:
        return None
    return all(column[-1].value in AS_GOOD for column in columns)


FUNCTIONS: dict[str, Callable[[Call], Any]] = {
    "count": _count,
    "sum": _sum,
    "difference": _difference,
    "days_between": _days_between,
    "hours_between": _hours_between,
    "minutes_between": _minutes_between,
    "subset": _subset,
    "not_subset": _not_subset,
    "same_set": _same_set,
    "equals": _equals,
    "not_before": _not_before,
    "answered_any": _answered_any,
    "hold_satisfied": _hold_satisfied,
    "allergy_agrees": _allergy_agrees,
    "allergy_clear": _allergy_clear,
    "bcis_grade": _bcis_grade,
    "leak_consistent": _leak_consistent,
    "mrc_max_fall": _mrc_max_fall,
    "mrc_new_three_or_less": _mrc_new_three_or_less,
    "mrc_both_sides": _mrc_both_sides,
    "rise_over_lowest_since_end": _rise_over_lowest_since_end,
    "rise_within": _rise_within,
    "last_observation_as_baseline": _last_observation_as_baseline,
    "at_least_for": _at_least_for,
    "spo2_low_twice": _spo2_low_twice,
    "last_spo2_within": _last_spo2_within,
}
