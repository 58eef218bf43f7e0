"""The forms of the rota: a shift, an override, leave, a swap. Times are typed on the wall clock of the site."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from clinic.access import (
    Caller,
    access_absentee,
    access_colleague,
    access_leave,
    access_override,
    access_shift,
    access_swap,
)
from clinic.actions import rota as acts
from clinic.actions.rota import Span
from clinic.actions.swaps import Part, answer_swap, propose_swap, withdraw_swap
from clinic.lib.clock import database_now
from clinic.lib.problems import FieldError, Invalid, NotFound, Problem
from clinic.models import Shift, User
from clinic.rules.rota import local_instant, repeated
from clinic.vocabulary import POST_ROLES, Post, Role

MOST_TIMES = 60
Save = Callable[[Caller, dict[str, str], datetime], str]


@dataclass(frozen=True)
class Form:
    """One of the four forms: its title, what it asks for, and what its button does."""

    kind: str
    title: str
    button: str
    fields: tuple[str, ...]
    hint: str


def read_local(text: str, field: str, zone: ZoneInfo) -> datetime:
    """Return the UTC instant of a time typed on the wall clock; raise Invalid naming the field."""
    try:
        moment = datetime.fromisoformat(text).replace(tzinfo=None)
        if not 1970 <= moment.year <= 9000:
            raise Invalid.field(field, "no_such_time", _("That year is not one to plan in."))
        return local_instant(moment, zone)
    except ValueError as error:
        wrong = _("That time does not exist: the clocks go forward then.") if "clocks" in str(error) else ""
        raise Invalid.field(field, "no_such_time", wrong or _("Give a day and a time.")) from None


def local_text(moment: datetime, zone: ZoneInfo) -> str:
    """Return an instant as a `datetime-local` field holds it."""
    return moment.astimezone(zone).strftime("%Y-%m-%dT%H:%M")


def read_span(given: dict[str, str], zone: ZoneInfo, start: str = "start", end: str = "end") -> Span:
    """Return the two times of a form; raise Invalid naming every one that cannot be read."""
    found: list[datetime] = []
    wrong: list[FieldError] = []
    for name in (start, end):
        try:
            found.append(read_local(given.get(name, ""), name, zone))
        except Invalid as refusal:
            wrong += refusal.errors
    if wrong:
        raise Invalid("invalid", wrong[0].detail, wrong)
    return found[0], found[1]


def _place(given: dict[str, str], post: str = "post", rank: str = "rank") -> tuple[str, int]:
    text = given.get(rank, "1") or "1"
    if not text.isdecimal() or len(text) > 3:
        raise Invalid.field(rank, "out_of_range", _("A rank is a whole number from 1 to 9."))
    return given.get(post, ""), int(text)


def _colleague(caller: Caller, name: str, field: str = "user") -> User:
    try:
        return access_colleague(caller, name)
    except NotFound:
        raise Invalid.field(field, "unknown_user", _("Choose a person.")) from None


def _zone(caller: Caller) -> ZoneInfo:
    return ZoneInfo(caller.place.timezone)


def _save_shift(caller: Caller, given: dict[str, str], now: datetime) -> str:
    start, end = read_span(given, _zone(caller))
    post, rank = _place(given)
    times = given.get("times", "") or "1"
    if not times.isdecimal() or not 1 <= int(times[:4]) <= MOST_TIMES:
        raise Invalid.field("times", "out_of_range", _("Repeat it once to sixty times."))
    spans = [(start, end)]
    if int(times) > 1:
        zone = _zone(caller)
        local = [moment.astimezone(zone).replace(tzinfo=None) for moment in (start, end)]
        every = {"1": 1, "7": 7, "14": 14}.get(given.get("repeat_days", ""), 7)
        try:
            spans = repeated(local[0], local[1], zone, every_days=every, times=int(times))
        except ValueError:
            raise Invalid.field(
                "start", "no_such_time", _("One of these times does not exist: the clocks go forward then.")
            ) from None
    user = _colleague(caller, given.get("user", ""))
    acts.add_shifts(site=caller.place, post=post, rank=rank, user=user, spans=spans, by=caller.actor(), now=now)
    return _("%(name)s is on the rota.") % {"name": user.get_full_name()}


def _save_override(caller: Caller, given: dict[str, str], now: datetime) -> str:
    post, rank = _place(given)
    user = _colleague(caller, given.get("user", ""))
    acts.add_override(
        site=caller.place,
        post=post,
        rank=rank,
        user=user,
        span=read_span(given, _zone(caller)),
        reason=given.get("reason", "").strip()[:200],
        by=caller.actor(),
        now=now,
    )
    return _("%(name)s is called instead during this time.") % {"name": user.get_full_name()}


def _save_leave(caller: Caller, given: dict[str, str], now: datetime) -> str:
    user = access_absentee(caller, given.get("user", ""))
    span = read_span(given, _zone(caller))
    acts.add_leave(site=caller.place, user=user, span=span, by=caller.actor(), now=now)
    return _("%(name)s is on leave and is not paged during this time.") % {"name": user.get_full_name()}


def _save_swap(caller: Caller, given: dict[str, str], now: datetime) -> str:
    zone = _zone(caller)
    asked = _colleague(caller, given.get("asked", ""), "asked")
    back = None
    if given.get("back_post"):
        back = Part(*_place(given, "back_post", "back_rank"), read_span(given, zone, "back_start", "back_end"))
    propose_swap(
        site=caller.place,
        giver=caller.person,
        asked=asked,
        part=Part(*_place(given), read_span(given, zone)),
        back=back,
        by=caller.actor(),
        now=now,
    )
    return _("%(name)s is asked. Until they accept, you stay on call.") % {"name": asked.get_full_name()}


def _forms() -> dict[str, tuple[Form, Save]]:
    return {
        "shift": (
            Form(
                "shift",
                _("Add shifts"),
                _("Add to the rota"),
                ("post", "user", "span", "repeat"),
                _("The person is planned for this post and rank; one person at a rank at a time."),
            ),
            _save_shift,
        ),
        "override": (
            Form(
                "override",
                _("Somebody else for a time"),
                _("Call this person instead"),
                ("post", "user", "span", "reason"),
                _("The planned rota stays as it is and counts again afterwards."),
            ),
            _save_override,
        ),
        "leave": (
            Form(
                "leave",
                _("Leave"),
                _("Record the leave"),
                ("absentee", "span"),
                _("Who is on leave is never paged, whatever the rota says. Find somebody for their shifts."),
            ),
            _save_leave,
        ),
        "swap": (
            Form(
                "swap",
                _("Propose a swap"),
                _("Ask the colleague"),
                ("post", "asked", "span", "back"),
                _("Nothing changes until your colleague accepts."),
            ),
            _save_swap,
        ),
    }


def _form_page(request: HttpRequest, kind: str) -> HttpResponse:
    """Show the form, filled with what the address or the last try says; save it and go back to the calendar."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    now = database_now()
    form, save = _forms()[kind]
    given = (request.POST if request.method == "POST" else request.GET).dict()
    errors: dict[str, str] = {}
    problem: Problem | None = None
    if request.method == "POST":
        try:
            messages.success(request, save(caller, given, now))
            return HttpResponseRedirect(reverse("page-rota"))
        except Problem as refusal:
            problem = refusal
            errors = {one.field: one.detail for one in refusal.errors}
    return render(
        request,
        "clinic/rota_form.html",
        {
            "form": form,
            "given": given,
            "errors": errors,
            "problem": problem,
            "posts": list(Post),
            "colleagues": colleagues(caller, given.get("post", "")),
            "plans": caller.has(Role.ADMINISTRATOR),
            "me": caller.person,
            "touched": _touched(caller, given, now) if kind == "override" else [],
            "now": now,
        },
    )


