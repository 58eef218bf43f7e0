"""Values that the computer works out of answers: every function of the catalogue, once, here (and once in rules.js).

A function whose inputs are missing, not applicable or unusable has no value (None): a rule that must act on that says
`exists = false`. Times are compared as instants, dates in the site's zone. Numbers are rounded the same way on both sides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from checklists.rules import neuro
from checklists.rules.call import Call, View
from checklists.rules.conditions import is_number
from checklists.rules.nodes import Node, Scope
from checklists.rules.times import parse_instant


def compute(view: View, node: Node, scope: Scope, function: str, args: Sequence[str]) -> Any:
    """Return the value of a computed item, or None when it has none."""
    value = FUNCTIONS[function](Call(view, node, scope, args))
    if isinstance(value, float):
        value = math.floor(value) if node.type == "integer" else math.floor(value * 100 + 0.5) / 100
    return value


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
    "mrc_max_fall": neuro.mrc_max_fall,
    "mrc_new_three_or_less": neuro.mrc_new_three_or_less,
    "mrc_both_sides": neuro.mrc_both_sides,
    "rise_over_lowest_since_end": neuro.rise_over_lowest_since_end,
    "rise_within": neuro.rise_within,
    "last_observation_as_baseline": neuro.last_observation_as_baseline,
    "at_least_for": neuro.at_least_for,
    "spo2_low_twice": neuro.spo2_low_twice,
    "last_spo2_within": neuro.last_spo2_within,
}
