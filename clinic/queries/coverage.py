"""Whom of a site no page would reach, and whose addresses nobody ever tried."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from clinic.models import ContactPoint, Membership, Shift, ShiftOverride, Site, User
from clinic.queries.contacts import configured, ways_of
from clinic.vocabulary import Channel, Role

AHEAD = timedelta(days=14)
#: After this time a test says nothing any more.
TEST_HOLDS = timedelta(days=90)


@dataclass(frozen=True)
class Covered:
    """One person with their points and what is wrong: unreachable, unverified, one_way, disabled, untested."""

    user: User
    on_call: bool
    points: list[ContactPoint]
    wrong: list[str]


def called_soon(now: datetime, **who: Site | User) -> set[int]:
    """Return the keys of the people (of a `site`, or one `user`) who have a post now or within two weeks.

    By a shift, or by an override: a swap that was agreed to is one.
    """
    ahead = {"period__overlap": (now, now + AHEAD), "user__is_active": True, **who}
    shifts = Shift.objects.filter(**ahead).values_list("user_id", flat=True)
    overrides = ShiftOverride.objects.standing().filter(**ahead).values_list("user_id", flat=True)
    return {*shifts, *overrides}


def coverage(site: Site, now: datetime) -> list[Covered]:
    """Return everybody whom a page of the site may call, the worst first, on-call people before others. Six queries.

    These are the surgeons and anaesthetists of the site and whoever has a post within two weeks.
    """
    members = Membership.objects.filter(site=site, is_active=True, user__is_active=True)
    called = members.filter(role__in=[Role.SURGEON.value, Role.ANAESTHETIST.value]).values_list("user_id", flat=True)
    on_call = called_soon(now, site=site)
    people = {user.pk: user for user in User.objects.filter(pk__in={*called, *on_call})}
    points: dict[int, list[ContactPoint]] = {key: [] for key in people}
    for point in ContactPoint.objects.kept().filter(user__in=people):
        points[point.user_id or 0].append(point)
    ways = ways_of(people.values())
    rows = []
    for key, user in people.items():
        mine = points[key]
        working = [one for one in mine if one.disabled_at is None and one.verified_at is not None]
        wrong: list[str] = []
        if not ways[key]:
            wrong.append("unreachable")
        elif not working:
            wrong.append("unverified")
        elif len(working) == 1:
            wrong.append("one_way")
        if any(one.disabled_at for one in mine):
            wrong.append("disabled")
        if any(one.tested_at is None or one.tested_at < now - TEST_HOLDS for one in working):
            wrong.append("untested")
        rows.append(Covered(user, key in on_call, mine, wrong))
    weight = ["unreachable", "unverified", "disabled", "untested", "one_way"]
    return sorted(
        rows,
        key=lambda row: (
            min((weight.index(one) for one in row.wrong), default=len(weight)),
            not row.on_call,
            row.user.full_name,
        ),
    )


def channels_here() -> dict[str, bool]:
    """Return which channels this installation can send over."""
    return {channel.value: configured(channel) for channel in Channel if channel is not Channel.INBOX}
