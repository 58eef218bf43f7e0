"""An escalation's row as the rules see it, and the one way in which it is changed and its events are written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from clinic.actions.audit import Recording, json_value
from clinic.lib.prepared import Joined, Row, Sent, send, update
from clinic.lib.problems import NotFound, Refused
from clinic.lib.transitions import move
from clinic.models import Actor, Procedure, Site, User
from complications.actions.machines import tell_machines
from complications.models import Escalation, EscalationEvent
from complications.models.escalation import OPEN
from complications.rules.escalation import Standing, next_due
from complications.vocabulary import (
    ESCALATION_ARROWS,
    EscalationStatus,
    EventKind,
)

ENGINE = Actor.system("engine")

_CASE = Joined(
    Row(Escalation, "one"),
    Row(Site, "site"),
    Row(Procedure, "procedure"),
    Row(User, "operator"),
    Row(User, "responsible"),
    Row(User, "asked"),
    Row(User, "opener"),
)
_OPEN = ", ".join(f"'{status}'" for status in OPEN)
# Nothing that this transaction waits for may keep the engine for longer than a second.
_LOCK_DUE = f"""
SELECT id, set_config('lock_timeout', '1s', true) FROM complications_escalation
WHERE id = %s::bigint AND status IN ({_OPEN}) AND next_due_at <= %s::timestamptz FOR NO KEY UPDATE SKIP LOCKED
"""  # noqa: S608 - constants of our own
_NOTE = """
INSERT INTO complications_escalationevent (escalation_id, seq, kind, at, actor_id, actor_name, data)
SELECT %s::bigint, 1 + COALESCE((SELECT max(seq) FROM complications_escalationevent WHERE escalation_id = %s::bigint), 0),
       %s::text, %s::timestamptz, %s::bigint, %s::text, %s::jsonb
RETURNING seq
"""


def standing(row: Escalation) -> Standing:
    """Return the row as plain data for the rules."""
    return row.standing()


def lock(public_id: UUID) -> Escalation:
    """Return the escalation, locked until the transaction ends; raise NotFound."""
    row = lock_first(Escalation.objects.filter(public_id=public_id))
    if row is None:
        raise NotFound
    return row


def lock_first(rows: QuerySet[Escalation]) -> Escalation | None:
    """Lock the first of `rows` and return it as it is once the lock is held, None where there is none.

    In two statements: whoever waited for a lock sees the row itself as it is now, but what is joined to it as it was
    before the wait, and would not know who has answered meanwhile.
    """
    key = rows.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True).first()
    return None if key is None else _case_of(send(_case(), [key]))


def lock_due(key: int, now: datetime) -> Escalation | None:
    """Lock a case for the engine and return it; None where it is not due, or somebody holds it: it is found again."""
    locked, read = send(_LOCK_DUE, [key, now]), send(_case(), [key])
    return _case_of(read) if locked.rows() else None


@cache
def _case() -> str:
    return f"""
SELECT (SELECT max(seq) FROM complications_escalationevent WHERE escalation_id = one.id), {_CASE.columns}
FROM complications_escalation one JOIN clinic_site site ON site.id = one.site_id
LEFT JOIN clinic_procedure procedure ON procedure.id = one.procedure_id
LEFT JOIN clinic_user operator ON operator.id = procedure.operator_id
LEFT JOIN clinic_user responsible ON responsible.id = one.responsible_id
LEFT JOIN clinic_user asked ON asked.id = one.hand_over_to_id
LEFT JOIN clinic_user opener ON opener.id = one.opened_by_id
WHERE one.id = %s::bigint
"""  # noqa: S608 - constants of our own


def _case_of(read: Sent) -> Escalation:
    """Return a case with its site, its procedure with the operator, and the people who have to do with it."""
    row: Escalation
    [(seq, *values)] = read.rows()
    row, site, procedure, operator, responsible, asked, opener = _CASE.read(values)
    row.site, row.procedure, row.responsible, row.hand_over_to, row.opened_by = (
        site,
        procedure,
        responsible,
        asked,
        opener,
    )
    if procedure is not None:
        procedure.operator = operator
    row.last_seq = seq or 0
    return row


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
        update(row, sorted(changes))
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
    told = json_value(dict(data or {}))
    event = EscalationEvent(
        escalation=row,
        kind=kind.value,
        at=now,
        actor=by.user,
        actor_name=by.user.get_full_name() if by.user else by.role,
        data={**told, "state": state_of(row)},
    )
    values = [event.kind, now, event.actor_id, event.actor_name, json.dumps(event.data)]
    written = send(_NOTE, [row.pk, row.pk, *values])
    # Whoever holds the case's lock knows the number of its latest event.
    event.seq = row.last_seq = written.rows()[0][0] if row.last_seq is None else row.last_seq + 1
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
