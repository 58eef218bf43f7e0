"""Plain makers of the lists: procedures with their six runs, and ticks."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from checklists.actions.definitions import publish_definitions
from checklists.actions.opening import open_runs
from checklists.actions.sync import Incoming, Result, apply_batch
from checklists.models import Definition, Run
from checklists.rules.catalogue import load
from checklists.rules.nodes import key_of
from clinic.lib.clock import database_now
from clinic.models import Actor, Procedure, Site, User
from tests.make import make_actor, make_procedure


def publish_catalogue() -> None:
    """Publish the catalogue where a test's database has no lists."""
    if not Definition.objects.exists():
        publish_definitions(definitions=load(), by=Actor.system("tests"), now=database_now())


def make_runs(procedure: Procedure) -> dict[str, Run]:
    """The six lists of a procedure, by phase."""
    publish_catalogue()
    runs = open_runs(procedure=procedure, by=Actor.system("tests"), now=database_now())
    return {run.phase: run for run in runs}


def make_case(site: Site | None = None, operator: User | None = None, **fields: Any) -> dict[str, Run]:
    """A booked procedure with its six lists, by phase."""
    return make_runs(make_procedure(site, operator, **fields))


def tick(key: str, value: Any, at: datetime | None = None, **fields: Any) -> Incoming:
    """One tick of the item at a key such as `PRE-PAI-01|rest|||`; `parent=` an earlier tick or None."""
    if "parent" in fields:
        parent = fields.pop("parent")
        fields.update(has_parent=True, parent=uuid.UUID(parent.id) if isinstance(parent, Incoming) else parent)
    return Incoming(
        **{
            "id": str(uuid.uuid4()),
            "key": key_of(key),
            "value": value,
            "occurred_at": at or database_now() - timedelta(seconds=5),
            **fields,
        }
    )


def send(run: Run, *events: Incoming, by: User | None = None) -> list[Result]:
    """Send ticks as one batch."""
    return apply_batch(run=run, events=events, by=make_actor(by), tablet=None, now=database_now())


def answer(run: Run, answers: dict[str, Any], by: User | None = None) -> list[Result]:
    """Tick many items at once, without looking at what stood there."""
    return send(run, *(tick(key, value) for key, value in answers.items()), by=by)
