"""The link in a page: one person answers one escalation, once, without a log-in and without patient data.

GET shows a button and nothing of the patient, because mail scanners open links; POST needs the minutes of a touched
button, because a scanner was seen to send forms as well.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.cache import never_cache

from clinic.lib.clock import database_now
from clinic.lib.problems import Invalid, NotFound, Problem
from complications.actions.links import acknowledge_by_link, read_link
from complications.models import AcknowledgeLink
from complications.pages.view import ETAS, Call
from complications.vocabulary import EscalationStatus


@never_cache
def link(request: HttpRequest, token: str) -> HttpResponse:
    """Show the button, or take the answer."""
    now = database_now()
    try:
        found = read_link(token)
    except NotFound as problem:
        return render(request, "complications/ack_link.html", {"link": {"detail": problem.detail}}, status=404)
    with override(found.user.language):
        state, status = _state(found, now), 200
        if request.method == "POST":
            try:
                row = acknowledge_by_link(token=token, eta_minutes=_minutes(request), now=now)
            except Problem as problem:
                state |= {"state": "gone", "detail": problem.detail}
                status = problem.status
            else:
                state |= {"state": "done", "eta_at": row.eta_at}
        return render(request, "complications/ack_link.html", {"link": state, "now": now}, status=status)


def _minutes(request: HttpRequest) -> int:
    text = request.POST.get("eta_minutes", "")
    if not text.isdecimal():
        raise Invalid.field("eta_minutes", "missing", _("Touch the minutes until you are at the bedside."))
    return int(text)


def _state(link: AcknowledgeLink, now: datetime) -> dict[str, Any]:
    row = link.escalation
    usable = link.used_at is None and link.expires_at > now and EscalationStatus(row.status).is_open
    return {
        "state": "open" if usable else "gone",
        "detail": _("It was used, has expired, or the case is closed."),
        "page": reverse("page-escalation", args=[row.public_id]),
        "drill": row.is_drill,
        "tier": row.tier,
        "tone": {"t0": "red", "t1": "red", "t2": "look"}.get(row.tier, "calm"),
        "site": row.site.name,
        "reference": row.short,
        "origin": row.origin,
        "recipient": link.user.get_full_name(),
        "etas": ETAS,
        "phone": next((Call(str(one["name"]), str(one["number"])) for one in row.site.phone_list), None),
        "phones": [Call(str(one["name"]), str(one["number"])) for one in row.site.phone_list],
    }
