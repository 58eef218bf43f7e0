"""The calendar of who is on call, with what is wrong in the next fourteen days; and the simulator."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from clinic.access import Caller, access_colleague, verdict
from clinic.lib.clock import database_now
from clinic.lib.problems import Invalid, Problem
from clinic.models import Leave, Membership, ShiftOverride, ShiftSwap, User
from clinic.pages.rota import local_text, read_local
from clinic.queries.rota import Rota, read_rota
from clinic.rules.rota import Place, Segment, local_instant
from clinic.vocabulary import Post, Role
from complications.queries.coverage import Coverage, check_coverage
from complications.queries.simulation import Simulation, simulate
from complications.rules.coverage import FIRST_CALLED, Finding
from complications.vocabulary import Pathway, Setting, Tier

WEEK, FORTNIGHT = 7, 14
ORDER = [post.value for post in Post]
SHOWN = 30


@dataclass(frozen=True)
class Piece:
    """A stretch of one place within one day, in the words of a cell."""

    name: str
    start: datetime
    end: datetime
    whole: bool
    planned: str
    why: str
    tone: str
    href: str


@dataclass(frozen=True)
class Day:
    """One row of the calendar: a day with the pieces of each place."""

    day: date
    today: bool
    past: bool
    cells: list[tuple[Place, list[Piece]]]
    away: list[str]


@dataclass(frozen=True)
class Line:
    """A finding in words."""

    red: bool
    post: str
    rank: int
    pathway: str
    tiers: tuple[str, ...]
    sentence: str
    start: datetime
    end: datetime
    href: str


def rota(request: HttpRequest) -> HttpResponse:
    """Show a week or a fortnight (`?from=2026-11-23&days=14`), who is on now, and what is wrong in the next 14 days."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    now = database_now()
    zone = ZoneInfo(caller.place.timezone)
    days = WEEK if request.GET.get("days") == str(WEEK) else FORTNIGHT
    first = _first_day(request.GET.get("from", ""), now.astimezone(zone).date())
    edges = [_midnight(first + timedelta(days=number), zone) for number in range(days + 1)]
    found = check_coverage(caller.place, now)
    shown = read_rota(caller.place, edges[0], edges[-1])
    places = sorted({*found.places, *shown.plan.places()}, key=lambda one: (ORDER.index(one[0]), one[1]))
    leave = list(_leave_of(caller, edges[0], edges[-1]))
    return render(
        request,
        "complications/rota.html",
        {
            "places": places,
            "days": _days(caller, shown, places, found.places, edges, leave, now, zone),
            "count": days,
            "first": first,
            "last": first + timedelta(days=days - 1),
            "before": first - timedelta(days=days),
            "after": first + timedelta(days=days),
            "on_duty": _now(found, places, now),
            "lines": [_line(one, found, caller) for one in found.findings[:SHOWN]],
            "more": max(0, len(found.findings) - SHOWN),
            "red": len(found.red),
            "amber": len(found.amber),
            "overrides": _overrides(caller, now),
            "leave": _leave_of(caller, now, max(edges[-1], now)),
            "swaps": ShiftSwap.objects.filter(site=caller.place)
            .waiting(now)
            .select_related("proposed_by", "asked")
            .order_by("period"),
            "plans": caller.has(Role.ADMINISTRATOR),
            "calendar_open": verdict("page-rota-calendar", "GET", caller) == "allow",
            "policy_open": verdict("page-escalation-policy", "GET", caller) == "allow",
            "simulation_open": verdict("page-escalation-simulation", "GET", caller) == "allow",
            "me": caller.person,
            "now": now,
        },
    )


