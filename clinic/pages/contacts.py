"""Where pages reach me; and for administrators what the site tells machines and whom no page would reach."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from clinic.access import Caller, access_contact, access_site_contact
from clinic.actions.contacts import (
    add_contact,
    add_site_contact,
    order_contacts,
    remove_contact,
    send_code,
    send_test,
    verify_contact,
)
from clinic.lib.clock import database_now
from clinic.lib.problems import Invalid, Problem
from clinic.lib.vapid import application_server_key
from clinic.models import ContactPoint
from clinic.models.contacts import OF_SITES
from clinic.queries.coverage import channels_here, coverage
from clinic.vocabulary import Channel


def mine(request: HttpRequest) -> HttpResponse:
    """Show my contact points in their order; POST adds one and sends its code."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    now, given, errors = database_now(), {"kind": "sms"}, []
    if request.method == "POST":
        given = {name: request.POST.get(name, "") for name in ("kind", "address", "label")}
        try:
            if given["kind"] not in (Channel.EMAIL, Channel.SMS):
                raise Invalid.field("kind", "not_a_choice", _("Choose e-mail or mobile phone."))
            kind = Channel(given["kind"])
            point = add_contact(
                user=caller.person,
                kind=kind,
                address=given["address"],
                label=given["label"],
                by=caller.actor(),
                now=now,
            )
        except Problem as problem:
            errors = [error.detail for error in problem.errors] or [problem.detail]
        else:
            return _back(request, "page-contacts", lambda: _first_code(point, caller), _("A code is on its way."))
    rows = list(ContactPoint.objects.kept().filter(user=caller.person))
    return render(
        request,
        "clinic/contacts.html",
        {
            "rows": rows,
            "given": given,
            "errors": errors,
            "channels": channels_here(),
            "demo": settings.DEMO,
            "push_key": application_server_key(settings.VAPID_PRIVATE_KEY) if settings.VAPID_PRIVATE_KEY else "",
            "removing": request.GET.get("remove", ""),
            "now": now,
        },
        status=400 if errors else 200,
    )


def _first_code(point: ContactPoint, caller: Caller) -> None:
    if point.verified_at is None:
        send_code(point=point, site=caller.place, by=caller.actor(), now=database_now())


def _back(request: HttpRequest, name: str, act: Callable[[], object], done: str) -> HttpResponse:
    """Do something and go back to the page, with what was done or with the sentence that says why not."""
    try:
        act()
    except Problem as problem:
        messages.error(request, problem.errors[0].detail if problem.errors else problem.detail)
    else:
        messages.success(request, done)
    return HttpResponseRedirect(reverse(name))


@require_POST
def mine_act(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Do something with one of my points: send a code, take it, test, move, remove."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    point = access_contact(caller, public_id)
    by, now, act = caller.actor(), database_now(), request.POST.get("act", "")
    doing: dict[str, tuple[Callable[[], Any], str]] = {
        "code": (lambda: send_code(point=point, site=caller.place, by=by, now=now), _("A code is on its way.")),
        "verify": (
            lambda: verify_contact(point=point, code=request.POST.get("code", ""), by=by, now=now),
            _("Verified: pages reach you here."),
        ),
        "test": (lambda: send_test(point=point, site=caller.place, by=by, now=now), _("A test is on its way.")),
        "up": (lambda: _move(caller, point, -1), _("The order is changed.")),
        "down": (lambda: _move(caller, point, 1), _("The order is changed.")),
        "remove": (lambda: remove_contact(point=point, by=by, now=now), _("Removed.")),
        "remove_anyway": (lambda: remove_contact(point=point, anyway=True, by=by, now=now), _("Removed.")),
    }
    if act not in doing:
        messages.error(request, _("There is no such step."))
        return HttpResponseRedirect(reverse("page-contacts"))
    if act == "remove":
        try:
            remove_contact(point=point, by=by, now=now)
        except Problem:
            # Asked again beside the address itself.
            return HttpResponseRedirect(f"{reverse('page-contacts')}?remove={point.public_id}")
        messages.success(request, doing[act][1])
        return HttpResponseRedirect(reverse("page-contacts"))
    return _back(request, "page-contacts", *doing[act])


def _move(caller: Caller, point: ContactPoint, by: int) -> None:
    rows = [str(one.public_id) for one in ContactPoint.objects.kept().filter(user=caller.person)]
    here = rows.index(str(point.public_id))
    there = min(max(here + by, 0), len(rows) - 1)
    rows.insert(there, rows.pop(here))
    order_contacts(user=caller.person, ids=rows, by=caller.actor(), now=database_now())


def of_site(request: HttpRequest) -> HttpResponse:
    """Show the site's webhooks and services, and how well its people are reached; POST adds one."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    now, given, errors, secret = database_now(), {"kind": "webhook"}, [], ""
    if request.method == "POST":
        given = {name: request.POST.get(name, "") for name in ("kind", "address", "label")}
        try:
            if given["kind"] not in OF_SITES:
                raise Invalid.field("kind", "not_a_choice", _("Choose a webhook or another service."))
            _point, secret = add_site_contact(
                site=caller.place,
                kind=Channel(given["kind"]),
                address=given["address"],
                label=given["label"],
                by=caller.actor(),
                now=now,
            )
        except Problem as problem:
            errors = [error.detail for error in problem.errors] or [problem.detail]
        else:
            given = {"kind": "webhook"}
    people = coverage(caller.place, now)
    return render(
        request,
        "clinic/site_contacts.html",
        {
            "rows": list(ContactPoint.objects.kept().filter(site=caller.place)),
            "people": people,
            "unwell": sum(bool(one.wrong) for one in people),
            "given": given,
            "errors": errors,
            "secret": secret,
            "channels": channels_here(),
            "now": now,
        },
        status=400 if errors else 200,
    )


@require_POST
def of_site_act(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Test or remove one of the site's."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    point = access_site_contact(caller, public_id)
    by, now = caller.actor(), database_now()
    if request.POST.get("act") == "remove":
        return _back(request, "page-site-contacts", lambda: remove_contact(point=point, by=by, now=now), _("Removed."))
    return _back(
        request,
        "page-site-contacts",
        lambda: send_test(point=point, site=caller.place, by=by, now=now),
        _("A test is on its way."),
    )
