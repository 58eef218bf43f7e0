"""What stored answers set in motion beyond their list: facts of the procedure, examinations, deficits, drafts, timers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from checklists.actions.deficits import Found, act_on
from checklists.actions.storing import Stored
from checklists.models import Run
from checklists.queries.runs import has_open_escalation
from checklists.queries.state import evaluate, load_state
from checklists.rules.evaluation import Evaluation
from checklists.rules.facts import Examined, examinations, level_facts, procedure_facts
from checklists.rules.nodes import Key
from checklists.rules.times import parse_instant
from checklists.vocabulary import Phase
from clinic.actions.procedures import record_exam, update_facts
from clinic.models import Actor
from clinic.vocabulary import ExamKind, ProcedureStatus
from complications.actions.follow_up import complete_observations


def set_in_motion(
    *,
    run: Run,
    before: Mapping[Key, Any],
    stored: Mapping[Key, Any],
    passed: Collection[Stored],
    folded: Collection[Key],
    events: Collection[Stored],
    quiet: Collection[str],
    by: Actor,
    now: datetime,
) -> None:
    """Act on what a batch stored, in its transaction.

    `before` are the values that stood at the touched keys, `stored` the values of all stored events (a late or held one
    counts for deficits too), `passed` the events whose value a later one of the batch replaced, `folded` the keys whose
    answers changed, `quiet` the items on which the caller acts itself. Facts follow the answers only.
    """
    state = load_state(run.procedure, now, open_escalation=has_open_escalation(run.procedure), run=run)
    after = evaluate(run, state)
    _project(run, after, folded, by=by, now=now)
    shown = evaluate(run, replace(state, answers={**state.answers, **stored}))
    earlier = evaluate(run, replace(state, answers={**state.answers, **before}))
    examined = examinations(shown, stored)
    known = {(one.kind, one.instance): one.exam for one in examinations(earlier, stored)}
    for event in passed:
        # What a tablet sends late in one batch calls for whom it would have called for, tick by tick.
        one = {event.key: event.value}
        then = evaluate(run, replace(state, answers={**state.answers, **stored, **one}))
        acts = {key: value for key, value in one.items() if key.item not in quiet}
        act_on(Found(run, earlier, then, acts, [event], examinations(then, acts), known), by=by, now=now)
    _record_exams(run, examined, known, events, by=by, now=now)
    found = Found(
        run, earlier, shown, {k: v for k, v in stored.items() if k.item not in quiet}, events, examined, known
    )
    act_on(found, by=by, now=now)


def _project(run: Run, after: Evaluation, folded: Collection[Key], *, by: Actor, now: datetime) -> None:
    procedure = run.procedure
    facts = procedure_facts(after, folded)
    started = run.phase in {Phase.SIGN_IN, Phase.TIME_OUT, Phase.INTRA}
    if folded and started and procedure.status == ProcedureStatus.BOOKED:
        facts["status"] = ProcedureStatus.IN_PROGRESS.value
    levels = level_facts(after, folded)
    if facts or levels:
        update_facts(procedure=procedure, facts=facts, level_facts=levels, by=by, now=now)


def _record_exams(
    run: Run,
    examined: Collection[Examined],
    known: Mapping[tuple[str, str], Mapping[str, Any]],
    events: Collection[Stored],
    *,
    by: Actor,
    now: datetime,
) -> None:
    """Add the examinations that say something new; the newest of a source counts."""
    observed = False
    for found in examined:
        if found.exam == known.get((found.kind, found.instance)):
            continue
        observed |= found.kind == ExamKind.OBSERVATION
        record_exam(
            procedure=run.procedure,
            kind=ExamKind(found.kind),
            exam=found.exam,
            source=f"run:{run.public_id}:{found.instance}".rstrip(":"),
            occurred_at=_examined_at(found, events, now),
            by=by,
            now=now,
        )
    if observed:
        complete_observations(procedure=run.procedure, now=now)


def _examined_at(found: Examined, events: Collection[Stored], now: datetime) -> datetime:
    """Return when an examination was made: as its list says, else when the newest of its ticks was made."""
    said = parse_instant(found.at)
    return said or max((event.occurred_at for event in events), default=now)
