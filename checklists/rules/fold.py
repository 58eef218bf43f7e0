"""From events to answers: who wins, when two people differ, and what counts.

A head is an event whose value stands. One head is the rule; two heads with different values are a conflict that stays open
until a person decides. Equal values never conflict. The order is the server's (`seq`); no device's clock decides anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from checklists.rules.conditions import same
from checklists.rules.nodes import Key

RESOLVE = "resolve"


class _Absent:
    """The parent of an event that asks for no conflict check."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()


@dataclass(frozen=True, slots=True)
class Ticked:
    """One stored event as far as folding needs it.

    parent: the id of the event that this one replaces as the tablet saw it, None = it saw none, ABSENT = no check.
    """

    id: str
    key: Key
    value: Any
    parent: str | _Absent | None = ABSENT
    mode: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """A standing value and the event that brought it."""

    event: str
    value: Any


@dataclass(frozen=True, slots=True)
class Standing:
    """The current state of one answer: its heads, the newest last."""

    heads: tuple[Head, ...] = ()

    @property
    def value(self) -> Any:
        return self.heads[-1].value if self.heads else None

    @property
    def event(self) -> str:
        return self.heads[-1].event if self.heads else ""

    @property
    def is_conflict(self) -> bool:
        return len(self.heads) > 1


def equal(left: Any, right: Any) -> bool:
    """Compare two answers; the order of the options of a multi_choice does not matter."""
    if isinstance(left, list) and isinstance(right, list):
        return sorted(map(str, left)) == sorted(map(str, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[name], right[name]) for name in left)
    return same(left, right)


def apply(standing: Standing, event: Ticked, parent_value: Any = None) -> Standing:
    """Return the state after an event. `parent_value` is the value of its parent event (None = unknown or none)."""
    new = Head(event.id, event.value)
    if isinstance(event.parent, _Absent):
        return Standing((new,))
    if event.mode == RESOLVE:
        seen = next((n for n, head in enumerate(standing.heads) if head.event == event.parent), None)
        # A decision settles what it saw; a value that arrived after the one it saw stays open.
        kept = standing.heads if seen is None else standing.heads[seen + 1 :]
        return Standing((*(head for head in kept if not equal(head.value, event.value)), new))
    kept = tuple(
        head
        for head in standing.heads
        if head.event != event.parent and not equal(head.value, event.value) and not equal(head.value, parent_value)
    )
    return Standing((*kept, new))


def fold(events: Iterable[Ticked], known: Mapping[str, Any] | None = None) -> dict[Key, Standing]:
    """Return all answers that a run's applied events lead to, in the order given.

    `known` holds the values of events that changed nothing (late, held) and may be parents all the same.
    """
    answers: dict[Key, Standing] = {}
    values: dict[str, Any] = dict(known or {})
    for event in events:
        answers[event.key] = apply(answers.get(event.key, Standing()), event, parent_value(event, values))
        values[event.id] = event.value
    return answers


def parent_value(event: Ticked, values: Mapping[str, Any]) -> Any:
    """Return the value of an event's parent where it is known."""
    return values.get(event.parent) if isinstance(event.parent, str) else None
