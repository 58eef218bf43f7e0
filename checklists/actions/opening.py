"""Open the lists of a procedure: with the booking, and the form of a follow-up with its first answer."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime

from checklists.models import Definition, Run
from checklists.vocabulary import PHASES, Phase
from clinic.actions.audit import recording
from clinic.actions.procedures import Booking, book_procedure
from clinic.lib.problems import Problem
from clinic.models import Actor, Procedure, Site, User

# The id of a run follows from its procedure and phase, so that a repeated booking can never open a second set.
_NAMESPACE = uuid.UUID("6f1c8c52-6a0e-5d0b-9c39-0d6c2a6d2b11")


def open_procedure(
    *, booking: Booking, site: Site, operator: User, team: Mapping[str, User], by: Actor, now: datetime
) -> tuple[Procedure, bool]:
    """Book a procedure and open its six lists in one transaction; a repeated booking opens nothing twice."""
    with recording(by=by, now=now) as trail:
        procedure, is_new = book_procedure(booking=booking, site=site, operator=operator, team=team, by=by, now=now)
        if is_new:
            runs = open_runs(procedure=procedure, by=by, now=now)
            trail.add(
                stream=f"procedure:{procedure.public_id}",
                action="runs.opened",
                subject=f"procedure:{procedure.public_id}",
                data={run.phase: run.definition.sha256 for run in runs},
            )
    return procedure, is_new


def open_runs(*, procedure: Procedure, by: Actor, now: datetime) -> list[Run]:
    """Open the six lists of a procedure with the newest published definitions. Raise Problem where one is missing."""
    newest = {row.name: row for row in Definition.objects.filter(name__in=PHASES).newest()}
    missing = [phase for phase in PHASES if phase not in newest]
    if missing:
        raise Problem(
            "not_published", f"No list is published for: {', '.join(missing)}. Run: manage.py definitions publish."
        )
    return Run.objects.bulk_create(
        Run(
            public_id=uuid.uuid5(_NAMESPACE, f"{procedure.public_id}/{phase}"),
            procedure=procedure,
            phase=phase,
            definition=newest[phase],
            opened_at=now,
            opened_by=by.user,
        )
        for phase in PHASES
    )


def open_follow_up_run(*, procedure: Procedure, follow_up: uuid.UUID, code: str, by: Actor, now: datetime) -> Run:
    """Return the run of a follow-up's form, opened where this is its first answer."""
    known = Run.objects.filter(follow_up=follow_up).first()
    if known is not None:
        return known
    definition = Definition.objects.filter(code=code).newest().first()
    if definition is None:
        raise Problem("not_published", f"No form is published for {code}. Run: manage.py definitions publish.")
    with recording(by=by, now=now) as trail:
        run, is_new = Run.objects.get_or_create(
            follow_up=follow_up,
            defaults={
                "public_id": uuid.uuid5(_NAMESPACE, f"follow-up/{follow_up}"),
                "procedure": procedure,
                "phase": Phase.FOLLOW_UP.value,
                "definition": definition,
                "opened_at": now,
                "opened_by": by.user,
            },
        )
        if is_new:
            trail.add(
                stream=f"procedure:{procedure.public_id}",
                action="run.opened",
                subject=f"run:{run.public_id}",
                data={"follow_up": str(follow_up), "form": code, "definition": definition.sha256},
            )
    return run
