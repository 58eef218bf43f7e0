"""One procedure from the booking to the last follow-up, as a line of moments; as it stood at any past instant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from checklists.models import Answer, Override, Pause, Run, RunMove, Signature
from checklists.queries.state import index_of
from checklists.rules.nodes import Key, Node
from clinic.models import NeuroExam, Procedure
from complications.models import Complication, ContactAttempt, Escalation, EscalationEvent, FollowUp
from complications.vocabulary import EventKind

#: The kinds by which a reader filters.
KINDS = ("checklist", "values", "complication", "pages", "review", "follow_up")
PAGES = {EventKind.OPENED, EventKind.STEP_PAGED, EventKind.STEP_SKIPPED, EventKind.TIER_RAISED, EventKind.JOINED}
KEY = {EventKind.OPENED, EventKind.TIER_RAISED, EventKind.DECIDED, EventKind.UNACKNOWLEDGED}
QUIET = {EventKind.CLOCK_WARNED}


@dataclass(frozen=True)
class AnswerLine:
    """One answer of a list, with what is needed to say it in words."""

    node: Node | None
    key: Key
    value: Any
    who: str
    at: datetime
    is_conflict: bool


@dataclass(frozen=True)
class Moment:
    """One thing that happened. `what` chooses the sentence; `subject` is the row that it is about."""

    at: datetime
    kind: str
    what: str
    subject: Any
    is_key: bool = False


@dataclass
class PhaseLine:
    """One list: when it was signed or begun, by whom, and its answers folded away."""

    at: datetime
    run: Run
    signatures: Sequence[Signature]
    answers: Sequence[AnswerLine]
    kind: str = "checklist"
    moments: list[Moment] = field(default_factory=list)


@dataclass(frozen=True)
class Timeline:
    """The whole line, and how many moments there are of each kind."""

    phases: Sequence[PhaseLine]
    before: Sequence[Moment]
    counts: Mapping[str, int]
    escalations: Sequence[Escalation]
    upcoming: Sequence[FollowUp]


def timeline_of(procedure: Procedure, at: datetime | None) -> Timeline:
    """Return the timeline; `at` leaves out everything that was recorded later."""
    escalations = list(Escalation.objects.filter(procedure=procedure).for_display().order_by("pk"))
    moments = [
        *_examinations(procedure),
        *_complications(procedure),
        *_escalation_events(procedure),
        *_contacts(procedure),
        *_acts(procedure),
    ]
    if at is not None:
        moments = [one for one in moments if one.at <= at]
        escalations = [row for row in escalations if row.opened_at <= at]
    phases = _phases(procedure, at)
    moments.sort(key=lambda one: one.at)
    before: list[Moment] = []
    for moment in moments:
        owner = next((phase for phase in reversed(phases) if phase.at <= moment.at), None)
        (owner.moments if owner else before).append(moment)
    counts = {kind: sum(1 for one in moments if one.kind == kind) for kind in KINDS}
    counts["checklist"] = sum(len(phase.answers) for phase in phases)
    upcoming = FollowUp.objects.filter(procedure=procedure).planned().order_by("target_at")[:4] if at is None else []
    return Timeline(phases, before, counts, escalations, list(upcoming))


def _phases(procedure: Procedure, at: datetime | None) -> list[PhaseLine]:
    runs = list(Run.objects.filter(procedure=procedure).of_phases().select_related("definition").in_order())
    index = index_of(tuple(dict.fromkeys(run.definition_id for run in runs)))
    answers: dict[int, list[AnswerLine]] = {}
    rows = Answer.objects.filter(run__in=runs).select_related("actor").order_by("recorded_at", "pk")
    for row in rows:
        if row.value is None or (at is not None and row.recorded_at > at):
            continue
        key = Key(row.item, row.part, row.level, row.side, row.instance)
        who = row.actor.get_full_name() if row.actor else ""
        line = AnswerLine(index.nodes.get(key.node_id), key, row.value, who, row.recorded_at, row.is_conflict)
        answers.setdefault(row.run_id, []).append(line)
    signed: dict[int, list[Signature]] = {}
    for signature in Signature.objects.filter(run__in=runs).select_related("user").order_by("signed_at"):
        if at is None or signature.signed_at <= at:
            signed.setdefault(signature.run_id, []).append(signature)
    lines = []
    for run in runs:
        own = answers.get(run.pk, [])
        begun = min((line.at for line in own), default=run.signed_at)
        if begun is not None and (at is None or begun <= at):
            lines.append(PhaseLine(begun, run, signed.get(run.pk, []), own))
    return sorted(lines, key=lambda line: line.at)


def _examinations(procedure: Procedure) -> list[Moment]:
    rows = NeuroExam.objects.filter(procedure=procedure).select_related("recorded_by").order_by("occurred_at", "pk")
    return [Moment(row.occurred_at, "values", "exam", row) for row in rows]


def _complications(procedure: Procedure) -> list[Moment]:
    rows = Complication.objects.filter(procedure=procedure).select_related("reported_by")
    return [Moment(row.occurred_at, "complication", "complication", row, is_key=True) for row in rows]


def _escalation_events(procedure: Procedure) -> list[Moment]:
    rows = EscalationEvent.objects.filter(escalation__procedure=procedure).select_related("escalation", "actor")
    return [
        Moment(row.at, "pages" if row.kind in PAGES else "review", "escalation", row, is_key=row.kind in KEY)
        for row in rows.order_by("at", "pk")
        if row.kind not in QUIET
    ]


def _contacts(procedure: Procedure) -> list[Moment]:
    done = FollowUp.objects.filter(procedure=procedure, done_at__isnull=False).select_related("done_by")
    tried = ContactAttempt.objects.filter(procedure=procedure).select_related("by", "follow_up")
    return [
        *(Moment(row.done_at, "follow_up", "follow_up", row) for row in done if row.done_at),
        *(Moment(row.at, "follow_up", "contact", row) for row in tried),
    ]


def _acts(procedure: Procedure) -> list[Moment]:
    overrides = Override.objects.filter(run__procedure=procedure).select_related("first", "second", "run")
    pauses = Pause.objects.filter(run__procedure=procedure).select_related("by", "run")
    moves = RunMove.objects.filter(run__procedure=procedure).select_related("was", "becomes", "run", "user")
    found = [
        *(
            Moment(row.moved_at, "checklist", "move", row, is_key=True)
            for row in moves.defer("was__content", "becomes__content")
        ),
        *(Moment(row.overridden_at, "review", "override", row, is_key=True) for row in overrides),
        *(Moment(row.at, "checklist", "pause", row) for row in pauses),
    ]
    if procedure.incision_at:
        found.append(Moment(procedure.incision_at, "values", "incision", procedure))
    if procedure.ended_at:
        found.append(Moment(procedure.ended_at, "values", "end", procedure))
    return found
