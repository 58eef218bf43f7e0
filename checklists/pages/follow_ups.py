"""Follow-ups: whom to call or examine, the form of a contact, attempts, and the patient who calls by themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from checklists.access import access_follow_up
from checklists.actions.follow_up import answer_follow_up
from checklists.actions.sync import Incoming
from checklists.models import Answer, Definition, Run
from checklists.rules.nodes import Key
from checklists.vocabulary import EventOutcome
from clinic.access import Caller, access_procedure
from clinic.lib.clock import database_now
from clinic.lib.problems import Invalid, NotFound, Problem
from complications.actions.follow_up import claim_follow_up, record_contact
from complications.models import Escalation, FollowUp
from complications.models.follow_up import VISIT
from complications.queries.follow_ups import follow_ups_of
from complications.vocabulary import AttemptOutcome, FollowUpStatus, RedFlag

SHOWN = 200
ATTEMPTS = (
    AttemptOutcome.NO_ANSWER,
    AttemptOutcome.CALL_BACK_ASKED,
    AttemptOutcome.CARER_REACHED,
    AttemptOutcome.WRONG_NUMBER,
    AttemptOutcome.REFUSED,
)
#: A score of 0 to 10 is one row of eleven segments; anything wider is typed.
SEGMENTS_UP_TO = 10


@dataclass
class Section:
    """Contacts of one urgency."""

    name: str
    rows: list[FollowUp]


def follow_ups(request: HttpRequest) -> HttpResponse:
    """Show what is overdue, due now and coming; `?status=done` shows what was done lately."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    now = database_now()
    status = request.GET.get("status", "")
    done = status == FollowUpStatus.DONE.value
    rows = follow_ups_of(caller.place, kind=VISIT, status=status if done else "")
    if caller.own_only:
        rows = rows.filter(procedure__operator=caller.person)
    rows = rows.prefetch_related("procedure__levels")
    if done:
        sections = [Section("done", list(rows.order_by("-done_at", "-id")[:SHOWN]))]
    else:
        found = list(rows.filter(opens_at__lte=now + timedelta(days=7))[:SHOWN])
        today = now.astimezone(ZoneInfo(caller.place.timezone)).date()
        sections = [
            Section("overdue", [row for row in found if row.closes_at < now]),
            Section("due", [row for row in found if row.opens_at <= now <= row.closes_at]),
            Section("coming", [row for row in found if row.opens_at > now]),
        ]
        for section in sections:
            for row in section.rows:
                row.is_last_day = row.closes_at.astimezone(ZoneInfo(caller.place.timezone)).date() == today  # type: ignore[attr-defined]
    return render(
        request,
        "checklists/follow_ups.html",
        {"sections": [one for one in sections if one.rows], "done": done, "now": now},
    )


@dataclass(frozen=True)
class Question:
    """One question of a form: how it is asked, and what was answered."""

    name: str
    type: str
    title: str
    help: str
    unit: str
    low: Any
    high: Any
    options: Sequence[tuple[str, str]]
    required: bool
    value: Any
    is_red: bool

    @property
    def steps(self) -> list[int]:
        """The segments of a score; empty for a number that is typed."""
        if self.type != "integer" or self.high is None or self.high > SEGMENTS_UP_TO:
            return []
        return list(range(int(self.low or 0), int(self.high) + 1))


def questions(content: Mapping[str, Any], answers: Mapping[str, Any]) -> list[Question]:
    """Return the form's questions in the order in which they are asked."""
    turkish = (get_language() or "").startswith("tr")

    def word(row: Mapping[str, Any], name: str) -> str:
        return str((row.get(f"{name}_tr") if turkish else "") or row.get(name, ""))

    def walk(items: Sequence[Mapping[str, Any]]) -> list[Question]:
        found: list[Question] = []
        for row in items:
            if row["type"] not in {"group", "series"} and row.get("by") != ["computed"]:
                unit = str(row.get("unit", ""))
                found.append(
                    Question(
                        name=row["id"],
                        type=row["type"],
                        title=word(row, "title"),
                        help=word(row, "help"),
                        unit="" if unit.startswith("{") else unit.replace("{MME}", " MME"),
                        low=row.get("min"),
                        high=row.get("max"),
                        options=[(str(one["value"]), word(one, "label")) for one in row.get("options", ())],
                        required=row.get("required") == "always",
                        value=answers.get(row["id"]),
                        is_red=row["id"].startswith("FUP-RED-01."),
                    )
                )
            found += walk(row.get("items", ()))
        return found

    return walk(content["items"])


