"""Escalations: the list, and the phone page of one with its acts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from clinic.access import Caller, access_colleague, verdict
from clinic.lib.clock import database_now
from clinic.lib.problems import Invalid, Problem
from clinic.vocabulary import LEVELS
from complications.access import access_escalation
from complications.actions.declining import decline
from complications.actions.escalation import acknowledge, arrive, decide, hand_over, raise_in_error, record_milestone
from complications.actions.examination import examine
from complications.actions.raising import raise_tier
from complications.actions.standing import refuse_drill
from complications.models import Escalation
from complications.pages.exam import ExamForm, read_exam_form, read_measured
from complications.pages.view import EscalationView
from complications.vocabulary import OPERATIVE, Decision, Finding, Milestone, Pathway, Tier

PAGE = 40
INTERVALS = (15, 30, 60, 120)


def escalations(request: HttpRequest) -> HttpResponse:
    """Show the open ones, worst first; `?status=all` shows all, newest first, in keyset pages."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    now = database_now()
    rows = Escalation.objects.at_site(caller.place).cases().for_display().prefetch_related("procedure__levels")
    if caller.own_only:
        rows = rows.filter(procedure__operator=caller.person)
    everything = request.GET.get("status") == "all"
    after = request.GET.get("after", "")
    if everything:
        if after.isdecimal():
            rows = rows.filter(pk__lt=int(after))
        found = list(rows.order_by("-pk")[: PAGE + 1])
    else:
        found = list(rows.open().order_by("tier", "origin", "pk")[:200])
    shown = found[:PAGE] if everything else found
    return render(
        request,
        "complications/escalations.html",
        {
            "rows": [EscalationView(row, caller, now) for row in shown],
            "status": "all" if everything else "open",
            "open_count": Escalation.objects.at_site(caller.place).cases().open().count(),
            "may_write": verdict("page-escalation-bedside", "GET", caller) == "allow",
            "may_see_drills": verdict("page-drills", "GET", caller) == "allow",
            "may_see_intervals": verdict("page-escalation-intervals", "GET", caller) in {"allow", "own"},
            "next": shown[-1].pk if everything and len(found) > PAGE else None,
            "now": now,
        },
    )


