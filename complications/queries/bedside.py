"""What the bedside form needs of a case, and what was written on it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from clinic.models import User
from complications.models import BedsideEntry, Escalation
from complications.queries.escalations import person, whole
from complications.queries.recipients import may_answer
from complications.vocabulary import EscalationStatus, Pathway, Tier


def entry_line(row: BedsideEntry) -> dict[str, Any]:
    """Return one form as it was written, with what became of each part."""
    return {
        "id": str(row.public_id),
        "by": person(row.by),
        "made_at": row.made_at,
        "sent_at": row.sent_at,
        "received_at": row.received_at,
        "occurred_at": row.occurred_at,
        "data": row.data,
        "outcome": row.outcome,
    }


def bedside(row: Escalation, user: User, now: datetime) -> dict[str, Any]:
    """Return the case, what this person may write, and the newest forms (load the row with `for_display`)."""
    entries = BedsideEntry.objects.filter(escalation=row).select_related("by").order_by("-received_at", "-pk")[:20]
    patient = row.case.patient
    return {
        "escalation": whole(row, now),
        "case": {
            "sex": patient.sex,
            "age": row.case.age_years,
            "findings": list(dict.fromkeys(str(one["reason"]) for one in row.triggers if one.get("reason"))),
            "open": EscalationStatus(row.status).is_open,
            "arrived": row.arrived_at is not None,
            "from_afar": row.tier == Tier.T3.value or row.pathway == Pathway.OPERATOR.value,
            "spine": row.pathway == Pathway.SPINE.value,
        },
        "may_decide": may_answer(row, user),
        "now": now,
        "entries": [entry_line(entry) for entry in entries],
    }
