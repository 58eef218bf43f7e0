"""The end of a procedure, and the patient's leaving: what both set in motion on the floors below."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db.models import DateTimeField, DurationField, ExpressionWrapper, F, Max, Value

from checklists.models import Run
from checklists.vocabulary import Phase, RunStatus
from clinic.actions.audit import recording
from clinic.actions.procedures import update_facts
from clinic.models import Actor, Procedure
from clinic.vocabulary import Outcome, ProcedureStatus
from complications.actions.follow_up import plan_follow_ups

log = logging.getLogger("checklists.ending")

UNSIGNED_AFTER = timedelta(hours=2)
_GONE = frozenset({"home", "care_home", "other_hospital", "self_discharge"})


def procedure_ended(*, procedure: Procedure, by: Actor, now: datetime) -> None:
    """Close the procedure when its sign out is signed, or when nobody signed it: the follow-up counts from its end."""
    facts: dict[str, Any] = {"ended_at": procedure.ended_at or now}
    abandoned = procedure.outcome == Outcome.ABANDONED
    facts["status"] = (ProcedureStatus.ABANDONED if abandoned else ProcedureStatus.COMPLETED).value
    update_facts(procedure=procedure, facts=facts, level_facts={}, by=by, now=now)
    if procedure.outcome != Outcome.DIED:
        plan_follow_ups(procedure=procedure, ended_at=facts["ended_at"], by=by, now=now)


def procedure_left(*, procedure: Procedure, by: Actor, now: datetime) -> None:
    """Note that the patient has left the hospital when the recovery list is signed."""
    if procedure.disposition in _GONE:
        update_facts(procedure=procedure, facts={"left_hospital_at": now}, level_facts={}, by=by, now=now)
    if procedure.ended_at is not None and procedure.disposition != "died":
        plan_follow_ups(procedure=procedure, ended_at=procedure.ended_at, by=by, now=now)


def sweep_unsigned(*, now: datetime, limit: int = 50) -> int:
    """Plan the follow-up of procedures whose needles are out and whose sign out nobody signs; return how many.

    A list that was forgotten must not cost a patient the watching of the legs: two hours after the last tick of the
    procedure's own list the plan is made, counted from the end that was written down, else from that tick.
    """
    rows = (
        Run.objects.filter(phase=Phase.INTRA.value, procedure__follow_ups=None)
        .exclude(procedure__outcome__in=[Outcome.DIED.value, Outcome.ABANDONED.value])
        .exclude(procedure__status=ProcedureStatus.CANCELLED.value)
        .annotate(
            last_tick=Max("events__recorded_at"),
            quiet_since=ExpressionWrapper(
                Value(now)
                - ExpressionWrapper(
                    Value(UNSIGNED_AFTER, output_field=DurationField()) / F("procedure__site__time_scale"),
                    output_field=DurationField(),
                ),
                output_field=DateTimeField(),
            ),
        )
        .filter(last_tick__lte=F("quiet_since"))
        .filter(procedure__runs__phase=Phase.SIGN_OUT.value, procedure__runs__status=RunStatus.OPEN.value)
        .select_related("procedure", "procedure__site")
        .order_by("id")[:limit]
    )
    planned = 0
    by = Actor.system("sweep")
    for run in rows:
        procedure, last_tick = run.procedure, run.__dict__["last_tick"]
        ended_at = procedure.ended_at or last_tick
        try:
            with recording(by=by, now=now) as trail:
                planned += bool(plan_follow_ups(procedure=procedure, ended_at=ended_at, by=by, now=now))
                trail.add(
                    stream=f"procedure:{procedure.public_id}",
                    action="sign_out.missed",
                    subject=f"procedure:{procedure.public_id}",
                    data={"last_tick": last_tick, "ended_at": ended_at},
                )
        except Exception:
            # One that cannot be planned leaves the others the watching of their legs.
            log.exception("follow_ups_not_planned", extra={"procedure": procedure.pk})
    return planned
