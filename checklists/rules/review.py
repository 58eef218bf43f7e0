"""Everything that stands against publishing a draft, and what whoever approves it should look at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from checklists.rules.check import BrokenDefinition, check_conditions, check_item
from checklists.rules.circles import circle_of
from checklists.rules.derived import STRENGTH
from checklists.rules.nodes import PHASES, build_index
from checklists.rules.shape import shape_faults

Content = Mapping[str, Any]

#: Items that the service itself reads: facts, computed values, signatures, identity, the red flags. No version may lose them.
READ_BY_THE_SERVICE = frozenset(
    {
        "FUP-RED-01", "INT-CMT-01.lot", "INT-CMT-02", "INT-CMT-02.mixed_at", "INT-CMT-04", "INT-CMT-05", "INT-CMT-05.mix",
        "INT-LEK-01", "POS-NEU-01", "POS-NEU-01.at", "POS-NEU-01.leg_l", "POS-NEU-01.leg_r", "POS-NEU-01.light_touch",
        "POS-NEU-01.nrs_back", "POS-NEU-01.saddle", "POS-URI-01", "PRE-ALG-01", "PRE-ANE-01", "PRE-ANE-01.lead",
        "PRE-COA-03", "PRE-IDX-01", "PRE-LVL-01", "PRE-NEU-01", "PRE-NEU-01.examined_at", "PRE-NEU-01.umn", "PRE-NEU-03",
        "PRE-NEU-03.bladder", "PRE-NEU-03.bowel", "PRE-NEU-03.perianal", "PRE-NEU-04", "PRE-NEU-04.ais", "PRE-PAI-01.movement",
        "PRE-PAI-01.rest", "PRE-PRC-01", "PRE-SUR-01", "PRE-SUR-01.first", "SIN-CAP-01", "SIN-IDN-01", "SIN-MON-01.spo2",
        "SOU-IMG-01.leak", "SOU-NAM-01.levels", "SOU-NEU-01", "TOU-CNF-01", "TOU-SUR-01", "TOU-SUR-01.approach",
        "TOU-SUR-01.sides",
    }
)  # fmt: skip


def walk(items: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield items and everything below them in reading order."""
    for item in items:
        yield item
        yield from walk(item.get("items", ()))


def items_of(content: Content) -> dict[str, Mapping[str, Any]]:
    """Return the items of a definition by id."""
    return {str(item["id"]): item for item in walk(content["items"])}


def draft_faults(
    content: Any, others: Mapping[str, Content], base: Content | None, types: Mapping[str, str]
) -> list[BrokenDefinition]:
    """Return what must be mended before a draft can be published, each with item, field and remedy.

    `others` are the newest published lists by name (the one that the draft replaces may be among them), `base` is that one;
    `types` has the type that each item had in any version ever published.
    """
    file = str(content.get("id", "") if isinstance(content, dict) else "")[:40] or "draft"
    faults = list(shape_faults(file, content))
    if faults:
        return faults
    around = {**others, content["id"]: content}
    faults = [
        *_own(file, content, around),
        *_other_type(file, content, types),
        *_lost(file, content, base),
        *_elsewhere(content, around),
    ]
    if not faults:
        day = [around[phase] for phase in PHASES if phase in around]
        circle = circle_of(build_index(day if content["id"] in PHASES else [*day, content]))
        if circle:
            loop = " → ".join(circle)
            faults.append(
                BrokenDefinition(file, circle[0], "applies", f"Its condition goes in a circle: {loop}. Take one away.")
            )
    return faults


def _own(file: str, content: Content, around: Mapping[str, Content]) -> Iterator[BrokenDefinition]:
    known = {name: item for other in around.values() for name, item in items_of(other).items()}
    # Forms of the follow-up share their questions; the six lists of a day share none, and a form none with them.
    day = {
        name: other["id"]
        for other in around.values()
        if other["id"] != content["id"] and "phase" in (other["kind"], content["kind"])
        for name in items_of(other)
        if not (other["kind"] == content["kind"] == "follow_up")
    }
    seen: set[str] = set()
    for item in walk(content["items"]):
        name = str(item["id"])
        if name in seen:
            yield BrokenDefinition(file, name, "id", "The id stands twice. Give one of them another id.")
        elif name in day:
            yield BrokenDefinition(file, name, "id", f"The id stands on the list {day[name]} too. Give it another id.")
        seen.add(name)
        try:
            check_item(file, item, known)
        except BrokenDefinition as fault:
            yield fault


def _other_type(file: str, content: Content, types: Mapping[str, str]) -> Iterator[BrokenDefinition]:
    """Old answers are read under an item's id: what was a choice must not become words, nor a number a date."""
    for name, item in items_of(content).items():
        was = types.get(name, item["type"])
        if was != item["type"]:
            yield BrokenDefinition(
                file, name, "type", f"It was published as {was}, and its answers stay. Ask under another id instead."
            )


def _lost(file: str, content: Content, base: Content | None) -> Iterator[BrokenDefinition]:
    was, now = items_of(base) if base else {}, items_of(content)
    for name, item in was.items():
        if name not in READ_BY_THE_SERVICE and not item.get("feeds"):
            continue
        if name not in now:
            yield BrokenDefinition(
                file, name, "", "The service itself reads this item. Put it back; its words may change."
            )
        elif now[name]["per"] != item["per"]:
            yield BrokenDefinition(file, name, "per", f"The service reads it per {item['per']}. Leave that as it was.")


def _elsewhere(content: Content, around: Mapping[str, Content]) -> Iterator[BrokenDefinition]:
    """Look at the other lists as they would stand beside the draft: none may refer to what it no longer has."""
    known = {name: item for other in around.values() for name, item in items_of(other).items()}
    for other in around.values():
        if other["id"] == content["id"]:
            continue
        for item in walk(other["items"]):
            try:
                check_conditions(other["id"], item, known)
            except BrokenDefinition as fault:
                yield fault


def cautions(content: Content, base: Content | None) -> list[tuple[str, str]]:
    """Return what an approver should look at twice, as (item, code): `retired`, `weaker`, `raises_less`, `optional`."""
    if base is None:
        return []
    was, now = items_of(base), items_of(content)
    found = []
    for name, item in was.items():
        after = now.get(name)
        if after is None:
            found.append((name, "retired"))
            continue
        own_before, own_after = _own_class(item), _own_class(after)
        if STRENGTH.index(own_after) > STRENGTH.index(own_before):
            found.append((name, "weaker"))
        codes = {(one["kind"], one["code"]) for one in item.get("raises", ())}
        if codes - {(one["kind"], one["code"]) for one in after.get("raises", ())}:
            found.append((name, "raises_less"))
        if after["required"] == "optional" != item["required"]:
            found.append((name, "optional"))
    return found


def _own_class(item: Mapping[str, Any]) -> str:
    return min((rule["class"] for rule in item.get("stop_rules", ())), key=STRENGTH.index, default="N")
