"""What a computed item may ask about the answers around it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from checklists.rules.conditions import Found, is_number
from checklists.rules.nodes import Index, Node, Scope
from checklists.rules.times import parse_instant


class View(Protocol):
    """What a function may ask about the answers."""

    index: Index
    memo: dict[str, Any]

    @property
    def levels(self) -> tuple[str, ...]: ...
    def arguments(self, name: str, node: Node, scope: Scope) -> list[Any]: ...
    def find(self, node_id: str, scope: Scope, repeat: str) -> Found: ...
    def fact(self, name: str, scope: Scope) -> list[Any]: ...
    def value(self, node: Node, scope: Scope) -> Any: ...
    def instances(self, node: Node) -> tuple[str, ...]: ...


class Call(NamedTuple):
    """One computed item at one place."""

    view: View
    node: Node
    scope: Scope
    args: Sequence[str]

    def all(self, place: int) -> list[Any]:
        """Return all values of an argument."""
        return self.view.arguments(str(self.args[place]), self.node, self.scope)

    def one(self, place: int) -> Any:
        """Return the first value of an argument, or None."""
        found = self.all(place)
        return found[0] if found else None

    def number(self, place: int) -> Any:
        """Return an argument as a number, or None."""
        value = self.one(place)
        return value if is_number(value) else None

    def instant(self, place: int) -> datetime | None:
        """Return an argument as an instant, or None."""
        return parse_instant(self.one(place))

    def day(self, place: int) -> date | None:
        """Return an argument as a day in the site's zone, or None; `today` is the day of `now`."""
        name = "now" if self.args[place] == "today" else str(self.args[place])
        found = self.view.arguments(name, self.node, self.scope)
        return day_of(found[0], self.zone) if found else None

    @property
    def zone(self) -> ZoneInfo:
        known = self.view.fact("site.zone", self.scope)
        return ZoneInfo(str(known[0]) if known else "UTC")


def day_of(value: Any, zone: ZoneInfo) -> date | None:
    """Return a date, or the day of an instant in a zone; None for anything else."""
    if isinstance(value, str) and len(value) == 10:
        return date.fromisoformat(value)
    instant = parse_instant(value)
    return instant.astimezone(zone).date() if instant else None
