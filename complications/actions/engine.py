"""The engine: do what is due in every open escalation, one transaction each, by whoever runs it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DatabaseError, OperationalError, connection

from clinic.actions.audit import Recording, recording
from complications.actions.drills import end_drill
from complications.actions.opening import UNANSWERED
from complications.actions.paging import send, tell_user
from complications.actions.standing import ENGINE, change, lock_first, note, person
from complications.models import Escalation, EscalationEvent
from complications.models.escalation import OPEN
from complications.queries.recipients import Recipient, reachable
from complications.rules.escalation import Due, after_page, due, next_level
from complications.rules.policy import RANKED
from complications.vocabulary import EscalationStatus, EventKind

log = logging.getLogger("complications.engine")

RETRY = timedelta(minutes=1)
MOST_AT_ONCE = 60


@dataclass(frozen=True)
class Swept:
    """What one sweep did."""

    advanced: int = 0
    failed: int = 0


def advance_due(*, now: datetime, limit: int = 100, only: Sequence[int] | None = None) -> Swept:
    """Advance the escalations that are due (of the keys `only`, where given), each in a transaction of its own.

    A row that somebody holds is skipped and found again. One that fails is recorded, pushed forward by a minute and
    shown, and never stops the others.
    """
    rows = Escalation.objects.due(now).order_by("next_due_at", "id")
    if only is not None:
        rows = rows.filter(pk__in=only)
    advanced = failed = 0
    for key in list(rows.values_list("pk", flat=True)[:limit]):
        try:
            advanced += _advance(key, now)
        except OperationalError as error:
            # Somebody holds a row, or the database is going away: still due, and found again within seconds.
            failed += 1
            log.warning("escalation_held", extra={"escalation": key, "error": type(error).__name__})
        except Exception as error:
            failed += 1
            log.exception("escalation_not_advanced", extra={"escalation": key, "error": type(error).__name__})
            _push_forward(key, error, now)
    return Swept(advanced, failed)


def _advance(key: int, now: datetime) -> bool:
    with recording(by=ENGINE, now=now) as trail:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '1s'")
        row = lock_first(Escalation.objects.due(now).filter(pk=key), skip_locked=True)
        if row is None:
            return False
        for _ in range(MOST_AT_ONCE):
            found = due(row.standing(), now)
            if found is None:
                break
            _DO[found.what](row, found, now, trail)
        if row.status in OPEN:
            change(row, now=now)
    return True


def _push_forward(key: int, error: Exception, now: datetime) -> None:
    """Keep a broken escalation in sight: try again in a minute, with the failure on its page."""
    try:
        with recording(by=ENGINE, now=now) as trail:
            row = lock_first(Escalation.objects.filter(pk=key))
            if row is None:
                return
            name = type(error).__name__
            Escalation.objects.filter(pk=key).update(
                next_due_at=now + RETRY, failures=row.failures + 1, last_failure=name
            )
            note(row, EventKind.ENGINE_FAILED, by=ENGINE, now=now, trail=trail, data={"error": name})
    except DatabaseError:
        log.exception("escalation_not_pushed_forward", extra={"escalation": key})


def _page(row: Escalation, found: Due, now: datetime, trail: Recording) -> None:
    """Run the step that is due; one that reaches nobody is recorded as skipped and followed at once."""
    stands = row.standing()
    if row.is_drill and row.step >= len(stands.policy.ladder(stands.tier, stands.pathway).steps):
        # The backstop was called as well, and had the time until the repeat: a drill ends, a case would never.
        end_drill(row, cause="drill_unanswered", by=ENGINE, now=now, trail=trail)
        return
    posts = stands.policy.ladder(stands.tier, stands.pathway).recipients(row.step)
    if row.status != EscalationStatus.PAGING.value:
        # Somebody answered who cannot operate: only those who can go on being called.
        posts = tuple(post for post in posts if post in RANKED)
    recipients = [one for one in reachable(row, posts, now) if one.user is None or one.user != row.responsible]
    recipients = _but_who_declined(row, recipients)
    key = f"{row.round}:{row.step}"
    told = (
        send(row, recipients, kind="escalation_page", key=key, now=now, words={"step": row.step}) if recipients else []
    )
    reached = any(one.is_within_reach for one in recipients)
    data = {"round": row.round, "step": row.step, "posts": list(posts), "to": told, "planned_at": found.at}
    following = after_page(stands, now, reached=reached)
    row.round, row.step, row.page_due_at = following
    change(row, now=now, round=row.round, step=row.step, page_due_at=row.page_due_at)
    kind = EventKind.STEP_PAGED if reached else EventKind.STEP_SKIPPED
    note(row, kind, by=ENGINE, now=now, trail=trail, data=data)


def _but_who_declined(row: Escalation, recipients: list[Recipient]) -> list[Recipient]:
    """Leave out who said in this round that they cannot come, as long as that leaves somebody to call."""
    declined = EscalationEvent.objects.filter(
        escalation=row, kind=EventKind.DECLINED.value, data__state__round=row.round
    ).values_list("actor_id", flat=True)
    gone = set(declined)
    left = [one for one in recipients if one.user is None or one.user.pk not in gone]
    return left if any(one.is_within_reach for one in left) else recipients


def _no_arrival(row: Escalation, found: Due, now: datetime, trail: Recording) -> None:
    """Take the responsibility back from somebody who did not come: paging resumes where it stood."""
    gone = row.responsible
    change(row, now=now, status=EscalationStatus.PAGING, page_due_at=now, **UNANSWERED)
    data = {"was": person(gone), "limit": found.at}
    event = note(row, EventKind.UNACKNOWLEDGED, by=ENGINE, now=now, trail=trail, data=data)
    tell_user(row, gone, kind="escalation_note", key=f"e{event.seq}", now=now, words={"what": "unacknowledged"})


def _hand_over_unanswered(row: Escalation, found: Due, now: datetime, trail: Recording) -> None:
    asked = row.hand_over_to
    change(row, now=now, hand_over_to=None, hand_over_due_at=None)
    data = {"asked": person(asked)}
    event = note(row, EventKind.HAND_OVER_UNANSWERED, by=ENGINE, now=now, trail=trail, data=data)
    key = f"e{event.seq}"
    tell_user(row, row.responsible, kind="escalation_note", key=key, now=now, words={"what": "hand_over_unanswered"})
    send(row, reachable(row, next_level(row.standing()), now), kind="escalation_page", key=f"{key}:next", now=now)


def _warn(row: Escalation, found: Due, now: datetime, trail: Recording) -> None:
    change(row, now=now, told=[*row.told, f"{found.clock}:warned"])
    data = {"clock": found.clock}
    event = note(row, EventKind.CLOCK_WARNED, by=ENGINE, now=now, trail=trail, data=data)
    if found.clock != "acknowledgement":
        key = f"e{event.seq}"
        tell_user(
            row,
            row.responsible,
            kind="escalation_note",
            key=key,
            now=now,
            words={"what": "clock_warned", "clock": found.clock},
        )


def _breach(row: Escalation, found: Due, now: datetime, trail: Recording) -> None:
    """Mark a breached clock and tell the next level; the one of the acknowledgement is told by the steps themselves."""
    change(row, now=now, told=[*row.told, f"{found.clock}:warned", f"{found.clock}:breached"])
    data = {"clock": found.clock, "limit": found.at}
    event = note(row, EventKind.CLOCK_BREACHED, by=ENGINE, now=now, trail=trail, data=data)
    if found.clock == "acknowledgement":
        return
    key = f"e{event.seq}"
    words = {"what": "clock_breached", "clock": found.clock}
    tell_user(row, row.responsible, kind="escalation_note", key=key, now=now, words=words)
    others = [
        one
        for one in reachable(row, next_level(row.standing()), now)
        if one.user is None or one.user != row.responsible
    ]
    send(row, others, kind="escalation_note", key=f"{key}:next", now=now, words=words)


def _reexamine(row: Escalation, found: Due, now: datetime, trail: Recording) -> None:
    change(row, now=now, told=[*row.told, "reexamination"])
    event = note(row, EventKind.REEXAMINATION_DUE, by=ENGINE, now=now, trail=trail, data={"due": found.at})
    key = f"e{event.seq}"
    words = {"what": "reexamination_due"}
    tell_user(row, row.responsible, kind="escalation_note", key=key, now=now, words=words)
    ward = [one for one in reachable(row, ["nurse_in_charge"], now) if one.user != row.responsible]
    send(row, ward, kind="escalation_note", key=f"{key}:ward", now=now, link=False, words=words)


def _reexamine_overdue(row: Escalation, found: Due, now: datetime, trail: Recording) -> None:
    """Nobody looked again: whoever observes is no longer enough, and paging begins anew."""
    changes = {"round": row.round + 1, "step": 0, "page_due_at": now, **UNANSWERED, "reexamine_at": None}
    change(row, now=now, status=EscalationStatus.PAGING, **changes)
    note(row, EventKind.UNACKNOWLEDGED, by=ENGINE, now=now, trail=trail, data={"cause": "reexamination_overdue"})


_DO = {
    "page": _page,
    "no_arrival": _no_arrival,
    "hand_over_unanswered": _hand_over_unanswered,
    "warn": _warn,
    "breach": _breach,
    "reexamine": _reexamine,
    "reexamine_overdue": _reexamine_overdue,
}
