"""By which ways people can be reached, in their own order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from django.conf import settings

from clinic.lib.prepared import Row, Sent, send
from clinic.models import ContactPoint, Site, User
from clinic.vocabulary import Channel


@dataclass(frozen=True)
class Way:
    """One way to one person: `rank` 0 is tried first, `trusted` says that somebody proved that it is theirs."""

    channel: Channel
    address: str = ""
    contact: int | None = None
    rank: int = 0
    trusted: bool = True

    @property
    def key(self) -> str:
        """What tells this way of a person from their others."""
        return self.channel.value if self.contact is None else f"{self.channel.value}-{self.contact}"


def configured(channel: Channel) -> bool:
    """Return whether this installation can send over the channel."""
    match channel:
        case Channel.EMAIL:
            return bool(settings.EMAIL_HOST)
        case Channel.SMS:
            return bool(settings.SMS_URL)
        case Channel.PUSH:
            return bool(settings.VAPID_PRIVATE_KEY)
        case Channel.WEBHOOK:
            return bool(settings.WEBHOOK_HOSTS)
        case Channel.APPRISE:
            return bool(settings.APPRISE_SCHEMES)
        case Channel.INBOX:
            return bool(settings.DEMO)


def ways_of(users: Iterable[User], *, since: datetime | None = None) -> dict[int, list[Way]]:
    """Return each person's ways by their key; an empty list for somebody whom no message could reach. One query.

    Verified addresses in the person's order. Where there is none, those that nobody verified yet: a page is not
    withheld for a missing test, but carries no link by which one could answer without a log-in. Where there is none of
    these either, what was removed after `since`: removing an address strands no case that began before. Somebody
    without any address of their own is reached by the e-mail of the account.
    """
    people = {user.pk: user for user in users}
    points = points_of(send(_in_use(), [list(people), since])) if people else {}
    return {key: _ways(user, points.get(key, [])) for key, user in people.items()}


def ways_by(points: Mapping[int, Sequence[ContactPoint]], users: Iterable[User]) -> dict[int, list[Way]]:
    """Return each person's ways, as `ways_of` does, by contact points that were asked for with `ask_points`."""
    return {user.pk: _ways(user, points.get(user.pk, [])) for user in users}


def ask_points(site: Site, at: datetime, others: Sequence[int], *, since: datetime) -> Sent:
    """Ask for the points of everybody in the site's rota at the instant and of `others`, as `ways_of` would read them."""
    return send(_of_the_rota(), [since, site.pk, at, site.pk, at, list(others)])


def points_of(sent: Sent) -> dict[int, list[ContactPoint]]:
    """Return contact points by person, in each person's order."""
    found: dict[int, list[ContactPoint]] = {}
    for values in sent.rows():
        point = _POINT.read(values)
        found.setdefault(point.user_id or 0, []).append(point)
    return found


_POINT = Row(ContactPoint, "point")


@cache
def _in_use() -> str:
    """Return the statement for the points that are there now, or were after an instant (NULL: only now), in order."""
    return f"""
SELECT {_POINT.columns} FROM clinic_contactpoint point
WHERE user_id = ANY(%s::bigint[]) AND (removed_at IS NULL OR removed_at > %s::timestamptz) ORDER BY position, id
"""  # noqa: S608 - constants of our own


@cache
def _of_the_rota() -> str:
    return f"""
SELECT {_POINT.columns} FROM clinic_contactpoint point
WHERE (removed_at IS NULL OR removed_at > %s::timestamptz) AND user_id IN (
    SELECT user_id FROM clinic_shift WHERE site_id = %s::bigint AND period @> %s::timestamptz
    UNION SELECT user_id FROM clinic_shiftoverride
    WHERE site_id = %s::bigint AND cancelled_at IS NULL AND period @> %s::timestamptz
    UNION SELECT unnest(%s::bigint[]))
ORDER BY position, id
"""  # noqa: S608 - constants of our own


def _ways(user: User, points: Sequence[ContactPoint]) -> list[Way]:
    usable = [point for point in points if point.disabled_at is None and configured(Channel(point.kind))]
    there = [point for point in usable if point.removed_at is None]
    chosen = [point for point in there if point.verified_at] or there or usable
    found = [
        Way(Channel(point.kind), _address(point), point.pk, rank, trusted=point.verified_at is not None)
        for rank, point in enumerate(chosen)
    ]
    if not points and user.email and configured(Channel.EMAIL):
        found.append(Way(Channel.EMAIL, user.email))
    if configured(Channel.INBOX) and (user.email or user.phone or points):
        found.append(Way(Channel.INBOX, user.username))
    return found


def _address(point: ContactPoint) -> str:
    return point.shown[:254]


def ways_of_one(user: User, *, since: datetime | None = None) -> list[Way]:
    """Return one person's ways."""
    return ways_of([user], since=since)[user.pk]


def ways_of_contact(*, email: str = "", phone: str = "") -> list[Way]:
    """Return the ways to somebody outside the house: the backstop of a policy."""
    found: list[Way] = []
    if phone and configured(Channel.SMS):
        found.append(Way(Channel.SMS, phone, rank=0))
    if email and configured(Channel.EMAIL):
        # Side by side: after the last step there is nobody to whom a slow channel could fail over.
        found.append(Way(Channel.EMAIL, email, rank=0))
    if configured(Channel.INBOX) and (email or phone):
        found.append(Way(Channel.INBOX, email or phone))
    return found


def machines_of(site: Site) -> list[Way]:
    """Return what a site tells machines: its webhooks and its addresses of other services."""
    points = ContactPoint.objects.kept().filter(site=site, disabled_at=None)
    return [
        Way(Channel(point.kind), _address(point), point.pk, trusted=False)
        for point in points
        if configured(Channel(point.kind))
    ]
