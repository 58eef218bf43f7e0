"""The items of one or several definitions, indexed so that rules can find them.

A definition is the JSON described in docs/definitions.md. Its items nest; an item or sub-item is a *node*. The id of a node is
`ITEM` or `ITEM.part`, where the part is everything after the first dot (`PRE-COA-03.drugs.agent` → part `drugs.agent`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

CONTAINERS = frozenset({"group", "series"})
PHASES = ("pre", "sign_in", "time_out", "intra", "sign_out", "post")


class Key(NamedTuple):
    """The address of one answer within a procedure's runs; absent pieces are empty strings."""

    item: str
    part: str = ""
    level: str = ""
    side: str = ""
    instance: str = ""

    @property
    def node_id(self) -> str:
        return f"{self.item}.{self.part}" if self.part else self.item

    @property
    def scope(self) -> Scope:
        return Scope(self.level, self.side, self.instance)

    def text(self) -> str:
        """Return the key as one string, the pieces joined by `|` (the form used in JSON objects)."""
        return "|".join(self)


class Scope(NamedTuple):
    """Where a node stands: at which level, on which side, in which repetition."""

    level: str = ""
    side: str = ""
    instance: str = ""


def key_of(text: str) -> Key:
    """Read a key back from `Key.text()`."""
    return Key(*text.split("|"))


def key_at(node_id: str, scope: Scope = Scope()) -> Key:  # noqa: B008 (an immutable tuple)
    """Return the answer key of a node at a scope."""
    item, _, part = node_id.partition(".")
    return Key(item, part, *scope)


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One item or sub-item with what the rules need of it; `raw` is its JSON."""

    id: str
    phase: str
    raw: Mapping[str, Any]
    parent: Node | None
    repeat: str
    repeats_from_series: bool
    children: list[Node] = field(default_factory=list)

    @property
    def item(self) -> str:
        return self.id.partition(".")[0]

    @property
    def part(self) -> str:
        return self.id.partition(".")[2]

    @property
    def type(self) -> str:
        return str(self.raw["type"])

    @property
    def per(self) -> str:
        return str(self.raw["per"])

    @property
    def is_container(self) -> bool:
        return self.type in CONTAINERS

    @property
    def is_answerable(self) -> bool:
        """Whether a person may answer: not a group, a series, or a value that only the computer makes."""
        return not self.is_container and self.raw.get("by") != ["computed"]

    @property
    def by_level(self) -> bool:
        return self.per in {"level", "level_side"}

    @property
    def by_side(self) -> bool:
        return self.per == "level_side"

    @property
    def by_instance(self) -> bool:
        """Whether the node's own answers carry an instance (the series itself has none)."""
        return bool(self.repeat) and self.type != "series"

    def key(self, scope: Scope) -> Key:
        """Return the key of this node's answer, with only those pieces of the scope that the node has."""
        return Key(
            self.item,
            self.part,
            scope.level if self.by_level else "",
            scope.side if self.by_side else "",
            scope.instance if self.by_instance else "",
        )

    def walk(self) -> Iterator[Node]:
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """All nodes of the given definitions by id, with the graph of what depends on what."""

    nodes: Mapping[str, Node]
    roots: tuple[Node, ...]
    feeds: Mapping[str, Node]
    dependents: Mapping[str, frozenset[str]]
    tables: Mapping[str, Any]

    def of_phase(self, phase: str) -> tuple[Node, ...]:
        """Return all nodes of one phase in reading order."""
        return tuple(node for root in self.roots if root.phase == phase for node in root.walk())