def colleagues(caller: Caller, post: str = "") -> QuerySet[User]:
    """Return who works at the site (and may hold the post, where one is named), by name."""
    rows = User.objects.filter(memberships__site=caller.place, memberships__is_active=True, is_active=True)
    if post in set(Post) and POST_ROLES.get(Post(post)):
        rows = User.objects.filter(
            memberships__site=caller.place,
            memberships__is_active=True,
            memberships__role__in=[str(role) for role in POST_ROLES[Post(post)]],
            is_active=True,
        )
    return rows.distinct().order_by("full_name", "pk")


def _touched(caller: Caller, given: dict[str, str], now: datetime) -> list[Shift]:
    """Return the planned shifts that an override touches, so that they can be ended instead."""
    try:
        start, end = read_span(given, _zone(caller))
        post, rank = _place(given)
    except Invalid:
        return []
    rows = Shift.objects.filter(site=caller.place, post=post, rank=rank).during(start, end)
    return list(rows.filter(period__endswith__gt=now).select_related("user").order_by("period"))


def shift_new(request: HttpRequest) -> HttpResponse:
    """Plan shifts, repeated where wanted."""
    return _form_page(request, "shift")


def override_new(request: HttpRequest) -> HttpResponse:
    """Let somebody else hold a place for a time; the shifts that it touches stand below."""
    return _form_page(request, "override")


def leave_new(request: HttpRequest) -> HttpResponse:
    """Record leave, one's own; an administrator anybody's."""
    return _form_page(request, "leave")


def swap_new(request: HttpRequest) -> HttpResponse:
    """Ask a colleague to take a part of one's own rota."""
    return _form_page(request, "swap")


def _back(request: HttpRequest, act: Callable[[], object], done: str) -> HttpResponse:
    """Do it and go back to the calendar, with what was done or with the sentence that says why not."""
    try:
        act()
    except Problem as refusal:
        messages.error(request, refusal.detail)
    else:
        messages.success(request, done)
    return HttpResponseRedirect(reverse("page-rota"))


@require_POST
def shift_end(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Take a shift off the rota; one that has begun ends now."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    row = access_shift(caller, public_id)
    done = _("Taken off the rota.")
    return _back(request, lambda: acts.remove_shift(shift=row, by=caller.actor(), now=database_now()), done)


@require_POST
def override_end(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Cancel an override: the planned rota counts again."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    row = access_override(caller, public_id)
    done = _("Cancelled: the planned rota counts again.")
    return _back(request, lambda: acts.cancel_override(override=row, by=caller.actor(), now=database_now()), done)


@require_POST
def leave_end(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Cancel leave: the person is paged again."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    row = access_leave(caller, public_id)
    done = _("Cancelled: this person is paged again.")
    return _back(request, lambda: acts.cancel_leave(leave=row, by=caller.actor(), now=database_now()), done)


@require_POST
def swap_answer(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Accept or decline (who was asked), withdraw (who proposed)."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    row = access_swap(caller, public_id)
    by, now, answer = caller.actor(), database_now(), request.POST.get("answer", "")
    if answer == "withdraw":
        return _back(request, lambda: withdraw_swap(swap=row, by=by, now=now), _("Withdrawn."))
    if answer == "accept":
        done = _("Accepted: the rota has changed.")
        return _back(request, lambda: answer_swap(swap=row, accept=True, by=by, now=now), done)
    if answer != "decline":
        raise Invalid.field("answer", "not_a_choice", _("Accept, decline or withdraw."))
    done = _("Declined: the rota is as it was.")
    return _back(request, lambda: answer_swap(swap=row, accept=False, by=by, now=now), done)
