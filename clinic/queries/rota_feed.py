"""When one person is on call, at every site where they work, as the rota stands: shifts, overrides, leave."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from clinic.models import CalendarFeed, Site, User
from clinic.queries.rota import read_rota


@dataclass(frozen=True)
class OnCall:
    """One stretch in which a person holds a post at a rank."""

    site: Site
    post: str
    rank: int
    start: datetime
    end: datetime
    key: str


def feed_of(sha256: str) -> CalendarFeed | None:
    """Return the feed behind an address, None where it was revoked, never made, or its owner has left."""
    return CalendarFeed.objects.standing().filter(sha256=sha256, user__is_active=True).select_related("user").first()


def on_call(user: User, start: datetime, end: datetime) -> list[OnCall]:
    """Return the stretches from `start` to `end` in order of time; three statements for each site."""
    sites = Site.objects.filter(memberships__user=user, memberships__is_active=True).distinct().order_by("pk")
    found: list[OnCall] = []
    for site in sites:
        plan = read_rota(site, start, end).plan
        for (post, rank), segments in plan.segments(start, end).items():
            found += [
                OnCall(site, post, rank, one.start, one.end, one.turn.key)
                for one in segments
                if one.turn is not None and one.person == user.pk
            ]
    return sorted(found, key=lambda one: (one.start, one.site.pk, one.post, one.rank))
