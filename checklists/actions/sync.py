"""Take a batch of ticks from a tablet: one transaction, nothing lost, nothing twice.

The run's row is locked first (signing takes the same lock, so no tick slips into a phase while it is being signed), every event is
judged before anything is written, then one statement writes the events, the answers in sorted key order and the run; then what they
set in motion, and the audit entry last. The batch as a whole never fails for one bad event: that one goes to the quarantine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from checklists.actions.motion import set_in_motion
from checklists.actions.storing import Known, Stored, lock_run, read_standing, store
from checklists.models import Quarantined, Run
from checklists.queries.state import definitions_around, index_of, live_items_of
from checklists.rules import fold
from checklists.rules.case import case_check
from checklists.rules.fold import ABSENT, Standing, Ticked
from checklists.rules.nodes import Index, Key
from checklists.rules.values import Fault, key_fault, value_fault
from checklists.vocabulary import EventOutcome, RunStatus
from clinic.actions.audit import recording
from clinic.lib.canonical import canonical
from clinic.models import Actor, Tablet, User

WRISTBAND = "SIN-IDN-01"
_CLOCK_AHEAD = timedelta(minutes=5)
_CLOCK_BEHIND = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Incoming:
    """One event as a tablet sent it; `fault` says why it could not even be read, `payload` is what was sent."""

    id: str
    key: Key = field(default=Key(""))
    value: Any = None
    parent: UUID | None = None
    has_parent: bool = False
    occurred_at: datetime | None = None
    reason: str = ""
    mode: str = ""
    case_check: str = ""
    clock: Mapping[str, Any] | None = None
    actor: User | None = None
    actor_unknown: bool = False
    claimed: User | None = None
    payload: str = ""
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one event: outcome, machine code, place in the run, and a sentence."""

    id: str
    outcome: str
    code: str = ""
    seq: int | None = None
    reason: str = ""


@dataclass(slots=True)
class _Batch:
    """The work on one batch while the run is locked."""

    run: Run
    index: Index
    by: Actor
    tablet: Tablet | None
    now: datetime
    known: dict[str, Known]
    standing: dict[Key, Standing]
    before: dict[Key, Any]
    rows: list[Stored] = field(default_factory=list)
    refused: list[Quarantined] = field(default_factory=list)
    changed: dict[Key, Stored] = field(default_factory=dict)
    stored: dict[Key, Any] = field(default_factory=dict)


def apply_batch(
    *,
    run: Run,
    events: Sequence[Incoming],
    by: Actor,
    tablet: Tablet | None,
    now: datetime,
    quiet: Collection[str] = frozenset(),
) -> list[Result]:
    """Store the events of a batch and return what became of each, in the order given.

    `run` is brought up to date with what was stored. Outcomes: applied, replayed (same id and content), conflict
    (both values kept), late (the run is signed: kept, the answer unchanged), held (sent under another person's
    session, or of somebody who is not proven), refused (kept in the quarantine). Deficits act on every stored event, whatever its outcome.
    """
    with recording(by=by, now=now) as trail:
        lock_run(run)
        readable = [event for event in events if event.fault is None]
        items = {event.key.item for event in readable}
        ids = {UUID(event.id) for event in readable} | {event.parent for event in readable if event.parent is not None}
        standing, known = read_standing(run, items, ids)
        definitions = definitions_around(run)
        before = {key: answer.value for key, answer in standing.items()}
        batch = _Batch(run, index_of(definitions), by, tablet, now, known, standing, before)
        results = [_judge(batch, event) for event in events]
        if batch.refused:
            Quarantined.objects.bulk_create(batch.refused)
        if not batch.rows:
            return results
        store(run, batch.rows, {key: (batch.standing[key], row) for key, row in batch.changed.items()})
        live = live_items_of(definitions)
        if any(key.node_id in live for key in batch.stored):
            set_in_motion(
                run=run,
                before={key: batch.before.get(key) for key in batch.stored},
                stored=batch.stored,
                passed=[row for row in batch.rows if row.value != batch.stored[row.key]],
                folded=set(batch.changed),
                events=batch.rows,
                quiet=quiet,
                by=by,
                now=now,
            )
        trail.add(
            stream=f"procedure:{run.procedure.public_id}",
            action="answers.recorded",
            subject=f"run:{run.public_id}",
            data={
                "phase": run.phase,
                "events": [
                    [str(row.public_id), row.seq, row.outcome, row.key.text(), row.content_sha256] for row in batch.rows
                ],
            },
        )
    return results


