"""An escalation as API and pages show it: who is paged, the clocks, the steps, the messages, what happened."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import F

from clinic.models import NeuroExam, Notification, User
from clinic.queries.rota import read_rota
from clinic.vocabulary import ExamKind
from complications.models import Complication, Escalation, EscalationEvent
from complications.queries.recipients import Recipient, on_duty, reachable
from complications.rules.escalation import arrival_due, clocks
from complications.vocabulary import EscalationStatus, EventKind, Milestone, Tier

S = EscalationStatus


def person(user: User | None) -> dict[str, str] | None:
    """Return a person as the API names them."""
    return None if user is None else {"user": user.username, "name": user.get_full_name()}


def _people(recipients: Sequence[Recipient]) -> list[dict[str, str]]:
    return [{"post": one.post, "name": one.name} for one in recipients]


def paging(row: Escalation, now: datetime) -> dict[str, Any]:
    """Return who is being paged, when the next page goes out, and to whom; empty once somebody answered."""
    stands = row.standing()
    if not stands.pages or row.page_due_at is None:
        return {"paging": [], "next_page_at": None, "next": []}
    ladder = stands.policy.ladder(stands.tier, stands.pathway)
    if row.page_due_at <= now:
        current, following, at = row.step, row.step + 1, row.page_due_at + ladder.wait_after(row.step)
    else:
        current, following, at = row.step - 1, row.step, row.page_due_at
    rota = read_rota(row.site, now)
    people = reachable(row, ladder.recipients(current), now, rota) if current >= 0 else []
    return {
        "paging": _people(people),
        "next_page_at": at,
        "next": _people(reachable(row, ladder.recipients(following), now, rota)),
    }


def brief(row: Escalation, now: datetime) -> dict[str, Any]:
    """Return what a reporter sees at once: the tier, who is being paged, when the next person will be."""
    return {
        "id": str(row.public_id),
        "reference": row.short,
        "tier": row.tier,
        "urgency": Tier(row.tier).label,
        "pathway": row.pathway,
        "status": row.status,
        "setting": row.setting,
        "responsible": person(row.responsible),
        **paging(row, now),
    }


def line(row: Escalation, now: datetime) -> dict[str, Any]:
    """Return one row of the list (load it with `for_display`)."""
    procedure = row.procedure
    patient = procedure.patient if procedure else None
    stands = row.standing()
    running = [clock for clock in clocks(stands) if clock.met_at is None and clock.limit is not None]
    return {
        **brief(row, now),
        "is_drill": row.is_drill,
        "procedure": str(procedure.public_id) if procedure else None,
        "patient": {"mrn": patient.mrn, "name": patient.display_name, "birth_date": patient.birth_date.isoformat()}
        if patient
        else None,
        "room": procedure.room.code if procedure and procedure.room else None,
        "operator": person(procedure.operator) if procedure else None,
        "triggers": row.triggers,
        "chips": row.chips,
        "opened_at": row.opened_at,
        "opened_by": person(row.opened_by),
        "found_at": row.found_at,
        "onset_at": row.onset_at,
        "acknowledged_at": row.acknowledged_at,
        "eta_at": row.eta_at,
        "cannot_operate": row.cannot_operate,
        "arrival_due_at": arrival_due(stands),
        "hand_over": {"to": person(row.hand_over_to), "answer_by": row.hand_over_due_at} if row.hand_over_to else None,
        "arrived_at": row.arrived_at,
        "decision": row.decision or None,
        "decided_at": row.decided_at,
        "reexamine_at": row.reexamine_at,
        "milestones": row.milestones,
        "closed_at": row.closed_at,
        "next_clock": min(
            ({"name": clock.name, "limit_at": clock.limit, "state": clock.state(now)} for clock in running),
            key=lambda one: one["limit_at"] or now,
            default=None,
        ),
        "last_failure": row.last_failure or None,
    }


def whole(row: Escalation, now: datetime) -> dict[str, Any]:
    """Return everything about one escalation: clocks, steps, messages, events, examinations."""
    events = list(EscalationEvent.objects.filter(escalation=row).select_related("actor").order_by("seq"))
    exams = NeuroExam.objects.filter(procedure__isnull=False, procedure=row.procedure)
    complications = Complication.objects.filter(escalations=row).order_by("recorded_at")
    return {
        **line(row, now),
        "origin": row.origin,
        "source": row.source,
        "policy_version": row.policy_version,
        "time_scale": row.policy.get("time_scale", 1),
        "decision_data": row.decision_data,
        "levels": [level.level for level in row.procedure.levels.all()] if row.procedure else [],
        "kind": row.procedure.kind if row.procedure else None,
        "emergency_department": row.site.emergency_department,
        "phone_list": row.site.phone_list,
        "complications": [
            {"id": str(one.public_id), "type": one.code or None, "level": one.level or None} for one in complications
        ],
        "clocks": clock_lines(row, now),
        "steps": step_lines(row, events, now),
        "intervals": intervals(row, events),
        "baseline": _exam(exams.filter(kind=ExamKind.BASELINE.value).order_by("-recorded_at").first()),
        "examinations": [_exam(one) for one in exams.exclude(kind="baseline").order_by("-occurred_at", "-id")[:20]],
        "messages": messages(row),
        "events": [event_line(event) for event in events],
    }


def _exam(row: NeuroExam | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {"kind": row.kind, "occurred_at": row.occurred_at, "exam": row.exam, "source": row.source}


def clock_lines(row: Escalation, now: datetime) -> list[dict[str, Any]]:
    """Return the clocks with their limits and how they stand."""
    return [
        {
            "name": clock.name,
            "start_at": clock.start,
            "warn_at": clock.warn_at,
            "target_at": clock.target,
            "limit_at": clock.limit,
            "met_at": clock.met_at,
            "state": clock.state(now),
        }
        for clock in clocks(row.standing())
    ]


def step_lines(row: Escalation, events: Sequence[EscalationEvent], now: datetime) -> list[dict[str, Any]]:
    """Return the ladder of the present round: each step with whom it pages and whether it ran, and when."""
    stands = row.standing()
    ladder = stands.policy.ladder(stands.tier, stands.pathway)
    ran = {
        event.data["step"]: event
        for event in events
        if event.kind in (EventKind.STEP_PAGED.value, EventKind.STEP_SKIPPED.value) and event.data["round"] == row.round
    }
    rota = read_rota(row.site, now)
    found: list[dict[str, Any]] = []
    for index in range(len(ladder.steps) + 1):
        event = ran.get(index)
        repeat = index == len(ladder.steps)
        posts = ladder.recipients(index)
        names = [
            {
                "post": post,
                "names": [user.get_full_name() for user in on_duty(row.site, post, row.procedure, now, rota)],
            }
            for post in posts
        ]
        found.append(
            {
                "step": index,
                "repeat": repeat,
                "after_s": None if repeat else ladder.steps[index].after.total_seconds(),
                "to": names,
                "state": "waiting" if event is None else event.kind.removeprefix("step_"),
                "at": event.at if event else None,
                "told": event.data.get("to", []) if event else [],
            }
        )
    return found


def messages(row: Escalation) -> list[dict[str, Any]]:
    """Return the messages of an escalation, oldest first."""
    rows = Notification.objects.filter(reference=row.reference).select_related("recipient").order_by("created_at", "id")
    return [
        {
            "id": str(one.public_id),
            "recipient": one.recipient_name,
            "channel": one.channel,
            "kind": one.kind,
            "status": one.status,
            "urgent": one.urgent,
            "created_at": one.created_at,
            "due_at": one.due_at,
            "sent_at": one.sent_at,
            "attempts": one.attempts,
            "error": one.error or None,
            "failure": one.failure or None,
            "failed_at": one.failed_at,
            "delivered_at": one.delivered_at,
            "key": one.dedup_key,
        }
        for one in rows
    ]


def event_line(event: EscalationEvent) -> dict[str, Any]:
    """Return one event of the timeline."""
    return {"seq": event.seq, "kind": event.kind, "at": event.at, "by": event.actor_name, "data": event.data}


def intervals(row: Escalation, events: Sequence[EscalationEvent]) -> dict[str, float | None]:
    """Return the measured intervals in seconds: onset → report → page → answer → bedside → imaging → decision → incision."""
    stones = {kind: datetime.fromisoformat(at) for kind, at in row.milestones.items()}
    paged = next((event.at for event in events if event.kind == EventKind.STEP_PAGED.value), None)
    answered = next((event.at for event in events if event.kind == EventKind.ACKNOWLEDGED.value), None)
    moments = {
        "onset_to_report": (row.onset_at, row.opened_at),
        "found_to_report": (row.found_at, row.opened_at),
        "report_to_page": (row.opened_at, paged),
        "report_to_acknowledgement": (row.opened_at, answered or row.first_acknowledged_at),
        "report_to_bedside": (row.opened_at, row.first_arrived_at),
        "request_to_imaging": (stones.get(Milestone.IMAGING_REQUESTED), stones.get(Milestone.IMAGING_DONE)),
        "report_to_decision": (row.opened_at, row.decided_at),
        "decision_to_incision": (row.decided_at, stones.get(Milestone.INCISION)),
        "report_to_theatre": (row.opened_at, stones.get(Milestone.IN_THEATRE)),
        "onset_to_incision": (row.onset_at, stones.get(Milestone.INCISION)),
    }
    return {name: (end - start).total_seconds() if start and end else None for name, (start, end) in moments.items()}


def open_first() -> tuple[Any, ...]:
    """Return the order of the list: what is open first, the worst tier first, then the newest."""
    return (F("closed_at").desc(nulls_first=True), "tier", "-opened_at", "-id")
