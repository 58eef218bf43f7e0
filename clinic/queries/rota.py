"""The rota of a site at an instant or over some time, in one statement whatever its length."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache

from clinic.lib.prepared import Row, Sent, send
from clinic.models import Site, User
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


_USER = Row(User, "person")
_SHIFT, _OVERRIDE, _LEAVE = 0, 1, 2


@cache
def _read() -> str:
    """Return the one statement; leave is that of everybody at every site, for the operator of a case is asked for as well."""
    touches = "period && tstzrange(%s::timestamptz, %s::timestamptz, '[]')"
    return f"""
SELECT found.kind, found.post, found.rank, found.user_id, lower(found.period), upper(found.period),
       found.public_id, {_USER.columns}
FROM (
    SELECT {_SHIFT} AS kind, id, post, rank, user_id, period, public_id FROM clinic_shift
    WHERE site_id = %s::bigint AND {touches}
    UNION ALL
    SELECT {_OVERRIDE}, id, post, rank, user_id, period, public_id FROM clinic_shiftoverride
    WHERE site_id = %s::bigint AND cancelled_at IS NULL AND {touches}
    UNION ALL
    SELECT {_LEAVE}, id, '', 0, user_id, period, public_id FROM clinic_leave WHERE cancelled_at IS NULL AND {touches}
) found LEFT JOIN clinic_user person ON person.id = found.user_id AND found.kind <> {_LEAVE}
ORDER BY found.kind, found.id
"""  # noqa: S608 - constants of our own


def read_rota(site: Site, start: datetime, end: datetime | None = None) -> Rota:
    """Return the rota of the site from `start` to `end` (both included), or at the instant `start`."""
    return rota_of(site, ask_rota(site, start, end))


def ask_rota(site: Site, start: datetime, end: datetime | None = None) -> Sent:
    """Send the statement of `read_rota`."""
    span = [start, end or start]
    return send(_read(), [site.pk, *span, site.pk, *span, *span])


def rota_of(site: Site, sent: Sent) -> Rota:
    """Return what `ask_rota` asked for."""
    people: dict[int, User] = {}
    turns: list[Turn] = []
    away: list[Away] = []
    for kind, post, rank, person, lower, upper, public_id, *user in sent.rows():
        begins, ends = lower or EVER[0], upper or EVER[1]
        if kind == _LEAVE:
            away.append(Away(person, begins, ends, str(public_id)))
            continue
        if person not in people:
            people[person] = _USER.read(user)
        turns.append(Turn(post, rank, person, begins, ends, kind == _OVERRIDE, str(public_id)))
    active = frozenset(key for key, user in people.items() if user.is_active)
    return Rota(site, Plan(turns, away, active), people)
