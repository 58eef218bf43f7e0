"""Load what the rules need to know of a procedure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db.models import Q

from checklists.models import Answer, Definition, Run
from checklists.rules.evaluation import Evaluation, State
from checklists.rules.facts import live_items
from checklists.rules.nodes import Index, Key, build_index
from clinic.models import Procedure, TreatedLevel

# Levels that a booking named stand before these positions; clinic.update_facts adds later ones behind them.
ADDED_LATER = 100


@lru_cache(maxsize=64)
def definition_of(pk: int) -> Definition:
    """Return a published definition. It never changes, so a process reads it once; nobody may write to what it holds."""
    return Definition.objects.get(pk=pk)


@lru_cache(maxsize=64)
def index_of(definitions: tuple[int, ...]) -> Index:
    """Return the index over published definitions. They never change, so a process builds it once."""
    rows = Definition.objects.in_bulk(list(definitions))
    return build_index(rows[pk].content for pk in definitions)


@lru_cache(maxsize=64)
def live_items_of(definitions: tuple[int, ...]) -> frozenset[str]:
    """Return the items of these definitions whose answers do more than stand on a list."""
    return live_items(index_of(definitions))


def definitions_around(run: Run) -> tuple[int, ...]:
    """Return the definitions of a run and of the six lists of its procedure.

    They change only when a person moves one of these lists to another version, which `moves_around` counts.
    """
    return _around(run.pk, run.moves_around)


@lru_cache(maxsize=4096)
def _around(run: int, moves: int) -> tuple[int, ...]:
    own = Run.objects.only("definition_id", "procedure_id").get(pk=run)
    rows = Run.objects.filter(procedure=own.procedure_id).of_phases().in_order().values_list("definition_id", flat=True)
    return tuple(dict.fromkeys([*rows, own.definition_id]))


def facts_of(procedure: Procedure, levels: Mapping[str, TreatedLevel], *, open_escalation: bool) -> dict[str, Any]:
    """Return the facts that conditions read; unknown ones are left out. `patient.mrn` must not leave the server."""
    facts: dict[str, Any] = {
        "procedure.kind": procedure.kind,
        "procedure.indication": procedure.indication,
        "procedure.anaesthesia": procedure.anaesthesia,
        "procedure.outcome": procedure.outcome or None,
        "procedure.scheduled_at": procedure.scheduled_at.isoformat(),
        "procedure.incision_at": procedure.incision_at and procedure.incision_at.isoformat(),
        "procedure.ended_at": procedure.ended_at and procedure.ended_at.isoformat(),
        "procedure.booked_levels": [row.level for row in levels.values() if row.position < ADDED_LATER],
        "procedure.open_escalation": open_escalation,
        "patient.sex": procedure.patient.sex,
        "patient.age": procedure.age_years,
        "patient.mrn": procedure.patient.mrn,
        "site.zone": procedure.site.timezone,
        "site.hold_table_approved": bool(procedure.site.content_approved_sha256),
    }
    return {name: value for name, value in facts.items() if value is not None}


def load_answers(procedure: Procedure, run: Run | None = None) -> tuple[dict[Key, Any], frozenset[Key]]:
    """Return the answers of a procedure's six lists (and of a follow-up's form) by key, and the keys in conflict."""
    answers: dict[Key, Any] = {}
    conflicts = set()
    lists = Q(run__procedure=procedure, run__follow_up=None)
    if run is not None and run.follow_up is not None:
        lists |= Q(run=run)
    rows = Answer.objects.filter(lists).values_list("item", "part", "level", "side", "instance", "value", "is_conflict")
    for *pieces, value, is_conflict in rows:
        key = Key(*pieces)
        answers[key] = value
        if is_conflict:
            conflicts.add(key)
    return answers, frozenset(conflicts)


def load_state(procedure: Procedure, now: datetime, *, open_escalation: bool, run: Run | None = None) -> State:
    """Return the state of a procedure's six lists, and of a follow-up's form where `run` is one (two queries)."""
    levels = {row.level: row for row in TreatedLevel.objects.filter(procedure=procedure)}
    answers, conflicts = load_answers(procedure, run)
    return State(
        answers=answers,
        facts=facts_of(procedure, levels, open_escalation=open_escalation),
        now=now,
        level_status={level: row.status for level, row in levels.items()},
        conflicts=conflicts,
    )


def evaluate(run: Run, state: State) -> Evaluation:
    """Return one look at the state through the definitions around a run."""
    return Evaluation(index_of(definitions_around(run)), state)
