"""The doors to the records of the lists: not yours and not there look the same."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from uuid import UUID

from checklists.models import Definition, Draft, Run
from clinic.access import Caller
from clinic.lib.prepared import Row, fetch
from clinic.lib.problems import NotFound
from clinic.models import Patient, Procedure
from complications.models import FollowUp

_RUN, _PROCEDURE, _PATIENT = Row(Run, "run"), Row(Procedure, "proc"), Row(Patient, "patient")


def access_run(caller: Caller, public_id: UUID | str) -> Run:
    """Return a run of the caller's site with what every act on it needs; raise NotFound for any other."""
    rows = Run.objects.filter(procedure__site=caller.place).select_related(
        "procedure", "procedure__patient", "procedure__site", "procedure__operator", "procedure__room"
    )
    if caller.own_only:
        rows = rows.filter(procedure__operator=caller.person)
    run = rows.filter(public_id=public_id).first()
    if run is None:
        raise NotFound
    return run


@cache
def _run_sql() -> str:
    return f"""
SELECT {_RUN.columns}, {_PROCEDURE.columns}, {_PATIENT.columns}, statement_timestamp()
FROM checklists_run run JOIN clinic_procedure proc ON proc.id = run.procedure_id
JOIN clinic_patient patient ON patient.id = proc.patient_id
WHERE run.public_id = %s::uuid AND proc.site_id = %s::bigint AND (%s::bigint IS NULL OR proc.operator_id = %s::bigint)
"""  # noqa: S608 - names of columns only


def access_run_for_ticks(caller: Caller, public_id: UUID) -> tuple[Run, datetime]:
    """Return a run as `access_run` does, and the database's time: one prepared statement on the path of every tick."""
    own = caller.person.pk if caller.own_only else None
    rows = fetch(_run_sql(), [public_id, caller.place.pk, own, own])
    if not rows:
        raise NotFound
    *values, now = rows[0]
    procedure = len(_RUN.names)
    patient = procedure + len(_PROCEDURE.names)
    run = _RUN.read(values[:procedure])
    run.procedure = _PROCEDURE.read(values[procedure:patient])
    run.procedure.patient, run.procedure.site = _PATIENT.read(values[patient:]), caller.place
    return run, now


def access_follow_up(caller: Caller, public_id: UUID | str) -> FollowUp:
    """Return a follow-up of the caller's site; raise NotFound otherwise."""
    rows = FollowUp.objects.at_site(caller.place).select_related(
        "site", "procedure", "procedure__patient", "procedure__site", "procedure__operator"
    )
    if caller.own_only:
        rows = rows.filter(procedure__operator=caller.person)
    follow_up = rows.filter(public_id=public_id).first()
    if follow_up is None:
        raise NotFound
    return follow_up


def access_definition(caller: Caller, sha256: str) -> Definition:
    """Return a published list by its hash; lists belong to every site and hold no record."""
    definition = Definition.objects.filter(sha256=sha256).first() if sha256.isalnum() else None
    if definition is None:
        raise NotFound("unknown_definition", "No list is published under this hash.")
    return definition


def access_draft(caller: Caller, public_id: UUID | str) -> Draft:
    """Return a draft by its id; lists, and so their drafts, belong to every site and hold no record."""
    rows = Draft.objects.select_related("author", "proposed_by", "approved_by", "base", "definition")
    draft = rows.filter(public_id=public_id).first()
    if draft is None:
        raise NotFound("unknown_draft", "There is no such draft.")
    return draft
