"""The theatre of a day: one look for each procedure, at a cost in queries that does not grow with the list."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from checklists.models import Answer, Override, Run, Signature
from checklists.queries.beside import signing_roles
from checklists.queries.state import facts_of, index_of
from checklists.rules.evaluation import Evaluation, State
from checklists.rules.gates import HARD, Blocker, gate_of, progress_of
from checklists.rules.nodes import Key
from checklists.vocabulary import Phase, RunStatus
from clinic.models import Procedure, Room, Site, Tablet
from clinic.vocabulary import ProcedureStatus
from complications.models import Escalation

MIXED_AT = "INT-CMT-02"
SIDES = ("TOU-SUR-01", "sides")
#: A tablet that has said nothing for so long may hold answers that nobody else sees.
UNHEARD_AFTER = timedelta(minutes=3)
IN_THEATRE = (Phase.SIGN_IN, Phase.TIME_OUT, Phase.INTRA, Phase.SIGN_OUT)
OVER = (ProcedureStatus.COMPLETED, ProcedureStatus.ABANDONED)


@dataclass(frozen=True)
class Look:
    """One procedure as it stands: its lists, the phase at work, what stops it, who has signed, which clocks run."""

    procedure: Procedure
    runs: Sequence[Run]
    run: Run | None
    is_live: bool
    is_over: bool
    answered: int
    required: int
    stops: Sequence[Blocker]
    conflicts: int
    roles: Sequence[tuple[str, bool]]
    sides: str
    mixed_at: datetime | None
    begun_at: datetime | None
    escalation: Escalation | None
    unheard_since: datetime | None


def board_of(site: Site, start: datetime, end: datetime, now: datetime, *, room: Room | None = None) -> list[Look]:
    """Return a look at each procedure of the site (or of one room) scheduled in [start, end), in the order of the list."""
    procedures = list(
        (Procedure.objects.at_site(site).filter(room=room) if room else Procedure.objects.at_site(site))
        .between(start, end)
        .exclude(status=ProcedureStatus.CANCELLED.value)
        .for_display()
        .order_by("scheduled_at", "pk")
    )
    keys = [procedure.pk for procedure in procedures]
    runs: dict[int, list[Run]] = defaultdict(list)
    for run in Run.objects.filter(procedure__in=keys, follow_up=None).in_order():
        runs[run.procedure_id].append(run)
    answers = _answers(keys)
    open_cases = {
        row.procedure_id: row for row in Escalation.objects.open().filter(procedure__in=keys).order_by("-tier")
    }
    current = {key: _current(rows) for key, rows in runs.items()}
    shown = [run.pk for run in current.values() if run]
    signed: dict[int, set[str]] = defaultdict(set)
    for pk, role in Signature.objects.filter(run__in=shown).values_list("run_id", "role"):
        signed[pk].add(role)
    let_pass: dict[int, set[Key]] = defaultdict(set)
    for row in Override.objects.filter(run__in=shown):
        let_pass[row.run_id].add(Key(row.item, row.part, row.level, row.side, row.instance))
    unheard = _unheard(site, now)
    return [
        _look(
            procedure,
            runs[procedure.pk],
            current.get(procedure.pk),
            answers[procedure.pk],
            signed,
            let_pass,
            open_cases.get(procedure.pk),
            unheard,
            now,
        )
        for procedure in procedures
    ]


@dataclass
class _Answers:
    values: dict[Key, Any]
    conflicts: set[Key]
    first: dict[int, datetime]


def _answers(procedures: Iterable[int]) -> dict[int, _Answers]:
    found: dict[int, _Answers] = defaultdict(lambda: _Answers({}, set(), {}))
    rows = Answer.objects.filter(run__procedure__in=list(procedures), run__follow_up=None).values_list(
        "run__procedure_id",
        "run_id",
        "recorded_at",
        "is_conflict",
        "value",
        "item",
        "part",
        "level",
        "side",
        "instance",
    )
    for procedure, run, at, is_conflict, value, *pieces in rows:
        one = found[procedure]
        key = Key(*pieces)
        one.values[key] = value
        if is_conflict:
            one.conflicts.add(key)
        if run not in one.first or at < one.first[run]:
            one.first[run] = at
    return found


def _current(runs: Sequence[Run]) -> Run | None:
    """The furthest list that somebody has begun and not all have signed; before that the first open one."""
    still_open = [run for run in runs if run.status == RunStatus.OPEN.value]
    begun = [run for run in still_open if run.last_seq]
    last_signed = max((runs.index(run) for run in runs if run.status == RunStatus.SIGNED.value), default=-1)
    if begun and runs.index(begun[-1]) > last_signed:
        return begun[-1]
    after = [run for run in still_open if runs.index(run) > last_signed]
    return after[0] if after else (still_open[0] if still_open else None)


def _unheard(site: Site, now: datetime) -> dict[int, datetime]:
    rows = Tablet.objects.filter(site=site, revoked_at=None, room__isnull=False, last_seen_at__lt=now - UNHEARD_AFTER)
    return {tablet.room_id: tablet.last_seen_at for tablet in rows if tablet.room_id and tablet.last_seen_at}


def _look(
    procedure: Procedure,
    runs: Sequence[Run],
    run: Run | None,
    answers: _Answers,
    signed: dict[int, set[str]],
    let_pass: dict[int, set[Key]],
    escalation: Escalation | None,
    unheard: dict[int, datetime],
    now: datetime,
) -> Look:
    levels = {row.level: row for row in procedure.levels.all()}
    done = {row.phase for row in runs if row.status == RunStatus.SIGNED.value}
    is_over = procedure.status in OVER or Phase.SIGN_OUT in done or procedure.ended_at is not None
    is_live = not is_over and (
        procedure.status == ProcedureStatus.IN_PROGRESS.value
        or any(row.phase in IN_THEATRE and row.last_seq for row in runs)
    )
    stops: Sequence[Blocker] = ()
    answered = required = conflicts = 0
    if run is not None:
        state = State(
            answers=answers.values,
            facts=facts_of(procedure, levels, open_escalation=escalation is not None),
            now=now,
            level_status={level: row.status for level, row in levels.items()},
            conflicts=frozenset(answers.conflicts),
        )
        definitions = tuple(dict.fromkeys(row.definition_id for row in runs))
        evaluation = Evaluation(index_of(definitions), state)
        progress = progress_of(evaluation, run.phase)
        answered, required = progress.answered, progress.required
        gate = gate_of(evaluation, run.phase, emergency=run.is_emergency, overrides=let_pass.get(run.pk, set()))
        stops = [one for one in gate.blockers if one.kind == HARD and one.code == "rule"]
        conflicts = sum(1 for one in gate.blockers if one.code == "conflict")
    sides = {str(value) for key, value in answers.values.items() if (key.item, key.part) == SIDES and value}
    mixed = [value for key, value in answers.values.items() if (key.item, key.part) == (MIXED_AT, "mixed_at")]
    return Look(
        procedure=procedure,
        runs=runs,
        run=run,
        is_live=is_live,
        is_over=is_over,
        answered=answered,
        required=required,
        stops=stops,
        conflicts=conflicts,
        roles=[(role, role in signed.get(run.pk, set())) for role in signing_roles(run.definition_id)] if run else [],
        sides=sides.pop() if len(sides) == 1 else "",
        mixed_at=_latest(mixed),
        begun_at=answers.first.get(run.pk) if run else None,
        escalation=escalation,
        unheard_since=unheard.get(procedure.room_id) if procedure.room_id and is_live else None,
    )


def _latest(values: Iterable[Any]) -> datetime | None:
    found = []
    for value in values:
        try:
            found.append(datetime.fromisoformat(str(value)))
        except ValueError:
            continue
    return max(found, default=None)