def follow_up(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show the form of a contact, or take its answers; a red flag pages at once."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    row = access_follow_up(caller, public_id)
    now = database_now()
    run = Run.objects.filter(follow_up=row.public_id).select_related("definition").first()
    definition = run.definition if run else Definition.objects.filter(code=row.code).newest().first()
    if definition is None:
        raise NotFound(
            "no_form", _("This contact has no form of its own; observations are ticked on the recovery list.")
        )
    stored = Answer.objects.filter(run=run).values_list("item", "part", "value") if run else []
    answers = {f"{item}.{part}" if part else item: value for item, part, value in stored}
    asked = questions(definition.content, answers)
    errors: list[str] = []
    if request.method == "POST":
        try:
            escalation = _answer(row, asked, request.POST.dict(), caller, now)
        except Problem as problem:
            errors = [one.detail for one in problem.errors] or [problem.detail]
            given = request.POST.dict()
            asked = questions(definition.content, {**answers, **{name: given[name] for name in given}})
        else:
            return _done(request, escalation)
    return render(
        request,
        "checklists/follow_up.html",
        {
            "follow_up": row,
            "procedure": row.procedure,
            "questions": asked,
            "errors": errors,
            "attempts": row.attempts.select_related("by").order_by("-at"),
            "outcomes": ATTEMPTS,
            "open": row.status in {FollowUpStatus.PLANNED.value, FollowUpStatus.MISSED.value},
            "now": now,
        },
        status=400 if errors else 200,
    )


def _done(request: HttpRequest, escalation: Escalation | None) -> HttpResponse:
    if escalation:
        messages.warning(request, _("Recorded. A red flag pages: this page shows who answers."))
        return HttpResponseRedirect(reverse("page-escalation", args=[escalation.public_id]))
    messages.success(request, _("Recorded."))
    return HttpResponseRedirect(reverse("page-follow-ups"))


def _answer(
    row: FollowUp, asked: Sequence[Question], given: Mapping[str, Any], caller: Caller, now: datetime
) -> Escalation | None:
    events = []
    for question in asked:
        text = str(given.get(question.name, "")).strip()
        if not text:
            continue
        item, _dot, part = question.name.partition(".")
        value = value_of(question, text)
        events.append(
            Incoming(
                # The same answer sent twice is the same event.
                id=str(uuid5(row.public_id, f"{question.name}={value!r}")),
                key=Key(item, part),
                value=value,
                occurred_at=None,
            )
        )
    missing = [one.title for one in asked if one.required and not str(given.get(one.name, "")).strip()]
    answered = answer_follow_up(
        follow_up=row, events=events, complete=not missing, by=caller.actor(), tablet=caller.tablet, now=now
    )
    refused = [one for one in answered.results if one.outcome == EventOutcome.REFUSED]
    flagged = any(one.is_red and given.get(one.name) == "true" for one in asked)
    paged = answered.escalation or (
        Escalation.objects.open().filter(procedure=row.procedure).first() if flagged else None
    )
    if paged:
        # Whoever said yes to a red flag sees who is being paged; the rest of the form can be filled in later.
        return paged
    if refused:
        raise Invalid("invalid", "; ".join(one.reason for one in refused))
    if missing:
        raise Invalid("missing", _("Kept. Still to ask: %(what)s") % {"what": ", ".join(missing)})
    return None


def value_of(question: Question, text: str) -> Any:
    """Return what was typed as the form stores it; what cannot be read goes on as it is and is refused by the rules."""
    if question.type == "boolean":
        return {"true": True, "false": False}.get(text, text)
    if question.type in {"integer", "decimal"}:
        try:
            number = float(text.replace(",", "."))
        except ValueError:
            return text
        return int(number) if number.is_integer() else number
    return text


@require_POST
def contact(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Record an attempt in one touch, or take the contact onto one's own list."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    row = access_follow_up(caller, public_id)
    now = database_now()
    outcome = request.POST.get("outcome", "")
    if outcome == "claim":
        claim_follow_up(follow_up=row, by=caller.actor(), now=now)
    elif outcome in set(AttemptOutcome):
        record_contact(
            procedure=row.procedure,
            follow_up=row,
            channel="phone",
            outcome=AttemptOutcome(outcome),
            note=request.POST.get("note", ""),
            red_flags=[],
            by=caller.actor(),
            now=now,
        )
        messages.success(request, _("Attempt recorded."))
    else:
        messages.error(request, _("Choose how the attempt ended."))
    return HttpResponseRedirect(reverse("page-follow-up", args=[public_id]))


def patient_called(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """The patient called: the red flags are asked as at every contact, whatever the plan says."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    procedure = access_procedure(caller, public_id)
    now = database_now()
    errors: list[str] = []
    if request.method == "POST":
        flags = [flag for flag in RedFlag if request.POST.get(flag.value) == "true"]
        unasked = [flag for flag in RedFlag if request.POST.get(flag.value) not in {"true", "false"}]
        if unasked and not flags:
            errors = [_("Ask all seven questions; nothing was recorded yet.")]
        else:
            _attempt, escalation = record_contact(
                procedure=procedure,
                follow_up=None,
                channel="phone",
                outcome=AttemptOutcome.REACHED,
                note=request.POST.get("note", "").strip(),
                red_flags=flags,
                by=caller.actor(),
                now=now,
            )
            if escalation is None:
                messages.success(request, _("Call recorded."))
                return HttpResponseRedirect(reverse("page-procedure", args=[public_id]))
            return _done(request, escalation)
    return render(
        request,
        "checklists/patient_called.html",
        {
            "procedure": procedure,
            "flags": [(flag.value, request.POST.get(flag.value, "")) for flag in RedFlag],
            "note": request.POST.get("note", ""),
            "errors": errors,
            "now": now,
        },
        status=400 if errors else 200,
    )
