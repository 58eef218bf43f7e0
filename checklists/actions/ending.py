"""The end of a procedure, and the patient's leaving: what both set in motion on the floors below."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from clinic.actions.procedures import update_facts
from clinic.models import Actor, Procedure
from clinic.vocabulary import Outcome, ProcedureStatus
from complications.actions.follow_up import plan_follow_ups

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