def _judge(batch: _Batch, event: Incoming) -> Result:
    """Decide what becomes of one event and note what must be written."""
    fault = event.fault or _fault(batch, event)
    if fault is not None:
        return _refuse(batch, event, fault)
    value = _kept_value(batch, event)
    content = event_sha256(batch.run, event, value)
    known = batch.known.get(event.id)
    if known is not None:
        if known.run != batch.run.pk or known.content != content:
            fault = Fault("other_content", "Another event was sent under this id. It is kept aside; enter it again.")
            return _refuse(batch, event, fault)
        return Result(event.id, EventOutcome.REPLAYED.value, known.code, known.seq, "Already on the server.")
    outcome, code, reason = _outcome(batch, event, value)
    seq = batch.run.last_seq + len(batch.rows) + 1
    actor = batch.by.user if event.actor is None and not event.actor_unknown else event.actor
    row = Stored(
        seq=seq,
        public_id=UUID(event.id),
        **event.key._asdict(),
        value=value,
        parent=event.parent,
        has_parent=event.has_parent,
        mode=event.mode,
        reason=event.reason,
        outcome=outcome.value,
        code=code,
        actor_id=actor.pk if actor else None,
        role=batch.by.role if actor == batch.by.user else "",
        sender_id=batch.by.user.pk if batch.by.user else None,
        claimed_id=event.claimed.pk if event.claimed else None,
        tablet_id=batch.tablet.pk if batch.tablet else None,
        occurred_at=event.occurred_at or batch.now,
        recorded_at=batch.now,
        clock=event.clock,
        clock_flag=_clock_flag(event, batch.now),
        content_sha256=content,
    )
    batch.rows.append(row)
    batch.known[event.id] = Known(event.id, batch.run.pk, content, seq, code, value)
    batch.stored[event.key] = value
    if outcome in (EventOutcome.APPLIED, EventOutcome.CONFLICT):
        batch.changed[event.key] = row
    return Result(event.id, outcome.value, code, seq, reason)


def _outcome(batch: _Batch, event: Incoming, value: Any) -> tuple[EventOutcome, str, str]:
    if event.actor_unknown:
        return EventOutcome.HELD, "unconfirmed_person", "Kept. Who ticked it is not proven: that person confirms it."
    if event.actor is not None and event.actor != batch.by.user:
        return EventOutcome.HELD, "other_person", "Kept. The person who ticked it countersigns within 24 hours."
    if batch.run.status != RunStatus.OPEN:
        return EventOutcome.LATE, "phase_signed", "Kept. The list is signed: amend it to change the answer."
    before = batch.standing.get(event.key, Standing())
    parent = batch.known.get(str(event.parent)) if event.has_parent else None
    after = fold.apply(before, _ticked(event, value), parent.value if parent else None)
    batch.standing[event.key] = after
    if after.is_conflict:
        return EventOutcome.CONFLICT, "two_answers", "Kept beside another answer. One person must decide."
    return EventOutcome.APPLIED, "", ""


def _ticked(event: Incoming, value: Any) -> Ticked:
    parent: Any = ABSENT if not event.has_parent else str(event.parent) if event.parent else None
    return Ticked(event.id, event.key, value, parent, event.mode)


def _fault(batch: _Batch, event: Incoming) -> Fault | None:
    if event.case_check and event.case_check != case_check(batch.run.procedure.public_id):
        return Fault("wrong_case", "This was ticked for another case. Open that case and send it there.")
    fault = key_fault(batch.index, event.key)
    if fault is None and batch.index.nodes[event.key.node_id].phase != batch.run.phase:
        fault = Fault("unknown_item", f"{event.key.node_id} is on another list than this run.")
    return fault or value_fault(batch.index.nodes[event.key.node_id], event.value)


def _kept_value(batch: _Batch, event: Incoming) -> Any:
    """Return the value as it is stored: a scanned wristband only as whether it was this patient's, never the number."""
    if event.key.node_id == WRISTBAND and isinstance(event.value, str):
        read, known = (
            "".join(letter for letter in text.upper() if letter.isalnum() and letter.isascii())
            for text in (event.value, batch.run.procedure.patient.mrn)
        )
        return {"matched": read == known, "method": "scan"}
    return event.value


def _refuse(batch: _Batch, event: Incoming, fault: Fault) -> Result:
    batch.refused.append(
        Quarantined(
            run=batch.run,
            event=event.id[:60],
            payload=event.payload[:20_000],
            code=fault.code,
            detail=fault.detail,
            sender=batch.by.user,
            tablet=batch.tablet,
            received_at=batch.now,
        )
    )
    return Result(event.id, EventOutcome.REFUSED.value, fault.code, None, fault.detail)


def _clock_flag(event: Incoming, now: datetime) -> str:
    if event.occurred_at is None:
        return "no_time"
    if event.occurred_at > now + _CLOCK_AHEAD:
        return "in_the_future"
    return "long_ago" if event.occurred_at < now - _CLOCK_BEHIND else ""


def event_sha256(run: Run, event: Incoming, value: Any) -> str:
    """Return the hash by which a repeated event is told from another one under its id."""
    content = {
        "run": str(run.public_id),
        "key": event.key.text(),
        "value": value,
        "parent": str(event.parent) if event.parent else None,
        "has_parent": event.has_parent,
        "occurred_at": event.occurred_at.isoformat() if event.occurred_at else None,
        "reason": event.reason,
        "mode": event.mode,
    }
    return hashlib.sha256(canonical(content)).hexdigest()


def payload_of(event: Any) -> str:
    """Return an event that could not be taken as text for the quarantine."""
    return json.dumps(event, ensure_ascii=False, default=str)
