"""The few past deficits: reported, paged, answered and decided by the very actions that people use, at past times.

Each plays in one transaction, so that the running engine never meets an alarm of last spring.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F

from checklists.management.demo.cases import Event
from checklists.management.demo.log import VARIANTS
from checklists.management.demo.past import Team, Written
from clinic.models import Actor, Notification, Procedure, User
from clinic.vocabulary import NotificationStatus, Via
from complications.actions.engine import advance_due
from complications.actions.escalation import acknowledge, arrive, decide, record_milestone
from complications.actions.reporting import report_complication
from complications.models import Escalation
from complications.rules.report import Report, read_neuro
from complications.vocabulary import Milestone

#: What pages by itself: told through the actions instead of the bulk.
ALARMING = frozenset({"LEK-EPI", "NEU-COR", "NEU-CES"})


def replay_alarms(written: Sequence[Written], team: Team, *, made_at: datetime) -> int:
    """Replay the alarms of these cases and return how many escalations that made."""
    opened = 0
    for one in written:
        for event in one.case.events:
            # A story takes a day; what is too recent stays out of the past.
            if event.code in ALARMING and event.at + timedelta(days=2) < made_at:
                opened += _replay(one, event, team)
    return opened


def _replay(one: Written, event: Event, team: Team) -> int:
    nurse = Actor(user=team.nurses[one.key % len(team.nurses)], role="nurse", via=Via.COMMAND.value)
    procedure = Procedure.objects.select_related("site", "patient", "operator").get(pk=one.key)
    _, fields, treatment, narrative = VARIANTS[event.code][0]
    neuro = {
        "exam": {"mrc": {"ankle_dorsiflexion_l": 2, "great_toe_extension_l": 3}},
        "symptoms": ["leg_weakness"],
        "note": "Found at the hourly check.",
    }
    with transaction.atomic():
        report = Report(
            public_id=UUID(int=one.public_id.int ^ (1 + sum(map(ord, event.code)))),
            type=event.code,
            level=event.level,
            occurred_at=event.at,
            symptomatic=event.symptomatic,
            detected_by=event.detected_by,
            narrative=narrative,
            fields=fields,
            treatment=treatment,
            neuro=read_neuro(neuro)[0] if event.deficit and event.code != "LEK-EPI" else None,
            raw_neuro=neuro if event.deficit and event.code != "LEK-EPI" else None,
        )
        reported = event.at + timedelta(minutes=4)
        result = report_complication(report=report, procedure=procedure, by=nurse, now=reported)
        for escalation in result.escalations:
            # The first on call does not answer in time: the engine takes one further step.
            slow = event.deficit and event.code != "LEK-EPI"
            if slow:
                advance_due(now=reported + timedelta(minutes=5, seconds=1), only=[escalation.pk])
            _answer(escalation, team, reported + timedelta(minutes=11 if slow else 3), operate=slow)
        references = [escalation.reference for escalation in result.escalations]
        Notification.objects.filter(reference__in=references, status=NotificationStatus.QUEUED.value).update(
            status=NotificationStatus.SENT.value, sent_at=F("created_at"), provider_id="demo"
        )
    return len(result.escalations)


def _answer(escalation: Escalation, team: Team, at: datetime, *, operate: bool) -> None:
    surgeon = _surgeon(team, second=operate)
    by = Actor(user=surgeon, role="surgeon", via=Via.COMMAND.value)
    acknowledge(escalation=escalation, eta_minutes=15, by=by, now=at)
    arrive(escalation=escalation, by=by, now=at + timedelta(minutes=14))
    record_milestone(
        escalation=escalation, kind=Milestone.IMAGING_REQUESTED, at=None, by=by, now=at + timedelta(minutes=15)
    )
    record_milestone(escalation=escalation, kind=Milestone.IMAGING_DONE, at=None, by=by, now=at + timedelta(minutes=45))
    if operate:
        decided = at + timedelta(minutes=70)
        decide(
            escalation=escalation,
            data={"decision": "decompress", "reason": "Cement in the canal with a new deficit."},
            by=by,
            now=decided,
        )
        booked, begun = decided + timedelta(minutes=10), decided + timedelta(minutes=55)
        record_milestone(escalation=escalation, kind=Milestone.THEATRE_BOOKED, at=None, by=by, now=booked)
        record_milestone(escalation=escalation, kind=Milestone.IN_THEATRE, at=None, by=by, now=begun)
        return
    decide(
        escalation=escalation,
        data={"decision": "no_deficit", "reason": "Small leak, legs as before, checked hourly for a day."},
        by=by,
        now=at + timedelta(minutes=90),
    )


def _surgeon(team: Team, *, second: bool) -> User:
    able = [user for user in team.operators if user.can_decompress]
    return able[1 if second and len(able) > 1 else 0]
