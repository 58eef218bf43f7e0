"""One look at all answers of a procedure: which items apply where, what they say, and what is computed from them.

An `Evaluation` never changes; another answer means another evaluation. Times are passed in (`now`), never read.
Hidden means not required: the answer of an item that does not apply counts for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from checklists.rules import computed
from checklists.rules.conditions import Found, holds, is_not_applicable
from checklists.rules.nodes import Index, Key, Node, Scope, key_at
from checklists.rules.times import parse_instant
from checklists.rules.values import LEVELS, comparable

PLANNED_LEVELS = "PRE-LVL-01"
SIDES_ITEM = "TOU-SUR-01.sides"
# A repetition that nobody has begun: a repeated question (not a series) is asked at least once.
FIRST_INSTANCE = "1"
UNSET: Any = object()


@dataclass(frozen=True, slots=True)
class State:
    """What is known about a procedure at one moment.

    answers: stored values by key, of all its runs (`None` and absent are the same).
    facts: `procedure.kind`, `patient.age`, … as in the catalogue, and `procedure.booked_levels`, `patient.mrn`, `site.zone`.
    level_status: `planned`, `treated` or `not_treated` by level.
    conflicts: keys with two different values that nobody has decided yet.
    """

    answers: Mapping[Key, Any]
    facts: Mapping[str, Any]
    now: datetime
    level_status: Mapping[str, str] = field(default_factory=dict)
    conflicts: frozenset[Key] = frozenset()


def region_of(level: str) -> str:
    """Return the region of a vertebra as the rules name it (`fact_notes` of the catalogue)."""
    if level.startswith("C"):
        return "c"
    if level.startswith("S"):
        return "s"
    number = int(level[1:])
    if level.startswith("T"):
        return "t1_t6" if number <= 6 else "t7_t10" if number <= 10 else "t11_t12"
    return "l1_l2" if number <= 2 else "l3_l6"


def instance_order(instance: str) -> tuple[int, int, str]:
    """Order repetitions: numbers by size, then names by alphabet (UUIDv7 are in order of time)."""
    return (0, int(instance), "") if instance.isdecimal() and len(instance) < 10 else (1, 0, instance)


class Evaluation:
    """Answers questions about one state; remembers what it has worked out."""

    def __init__(self, index: Index, state: State) -> None:
        self.index = index
        self.state = state
        self.memo: dict[str, Any] = {}
        self._applies: dict[tuple[str, Scope], bool] = {}
        self._computed: dict[tuple[str, Scope], Any] = {}
        self._instances = self._known_instances()
        self._levels = self._known_levels()

    # -- where an item stands ---------------------------------------------------------------------------------------
    @property
    def levels(self) -> tuple[str, ...]:
        """Return the levels of the procedure from top to bottom: planned ones, else booked ones, and any that was ticked."""
        return self._levels

    def sides(self, level: str) -> tuple[str, ...]:
        """Return the sides worked on at a level; unknown sides = those already answered, else both (fails closed)."""
        chosen = self.state.answers.get(key_at(SIDES_ITEM, Scope(level)))
        if isinstance(chosen, str):
            return ("left", "right") if chosen == "both" else (chosen,)
        answered = {
            key.side
            for key, value in self.state.answers.items()
            if key.side and key.level == level and value is not None
        }
        return tuple(side for side in ("left", "right", "midline") if side in answered) or ("left", "right")

    def instances(self, node: Node) -> tuple[str, ...]:
        """Return the repetitions of a repeated item; a series that nobody began has none, a repeated question one."""
        known = self._instances.get(node.repeat, ())
        return known or (() if node.repeats_from_series else (FIRST_INSTANCE,))

    def scopes(self, node: Node) -> Iterator[Scope]:
        """Yield every place where the node is asked, applicable or not."""
        for level in self._levels if node.by_level else ("",):
            for side in self.sides(level) if node.by_side else ("",):
                for instance in self.instances(node) if node.by_instance else ("",):
                    yield Scope(level, side, instance)

    def _known_instances(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, set[str]] = {}
        for key, value in self.state.answers.items():
            node = self.index.nodes.get(key.node_id) if key.instance and value is not None else None
            if node:
                found.setdefault(node.repeat, set()).add(key.instance)
        return {repeat: tuple(sorted(names, key=instance_order)) for repeat, names in found.items()}

    def _known_levels(self) -> tuple[str, ...]:
        planned = self.state.answers.get(Key(PLANNED_LEVELS))
        chosen = set(planned if isinstance(planned, list) else self.state.facts.get("procedure.booked_levels") or ())
        chosen |= {key.level for key, value in self.state.answers.items() if key.level and value is not None}
        return tuple(level for level in LEVELS if level in chosen)

    # -- whether it applies -----------------------------------------------------------------------------------------
    def applies(self, node: Node, scope: Scope) -> bool:
        """Tell whether a node is asked at a scope: its parent applies there, and its own condition holds."""
        place = (node.id, scope)
        if place not in self._applies:
            # A circle of conditions must not hide anything (the loader refuses circles; an imported list may have one).
            self._applies[place] = True
            self._applies[place] = self._parent_applies(node, scope) and self._condition_holds(
                node.raw.get("applies"), node, scope
            )
        return self._applies[place]

    def _parent_applies(self, node: Node, scope: Scope) -> bool:
        parent = node.parent
        if parent is None:
            return True
        places = list(self._places(parent, scope))
        return not places or any(self.applies(parent, place) for place in places)

    def _places(self, node: Node, scope: Scope) -> Iterator[Scope]:
        """Yield the places of `node` that can be seen from `scope`: the same level, side and repetition where it has them."""
        levels = ("",) if not node.by_level else (scope.level,) if scope.level else self._levels
        for level in levels:
            same_side = scope.side and scope.level == level
            sides = ("",) if not node.by_side else (scope.side,) if same_side else self.sides(level)
            for side in sides:
                if not node.by_instance:
                    yield Scope(level, side)
                elif scope.instance:
                    yield Scope(level, side, scope.instance)
                else:
                    for instance in self.instances(node):
                        yield Scope(level, side, instance)

    # -- what it says -----------------------------------------------------------------------------------------------
    def value(self, node: Node, scope: Scope) -> Any:
        """Return the stored or computed value of a node at exactly this scope; None when missing or hidden."""
        if not self.applies(node, scope):
            return None
        stored = self.state.answers.get(node.key(scope)) if node.is_answerable else None
        if stored is None and "computed" in node.raw:
            return self._compute(node, scope)
        return stored

    def _compute(self, node: Node, scope: Scope) -> Any:
        place = (node.id, scope)
        if place not in self._computed:
            self._computed[place] = None
            function = node.raw["computed"]
            self._computed[place] = computed.compute(self, node, scope, function["fn"], function["args"])
        return self._computed[place]

    def answered(self, node: Node, scope: Scope) -> bool:
        """Tell whether a node has a value; a group or series has one when something below it has."""
        if not node.is_container:
            return self.value(node, scope) is not None
        return any(
            self.answered(child, place)
            for child in node.children
            if child.is_container or child.is_answerable
            for place in (self._places(child, scope))
        )

    def find(self, node_id: str, scope: Scope, repeat: str) -> Found:
        """Find an item as seen from a scope inside the repetition `repeat` (same level, side, repetition; else any)."""
        node = self.index.nodes.get(node_id)
        if node is None:
            return self._foreign(node_id)
        seen = scope if node.repeat == repeat else scope._replace(instance="")
        places = list(self._places(node, seen))
        values = [one for place in places for one in comparable(node, self.value(node, place))]
        return Found(values, exists=any(self.answered(node, place) for place in places))

    def _foreign(self, node_id: str) -> Found:
        """Find an item of a list that is not at hand by its stored answers alone."""
        item, _, part = node_id.partition(".")
        stored = [v for k, v in self.state.answers.items() if (k.item, k.part) == (item, part) and v is not None]
        flat = [one for value in stored for one in (value if isinstance(value, list) else [value])]
        return Found([one for one in flat if not is_not_applicable(one)], exists=bool(stored))

    def fact(self, name: str, scope: Scope) -> list[Any]:
        """Return the values of a fact: answered on a list that feeds it, else as the procedure knows it."""
        if name in {"level.region", "level.status"}:
            levels = (scope.level,) if scope.level else self._levels
            if name == "level.region":
                return [region_of(level) for level in levels]
            return [self.state.level_status[level] for level in levels if level in self.state.level_status]
        node = self.index.feeds.get(name)
        if node is not None:
            fed = comparable(node, self.value(node, Scope()))
            if fed:
                return fed
        known = self.state.facts.get(name)
        return [] if known is None else list(known) if isinstance(known, (list, tuple)) else [known]

    def arguments(self, name: str, node: Node, scope: Scope) -> list[Any]:
        """Return the values of a computed item's argument: `now`, an item, a fact, or `a|b` (the first that is known)."""
        if name == "now":
            return [self.state.now.isoformat()]
        if "|" in name:
            return next((found for one in name.split("|") if (found := self.arguments(one, node, scope))), [])
        if name in self.index.nodes:
            return list(self.find(name, scope, node.repeat).values)
        return self.fact(name, scope)

    def instant(self, values: Sequence[Any]) -> datetime | None:
        """Return the first value as a time, if it is one."""
        return parse_instant(values[0]) if values else None

    # -- conditions -------------------------------------------------------------------------------------------------
    def _condition_holds(self, condition: Mapping[str, Any] | None, node: Node, scope: Scope) -> bool:
        return condition is None or self.holds(condition, node, scope)

    def holds(self, condition: Mapping[str, Any], node: Node, scope: Scope, own: Any = UNSET) -> bool:
        """Evaluate a condition of a node at a scope; `own` stands for the node's value instead of the effective one."""

        def resolve(leaf: Mapping[str, Any]) -> Found:
            if "item" in leaf:
                return self.find(str(leaf["item"]), scope, node.repeat)
            if "fact" in leaf:
                values = self.fact(str(leaf["fact"]), scope)
                return Found(values, exists=bool(values))
            if own is not UNSET:
                return Found(comparable(node, own), exists=own is not None)
            value = self.value(node, scope) if not node.is_container else None
            return Found(comparable(node, value), exists=self.answered(node, scope))

        def limit(name: str) -> float | None:
            table = self.index.tables.get("limits", {}).get(name)
            chosen = self.find(str(table["by"]), scope, node.repeat).values if table else ()
            return next((table["values"][one] for one in chosen if one in table["values"]), None)

        return holds(condition, resolve, limit)
