"""Conditions as in FHIR's `enableWhen`: `all` and `any` nest; a leaf compares an item, a fact or the item itself.

On a missing answer only `exists` can be true. "Not applicable" exists and compares with nothing. `=` is true when any of several
values is equal, `!=` when there is a value and none is equal, the orders when any value fulfils them: numbers with numbers,
days with days, instants with instants; words have no order. The same semantics stand
in static/checklists/rules.js; tests/vectors/conditions.json holds both together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from checklists.rules.times import is_day, parse_instant

NOT_APPLICABLE = "not_applicable"


class Found:
    """What a leaf found: whether anything was answered, and the comparable values."""

    __slots__ = ("exists", "values")

    def __init__(self, values: Sequence[Any], *, exists: bool) -> None:
        self.values = values
        self.exists = exists


Resolve = Callable[[Mapping[str, Any]], Found]
Limit = Callable[[str], float | None]


def is_not_applicable(value: Any) -> bool:
    """Tell whether a stored value says "not applicable"."""
    return isinstance(value, dict) and NOT_APPLICABLE in value


def same(left: Any, right: Any) -> bool:
    """Compare two JSON values; `true` is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return bool(left == right)


def is_number(value: Any) -> bool:
    """Tell whether a value is a number; `true` is none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def holds(condition: Mapping[str, Any], resolve: Resolve, limit: Limit) -> bool:
    """Evaluate a condition. `resolve` finds what a leaf refers to; `limit` reads the device catalogue (None = unknown)."""
    if "all" in condition:
        return all(holds(leaf, resolve, limit) for leaf in condition["all"])
    if "any" in condition:
        return any(holds(leaf, resolve, limit) for leaf in condition["any"])
    found = resolve(condition)
    operator, wanted = condition["op"], condition.get("value")
    if operator == "exists":
        return found.exists is bool(wanted)
    if isinstance(wanted, dict):
        wanted = limit(str(wanted["catalogue"]))
        if wanted is None:
            return False
    return (
        any(_compare(operator, value, wanted) for value in found.values)
        if operator != "!="
        else (bool(found.values) and not any(same(value, wanted) for value in found.values))
    )


def _ordered(value: Any) -> float | str | datetime | None:
    """Return what an order compares: numbers, days as their text, instants whatever their zone; None for what has no order."""
    if is_number(value):
        return float(value)
    if is_day(value):
        return str(value)
    return parse_instant(value)


def _compare(operator: str, value: Any, wanted: Any) -> bool:
    if operator == "=":
        return same(value, wanted)
    value, wanted = _ordered(value), _ordered(wanted)
    if type(value) is not type(wanted) or value is None:
        return False
    if operator == ">":
        return bool(value > wanted)
    if operator == "<":
        return bool(value < wanted)
    if operator == ">=":
        return bool(value >= wanted)
    return operator == "<=" and bool(value <= wanted)
