"""Read JSON that a person typed or another program sent: only what the database and RFC 8785 can hold."""

from __future__ import annotations

import json
import math
from typing import Any

from checklists.rules.check import BrokenDefinition

#: Characters. The longest list of the catalogue has 130,000.
MOST_CHARACTERS = 4_000_000
_INTEGERS = 2**53 - 1


def read_json(file: str, text: str) -> Any:
    """Return what the text says; raise BrokenDefinition naming line and column, or what cannot be stored."""
    if len(text) > MOST_CHARACTERS:
        raise BrokenDefinition(file, "", "", f"The text is longer than {MOST_CHARACTERS:,} characters.")

    def no_number(name: str) -> Any:
        raise BrokenDefinition(file, "", "", f"{name} is not a number that JSON knows.")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names):
            twice = next(name for place, name in enumerate(names) if name in names[:place])
            raise BrokenDefinition(file, "", twice[:80], "The field stands twice in one object. Take one away.")
        return dict(pairs)

    try:
        found = json.loads(text.removeprefix("\ufeff"), parse_constant=no_number, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise BrokenDefinition(file, "", place, f"This is not JSON: {error.msg}. Mend that place.") from error
    except (RecursionError, ValueError) as error:
        if isinstance(error, BrokenDefinition):
            raise
        raise BrokenDefinition(
            file, "", "", "This cannot be read: it is nested too deep or a number is too long."
        ) from error
    fault = storable_fault(found)
    if fault:
        raise BrokenDefinition(file, "", "", fault)
    return found


def storable_fault(value: Any) -> str:
    """Return why a value cannot be stored and hashed, empty where it can."""
    todo = [value]
    while todo:
        one = todo.pop()
        if isinstance(one, dict):
            todo += [*one, *one.values()]
        elif isinstance(one, list):
            todo += one
        elif isinstance(one, str):
            if any(letter == "\x00" or "\ud800" <= letter <= "\udfff" for letter in one):
                return "A text holds NUL or half a character. Type it again."
        elif (isinstance(one, float) and not math.isfinite(one)) or (
            isinstance(one, int) and not isinstance(one, bool) and abs(one) > _INTEGERS
        ):
            return "A number is too large."
    return ""
