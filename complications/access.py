"""The doors to the middle floor's records: another site's and those that do not exist look the same."""

from __future__ import annotations

from uuid import UUID

from clinic.access import Caller
from clinic.lib.problems import NotFound
from complications.models import Complication, Drill, DrillPlan, Escalation, FollowUp


def access_complication(caller: Caller, public_id: UUID | str) -> Complication:
    """Return an entry of the log of the caller's site; raise NotFound otherwise."""
    rows = Complication.objects.at_site(caller.place).for_display()
    if caller.own_only:
        rows = rows.filter(procedure__operator=caller.person)
    row = rows.filter(public_id=public_id).first()
    if row is None:
        raise NotFound
    return row


def access_escalation(caller: Caller, public_id: UUID | str) -> Escalation:
    """Return an escalation of the caller's site; raise NotFound otherwise."""
    rows = Escalation.objects.at_site(caller.place).for_display()
    if caller.own_only:
        rows = rows.filter(procedure__operator=caller.person)
    row = rows.filter(public_id=public_id).first()
    if row is None:
        raise NotFound
    return row


def access_drill(caller: Caller, public_id: UUID | str) -> Drill:
    """Return a drill of the caller's site; raise NotFound otherwise, for a case of a patient as well."""
    rows = Drill.objects.filter(escalation__site=caller.place, escalation__public_id=public_id)
    drill = rows.select_related("escalation__site", "escalation__responsible", "escalation__opened_by").first()
    if drill is None:
        raise NotFound
    return drill


def access_drill_plan(caller: Caller, public_id: UUID | str) -> DrillPlan:
    """Return a plan of the caller's site, an ended one too; raise NotFound otherwise."""
    plan = DrillPlan.objects.at_site(caller.place).filter(public_id=public_id).select_related("site").first()
    if plan is None:
        raise NotFound
    return plan


def access_follow_up(caller: Caller, public_id: UUID | str) -> FollowUp:
    """Return a follow-up of the caller's site; raise NotFound otherwise."""
    rows = FollowUp.objects.at_site(caller.place).select_related("site", "procedure__patient", "procedure__operator")
    if caller.own_only:
        rows = rows.filter(procedure__operator=caller.person)
    row = rows.filter(public_id=public_id).first()
    if row is None:
        raise NotFound
    return row
