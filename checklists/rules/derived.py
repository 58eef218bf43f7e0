"""What a definition holds that nobody types: phase, order and the strongest stop class of each item, worked out anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

STRENGTH = ("H0", "H1", "S", "N")


def strongest(classes: Iterable[str]) -> str:
    """Return the strongest of some stop classes, `N` where there is none."""
    return min((one for one in classes if one in STRENGTH), key=STRENGTH.index, default="N")


def settle(item: dict[str, Any], phase: str, order: int) -> None:
    """Set `phase`, `order`, `stop` and `stop_subtree` of an item whose children are settled already."""
    item["phase"], item["order"] = phase, order
    children = item.get("items", ())
    own = strongest(rule.get("class", "N") for rule in item.get("stop_rules", ()))
    if item.get("type") == "group":
        own = strongest((own, *(child["stop"] for child in children)))
    item["stop"] = own
    item.pop("stop_subtree", None)
    if children:
        item["stop_subtree"] = strongest((own, *(child.get("stop_subtree", child["stop"]) for child in children)))


def settled(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a definition (whose shape was checked) with everything derived worked out anew; the given one stays as it is."""
    phase = str(content["phase"])

    def walk(items: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        found = []
        for order, raw in enumerate(items, start=1):
            item = {**raw}
            if children := walk(raw.get("items", ())):
                item["items"] = children
            else:
                item.pop("items", None)
            settle(item, phase, order)
            found.append(item)
        return found

    return {**content, "items": walk(content["items"])}
