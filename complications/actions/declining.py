"""Somebody who was paged and cannot come says so: the next step pages at once instead of when its time has come."""

from __future__ import annotations

from datetime import datetime

from clinic.actions.audit import Recording, recording
from clinic.lib.problems import Denied, Refused
from clinic.models import Actor, Notification, User
from complications.actions.escalation import who_was_first
from complications.actions.opening import UNANSWERED, wake_engine
from complications.actions.paging import send, tell_user
from complications.actions.standing import change, lock, note, person, refuse_closed
from complications.models import Escalation
from complications.queries.recipients import may_answer, reachable
from complications.rules.escalation import next_level
from complications.vocabulary import EscalationStatus, EventKind

S = EscalationStatus


def decline(*, escalation: Escalation, by: Actor, now: datetime) -> Escalation:
    """Say that one cannot come. The next step is due now; a second touch changes nothing until one is paged again.

    Who was asked to take over declines the hand-over: the first one stays responsible and the next level is called. Who
    has the responsibility and is not at the bedside yet gives it back. Raise Denied for somebody who was not paged, or
    may not answer at all; Refused `already_answered` where another surgeon has it.
    """
    if by.user is None:
        raise Denied("nobody", "Somebody has to do this.")
    user = by.user
    with recording(by=by, now=now) as trail:
        row = lock(escalation.public_id)
        refuse_closed(row)
        if not may_answer(row, user):
            raise Denied("not_a_surgeon", "Only who could take responsibility can decline it.")
        paged_at = _last_page(row, user)
        if paged_at is None:
            raise Denied("not_paged", "Nobody has called you to this case.")
        if row.hand_over_to == user:
            _decline_hand_over(row, user, by, now, trail)
        elif row.responsible == user and row.status == S.ACKNOWLEDGED.value:
            change(row, now=now, status=S.PAGING, page_due_at=now, **UNANSWERED)
            note(row, EventKind.DECLINED, by=by, now=now, trail=trail, data={"by": person(user), "what": "given_back"})
        elif _has_declined(row, user, since=paged_at):
            return row
        elif not row.standing().pages:
            raise Refused("already_answered", who_was_first(row))
        else:
            due = min(now, row.page_due_at or now)
            change(row, now=now, page_due_at=due)
            note(row, EventKind.DECLINED, by=by, now=now, trail=trail, data={"by": person(user), "what": "page"})
        wake_engine()
    return row


def may_decline(row: Escalation, user: User) -> bool:
    """Return whether this person was paged and has not said since that they cannot come."""
    paged_at = _last_page(row, user)
    return paged_at is not None and not _has_declined(row, user, since=paged_at)


def _last_page(row: Escalation, user: User) -> datetime | None:
    pages = Notification.objects.filter(reference=row.reference, recipient=user, kind="escalation_page")
    return pages.order_by("-created_at").values_list("created_at", flat=True).first()


def _has_declined(row: Escalation, user: User, *, since: datetime) -> bool:
    return row.events.filter(kind=EventKind.DECLINED.value, actor=user, at__gte=since).exists()


def _decline_hand_over(row: Escalation, user: User, by: Actor, now: datetime, trail: Recording) -> None:
    change(row, now=now, hand_over_to=None, hand_over_due_at=None)
    data = {"by": person(user), "what": "hand_over"}
    event = note(row, EventKind.DECLINED, by=by, now=now, trail=trail, data=data)
    words = {"what": "hand_over_unanswered"}
    key = f"e{event.seq}"
    tell_user(row, row.responsible, kind="escalation_note", key=key, now=now, words=words)
    others = [one for one in reachable(row, next_level(row.standing()), now) if one.user not in (user, row.responsible)]
    send(row, others, kind="escalation_page", key=f"{key}:next", now=now)