def build_index(definitions: Iterable[Mapping[str, Any]]) -> Index:
    """Index the items of several definitions (usually the six phases of one procedure)."""
    nodes: dict[str, Node] = {}
    roots: list[Node] = []
    tables: dict[str, Any] = {}

    def add(raw: Mapping[str, Any], phase: str, parent: Node | None) -> Node:
        own = str(raw.get("repeats", ""))
        inherited = parent.repeat if parent else ""
        node = Node(
            id=str(raw["id"]),
            phase=phase,
            raw=raw,
            parent=parent,
            repeat=own or inherited,
            repeats_from_series=(raw["type"] == "series") if own else bool(parent and parent.repeats_from_series),
        )
        nodes[node.id] = node
        for child in raw.get("items", ()):
            node.children.append(add(child, phase, node))
        return node

    for definition in definitions:
        tables.update(definition["conventions"].get("tables", {}))
        roots.extend(add(raw, str(definition["phase"]), None) for raw in definition["items"])
    feeds = {str(node.raw["feeds"]): node for node in nodes.values() if "feeds" in node.raw and node.per == "procedure"}
    return Index(nodes, tuple(roots), feeds, _dependents(nodes, feeds), tables)


def references(condition: Mapping[str, Any] | None) -> Iterator[str]:
    """Name the items (as their ids) and facts (with the prefix `fact:`) that a condition reads."""
    if not condition:
        return
    for joint in ("all", "any"):
        for leaf in condition.get(joint, ()):
            yield from references(leaf)
    if "item" in condition:
        yield str(condition["item"])
    elif "fact" in condition:
        yield f"fact:{condition['fact']}"


# What a computed function reads besides its arguments.
_MRC_FUNCTIONS = {"mrc_max_fall", "mrc_new_three_or_less", "mrc_both_sides"}
_IMPLIED = {
    "rise_over_lowest_since_end": ("POS-NEU-01.at", "POS-NEU-01.nrs_back", "fact:procedure.ended_at"),
    "rise_within": ("POS-NEU-01.at",),
    "at_least_for": ("POS-NEU-01.at",),
    "spo2_low_twice": ("POS-NEU-01.at",),
    "last_spo2_within": ("POS-NEU-01.at",),
    "last_observation_as_baseline": (
        "POS-NEU-01.at",
        "POS-NEU-01.leg_l",
        "POS-NEU-01.leg_r",
        "POS-NEU-01.light_touch",
        "POS-NEU-01.saddle",
    ),
    "minutes_between": ("INT-CMT-05.mix",),
}


def _is_power(node: Node) -> bool:
    """Tell whether a node holds the power of a muscle or a limb: `hip_flexion_l`, `leg_r`."""
    return node.part.endswith(("_l", "_r")) and not node.part.startswith("light_touch")


def _dependents(nodes: Mapping[str, Node], feeds: Mapping[str, Node]) -> dict[str, frozenset[str]]:
    """Return for each node id all ids whose conditions, computed value or raises may change with it (transitively)."""
    direct: dict[str, set[str]] = {}

    def link(source: str, target: str) -> None:
        if source.startswith("fact:"):
            fed = feeds.get(source.removeprefix("fact:"))
            source = fed.id if fed else source
        if source != target:
            direct.setdefault(source, set()).add(target)

    for node in nodes.values():
        for source in references(node.raw.get("applies")):
            for below in node.walk():
                link(source, below.id)
        for raised in node.raw.get("raises", ()):
            for source in references(raised["when"]):
                link(source, node.id)
        computed = node.raw.get("computed")
        if computed:
            for argument in computed["args"]:
                for name in str(argument).split("|"):
                    if name in nodes and computed["fn"] in _MRC_FUNCTIONS:
                        for below in nodes[name].walk():
                            if _is_power(below):
                                link(below.id, node.id)
                    elif name in nodes:
                        link(name, node.id)
                    else:
                        link(f"fact:{name}", node.id)
            for name in _IMPLIED.get(computed["fn"], ()):
                link(name, node.id)
    closed: dict[str, frozenset[str]] = {}
    for source in direct:
        seen: set[str] = set()
        todo = [source]
        while todo:
            for target in direct.get(todo.pop(), ()):
                if target not in seen:
                    seen.add(target)
                    todo.append(target)
        closed[source] = frozenset(seen)
    return closed
