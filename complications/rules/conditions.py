"""Conditions of catalogue rows: `all`, `any`, `not` over leaves {fact, op, value}.

As in FHIR's enableWhen, on a missing fact only `exists` can be true: what must hold on unknown input says so.
"""

from collections.abc import Callable, Mapping
from typing import Any

_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: bool(a == b),
    "!=": lambda a, b: bool(a != b),
    ">": lambda a, b: bool(a > b),
    "<": lambda a, b: bool(a < b),
    ">=": lambda a, b: bool(a >= b),
    "<=": lambda a, b: bool(a <= b),
}


def holds(condition: Mapping[str, Any] | None, facts: Mapping[str, Any]) -> bool:
    """Return whether `condition` holds for `facts`; no condition always holds. Raise ValueError on a broken one."""
    if not condition:
        return True
    if "all" in condition:
        return all(holds(part, facts) for part in condition["all"])
    if "any" in condition:
        return any(holds(part, facts) for part in condition["any"])
    if "not" in condition:
        return not holds(condition["not"], facts)
    if not {"fact", "op", "value"} <= set(condition):
        raise ValueError(f"a condition needs fact, op and value, not {sorted(condition)}")
    value, op = facts.get(condition["fact"]), condition["op"]
    if op == "exists":
        return (value is not None) is bool(condition["value"])
    if op not in _COMPARE:
        raise ValueError(f"unknown comparison {op!r}")
    if value is None:
        return False
    try:
        return _COMPARE[op](value, condition["value"])
    except TypeError:
        return False
