"""Set up the demo sites: rooms, people, rota, accounts. Repeating it adds only what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Max
from django.db.models.functions import Upper

from checklists.management.demo.accounts import Account, give_accounts, read_accounts, write_accounts
from checklists.management.demo.people import PLACES, TIMEZONE, Place, phone_list, phone_number
from clinic.actions.people import add_person, add_site, plan_shifts
from clinic.models import Actor, Shift, Site, User
from clinic.vocabulary import Post, Via
from complications.actions.policy import set_policy
from complications.models import EscalationPolicy
from complications.rules.policy import default_policy

BY = Actor(user=None, role="demo", via=Via.COMMAND.value)
#: The rota reaches from a month back, so that past cases had somebody on call, to a year ahead.
PAST, AHEAD = timedelta(days=31), timedelta(days=366)


def set_up_sites(now: datetime) -> dict[str, Account]:
    """Make the three sites with everything that stands still, and return the accounts of everybody who logs in."""
    known = read_accounts()
    accounts: dict[str, Account] = {}
    for place in PLACES:
        site, users = set_up_site(place, now)
        accounts |= give_accounts(place, site, users, known, by=BY, now=now)
    if accounts != known:
        write_accounts(accounts)
    return accounts


def set_up_site(place: Place, now: datetime) -> tuple[Site, dict[str, User]]:
    """Make one site with rooms, people and rota, and return it with its people by user name."""
    site, _ = add_site(
        code=place.code,
        name=place.name,
        rooms=place.rooms,
        by=BY,
        now=now,
        timezone=TIMEZONE,
        emergency_department=place.emergency_department,
        phone_list=phone_list(place),
        time_scale=place.time_scale,
    )
    users = {user.username: user for user in User.objects.filter(memberships__site=site).distinct()}
    for person in place.people:
        if person.username not in users:
            users[person.username], _ = add_person(
                username=person.username,
                full_name=person.full_name,
                site=site,
                roles=person.roles,
                by=BY,
                now=now,
                email=email_of(place, person.username),
                phone=phone_number(place, person.username),
                language=person.language,
                can_decompress=person.can_decompress,
            )
    plan_rota(place, site, users, now)
    if not EscalationPolicy.objects.filter(site=site).exists():
        set_policy(site=site, data=paging_policy(place), by=BY, now=now)
    return site, users


def paging_policy(place: Place) -> dict[str, Any]:
    """Return the policy that ships with the product, with the site's medical director as its backstop."""
    director = place.posts[Post.BACKSTOP][0]
    name = next(person.full_name for person in place.people if person.username == director)
    contact = {"name": name, "email": email_of(place, director), "phone": phone_number(place, director)}
    return {**default_policy(), "backstop": contact}


def email_of(place: Place, username: str) -> str:
    """Return a person's made-up address."""
    return f"{username.replace('_', '.')}@{place.code.lower()}.example.org"


def plan_rota(place: Place, site: Site, users: dict[str, User], now: datetime) -> int:
    """Extend the rota of every post by whole weeks to a year ahead, and return how many shifts were added."""
    rows = Shift.objects.filter(site=site).values_list("post", "rank").annotate(end=Max(Upper("period")))
    ends = {(post, rank): end for post, rank, end in rows}
    added = 0
    for post, usernames in place.posts.items():
        for rank, username in enumerate(usernames, start=1):
            begin = max(ends.get((post.value, rank), now - PAST), now - PAST)
            weeks = list(_weeks(begin, now + AHEAD))
            # A year ahead to within a week: a second start of the same day adds nothing.
            if ends.get((post.value, rank), now) < now + AHEAD - timedelta(days=7):
                added += plan_shifts(
                    site=site, post=post, rank=rank, user=users[username], periods=weeks, by=BY, now=now
                )
    return added


def _weeks(begin: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield weekly shifts in UTC, Monday 08:00 to Monday 08:00 on the clock of the site, from the week of `begin` on."""
    zone = ZoneInfo(TIMEZONE)
    local = begin.astimezone(zone)
    monday = local.date() - timedelta(days=local.weekday())
    start = datetime.combine(monday, time(8), zone)
    if start > local:
        start = datetime.combine(monday - timedelta(days=7), time(8), zone)
    while start < end:
        following = datetime.combine(start.date() + timedelta(days=7), time(8), zone)
        yield start.astimezone(UTC), following.astimezone(UTC)
        start = following
