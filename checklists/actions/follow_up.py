"""Answer a follow-up: its form opens with the first answer, and a red flag acts in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from checklists.actions.opening import open_follow_up_run
from checklists.actions.sync import Incoming, Result, apply_batch
from checklists.models import Answer, Run
from checklists.rules.nodes import Key
from checklists.rules.raises import red_flags
from checklists.vocabulary import EventOutcome
from clinic.actions.audit import recording
from clinic.models import Actor, Tablet
from complications.actions.follow_up import act_on_red_flags, complete_follow_up, read_red_flags
from complications.models import Escalation, FollowUp
from complications.vocabulary import FollowUpStatus

RED_FLAGS = "FUP-RED-01"


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of the answers to a follow-up."""

    run: Run
    results: list[Result]
    escalation: Escalation | None


def answer_follow_up(
    *,
    follow_up: FollowUp,
    events: Sequence[Incoming],
    complete: bool,
    by: Actor,
    tablet: Tablet | None,
    now: datetime,
) -> Answered:
    """Store the answers to a follow-up's form, and finish the follow-up where `complete`; a repeat changes nothing.

    Every red flag that was said acts, whether the contact is finished now, was finished before, or is not yet.
    """
    with recording(by=by, now=now):
        run = open_follow_up_run(
            procedure=follow_up.procedure, follow_up=follow_up.public_id, code=follow_up.code, by=by, now=now
        )
        finishes = complete and follow_up.status in {FollowUpStatus.PLANNED.value, FollowUpStatus.MISSED.value}
        results = apply_batch(
            run=run,
            events=events,
            by=by,
            tablet=tablet,
            now=now,
            quiet={RED_FLAGS} if finishes else frozenset(),
        )
        taken = [one for one in results if one.outcome not in {EventOutcome.REFUSED, EventOutcome.REPLAYED}]
        escalation = None
        if finishes and not any(one.outcome == EventOutcome.REFUSED for one in results):
            rows = Answer.objects.filter(run=run, item=RED_FLAGS).values_list("item", "part", "value")
            flags = red_flags({Key(item, part): value for item, part, value in rows})
            escalation = complete_follow_up(
                follow_up=follow_up, run_public_id=run.public_id, red_flags=flags, by=by, now=now
            )
        elif finishes and taken:
            # A refused answer keeps the contact open; what was said with it must not wait for the correction.
            escalation = _act_now(run, follow_up, by=by, now=now)
    return Answered(run, results, escalation)


def _act_now(run: Run, follow_up: FollowUp, *, by: Actor, now: datetime) -> Escalation | None:
    rows = Answer.objects.filter(run=run, item=RED_FLAGS).values_list("item", "part", "value")
    flags = read_red_flags(red_flags({Key(item, part): value for item, part, value in rows}))
    return act_on_red_flags(
        procedure=follow_up.procedure, flags=flags, source=f"follow_up:{follow_up.public_id}", by=by, now=now
    )
