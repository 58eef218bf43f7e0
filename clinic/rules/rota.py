"""Who holds a post at an instant: shifts, the overrides that replace them, and who is away.

Plain data in, plain data out; every instant is aware, every span is [start, end). One answer serves the engine, the
calendar, the simulator and the check of the next fourteen days:

- an override replaces the shift of its post and rank while it lasts;
- somebody who is away, or who has left, holds nothing, whatever the rota says;
- an override whose person is away or has left counts as not there: the shift below it counts again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Turn:
    """One person at one post and rank from `start` to before `end`; `key` names the row it came from."""

    post: str
    rank: int
    person: int
    start: datetime
    end: datetime
    override: bool = False
    key: str = ""

    @property
    def place(self) -> Place:
        """Post and rank."""
        return self.post, self.rank

    def covers(self, at: datetime) -> bool:
        """Return whether it lasts at the instant."""
        return self.start <= at < self.end


@dataclass(frozen=True, slots=True)
class Away:
    """A person who is on leave from `start` to before `end`."""

    person: int
    start: datetime
    end: datetime
    key: str = ""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of one place during which nothing changes.

    `turn` is who holds it, None in a gap; `planned` is whose shift it is when that is somebody else (replaced, away or
    gone); `why` says why the planned person does not hold it: `override`, `away`, `left` or nothing.
    """

    post: str
    rank: int
    start: datetime
    end: datetime
    turn: Turn | None
    planned: Turn | None = None
    why: str = ""

    @property
    def person(self) -> int | None:
        """Who holds the place, None for nobody."""
        return self.turn.person if self.turn else None


@dataclass(frozen=True, slots=True)
class Plan:
    """The rota of one site over some time. `active` are the people who have not left."""

    turns: Sequence[Turn]
    away: Sequence[Away] = ()
    active: frozenset[int] = frozenset()

    def is_away(self, person: int, at: datetime) -> bool:
        """Return whether the person is on leave at the instant."""
        return any(one.person == person and one.start <= at < one.end for one in self.away)

    def can_hold(self, turn: Turn, at: datetime) -> bool:
        """Return whether the person of a turn is there to hold it."""
        return turn.person in self.active and not self.is_away(turn.person, at)

    def holders(self, at: datetime) -> dict[Place, Turn]:
        """Return who holds each post and rank at the instant, places in order; a gap has no entry."""
        found: dict[Place, Turn] = {}
        for turn in self.turns:
            if turn.covers(at) and self.can_hold(turn, at) and (turn.place not in found or turn.override):
                found[turn.place] = turn
        return dict(sorted(found.items()))

    def change_points(self, start: datetime, end: datetime) -> list[datetime]:
        """Return `start`, every instant before `end` at which who holds what may change, and `end`."""
        spans: list[Turn | Away] = [*self.turns, *self.away]
        edges = {moment for one in spans for moment in (one.start, one.end)}
        return sorted({start, end} | {moment for moment in edges if start < moment < end})

    def places(self) -> list[Place]:
        """Return every post and rank that the plan names, in order."""
        return sorted({turn.place for turn in self.turns})

    def segments(self, start: datetime, end: datetime, places: Iterable[Place] = ()) -> dict[Place, list[Segment]]:
        """Return the stretches of each place from `start` to `end`, gaps among them, equal neighbours joined."""
        points = self.change_points(start, end)
        return {
            place: self._segments(place, points, [turn for turn in self.turns if turn.place == place])
            for place in sorted({*self.places(), *places})
        }

    def _segments(self, place: Place, points: Sequence[datetime], turns: Sequence[Turn]) -> list[Segment]:
        found: list[Segment] = []
        for start, end in pairwise(points):
            standing = [turn for turn in turns if turn.covers(start)]
            holder = next(
                (turn for turn in sorted(standing, key=lambda one: not one.override) if self.can_hold(turn, start)),
                None,
            )
            planned = next((turn for turn in standing if not turn.override and turn is not holder), None)
            why = ""
            if planned is not None:
                gone = "away" if self.is_away(planned.person, start) else "left"
                why = gone if not self.can_hold(planned, start) else "override"
            one = Segment(*place, start, end, holder, planned, why)
            last = found[-1] if found else None
            if last and (last.turn, last.planned, last.why) == (one.turn, one.planned, one.why):
                found[-1] = Segment(*place, last.start, end, holder, planned, why)
            else:
                found.append(one)
        return found


def local_instant(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return the UTC instant of a wall-clock time without zone; of an hour that comes twice, the first.

    Raise ValueError for a time that the clocks skip when summer time begins.
    """
    instant = moment.replace(tzinfo=zone).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) != moment:
        raise ValueError(f"{moment:%Y-%m-%d %H:%M} does not exist in {zone.key}: the clocks go forward then")
    return instant


def repeated(
    start: datetime, end: datetime, zone: ZoneInfo, *, every_days: int, times: int
) -> list[tuple[datetime, datetime]]:
    """Return `times` spans in UTC, each `every_days` later on the wall clock than the one before.

    A night from 20:00 to 08:00 has eleven or thirteen hours when the clocks change. Raise ValueError as `local_instant`.
    """
    steps = [timedelta(days=every_days * number) for number in range(times)]
    return [(local_instant(start + step, zone), local_instant(end + step, zone)) for step in steps]
