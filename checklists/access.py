"""The doors to the records of the lists: not yours and not there look the same."""

from __future__ import annotations

from uuid import UUID

from checklists.models import Definition, Run
from clinic.access import Caller
from clinic.lib.problems import NotFound
from complications.models import FollowUp


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
