"""Follow-ups as API and pages show them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Count, Q

from clinic.models import Site
from complications.models import ContactAttempt, FollowUp
from complications.models.follow_up import FollowUpQuerySet
from complications.queries.escalations import person
from complications.rules.follow_up import default_plan
from complications.vocabulary import FollowUpStatus

CONTENT: dict[str, dict[str, Any]] = {row["id"]: row for row in default_plan()["follow_up"]}


def follow_ups_of(
    site: Site, *, due_before: datetime | None = None, status: str = "", kind: str = "", procedure: str = ""
) -> FollowUpQuerySet:
    """Return the site's follow-ups, the earliest target first; by default those still to be done."""
    rows = FollowUp.objects.at_site(site)
    rows = rows.filter(status=status) if status else rows.planned()
    if kind:
        rows = rows.filter(kind=kind)
    if due_before is not None:
        rows = rows.filter(opens_at__lte=due_before)
    if procedure:
        rows = rows.filter(procedure__public_id=procedure)
    shown = rows.select_related("procedure__patient", "owner", "done_by").annotate(tries=Count("attempts"))
    return shown.order_by("target_at", "id")


def after(rows: FollowUpQuerySet, at: datetime, key: int) -> FollowUpQuerySet:
    """Return what follows the row (target `at`, id `key`) on the list."""
    return rows.filter(Q(target_at__gt=at) | Q(target_at=at, pk__gt=key))


def line(row: FollowUp, now: datetime) -> dict[str, Any]:
    """Return one row of the list (load it with `follow_ups_of`)."""
    patient, plan = row.procedure.patient, CONTENT.get(row.code, {})
    open_now = row.status == FollowUpStatus.PLANNED.value
    return {
        "id": str(row.public_id),
        "procedure": str(row.procedure.public_id),
        "patient": {
            "mrn": patient.mrn,
            "name": patient.display_name,
            "birth_date": patient.birth_date.isoformat(),
            "phone": patient.phone,
            "language": patient.language,
        },
        "kind": row.kind,
        "code": row.code,
        "part": row.part or None,
        "label": plan.get("label", row.code),
        "label_tr": plan.get("label_tr", row.code),
        "content": plan.get("content", []),
        "channel": row.channel,
        "opens_at": row.opens_at,
        "target_at": row.target_at,
        "closes_at": row.closes_at,
        "status": row.status,
        "state": _state(row, now) if open_now else row.status,
        "late": row.late,
        "owner": person(row.owner),
        "attempts": getattr(row, "tries", 0),
        "run": str(row.run_public_id) if row.run_public_id else None,
        "red_flags": row.red_flags,
        "done_at": row.done_at,
        "done_by": person(row.done_by),
        "reason": row.reason or None,
    }


def _state(row: FollowUp, now: datetime) -> str:
    if now < row.opens_at:
        return "waiting"
    return "overdue" if now > row.closes_at else "due"


def contact_line(row: ContactAttempt) -> dict[str, Any]:
    """Return one attempt."""
    return {
        "id": str(row.public_id),
        "follow_up": str(row.follow_up.public_id) if row.follow_up else None,
        "channel": row.channel,
        "outcome": row.outcome,
        "note": row.note,
        "red_flags": row.red_flags,
        "at": row.at,
        "by": person(row.by),
    }
