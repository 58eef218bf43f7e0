"""Drills as pages: begin one, follow it, answer it, and the report to print."""

from __future__ import annotations

from datetime import time
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from clinic.access import Caller, verdict
from clinic.lib.clock import database_now
from clinic.lib.problems import FieldError, Invalid, Problem
from complications.access import access_drill, access_drill_plan
from complications.actions.drill_plans import end_drill_plan, set_drill_plan
from complications.actions.drills import start_drill, stop_drill
from complications.models import Drill, DrillPlan
from complications.pages.view import ETAS, EscalationView
from complications.queries.drills import drill_report
from complications.vocabulary import DrillEvery, Pathway, Tier

PAGE = 50
WEEKS = (1, 2, 3, 4, 5)
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
    rows = Drill.objects.filter(escalation__site=caller.place).select_related("escalation", "started_by", "plan")
    return render(
        request,
        "complications/drills.html",
        {
            "drills": rows.order_by("-pk")[:PAGE],
            "plans": DrillPlan.objects.at_site(caller.place).active().select_related("site").order_by("pk"),
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


def plans(request: HttpRequest) -> HttpResponse:
    """Show the form for a plan; POST sets one, or shows what is wrong with it beside each field."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    errors: dict[str, str] = {}
    given = request.POST.dict() or {"tier": "t0", "pathway": "spine", "every": "month", "weekday": "1", "week": "1"}
    if request.method == "POST":
        try:
            read = _read_plan(given)
            set_drill_plan(site=caller.place, by=caller.actor(), now=database_now(), **read)
        except Problem as refusal:
            errors = {one.field: one.detail for one in refusal.errors} or {"all": refusal.detail}
        else:
            messages.success(request, _("Drills of this kind begin by themselves from now on."))
            return redirect("page-drills")
    context = {
        "given": given,
        "errors": errors,
        "tiers": list(Tier),
        "pathways": PATHWAYS,
        "rhythms": list(DrillEvery),
        "weekdays": range(7),
        "weeks": WEEKS,
        "zone": caller.place.timezone,
    }
    return render(request, "complications/drill_plan.html", context, status=400 if errors else 200)


def _read_plan(given: dict[str, Any]) -> dict[str, Any]:
    faults: list[FieldError] = []

    def choice(name: str, kind: type[StrEnum]) -> Any:
        if given.get(name) in set(kind):
            return kind(given[name])
        faults.append(FieldError(name, "not_a_choice", _("Choose one.")))
        return None

    def hour(name: str) -> time:
        try:
            return time.fromisoformat(given.get(name, ""))
        except ValueError:
            faults.append(FieldError(name, "not_a_time", _("Give a time of the day, such as 09:30.")))
            return time()

    def number(name: str) -> int:
        return int(given[name]) if given.get(name, "").isdecimal() else -1

    found = {"tier": choice("tier", Tier), "pathway": choice("pathway", Pathway), "every": choice("every", DrillEvery)}
    found |= {"weekday": number("weekday"), "week": number("week"), "begin": hour("begin"), "end": hour("end")}
    if faults:
        raise Invalid("invalid", faults[0].detail, faults)
    return {**found, "announced": bool(given.get("announced"))}


@require_POST
def plan_end(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """End a plan: no further drill begins by it."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    end_drill_plan(plan=access_drill_plan(caller, public_id), by=caller.actor(), now=database_now())
    messages.success(request, _("Ended. No further drill begins by this plan."))
    return redirect("page-drills")
