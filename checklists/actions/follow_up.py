"""Answer a follow-up: its form opens with the first answer, and a red flag acts in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from checklists.actions.opening import open_follow_up_run
from checklists.actions.sync import Incoming, Result, apply_batch
from checklists.models import Answer, Event, Run
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
        taken = [one.id for one in results if one.outcome not in {EventOutcome.REFUSED, EventOutcome.REPLAYED}]
        escalation = None
        if finishes and not any(one.outcome == EventOutcome.REFUSED for one in results):
            flags = _said(run, taken)
            escalation = complete_follow_up(
                follow_up=follow_up, run_public_id=run.public_id, red_flags=flags, by=by, now=now
            )
        elif finishes and taken:
            # A refused answer keeps the contact open; what was said with it must not wait for the correction.
            escalation = _act_now(run, taken, follow_up, by=by, now=now)
    return Answered(run, results, escalation)


def _said(run: Run, taken: Sequence[str]) -> list[str]:
    """Return the red flags that stand as yes, and those that were yes at any moment of this batch.

    A yes that a later tick of the same batch takes back acts all the same: who said it is asked, and no report of a sign
    is taken back in silence. The correction stands in the form's history.
    """
    rows: list[tuple[Any, ...]] = [
        *Answer.objects.filter(run=run, item=RED_FLAGS).values_list("item", "part", "value"),
        *Event.objects.filter(run=run, item=RED_FLAGS, public_id__in=taken).values_list("item", "part", "value"),
    ]
    return sorted({flag for item, part, value in rows for flag in red_flags({Key(item, part): value})})


def _act_now(run: Run, taken: Sequence[str], follow_up: FollowUp, *, by: Actor, now: datetime) -> Escalation | None:
    flags = read_red_flags(_said(run, taken))
    return act_on_red_flags(
        procedure=follow_up.procedure, flags=flags, source=f"follow_up:{follow_up.public_id}", by=by, now=now
    )
