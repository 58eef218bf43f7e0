"""What one version of a list says otherwise than another, item by item and field by field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from checklists.rules.review import Content, items_of

_DERIVED = frozenset({"items", "phase", "order", "stop", "stop_subtree"})


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: an item that came, went or stands elsewhere, or a field (of an item, or of the list: item empty)."""

    item: str
    kind: Literal["new", "retired", "moved", "field"]
    field: str = ""
    was: Any = None
    now: Any = None

    def as_json(self) -> dict[str, Any]:
        """Return the change as the API shows it."""
        return {"item": self.item, "kind": self.kind, "field": self.field, "was": self.was, "now": self.now}


def differences(was: Content, now: Content) -> list[Change]:
    """Return all differences in the reading order of the newer one, what is retired at the end."""
    found = [*_fields("", was, now)]
    before, after = items_of(was), items_of(now)
    places_before, places_after = _places(was), _places(now)
    for name, item in after.items():
        if name not in before:
            found.append(Change(name, "new", now=item["title"]))
            continue
        found += _fields(name, before[name], item)
    kept = [name for name in after if name in before]
    if [name for name in before if name in after] != kept or any(
        places_before[name] != places_after[name] for name in kept
    ):
        found += [Change(name, "moved") for name in _moved([n for n in before if n in after], kept)]
    found += [Change(name, "retired", was=item["title"]) for name, item in before.items() if name not in after]
    return found


def _fields(name: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    fields = [field for field in {**now, **was} if field not in _DERIVED]
    return [
        Change(name, "field", field, was.get(field), now.get(field))
        for field in fields
        if was.get(field) != now.get(field)
    ]


def _places(content: Content) -> dict[str, str]:
    """Return the parent's id of each item."""
    found: dict[str, str] = {}

    def walk(items: Any, parent: str) -> None:
        for item in items:
            found[str(item["id"])] = parent
            walk(item.get("items", ()), str(item["id"]))

    walk(content["items"], "")
    return found


def _moved(before: list[str], after: list[str]) -> list[str]:
    """Return the items outside a longest run that both orders share: the fewest that somebody took elsewhere."""
    from difflib import SequenceMatcher

    same: set[str] = set()
    for block in SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks():
        same.update(before[block.a : block.a + block.size])
    return [name for name in after if name not in same]
