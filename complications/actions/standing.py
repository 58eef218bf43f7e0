"""An escalation's row as the rules see it, and the one way in which it is changed and its events are written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Max, QuerySet

from clinic.actions.audit import Recording, json_value
from clinic.lib.problems import NotFound, Refused
from clinic.lib.transitions import move
from clinic.models import Actor, User
from complications.actions.machines import tell_machines
from complications.models import Escalation, EscalationEvent
from complications.rules.escalation import Standing, next_due
from complications.vocabulary import (
    ESCALATION_ARROWS,
    EscalationStatus,
    EventKind,
)

ENGINE = Actor.system("engine")
JOINED = ("site", "procedure__operator", "responsible", "hand_over_to", "opened_by")


def standing(row: Escalation) -> Standing:
    """Return the row as plain data for the rules."""
    return row.standing()


def lock(public_id: UUID) -> Escalation:
    """Return the escalation, locked until the transaction ends; raise NotFound."""
    row = lock_first(Escalation.objects.filter(public_id=public_id))
    if row is None:
        raise NotFound
    return row


def lock_first(rows: QuerySet[Escalation], *, skip_locked: bool = False) -> Escalation | None:
    """Lock the first of `rows` and return it as it is once the lock is held, None where there is none.

    In two statements: whoever waited for a lock sees the row itself as it is now, but what is joined to it as it was
    before the wait, and would not know who has answered meanwhile.
    """
    locked = rows.select_for_update(no_key=True, skip_locked=skip_locked).order_by("pk").values_list("pk", flat=True)
    key = locked.first()
    return None if key is None else Escalation.objects.select_related(*JOINED).get(pk=key)


def change(row: Escalation, *, now: datetime, status: EscalationStatus | None = None, **changes: Any) -> None:
    """Write `changes` and, along an arrow of the table, the new `status`; the next look of the engine follows from them.

    Raise Refused where no arrow leads there.
    """
    for name, value in changes.items():
        setattr(row, name, value)
    was = row.status
    if status is not None:
        row.status = status.value
    if EscalationStatus(row.status).is_open:
        changes["next_due_at"] = row.next_due_at = next_due(row.standing(), now)
    else:
        changes["next_due_at"] = row.next_due_at = None
        changes["closed_at"] = row.closed_at = now
    if status is None:
        Escalation.objects.filter(pk=row.pk).update(**changes)
        return
    row.status = was
    move(row, to=status.value, arrows=ESCALATION_ARROWS, noun="escalation", **changes)


def note(
    row: Escalation,
    kind: EventKind,
    *,
    by: Actor,
    now: datetime,
    trail: Recording,
    data: Mapping[str, Any] | None = None,
) -> EscalationEvent:
    """Write the one event of a change, with the state that it leads to, and its audit entry."""
    last: int = EscalationEvent.objects.filter(escalation=row).aggregate(last=Max("seq"))["last"] or 0
    told = json_value(dict(data or {}))
    event = EscalationEvent.objects.create(
        escalation=row,
        seq=last + 1,
        kind=kind.value,
        at=now,
        actor=by.user,
        actor_name=by.user.get_full_name() if by.user else by.role,
        data={**told, "state": state_of(row)},
    )
    trail.add(
        stream=row.reference,
        action=f"escalation.{kind.value}",
        subject=row.reference,
        data={"seq": event.seq, **told, "state": event.data["state"]},
        by=by,
    )
    tell_machines(row, event, now=now)
    return event


def state_of(row: Escalation) -> dict[str, Any]:
    """Return what the events must be able to rebuild."""
    return {
        "status": row.status,
        "tier": row.tier,
        "round": row.round,
        "step": row.step,
        "responsible": str(row.responsible.public_id) if row.responsible else None,
        "decision": row.decision,
    }


def rebuild(events: list[EscalationEvent]) -> dict[str, Any]:
    """Return the state that the events lead to, from nothing but them."""
    state: dict[str, Any] = {}
    for event in sorted(events, key=lambda one: one.seq):
        state |= event.data["state"]
    return state


def person(user: User | None) -> dict[str, str] | None:
    """Return a person as API and events name them."""
    return None if user is None else {"user": user.username, "name": user.get_full_name()}


def refuse_drill(row: Escalation) -> None:
    """Raise Refused for a drill: nobody lies in a bed, and it ends with the answer."""
    if row.is_drill:
        raise Refused("drill", "This is a drill: there is no patient, and it ends as soon as a surgeon answers.")


def refuse_closed(row: Escalation) -> None:
    """Raise Refused for an escalation that nobody watches any more."""
    if not EscalationStatus(row.status).is_open:
        raise Refused("closed", f"This escalation is {row.status.replace('_', ' ')}; a new finding opens a new one.")
