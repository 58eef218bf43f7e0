"""Conditions as people type them: one comparison a line, joined by all or any.

`PRE-PAI-01.rest >= 7` · `fact:procedure.kind = kyphoplasty` · `this exists no` · `INT-CMT-05 > limit:volume`. Words are options
or text; `yes`, `no` and numbers are what they look like, unless in quotes. What nests stands as JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from checklists.rules.check import OPERATORS
from checklists.rules.shape import readable

_LINE = re.compile(r"(\S+)\s+(exists|!=|>=|<=|=|>|<)\s+(.+)\Z")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?\Z")
_LIMIT = "limit:"


class Unreadable(ValueError):
    """A condition that cannot be read: which line, and what one looks like."""


def condition_text(condition: Mapping[str, Any] | None) -> tuple[str, str]:
    """Return a condition as (joint, lines); joint is `all` or `any`. What cannot be said in lines is JSON, joint `json`."""
    if not condition:
        return "all", ""
    joint = next((name for name in ("all", "any") if name in condition), "")
    leaves = condition[joint] if joint else [condition]
    lines = [_line(leaf) for leaf in leaves]
    # A joint over one leaf would be read back without it, and another hash is another list.
    if any(line is None for line in lines) or (joint and len(leaves) == 1) or (joint and len(condition) > 1):
        return "json", json.dumps(readable(dict(condition)), ensure_ascii=False, indent=1)
    return joint or "all", "\n".join(str(line) for line in lines)


def _line(leaf: Any) -> str | None:
    if (
        not isinstance(leaf, Mapping)
        or not set(leaf) <= {"item", "fact", "op", "value"}
        or leaf.get("op") not in OPERATORS
    ):
        return None
    subject = leaf["item"] if "item" in leaf else f"fact:{leaf['fact']}" if "fact" in leaf else "this"
    value = leaf.get("value")
    if isinstance(value, bool):
        said = "yes" if value else "no"
    elif isinstance(value, (int, float)):
        said = json.dumps(value)
    elif isinstance(value, Mapping) and set(value) == {"catalogue"}:
        said = f"{_LIMIT}{value['catalogue']}"
    elif isinstance(value, str):
        plain = value.strip() == value and value and not value.startswith((_LIMIT, '"')) and "\n" not in value
        said = value if plain and value not in {"yes", "no"} and not _NUMBER.match(value) else json.dumps(value)
    else:
        return None
    return f"{subject} {leaf['op']} {said}" if _same(f"{subject} {leaf['op']} {said}", leaf) else None


def _same(line: str, leaf: Mapping[str, Any]) -> bool:
    try:
        return json.dumps(_leaf(line, 1), sort_keys=True) == json.dumps(dict(leaf), sort_keys=True)
    except Unreadable:
        return False


def read_condition(joint: str, text: str) -> dict[str, Any] | None:
    """Return what was typed as a condition, None for nothing; raise Unreadable naming the line."""
    text = text.strip()
    if not text:
        return None
    if text.startswith("{"):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise Unreadable(f"This is not JSON: {error}") from error
        return dict(found)
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    leaves = [_leaf(line, number) for number, line in lines]
    return leaves[0] if len(leaves) == 1 else {"any" if joint == "any" else "all": leaves}


def _leaf(line: str, number: int) -> dict[str, Any]:
    found = _LINE.match(line)
    if found is None:
        raise Unreadable(f"Line {number} is no comparison. Write it like: PRE-PAI-01.rest >= 7")
    subject, operator, said = found.groups()
    leaf: dict[str, Any] = {}
    if subject.startswith("fact:"):
        leaf["fact"] = subject.removeprefix("fact:")
    elif subject != "this":
        leaf["item"] = subject
    return {**leaf, "op": operator, "value": _value(said.strip(), number)}


def _value(said: str, number: int) -> Any:
    if said in {"yes", "no"}:
        return said == "yes"
    if _NUMBER.match(said):
        return json.loads(said)
    if said.startswith(_LIMIT):
        return {"catalogue": said.removeprefix(_LIMIT)}
    if said.startswith('"'):
        try:
            return str(json.loads(said))
        except ValueError as error:
            raise Unreadable(f"Line {number}: the quotes do not close.") from error
    return said
