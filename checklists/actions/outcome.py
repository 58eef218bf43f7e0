"""A case that is given up, or goes on as open surgery, says so at once: what cannot be answered any more is not asked."""

from __future__ import annotations

from datetime import datetime

from django.db.models import F

from checklists.actions.exceptions import lock
from checklists.models import Run
from checklists.vocabulary import RunStatus
from clinic.actions.audit import recording
from clinic.actions.procedures import update_facts
from clinic.lib.problems import Invalid, Refused
from clinic.models import Actor
from clinic.vocabulary import Outcome

EARLY = (Outcome.ABANDONED.value, Outcome.CONVERTED_OPEN.value)


def end_early(*, run: Run, outcome: str, reason: str, by: Actor, now: datetime) -> None:
    """Note that the case is abandoned or converted, or with an empty `outcome` that it goes on after all.

    The sign out asks again how it ended, and its answer counts. Raise Invalid without a reason, Refused once the list is
    signed or the procedure has ended.
    """
    if outcome and outcome not in EARLY:
        raise Invalid.field("outcome", "not_a_choice", f"Accepted: {', '.join(EARLY)}, or empty.")
    if len(reason.strip()) < 3:
        raise Invalid.field("reason", "too_short", "Say why in a few words.")
    with recording(by=by, now=now) as trail:
        lock(run)
        if run.status != RunStatus.OPEN:
            raise Refused("phase_signed", "This list is signed already: open the one that is being worked on.")
        if run.procedure.ended_at is not None:
            raise Refused("procedure_ended", "The procedure has ended: the sign out says how. Amend it.")
        was = run.procedure.outcome
        if was == outcome:
            return
        update_facts(procedure=run.procedure, facts={"outcome": outcome}, level_facts={}, by=by, now=now)
        # Every list of the case asks something else now.
        Run.objects.filter(procedure=run.procedure).update(revision=F("revision") + 1)
        run.revision += 1
        trail.add(
            stream=f"procedure:{run.procedure.public_id}",
            action="outcome.decided",
            subject=f"run:{run.public_id}",
            data={"phase": run.phase, "outcome": outcome, "was": was, "reason": reason.strip()},
        )