def escalation(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show one on a phone."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    now = database_now()
    row = access_escalation(caller, public_id)
    if row.is_drill:
        return redirect("page-drill", public_id=public_id)
    view = EscalationView(row, caller, now)
    may_write = verdict("page-escalation-bedside", "GET", caller) == "allow"
    context = {**view.context(), "etas": (0, 10, 20, 30), "may_write": may_write}
    return render(request, "complications/escalation.html", context)


def _back(request: HttpRequest, public_id: UUID, problem: Problem | None, done: str) -> HttpResponse:
    """Go back to the page, with what was done or with the sentence that says why not."""
    if problem:
        messages.error(request, problem.detail)
    else:
        messages.success(request, done)
    return HttpResponseRedirect(reverse("page-escalation", args=[public_id]))


def _act(request: HttpRequest, public_id: UUID, do: Callable[[Caller, Escalation], object], done: str) -> HttpResponse:
    """Do one act on a case and go back to its page; raise NotFound for a case that the caller may not see."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    row = access_escalation(caller, public_id)
    problem: Problem | None = None
    try:
        do(caller, row)
    except Problem as refusal:
        problem = refusal
    return _back(request, public_id, problem, done)


@require_POST
def acknowledgement(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Take responsibility with the minutes of the button that was touched; there is no default."""

    def do(caller: Caller, row: Escalation) -> None:
        acknowledge(escalation=row, eta_minutes=_minutes(request), by=caller.actor(), now=database_now())

    return _act(request, public_id, do, _("You have it. The ward has been told."))


def _minutes(request: HttpRequest) -> int:
    text = request.POST.get("eta_minutes", "")
    if not text.isdecimal():
        raise Invalid.field("eta_minutes", "missing", _("Touch the minutes until you are at the bedside."))
    return int(text)


@require_POST
def arrival(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Record that the surgeon is at the bedside; the ward may do it for them."""

    def do(caller: Caller, row: Escalation) -> None:
        arrive(escalation=row, by=caller.actor(), now=database_now())

    return _act(request, public_id, do, _("Recorded: at the bedside."))


@require_POST
def handover(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Ask another surgeon to take over."""

    def do(caller: Caller, row: Escalation) -> None:
        to = access_colleague(caller, request.POST.get("to", ""))
        hand_over(escalation=row, to=to, by=caller.actor(), now=database_now())

    return _act(request, public_id, do, _("Asked. Until they accept, you stay responsible."))


@require_POST
def declining(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Say that one cannot come: the next step pages at once."""

    def do(caller: Caller, row: Escalation) -> None:
        decline(escalation=row, by=caller.actor(), now=database_now())

    return _act(request, public_id, do, _("Noted. The next ones are being paged now."))


@require_POST
def raising(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Raise the case to a more urgent tier, with the reason."""

    def do(caller: Caller, row: Escalation) -> None:
        tier, reason = request.POST.get("tier", ""), request.POST.get("reason", "")
        if tier not in set(Tier):
            raise Invalid.field("tier", "not_a_choice", _("Say how urgent it is."))
        raise_tier(escalation=row, tier=Tier(tier), reason=reason, by=caller.actor(), now=database_now())

    return _act(request, public_id, do, _("Raised. Paging began anew."))


@require_POST
def error(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Withdraw a case that should not have been raised, with the reason."""

    def do(caller: Caller, row: Escalation) -> None:
        reason = request.POST.get("reason", "")
        raise_in_error(escalation=row, reason=reason, by=caller.actor(), now=database_now())

    return _act(request, public_id, do, _("Withdrawn. It stays in the record."))


@require_POST
def milestone(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Record a time on the way: now."""

    def do(caller: Caller, row: Escalation) -> None:
        kind = request.POST.get("kind", "")
        if kind not in set(Milestone):
            raise Invalid.field("kind", "not_a_choice", _("There is no such step."))
        record_milestone(escalation=row, kind=Milestone(kind), at=None, by=caller.actor(), now=database_now())

    return _act(request, public_id, do, _("Recorded."))


def examination(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Examine with the baseline beside each value; a worse finding raises the tier and pages."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    row = access_escalation(caller, public_id)
    refuse_drill(row)
    now = database_now()
    if request.method == "POST":
        try:
            exam = {**read_exam_form(request.POST.dict()), **read_measured(request.POST.dict())}
            examine(escalation=row, exam=exam, by=caller.actor(), now=now)
        except Problem as refusal:
            messages.error(request, refusal.detail)
        else:
            return _back(request, public_id, None, _("Examination recorded."))
    view = EscalationView(row, caller, now)
    form = ExamForm(row.case, request.POST.dict() if request.method == "POST" else {})
    return render(request, "complications/escalation_exam.html", {**view.context(), "exam": form})


def decision(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Record what the surgeon decides, and why."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    row = access_escalation(caller, public_id)
    refuse_drill(row)
    now = database_now()
    given: dict[str, Any] = request.POST.dict() if request.method == "POST" else {}
    errors: list[Any] = []
    if request.method == "POST":
        try:
            decide(escalation=row, data=read_decision_form(given, caller, now), by=caller.actor(), now=now)
        except Problem as refusal:
            errors = list(refusal.errors) or [refusal]
        else:
            return _back(request, public_id, None, _("Decision recorded."))
    spine = row.pathway == Pathway.SPINE.value
    return render(
        request,
        "complications/escalation_decision.html",
        {
            **EscalationView(row, caller, now).context(),
            "given": given,
            "errors": errors,
            "decisions": [one for one in Decision if spine != (one is Decision.TREATED)],
            "operative": OPERATIVE,
            "intervals": INTERVALS,
            "levels": LEVELS,
            "findings": list(Finding),
        },
    )


def read_decision_form(given: dict[str, Any], caller: Caller, now: datetime) -> dict[str, Any]:
    """Return the form as the API's decision; what was left open is absent."""
    data: dict[str, Any] = {"decision": given.get("decision", ""), "reason": given.get("reason", "").strip()}
    for name in ("level", "centre"):
        if given.get(name):
            data[name] = given[name].strip()
    if given.get("reexam_interval_minutes", "").isdecimal():
        data["reexam_interval_minutes"] = int(given["reexam_interval_minutes"])
    imaging: dict[str, Any] = {}
    if given.get("finding"):
        imaging["finding"] = given["finding"]
    percent = given.get("canal_percent", "").strip().replace(",", ".")
    if percent:
        try:
            imaging["canal_percent"] = float(percent)
        except ValueError:
            raise Invalid.field(
                "canal_percent", "not_a_number", _("Canal taken: give a number from 0 to 100.")
            ) from None
    if imaging:
        data["imaging"] = {**imaging, "level": data.get("level", "")}
    if given.get("cement_removed"):
        data["cement_removed"] = True
    if given.get("family_told"):
        data |= {"told_by": caller.person.get_full_name(), "told_at": now.isoformat()}
    return data
