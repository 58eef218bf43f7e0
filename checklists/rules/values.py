"""What an item accepts as a value, and which code a refusal carries.

The value's shape by type: boolean `true`; choice and coded `"option"`; multi_choice `["option", …]`; integer and decimal `7` or,
where the item lists units, `{"value": 150, "unit": "cGy.cm2"}` (stored as entered, compared in the item's own unit); date
`"2026-02-28"`; datetime RFC 3339 with offset; text, scan and user_ref a string. A scan that identifies the patient may be
`{"matched": true, "method": "scan"}`, so that no record number need be stored. `null` takes an answer back, and
`{"not_applicable": "<reason>"}` answers an item that allows it.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from checklists.rules.conditions import NOT_APPLICABLE, is_not_applicable, is_number
from checklists.rules.nodes import Index, Key, Node
from checklists.rules.times import is_day, parse_instant

LEVELS = (
    *(f"C{n}" for n in range(2, 8)),
    *(f"T{n}" for n in range(1, 14)),
    *(f"L{n}" for n in range(1, 7)),
    "S1",
    "S2",
)
SIDES = ("left", "right", "midline")
SCAN_MAX = 300
REASON_MAX = 200
INSTANCE_MAX = 40
# JSON may carry a number of any size; beyond this one two machines would no longer read the same.
NUMBER_MOST = 2**53 - 1


class Fault(NamedTuple):
    """Why a value or a key is refused: a machine code and a sentence that says what to do."""

    code: str
    detail: str


def key_fault(index: Index, key: Key) -> Fault | None:
    """Check that the key names an answerable item of the index and carries exactly the pieces that the item has."""
    node = index.nodes.get(key.node_id)
    if node is None:
        return Fault("unknown_item", f"{key.node_id} is not on this list. Reload the list and enter it again.")
    if not node.is_answerable:
        return Fault("not_answerable", f"{key.node_id} is a heading or is computed; answer its parts.")
    if bool(key.level) is not node.by_level:
        return Fault("wrong_level", f"{key.node_id} is asked {'for each level' if node.by_level else 'once'}.")
    if key.level and key.level not in LEVELS:
        return Fault("wrong_level", f"{key.level} is not a vertebra. Levels are C2 to S2.")
    if bool(key.side) is not node.by_side:
        return Fault("wrong_side", f"{key.node_id} is asked {'for each side' if node.by_side else 'without a side'}.")
    if key.side and key.side not in SIDES:
        return Fault("wrong_side", f"{key.side} is not a side. Sides are left, right and midline.")
    if bool(key.instance) is not node.by_instance:
        must = "needs an instance" if node.by_instance else "has no instance"
        return Fault("wrong_instance", f"{key.node_id} {must}.")
    if len(key.instance) > INSTANCE_MAX or "|" in key.instance:
        return Fault("wrong_instance", f"An instance is a short name of at most {INSTANCE_MAX} characters without |.")
    return None


def value_fault(node: Node, value: Any) -> Fault | None:
    """Check a value against its item; None = accepted. `null` (untick) is always accepted."""
    if value is None:
        return None
    if is_not_applicable(value):
        return _not_applicable_fault(node, value)
    check = _CHECKS[node.type]
    return check(node, value)


def _not_applicable_fault(node: Node, value: dict[str, Any]) -> Fault | None:
    if not node.raw.get("na_allowed"):
        return Fault(
            "na_not_allowed", f"{node.id} cannot be answered with 'not applicable'. Answer it, or ask for an override."
        )
    reason = value[NOT_APPLICABLE]
    if len(value) != 1 or not _is_clean(reason) or not 2 <= len(reason.strip()) <= REASON_MAX:
        return Fault("wrong_type", f"'Not applicable' needs a reason of 2 to {REASON_MAX} characters.")
    return None


def _boolean(node: Node, value: Any) -> Fault | None:
    return None if isinstance(value, bool) else Fault("wrong_type", f"{node.id} is answered with yes or no.")


def _choice(node: Node, value: Any) -> Fault | None:
    if not isinstance(value, str):
        return Fault("wrong_type", f"{node.id} is answered with one of its options.")
    if value not in option_values(node):
        return Fault("unknown_option", f"{value[:60]!r} is not an option of {node.id}.")
    return None


def _multi_choice(node: Node, value: Any) -> Fault | None:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value) or len(set(value)) != len(value):
        return Fault("wrong_type", f"{node.id} is answered with a list of different options.")
    unknown = set(value) - set(option_values(node))
    if unknown:
        return Fault("unknown_option", f"{min(unknown)[:60]!r} is not an option of {node.id}.")
    if not node.raw.get("min_count", 0) <= len(value) <= node.raw.get("max_count", len(value)):
        low, high = node.raw.get("min_count", 0), node.raw.get("max_count")
        return Fault("out_of_range", f"{node.id} takes {low} to {high} options.")
    alone = {option["value"] for option in node.raw["options"] if option.get("exclusive")}
    if len(value) > 1 and alone & set(value):
        return Fault("out_of_range", f"{min(alone & set(value))!r} stands alone in {node.id}.")
    return None


def _number(node: Node, value: Any) -> Fault | None:
    entered = value
    if isinstance(value, dict):
        if set(value) != {"value", "unit"}:
            return Fault("wrong_type", f"{node.id} is answered with a number, or with {{value, unit}}.")
        entered = value["value"]
        if factor_of(node, value["unit"]) is None:
            units = ", ".join(unit["code"] for unit in node.raw.get("units", ())) or node.raw.get("unit", "no unit")
            return Fault("wrong_unit", f"{str(value['unit'])[:30]!r} is not a unit of {node.id}. Use: {units}.")
    if not is_number(entered) or (isinstance(entered, float) and not math.isfinite(entered)):
        return Fault("wrong_type", f"{node.id} is answered with a number.")
    if abs(entered) > NUMBER_MOST:
        return Fault("out_of_range", f"{node.id}: this number is too large to be meant.")
    number = number_of(node, value)
    if node.type == "integer" and not isinstance(value, dict) and number != math.floor(number):
        return Fault("wrong_type", f"{node.id} is answered with a whole number.")
    low, high = node.raw.get("min"), node.raw.get("max")
    if (low is not None and number < low) or (high is not None and number > high):
        unit = node.raw.get("unit", "")
        return Fault(
            "out_of_range",
            f"{node.id} accepts {low} to {high} {unit}. Was a digit or the unit mistyped?".replace("  ", " "),
        )
    return None


def _text(node: Node, value: Any) -> Fault | None:
    if not isinstance(value, str):
        return Fault("wrong_type", f"{node.id} is answered with text.")
    low, high = node.raw.get("min", 1), node.raw.get("max", 4000)
    if not low <= len(value.strip()) <= high or not _is_clean(value):
        return Fault("out_of_range", f"{node.id} takes {low} to {high} characters.")
    return None


def _date(node: Node, value: Any) -> Fault | None:
    return None if is_day(value) else Fault("wrong_type", f"{node.id} is answered with a date such as 2026-02-28.")


def _datetime(node: Node, value: Any) -> Fault | None:
    if parse_instant(value) is None:
        return Fault("wrong_type", f"{node.id} is answered with a time such as 2026-02-28T09:41:00Z.")
    return None


def _scan(node: Node, value: Any) -> Fault | None:
    if isinstance(value, dict):
        known = set(value) <= {"matched", "method"} and isinstance(value.get("matched"), bool)
        if known and _is_clean(value.get("method", "")) and len(value.get("method", "")) <= 20:
            return None
        return Fault("wrong_type", f"{node.id} is answered with the scanned text, or with {{matched, method}}.")
    if not isinstance(value, str):
        return Fault("wrong_type", f"{node.id} is answered with the scanned text.")
    if not 1 <= len(value.strip()) <= SCAN_MAX or not _is_clean(value):
        return Fault("out_of_range", f"{node.id} takes 1 to {SCAN_MAX} characters.")
    return None


def _person(node: Node, value: Any) -> Fault | None:
    if not _is_clean(value) or not 1 <= len(value.strip()) <= 150:
        return Fault("wrong_type", f"{node.id} is answered with the user name of a person.")
    return None


_CHECKS = {
    "boolean": _boolean,
    "choice": _choice,
    "coded": _choice,
    "multi_choice": _multi_choice,
    "integer": _number,
    "decimal": _number,
    "text": _text,
    "date": _date,
    "datetime": _datetime,
    "scan": _scan,
    "user_ref": _person,
}


def _is_clean(value: Any) -> bool:
    """Tell whether a value is text that a database can hold: no NUL, no half of a surrogate pair."""
    return isinstance(value, str) and not any(letter == "\x00" or "\ud800" <= letter <= "\udfff" for letter in value)


def option_values(node: Node) -> tuple[str, ...]:
    """Return the values of an item's options."""
    return tuple(option["value"] for option in node.raw.get("options", ()))


def factor_of(node: Node, unit: Any) -> float | None:
    """Return what a number in that unit is multiplied with to reach the item's own unit, or None for an unknown unit."""
    if unit == node.raw.get("unit"):
        return 1
    for known in node.raw.get("units", ()):
        if known["code"] == unit:
            return float(known["factor"])
    return None


def number_of(node: Node, value: Any) -> float:
    """Return the number in the item's own unit (the value must have passed `value_fault`)."""
    if isinstance(value, dict):
        # Rounded in a way that JavaScript repeats exactly, or 150 * 0.01 would differ on the two sides of the wire.
        return float(math.floor(value["value"] * (factor_of(node, value["unit"]) or 1) * 1e6 + 0.5) / 1e6)
    return float(value) if isinstance(value, float) else int(value)


def comparable(node: Node, value: Any) -> list[Any]:
    """Return the values that a condition compares: one, several for a multi_choice, none for missing or not applicable."""
    if value is None or is_not_applicable(value):
        return []
    if node.type in {"integer", "decimal"} and isinstance(value, dict):
        return [number_of(node, value)]
    return list(value) if isinstance(value, list) else [value]
