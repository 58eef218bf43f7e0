"""Stop, go on, and after a long pause say again who lies there and where the needles go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from checklists.actions.exceptions import bump, lock
from checklists.models import Pause, Run
from checklists.queries.runs import look_at
from checklists.rules.evaluation import SIDES_ITEM, Evaluation
from checklists.rules.nodes import Scope
from checklists.vocabulary import PauseKind
from clinic.actions.audit import recording
from clinic.lib.problems import FieldError, Refused
from clinic.models import Actor

ASK_AGAIN_AFTER = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What the team said again: that it is this patient, the levels as counted, and the side of each."""

    patient: bool
    levels: Sequence[str]
    sides: Mapping[str, str]


def pause_run(*, run: Run, kind: str, reason: str, text: str, by: Actor, now: datetime) -> bool:
    """Note that the team stopped or goes on; return whether patient, level and side must be asked again.

    After more than ten minutes they must, and until `confirm_run` says so the gate is closed. Raise Refused where the
    run is already paused, or goes on without having been.
    """
    with recording(by=by, now=now) as trail:
        lock(run)
        stops = kind == PauseKind.PAUSED
        if stops is (run.paused_at is not None):
            raise Refused("no_such_arrow", f"This list is {'paused already' if stops else 'not paused'}.")
        ask_again = not stops and run.paused_at is not None and now - run.paused_at > ASK_AGAIN_AFTER
        Pause.objects.create(run=run, kind=kind, reason=reason, text=text, by=by.user, at=now)
        run.paused_at = now if stops else None
        run.ask_again_since = now if ask_again else run.ask_again_since
        Run.objects.filter(pk=run.pk).update(paused_at=run.paused_at, ask_again_since=run.ask_again_since)
        bump(run)
        trail.add(
            stream=f"procedure:{run.procedure.public_id}",
            action="run.paused" if stops else "run.resumed",
            subject=f"run:{run.public_id}",
            data={"phase": run.phase, "reason": reason, "text": text, "ask_again": ask_again},
        )
    return run.ask_again_since is not None


def confirm_run(*, run: Run, said: Confirmed, by: Actor, now: datetime) -> None:
    """Open the gate again after a long pause where patient, levels and sides are those of the time out.

    Raise Refused `not_confirmed` naming what differs; a repeat, or a confirmation that nobody asked for, changes nothing.
    """
    with recording(by=by, now=now) as trail:
        lock(run)
        if run.ask_again_since is None:
            return
        evaluation = look_at(run, now)
        differing = _differing(evaluation, said)
        if differing:
            raise Refused(
                "not_confirmed",
                "This is not what the time out said. Stop; count the levels again and look at the wristband.",
                [FieldError(name, "differs", "Not as at the time out.") for name in differing],
            )
        Pause.objects.create(run=run, kind=PauseKind.CONFIRMED.value, by=by.user, at=now)
        run.ask_again_since = None
        Run.objects.filter(pk=run.pk).update(ask_again_since=None)
        bump(run)
        trail.add(
            stream=f"procedure:{run.procedure.public_id}",
            action="run.confirmed",
            subject=f"run:{run.public_id}",
            data={
                "phase": run.phase,
                "levels": list(evaluation.levels),
                "sides": {level: side for level, side in said.sides.items() if level in evaluation.levels},
            },
        )


def _differing(evaluation: Evaluation, said: Confirmed) -> list[str]:
    sides = {
        level: values[0]
        for level in evaluation.levels
        if (values := list(evaluation.find(SIDES_ITEM, Scope(level), "").values))
    }
    checks = {
        "patient": said.patient,
        "levels": set(said.levels) == set(evaluation.levels),
        "sides": all(said.sides.get(level) == side for level, side in sides.items()),
    }
    return [name for name, same in checks.items() if not same]
