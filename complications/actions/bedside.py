"""What a surgeon writes at the bedside, with or without a network: kept once, each part carried out on its own merits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db import transaction

from clinic.actions.audit import Recording, json_value, recording
from clinic.lib.canonical import canonical
from clinic.lib.problems import Denied, Invalid, Problem, Refused
from clinic.models import Actor, User
from complications.actions.escalation import arrive, decide, record_milestone
from complications.actions.examination import examine, refuse_unreadable
from complications.actions.standing import lock, note, person, refuse_drill
from complications.models import BedsideEntry, Escalation
from complications.queries.recipients import may_answer
from complications.rules.bedside import Written
from complications.vocabulary import EscalationStatus, EventKind, Milestone

STORED, NOT_IN_FORCE, REFUSED = "stored", "not_in_force", "refused"


def record_bedside(*, escalation: Escalation, written: Written, by: Actor, now: datetime) -> tuple[BedsideEntry, bool]:
    """Keep one form of the phone and carry out what it says; return it, and whether it is new.

    The same form again is the same entry. Parts are judged one by one, because the phone may have been without a network
    for hours: an examination is never kept back by a decision that somebody else has made meanwhile (`not_in_force`: both
    are kept, the one that stands goes on standing) or that lacks something (`refused`, with the fields). Raise Invalid for a
    form that is empty or whose examination cannot be read, Refused for another form under a known id, and the decision's
    own refusal where nothing else was written: then nothing is kept, and the phone has it still.
    """
    user = _user(by)
    told = json_value({key: value for key, value in asdict(written).items() if key not in {"public_id", "sent_at"}})
    digest = hashlib.sha256(canonical(told)).hexdigest()
    with recording(by=by, now=now) as trail:
        row = lock(escalation.public_id)
        refuse_drill(row)
        known = BedsideEntry.objects.select_related("escalation", "by").filter(public_id=written.public_id).first()
        if known is not None:
            if (known.escalation_id, known.by_id, known.digest) != (row.pk, user.pk, digest):
                raise Refused("id_taken", "Another form was stored under this id: send it with one of its own.")
            return known, False
        if written.is_empty:
            raise Invalid("invalid", "Nothing was filled in yet.")
        refuse_unreadable(written.exam)
        outcome = _carry_out(row, written, by, now, trail)
        entry = BedsideEntry.objects.create(
            public_id=written.public_id,
            escalation=row,
            by=user,
            made_at=written.made_at,
            sent_at=written.sent_at,
            received_at=now,
            occurred_at=written.moment(written.made_at, now),
            data=told,
            digest=digest,
            outcome=outcome,
        )
        trail.add(
            stream=row.reference,
            action="bedside.recorded",
            subject=f"bedside:{entry.public_id}",
            data={"made_at": entry.made_at, "occurred_at": entry.occurred_at, "parts": outcome["parts"]},
            by=by,
        )
    return entry, True


def _carry_out(row: Escalation, written: Written, by: Actor, now: datetime, trail: Recording) -> dict[str, Any]:
    """Do what the form says, part by part, and return what became of each."""
    parts: dict[str, str] = {}
    errors: list[dict[str, str]] = []
    outcome: dict[str, Any] = {"parts": parts, "errors": errors}
    at = written.moment(written.made_at, now)
    if written.arrived_at is not None:
        arrived = written.moment(written.arrived_at, now)
        with _apart(parts, "arrival", trail):
            _refuse_onlooker(row, by)
            arrive(escalation=row, at=arrived, by=by, now=now)
    for kind, phone in written.stones.items():
        said = written.picture if kind is Milestone.IMAGING_REPORTED else ""
        with _apart(parts, kind.value, trail):
            moment = written.moment(phone, now)
            record_milestone(escalation=row, kind=kind, at=moment, note_text=said, by=by, now=now)
    if written.imaging and Milestone.IMAGING_REPORTED not in written.stones:
        # Who says what it shows has it reported: the time of the form is the time of the report.
        with _apart(parts, "imaging", trail):
            kind, said = Milestone.IMAGING_REPORTED, written.picture
            record_milestone(escalation=row, kind=kind, at=at, note_text=said, by=by, now=now)
    examined = False
    if written.decision is not None:
        row = lock(row.public_id)
        if (standing := _standing_otherwise(row, written, by, now)) is not None:
            parts["decision"] = NOT_IN_FORCE
            outcome["in_force"] = standing
            data = {**written.decision, "made_at": at, "in_force": standing, "by": person(by.user)}
            note(row, EventKind.DECISION_NOT_IN_FORCE, by=by, now=now, trail=trail, data=data)
        else:
            alone = not (written.exam or parts)
            given = {"made_at": written.made_at.isoformat(), **written.decision}
            given |= {name: dict(one) for name, one in (("exam", written.exam), ("imaging", written.imaging)) if one}
            with _apart(parts, "decision", trail, errors, alone=alone):
                decide(escalation=row, data=given, by=by, now=now, at=at)
                examined = bool(written.exam)
    if written.exam and not examined:
        # Nobody has decided in this act, so what is worse pages as any finding does.
        examine(escalation=row, exam=dict(written.exam), by=by, now=now, at=at)
    if written.exam:
        parts["examination"] = STORED
    return outcome


@contextmanager
def _apart(
    parts: dict[str, str],
    name: str,
    trail: Recording,
    errors: list[dict[str, str]] | None = None,
    *,
    alone: bool = False,
) -> Iterator[None]:
    """Carry out one part in a savepoint: what is refused leaves neither a row nor an audit entry, and the others go on."""
    before = {stream: list(entries) for stream, entries in trail.streams.items()}
    try:
        with transaction.atomic():
            yield
    except Problem as problem:
        if alone:
            raise
        trail.streams.clear()
        trail.streams.update(before)
        parts[name] = REFUSED
        found = [asdict(one) for one in problem.errors] or [
            {"field": name, "code": problem.code, "detail": problem.detail}
        ]
        if errors is not None:
            errors += found
    else:
        parts[name] = STORED


def _standing_otherwise(row: Escalation, written: Written, by: Actor, now: datetime) -> dict[str, Any] | None:
    """Return what stands where the surgeon could not know of it: a decision made meanwhile, or the end of the case."""
    event = row.events.filter(kind=EventKind.DECIDED.value).select_related("actor").order_by("-seq").first()
    # Who decides again after their own decision knew of it, also where it had not left the phone yet.
    own = (
        event is not None
        and event.actor == by.user
        and row.decided_at is not None
        and row.decided_at <= written.moment(written.made_at, now)
    )
    if EscalationStatus(row.status).is_open and (own or row.decided_at == written.saw):
        return None
    return {
        "status": row.status,
        "decision": row.decision or None,
        "reason": row.decision_data.get("reason", ""),
        "by": person(event.actor if event else None),
        "decided_at": row.decided_at.isoformat() if row.decided_at else None,
    }


def _refuse_onlooker(row: Escalation, by: Actor) -> None:
    """The time at the bedside on somebody's phone is their own: only who could have the case arrives by it."""
    if not may_answer(row, _user(by)):
        raise Denied("not_a_surgeon", "Only a surgeon of this site takes the case by arriving.")


def _user(by: Actor) -> User:
    if by.user is None:
        raise Denied("nobody", "Somebody has to do this.")
    return by.user
