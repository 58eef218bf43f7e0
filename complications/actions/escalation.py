"""The surgeon's acts: take responsibility, arrive, hand over, record times, decide, withdraw an error."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from clinic.actions.audit import Recording, recording
from clinic.actions.notification import cancel_unsent
from clinic.lib.problems import Denied, FieldError, Invalid, Refused
from clinic.models import Actor, User
from clinic.queries.rota import read_rota
from complications.actions.drills import end_drill
from complications.actions.engine import advance_due
from complications.actions.examination import deficit_of, examine, refuse_unreadable
from complications.actions.paging import send, tell_user
from complications.actions.standing import change, lock, note, person, refuse_closed, refuse_drill
from complications.models import Escalation
from complications.queries.recipients import Recipient, may_answer
from complications.rules.decision import Decided, Unreadable, read_decision
from complications.rules.policy import RANKED
from complications.vocabulary import Decision, EscalationStatus, EventKind, Milestone, Pathway, Tier

__all__ = [
    "acknowledge",
    "advance_due",
    "arrive",
    "decide",
    "hand_over",
    "raise_in_error",
    "record_milestone",
]

S = EscalationStatus
LONGEST_ETA_MIN = 24 * 60


def acknowledge(*, escalation: Escalation, eta_minutes: int, by: Actor, now: datetime) -> Escalation:
    """Take responsibility, with the minutes until the bedside; unsent pages are cancelled in the same transaction.

    A second answer is refused with who was first (409) and kept as an event, so that the ward knows who else can come;
    but for a person who was asked to take over, and where the first one cannot operate. Somebody who may not answer (the
    backstop, a nurse) leaves an event and is refused.
    """
    user = _person(by)
    if not 0 <= eta_minutes <= LONGEST_ETA_MIN:
        raise Invalid.field("eta_minutes", "out_of_range", "Give the minutes until you are at the bedside, 0 to 1440.")
    with recording(by=by, now=now) as trail:
        row = lock(escalation.public_id)
        refuse_closed(row)
        if not may_answer(row, user):
            note(row, EventKind.BACKSTOP_ANSWERED, by=by, now=now, trail=trail, data={"answered": person(user)})
            refusal: Denied | Refused | None = Denied(
                "not_a_surgeon", "Recorded that you answered. A surgeon must still take over."
            )
        else:
            refusal = _acknowledge(row, user, eta_minutes, by, now, trail)
            if row.is_drill and refusal is None and not row.cannot_operate:
                end_drill(row, cause="drill_answered", by=by, now=now, trail=trail)
    if refusal is not None:
        raise refusal
    return row


def _acknowledge(
    row: Escalation, user: User, eta_minutes: int, by: Actor, now: datetime, trail: Recording
) -> Refused | None:
    eta_at = now + timedelta(minutes=eta_minutes) / max(1, int(row.policy.get("time_scale", 1)))
    accepted = row.hand_over_to == user
    same = row.responsible == user
    can = user.can_decompress or row.pathway != Pathway.SPINE.value
    answered = row.status in (S.ACKNOWLEDGED.value, S.AT_BEDSIDE.value)
    relieves = answered and row.cannot_operate and can and not same
    free = row.status == S.PAGING.value or relieves
    if not (accepted or same or free):
        _also_answered(row, user, eta_minutes, by, now, trail)
        return Refused("already_answered", who_was_first(row))
    changes: dict[str, Any] = {
        "responsible": user,
        "acknowledged_at": now,
        "eta_at": eta_at,
        "cannot_operate": not can,
        "hand_over_to": None if accepted or relieves else row.hand_over_to,
        "hand_over_due_at": None if accepted or relieves else row.hand_over_due_at,
        "first_acknowledged_at": row.first_acknowledged_at or now,
    }
    if same and row.status != S.PAGING.value and not accepted:
        if row.status != S.ACKNOWLEDGED.value:
            return None
        changes["acknowledged_at"] = row.acknowledged_at
    first = row.responsible
    if not same:
        # Who cannot operate leaves the pages of those who can on their way (the on-call ranks go on being called); who
        # only says when they come leaves the page to whom they asked to take over.
        cancel_unsent(reference=row.reference, now=now, but_posts=() if can else RANKED)
    if accepted or relieves:
        changes["arrived_at"] = None
    # After a decision a new owner is enough; before it the new one has to come to the bedside.
    change(row, now=now, status=None if row.status == S.DECIDED.value else S.ACKNOWLEDGED, **changes)
    kind = EventKind.HAND_OVER_ACCEPTED if accepted else EventKind.ACKNOWLEDGED
    data = {
        "by": person(user),
        "eta_minutes": eta_minutes,
        "eta_at": eta_at,
        "can_operate": can,
        "before": person(first),
    }
    event = note(row, kind, by=by, now=now, trail=trail, data=data)
    words = {"what": "answered", "who": user.get_full_name(), "eta_minutes": eta_minutes, "can_operate": can}
    for told in {one.pk: one for one in (row.opened_by, first) if one is not None and one != user}.values():
        tell_user(row, told, kind="escalation_note", key=f"e{event.seq}", now=now, urgent=False, words=words)
    return None


def _also_answered(row: Escalation, user: User, eta_minutes: int, by: Actor, now: datetime, trail: Recording) -> None:
    """Keep that somebody else could come as well: once for each person while the same one has the responsibility."""
    since = row.acknowledged_at or now
    if row.events.filter(kind=EventKind.ALSO_ANSWERED.value, actor=user, at__gte=since).exists():
        return
    data = {"by": person(user), "eta_minutes": eta_minutes, "has_it": person(row.responsible)}
    note(row, EventKind.ALSO_ANSWERED, by=by, now=now, trail=trail, data=data)


def who_was_first(row: Escalation) -> str:
    name = row.responsible.get_full_name() if row.responsible else "Somebody"
    since = f" at {row.acknowledged_at:%H:%M} UTC" if row.acknowledged_at else ""
    if row.status == S.ACKNOWLEDGED.value and row.eta_at:
        return f"{name} took responsibility{since} and is expected at the bedside by {row.eta_at:%H:%M} UTC."
    return f"{name} has the responsibility{since}; the patient is {row.status.replace('_', ' ')}."


def arrive(
    *, escalation: Escalation, by: Actor, now: datetime, surgeon: User | None = None, at: datetime | None = None
) -> Escalation:
    """Record that a surgeon is at the bedside: they themselves, or the ward, which names them or means the responsible.

    The arrival of a surgeon who never answered is an answer. `at` may lie in the past, not in the future.
    """
    actor = _person(by)
    moment = _not_in_the_future(at, now, "at")
    with recording(by=by, now=now) as trail:
        row = lock(escalation.public_id)
        refuse_drill(row)
        refuse_closed(row)
        who = surgeon or (actor if may_answer(row, actor) else row.responsible)
        if who is None:
            raise Invalid.field(
                "surgeon", "missing", "Nobody has answered yet: name the surgeon who is at the bedside."
            )
        if not may_answer(row, who):
            raise Invalid.field("surgeon", "not_a_surgeon", f"{who.get_full_name()} is not a surgeon of this site.")
        can = who.can_decompress or row.pathway != Pathway.SPINE.value
        relieves = row.status == S.AT_BEDSIDE.value and row.cannot_operate and can
        if row.status in (S.AT_BEDSIDE.value, S.DECIDED.value) and row.hand_over_to != who and not relieves:
            return row
        cancel_unsent(reference=row.reference, now=now, but_posts=() if can else RANKED)
        change(
            row,
            now=now,
            status=S.AT_BEDSIDE if row.status in (S.PAGING.value, S.ACKNOWLEDGED.value) else None,
            responsible=who,
            acknowledged_at=row.acknowledged_at or now,
            first_acknowledged_at=row.first_acknowledged_at or moment,
            arrived_at=moment,
            first_arrived_at=row.first_arrived_at or moment,
            cannot_operate=not can,
            hand_over_to=None,
            hand_over_due_at=None,
        )
        note(row, EventKind.ARRIVED, by=by, now=now, trail=trail, data={"surgeon": person(who), "at": moment})
    return row


def hand_over(*, escalation: Escalation, to: User, by: Actor, now: datetime) -> Escalation:
    """Ask another surgeon to take over; until they answer, the first one stays responsible."""
    actor = _person(by)
    with recording(by=by, now=now) as trail:
        row = lock(escalation.public_id)
        refuse_drill(row)
        refuse_closed(row)
        if row.status == S.PAGING.value or row.responsible is None:
            raise Refused("nobody_responsible", "Nobody has answered yet: take responsibility before handing over.")
        if row.responsible != actor:
            raise Refused("not_yours", who_was_first(row))
        if to == actor:
            raise Invalid.field("to", "same_person", "Name somebody else.")
        if not may_answer(row, to):
            raise Invalid.field("to", "not_a_surgeon", f"{to.get_full_name()} is not a surgeon of this site.")
        if read_rota(row.site, now).is_away(to.pk, now):
            raise Invalid.field("to", "on_leave", f"{to.get_full_name()} is on leave. Name somebody who is there.")
        recipient = Recipient("handover", to.get_full_name(), user=to)
        if not recipient.is_within_reach:
            raise Invalid.field("to", "not_reachable", f"{to.get_full_name()} has no address to which a page could go.")
        stands = row.standing()
        wait = stands.policy.number(stands.tier, "ack") or timedelta(minutes=5)
        change(row, now=now, hand_over_to=to, hand_over_due_at=now + wait)
        data = {"from": person(actor), "to": person(to), "answer_by": now + wait}
        event = note(row, EventKind.HANDED_OVER, by=by, now=now, trail=trail, data=data)
        words = {"what": "hand_over", "who": actor.get_full_name()}
        send(row, [recipient], kind="escalation_page", key=f"e{event.seq}", now=now, words=words)
    return row


def record_milestone(
    *, escalation: Escalation, kind: Milestone, at: datetime | None, by: Actor, now: datetime, note_text: str = ""
) -> Escalation:
    """Record a time on the way; theatre's start closes an escalation whose operation is decided.

    A milestone may be corrected: the latest entry counts and the earlier ones stay in the events.
    """
    moment = _not_in_the_future(at, now, "at")
    with recording(by=by, now=now) as trail:
        row = lock(escalation.public_id)
        refuse_drill(row)
        late = row.status == S.CLOSED.value and kind in _AFTER_CLOSURE
        if not late:
            refuse_closed(row)
        milestones = {**row.milestones, kind.value: moment.isoformat()}
        if late:
            Escalation.objects.filter(pk=row.pk).update(milestones=milestones)
            row.milestones = milestones
        else:
            change(row, now=now, milestones=milestones)
        data = {"kind": kind.value, "at": moment, "note": note_text}
        note(row, EventKind.MILESTONE, by=by, now=now, trail=trail, data=data)
        if not late:
            _follow_milestone(row, by, now, trail)
    return row


_AFTER_CLOSURE = (Milestone.INCISION, Milestone.OPERATION_END, Milestone.FAMILY_TOLD, Milestone.IN_THEATRE)


def _follow_milestone(row: Escalation, by: Actor, now: datetime, trail: Recording) -> None:
    """Close what the milestones have finished."""
    if row.status != S.DECIDED.value:
        return
    begun = {Milestone.IN_THEATRE.value, Milestone.INCISION.value} & set(row.milestones)
    if Decision(row.decision).is_operative and begun:
        _end(row, S.CLOSED, EventKind.CLOSED, {"cause": "theatre_started"}, by, now, trail)
    elif row.decision == Decision.TRANSFER.value and Milestone.TRANSFER_ACCEPTED.value in row.milestones:
        _end(row, S.TRANSFERRED, EventKind.TRANSFERRED, {"cause": "transfer_accepted"}, by, now, trail)


def _end(
    row: Escalation,
    status: EscalationStatus,
    kind: EventKind,
    data: Mapping[str, Any],
    by: Actor,
    now: datetime,
    trail: Recording,
) -> None:
    cancel_unsent(reference=row.reference, now=now)
    change(row, now=now, status=status, hand_over_to=None, hand_over_due_at=None)
    note(row, kind, by=by, now=now, trail=trail, data=data)


def decide(
    *, escalation: Escalation, data: Mapping[str, Any], by: Actor, now: datetime, at: datetime | None = None
) -> Escalation:
    """Record the surgeon's decision and what follows from it; `at` is when it was made, where it arrives later.

    `no_deficit` (and `treated`) closes; `observe` and `image_first` stay open with a due time; an operation stays
    open until theatre starts, a transfer until it is accepted. Needs somebody at the bedside first, but for routine
    reviews and the operator's own. Raise Invalid naming each field that is missing.
    """
    user = _person(by)
    with recording(by=by, now=now) as trail:
        row = lock(escalation.public_id)
        refuse_drill(row)
        refuse_closed(row)
        if not may_answer(row, user):
            raise Denied("not_a_surgeon", "Only a surgeon of this site decides.")
        moment = max(min(at or now, now), row.opened_at)
        decided = _read(row, data, moment)
        from_afar = row.tier == Tier.T3.value or row.pathway == Pathway.OPERATOR.value
        if row.status == S.PAGING.value or (row.status == S.ACKNOWLEDGED.value and not from_afar):
            raise Refused("not_at_bedside", "Record first that the surgeon is at the bedside.")
        cancel_unsent(reference=row.reference, now=now)
        if decided.exam:
            row = _examined(row, decided, by, now, moment)
            # A worse tier has other limits, by which the next look is due.
            decided = _read(row, data, moment)
        told = [one for one in row.told if not one.startswith("reexamination")]
        change(
            row,
            now=now,
            status=S.DECIDED,
            responsible=user,
            decision=decided.decision.value,
            decision_data=decided.data,
            decided_at=moment,
            reexamine_at=decided.reexamine_at,
            milestones={**row.milestones, **decided.milestones},
            told=told,
        )
        note(row, EventKind.DECIDED, by=by, now=now, trail=trail, data=decided.data)
        _follow_decision(row, decided, by, now, trail)
    return row


def _examined(row: Escalation, decided: Decided, by: Actor, now: datetime, at: datetime) -> Escalation:
    """Keep the examination of a decision, let it raise the case where it is worse, and return the row as it then is."""
    exam = dict(decided.exam or {})
    if decided.data.get("pvr_ml") is not None:
        exam.setdefault("pvr_ml", decided.data["pvr_ml"])
    refuse_unreadable(exam)
    worse = deficit_of(row.case, exam, now=now) if decided.decision is Decision.NO_DEFICIT else ""
    if worse:
        detail = f"The examination shows a deficit ({worse}): choose another decision, or correct the examination."
        raise Invalid.field("decision", "contradicts_examination", detail)
    examine(escalation=row, exam=exam, by=by, now=now, at=at, attended=True)
    return lock(row.public_id)


def _read(row: Escalation, data: Mapping[str, Any], now: datetime) -> Decided:
    try:
        return read_decision(data, row.standing(), now)
    except Unreadable as wrong:
        faults = [FieldError(*fault) for fault in wrong.faults]
        raise Invalid("invalid", "The decision lacks something.", faults) from None


def _follow_decision(row: Escalation, decided: Decided, by: Actor, now: datetime, trail: Recording) -> None:
    if decided.decision in (Decision.NO_DEFICIT, Decision.TREATED):
        _end(row, S.CLOSED, EventKind.CLOSED, {"cause": decided.decision.value}, by, now, trail)
    else:
        _follow_milestone(row, by, now, trail)


def raise_in_error(*, escalation: Escalation, reason: str, by: Actor, now: datetime) -> Escalation:
    """Withdraw an escalation that should not have been; only a surgeon may, with a reason."""
    user = _person(by)
    if len(reason.strip()) < 3:
        raise Invalid.field("reason", "missing", "Say why this was raised in error.")
    with recording(by=by, now=now) as trail:
        row = lock(escalation.public_id)
        refuse_drill(row)
        refuse_closed(row)
        if not may_answer(row, user):
            raise Denied("not_a_surgeon", "Only a surgeon of this site may withdraw an escalation.")
        _end(row, S.RAISED_IN_ERROR, EventKind.RAISED_IN_ERROR, {"reason": reason.strip()}, by, now, trail)
    return row


def _person(by: Actor) -> User:
    if by.user is None:
        raise Denied("nobody", "Somebody has to do this.")
    return by.user


def _not_in_the_future(at: datetime | None, now: datetime, field: str) -> datetime:
    if at is None:
        return now
    if at > now + timedelta(minutes=5):
        raise Invalid.field(field, "in_the_future", "This time has not come yet.")
    return min(at, now)