def _first_day(text: str, today: date) -> date:
    """Return the day asked for, the Monday of this week where none (or an unreadable one) is named."""
    try:
        asked = date.fromisoformat(text)
    except ValueError:
        asked = today - timedelta(days=today.weekday())
    return asked if abs((asked - today).days) < 3700 else today


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant of a day: some zones change their clocks at midnight."""
    try:
        return local_instant(datetime.combine(day, time.min), zone)
    except ValueError:
        return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)


def _leave_of(caller: Caller, start: datetime, end: datetime) -> Any:
    here = Membership.objects.filter(site=caller.place).values("user")
    rows = Leave.objects.standing().during(start, end).filter(user__in=here)
    return rows.select_related("user").order_by("period", "pk")


def _overrides(caller: Caller, now: datetime) -> Any:
    rows = ShiftOverride.objects.filter(site=caller.place, period__endswith__gt=now).standing()
    return rows.select_related("user", "created_by").order_by("period", "pk")[:SHOWN]


def _days(
    caller: Caller,
    shown: Rota,
    places: Sequence[Place],
    wanted: set[Place],
    edges: Sequence[datetime],
    leave: Sequence[Leave],
    now: datetime,
    zone: ZoneInfo,
) -> list[Day]:
    segments = shown.plan.segments(edges[0], edges[-1], places)
    rows: list[Day] = []
    for start, end in pairwise(edges):
        cells = [
            (
                place,
                [
                    _piece(one, shown, caller, wanted, start, end, now)
                    for one in segments[place]
                    if one.start < end and one.end > start
                ],
            )
            for place in places
        ]
        away = [one.user.get_full_name() for one in leave if one.period.lower < end and one.period.upper > start]
        day = start.astimezone(zone).date()
        rows.append(Day(day, start <= now < end, end <= now, cells, away))
    return rows


def _piece(
    one: Segment, shown: Rota, caller: Caller, wanted: set[Place], start: datetime, end: datetime, now: datetime
) -> Piece:
    person = shown.people[one.turn.person] if one.turn else None
    tone = ""
    if person is None and one.end > now:
        tone = ("red" if (one.post, one.rank) in FIRST_CALLED else "amber") if (one.post, one.rank) in wanted else "mut"
    return Piece(
        name=person.get_full_name() if person else "",
        start=max(one.start, start),
        end=min(one.end, end),
        whole=one.start <= start and one.end >= end,
        planned=shown.people[one.planned.person].get_full_name() if one.planned else "",
        why=one.why,
        tone=tone,
        href=_where_to(one, person, caller, start, end, now),
    )


def _where_to(one: Segment, person: User | None, caller: Caller, start: datetime, end: datetime, now: datetime) -> str:
    """Return what touching a piece opens: for an administrator an override, for who holds it a swap."""
    begin, until = max(one.start, start, now), min(one.end, end)
    if until <= now:
        return ""
    zone = ZoneInfo(caller.place.timezone)
    asked = {"post": one.post, "rank": one.rank, "start": local_text(begin, zone), "end": local_text(until, zone)}
    if caller.has(Role.ADMINISTRATOR):
        return f"{reverse('page-rota-override-new')}?{urlencode(asked)}"
    if person == caller.user and one.start > now:
        return f"{reverse('page-rota-swap-new')}?{urlencode(asked)}"
    return ""


@dataclass(frozen=True)
class OnNow:
    """A place with who holds it now, and until when."""

    post: str
    rank: int
    user: User | None
    until: datetime | None
    red: bool


def _now(found: Coverage, places: Sequence[Place], now: datetime) -> list[OnNow]:
    segments = found.rota.plan.segments(now, found.end, places)
    rows: list[OnNow] = []
    for place in places:
        one = segments[place][0]
        user = found.people[one.turn.person] if one.turn else None
        until = one.end if one.end < found.end else None
        rows.append(OnNow(*place, user, until, user is None and place in FIRST_CALLED))
    return rows


def _line(one: Finding, found: Coverage, caller: Caller) -> Line:
    href = ""
    if one.post and caller.has(Role.ADMINISTRATOR):
        zone = ZoneInfo(caller.place.timezone)
        span = {"start": local_text(one.start, zone), "end": local_text(one.end, zone)}
        href = f"{reverse('page-rota-override-new')}?{urlencode({'post': one.post, 'rank': one.rank, **span})}"
    words = sentence(one, found.name(one.person))
    return Line(one.red, one.post, one.rank, one.pathway, one.tiers, words, one.start, one.end, href)


def sentence(one: Finding, name: str) -> str:
    """Return a finding as a sentence that says what to look at."""
    words = {
        "nobody": _("Nobody is on call."),
        "on_leave": _("%(name)s is on leave and still on the rota."),
        "has_left": _("%(name)s has left and is still on the rota."),
        "unreachable": _("%(name)s cannot be reached: no address, no telephone number."),
        "loop": _("%(name)s is called here and is the last resort as well."),
        "same_person": _("%(name)s is on call at two ranks: nobody is left for the second call."),
        "cannot_answer": _("%(name)s is on call for the spine and is not a surgeon here."),
        "cannot_operate": _("%(name)s cannot open the canal."),
        "nobody_can_operate": _("Nobody on call for the spine can open the canal."),
        "too_few_can_decompress": _("Fewer than two surgeons who can open the canal are there."),
        "step_skipped": _("Step %(step)s of the ladder would be skipped."),
        "only_backstop": _("Only the last resort would be reached."),
        "backstop_unreachable": _("The last resort cannot be reached: no address that messages can leave for."),
    }
    return words[one.code] % {"name": name, "step": (one.step or 0) + 1}


PATHWAYS = [pathway for pathway in Pathway if pathway.pages]


def simulation(request: HttpRequest) -> HttpResponse:
    """Show who would be paged when, for a report at the time, tier, pathway and place that the form says."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    now = database_now()
    given = {name: request.GET.get(name, "") for name in ("at", "tier", "pathway", "setting", "operator")}
    problem: Problem | None = None
    found: Simulation | None = None
    try:
        found = _simulated(caller, given, now)
    except Problem as refusal:
        problem = refusal
    zone = ZoneInfo(caller.place.timezone)
    surgeons = User.objects.filter(
        memberships__site=caller.place, memberships__role=Role.SURGEON.value, memberships__is_active=True
    )
    return render(
        request,
        "complications/simulation.html",
        {
            "found": found,
            "problem": problem,
            "given": {
                "at": given["at"] or local_text(now, zone),
                "tier": given["tier"] or Tier.T0.value,
                "pathway": given["pathway"] or Pathway.SPINE.value,
                "setting": given["setting"] or Setting.IN_HOUSE.value,
                "operator": given["operator"],
            },
            "tiers": list(Tier),
            "pathways": PATHWAYS,
            "settings": list(Setting),
            "surgeons": surgeons.filter(is_active=True).order_by("full_name"),
            "rota_open": verdict("page-rota", "GET", caller) == "allow",
            "now": now,
        },
    )


def _simulated(caller: Caller, given: dict[str, str], now: datetime) -> Simulation:
    zone = ZoneInfo(caller.place.timezone)
    words: dict[str, tuple[str, Collection[str]]] = {
        "tier": (given["tier"] or Tier.T0.value, list(Tier)),
        "pathway": (given["pathway"] or Pathway.SPINE.value, PATHWAYS),
        "setting": (given["setting"] or Setting.IN_HOUSE.value, list(Setting)),
    }
    for name, (value, accepted) in words.items():
        if value not in accepted:
            raise Invalid.field(name, "not_a_choice", _("Choose one of those that are shown."))
    return simulate(
        site=caller.place,
        at=read_local(given["at"], "at", zone) if given["at"] else now,
        tier=Tier(words["tier"][0]),
        pathway=Pathway(words["pathway"][0]),
        setting=Setting(words["setting"][0]),
        operator=access_colleague(caller, given["operator"]) if given["operator"] else None,
    )
