"""Change one item of a definition where it stands; everything returned is new, what was given stays as it is."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

Items = list[dict[str, Any]]


def item_at(content: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """Return the item with an id, None where there is none."""
    found: list[dict[str, Any]] = []
    _around(content, name, lambda rows, place: found.append(rows[place]))
    return found[0] if found else None


def replace_item(content: Mapping[str, Any], name: str, item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the definition with another item in the place of this one."""
    return _around(content, name, lambda rows, place: rows.__setitem__(place, dict(item)))


def take_out(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the definition without an item and what stands below it."""
    return _around(content, name, lambda rows, place: rows.pop(place))


def add_after(content: Mapping[str, Any], name: str, item: Mapping[str, Any], *, below: bool) -> dict[str, Any]:
    """Return the definition with a new item after this one, or `below` it as its last child."""

    def change(rows: Items, place: int) -> object:
        if below:
            rows[place]["items"] = [*rows[place].get("items", ()), dict(item)]
            return None
        return rows.insert(place + 1, dict(item))  # type: ignore[func-returns-value]

    return _around(content, name, change)


def move_item(content: Mapping[str, Any], name: str, by: int) -> dict[str, Any]:
    """Return the definition with an item moved among its neighbours; at an end it stays."""

    def change(rows: Items, place: int) -> object:
        rows.insert(max(0, min(len(rows) - 1, place + by)), rows.pop(place))
        return None

    return _around(content, name, change)


def _around(content: Mapping[str, Any], name: str, change: Callable[[Items, int], object]) -> dict[str, Any]:
    made: dict[str, Any] = copy.deepcopy(dict(content))

    def walk(rows: Items) -> bool:
        for place, row in enumerate(rows):
            if row["id"] == name:
                change(rows, place)
                return True
            if walk(row.get("items", [])):
                return True
        return False

    walk(made["items"])
    return made
