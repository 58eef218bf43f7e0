"""Drills as pages: begin one, follow it, answer it, and the report to print."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from clinic.access import Caller, verdict
from clinic.lib.clock import database_now
from clinic.lib.problems import Invalid, Problem
from complications.access import access_drill
from complications.actions.drills import start_drill, stop_drill
from complications.models import Drill
from complications.pages.view import ETAS, EscalationView
from complications.queries.drills import drill_report
from complications.vocabulary import Pathway, Tier

PAGE = 50
PATHWAYS = [one for one in Pathway if one.pages]


def drills(request: HttpRequest) -> HttpResponse:
    """Show the site's drills, newest first; POST begins one."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    if request.method == "POST":
        try:
            tier, pathway = request.POST.get("tier", ""), request.POST.get("pathway", "")
            if tier not in set(Tier) or pathway not in set(Pathway):
                raise Invalid.field("tier", "not_a_choice", _("Say how urgent it is and who is called."))
            row = start_drill(
                site=caller.place,
                tier=Tier(tier),
                pathway=Pathway(pathway),
                announced=bool(request.POST.get("announced")),
                by=caller.actor(),
                now=database_now(),
            )
        except Problem as refusal:
            messages.error(request, refusal.detail)
            return redirect("page-drills")
        return redirect("page-drill", public_id=row.public_id)
    rows = Drill.objects.filter(escalation__site=caller.place).select_related("escalation", "started_by")
    return render(
        request,
        "complications/drills.html",
        {
            "drills": rows.order_by("-pk")[:PAGE],
            "may_start": verdict("page-drills", "POST", caller) == "allow",
            "tiers": list(Tier),
            "pathways": PATHWAYS,
            "now": database_now(),
        },
    )


def drill(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show one drill: while it runs with the answer button, then its report."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    found = access_drill(caller, public_id)
    now = database_now()
    view = EscalationView(found.escalation, caller, now)
    return render(
        request,
        "complications/drill.html",
        {
            "drill": found,
            "row": found.escalation,
            "page": view,
            "report": found.report or drill_report(found.escalation, found, now),
            "etas": ETAS,
            "may_stop": view.open and verdict("page-drill-end", "POST", caller) == "allow",
            "now": now,
        },
    )


@require_POST
def end(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Stop a drill that nobody has answered yet."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    found = access_drill(caller, public_id)
    stop_drill(escalation=found.escalation, by=caller.actor(), now=database_now())
    return redirect("page-drill", public_id=public_id)
