"""The rota of a site at an instant or over some time, in three statements whatever its length."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from clinic.models import Leave, Shift, ShiftOverride, Site, User
from clinic.rules.rota import Away, Place, Plan, Turn

#: What a span without a bound reads as: somebody who is planned for good is planned.
EVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Duty:
    """A person who holds a post at a rank."""

    post: str
    rank: int
    user: User


@dataclass(frozen=True)
class Rota:
    """The plan of a site with the people in it; good for the instants that it was read for."""

    site: Site
    plan: Plan
    people: dict[int, User] = field(default_factory=dict)

    def on_duty(self, at: datetime) -> list[Duty]:
        """Return who holds each post at the instant, first rank first within a post."""
        return [Duty(post, rank, self.people[turn.person]) for (post, rank), turn in self.plan.holders(at).items()]

    def holders_of(self, post: str, at: datetime, rank: int | None = None) -> list[User]:
        """Return who holds the post at the instant (at one rank, where it is given), first rank first."""
        return [one.user for one in self.on_duty(at) if one.post == post and rank in (None, one.rank)]

    def is_away(self, person: int, at: datetime) -> bool:
        """Return whether the person is on leave at the instant."""
        return self.plan.is_away(person, at)

    def place(self, place: Place, at: datetime) -> User | None:
        """Return who holds one post and rank at the instant."""
        turn = self.plan.holders(at).get(place)
        return self.people[turn.person] if turn else None


def read_rota(site: Site, start: datetime, end: datetime | None = None) -> Rota:
    """Return the rota of the site from `start` to `end` (both included), or at the instant `start`."""
    until = end or start
    people: dict[int, User] = {}
    turns: list[Turn] = []
    for shift in Shift.objects.filter(site=site).during(start, until).select_related("user").order_by("pk"):
        people[shift.user_id] = shift.user
        turns.append(_turn(shift))
    overrides = ShiftOverride.objects.filter(site=site).standing().during(start, until).select_related("user")
    for override in overrides.order_by("pk"):
        people[override.user_id] = override.user
        turns.append(_turn(override))
    # Of everybody, at every site: the operator of a case is asked for as well.
    away = [
        Away(leave.user_id, leave.period.lower or EVER[0], leave.period.upper or EVER[1], str(leave.public_id))
        for leave in Leave.objects.standing().during(start, until).order_by("pk")
    ]
    active = frozenset(key for key, user in people.items() if user.is_active)
    return Rota(site, Plan(turns, away, active), people)


def _turn(row: Shift | ShiftOverride) -> Turn:
    start, end = row.period.lower or EVER[0], row.period.upper or EVER[1]
    return Turn(row.post, row.rank, row.user_id, start, end, isinstance(row, ShiftOverride), str(row.public_id))
