"""The engine: do what is due in every open escalation, one transaction each, by whoever runs it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

from django.db import DatabaseError, OperationalError

from clinic.actions.audit import Recording, recording
from clinic.actions.notification import Put
from clinic.lib.prepared import pipelined
from clinic.models import Notification, User
from complications.actions.drills import end_drill
from complications.actions.opening import UNANSWERED
from complications.actions.paging import send, tell_user
from complications.actions.standing import ENGINE, change, lock_due, lock_first, note, person
from complications.models import Escalation
from complications.models.escalation import OPEN
from complications.queries.recipients import Known, Recipient, reachable
from complications.rules.escalation import Due, after_page, due, next_due, next_level
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


class Sender(Protocol):
    """Whoever sends a case's pages as soon as its step is committed."""

    def is_ready(self) -> bool:
        """Return whether what the next case writes can be sent at once."""

    def send(self, messages: Sequence[Notification]) -> None:
        """Send messages that are leased to it; raise nothing that concerns another case."""


def advance_due(
    *, now: datetime, limit: int = 100, only: Sequence[int] | None = None, sender: Sender | None = None
) -> Swept:
    """Advance the escalations that are due (of the keys `only`, where given), each in a transaction of its own.

    A row that somebody holds is skipped and found again. One that fails is recorded, pushed forward by a minute and
    shown, and never stops the others. What each writes goes to the `sender` once it is committed, else into the outbox.
    """
    advanced = failed = 0
    for key in list(only)[:limit] if only is not None else _due(now, limit):
        held: list[Put] | None = [] if sender is not None and sender.is_ready() else None
        try:
            advanced += _advance(key, now, held)
        except OperationalError as error:
            # Somebody holds a row, or the database is going away: still due, and found again within seconds.
            failed += 1
            log.warning("escalation_held", extra={"escalation": key, "error": type(error).__name__})
        except Exception as error:
            failed += 1
            log.exception("escalation_not_advanced", extra={"escalation": key, "error": type(error).__name__})
            _push_forward(key, error, now)
        else:
            if sender is not None and held:
                sender.send([message for put in held for message in put.leased()])
    return Swept(advanced, failed)


def _due(now: datetime, limit: int) -> list[int]:
    rows = Escalation.objects.due(now).order_by("next_due_at", "id")
    return list(rows.values_list("pk", flat=True)[:limit])


class _Case(NamedTuple):
    """A case that is due, locked, with what its acts need; `held` gathers the messages that its caller sends."""

    row: Escalation
    now: datetime
    trail: Recording
    known: Known
    held: list[Put] | None


def _advance(key: int, now: datetime, held: list[Put] | None) -> bool:
    """Do what is due in one case; return whether anything was, and nobody held it."""
    with pipelined(), recording(by=ENGINE, now=now) as trail:
        row = lock_due(key, now)
        if row is None:
            return False
        case = _Case(row, now, trail, Known(row, now).ask(), held)
        for _ in range(MOST_AT_ONCE):
            found = due(row.standing(), now)
            if found is None:
                break
            _DO[found.what](case, found)
        if row.status in OPEN and row.next_due_at != next_due(row.standing(), now):
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


def _page(case: _Case, found: Due) -> None:
    """Run the step that is due; one that reaches nobody is recorded as skipped and followed at once."""
    row, now, trail, known, _ = case
    stands = row.standing()
    if row.is_drill and row.step >= len(stands.policy.ladder(stands.tier, stands.pathway).steps):
        # The backstop was called as well, and had the time until the repeat: a drill ends, a case would never.
        end_drill(row, cause="drill_unanswered", by=ENGINE, now=now, trail=trail)
        return
    posts = stands.policy.ladder(stands.tier, stands.pathway).recipients(row.step)
    if row.status != EscalationStatus.PAGING.value:
        # Somebody answered who cannot operate: only those who can go on being called.
        posts = tuple(post for post in posts if post in RANKED)
    recipients = [
        one for one in reachable(row, posts, now, known=known) if one.user is None or one.user != row.responsible
    ]
    recipients = _but_who_declined(row, recipients, known)
    key = f"{row.round}:{row.step}"
    told = _send(case, recipients, kind="escalation_page", key=key, words={"step": row.step}) if recipients else []
    reached = any(one.is_within_reach for one in recipients)
    data = {"round": row.round, "step": row.step, "posts": list(posts), "to": told, "planned_at": found.at}
    following = after_page(stands, now, reached=reached)
    row.round, row.step, row.page_due_at = following
    change(row, now=now, round=row.round, step=row.step, page_due_at=row.page_due_at)
    kind = EventKind.STEP_PAGED if reached else EventKind.STEP_SKIPPED
    note(row, kind, by=ENGINE, now=now, trail=trail, data=data)


def _send(
    case: _Case,
    people: Sequence[Recipient],
    *,
    kind: str,
    key: str,
    link: bool = True,
    words: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    row, now, _, known, held = case
    return send(row, people, kind=kind, key=key, now=now, link=link, words=words, known=known, held=held)


def _tell(case: _Case, user: User | None, key: str, words: Mapping[str, Any]) -> None:
    row, now, _, known, held = case
    tell_user(row, user, kind="escalation_note", key=key, now=now, words=words, known=known, held=held)


def _but_who_declined(row: Escalation, recipients: list[Recipient], known: Known) -> list[Recipient]:
    """Leave out who said in this round that they cannot come, as long as that leaves somebody to call."""
    gone = {user for turn, user in known.declined if turn == row.round}
    left = [one for one in recipients if one.user is None or one.user.pk not in gone]
    return left if any(one.is_within_reach for one in left) else recipients


def _no_arrival(case: _Case, found: Due) -> None:
    """Take the responsibility back from somebody who did not come: paging resumes where it stood."""
    row, now, trail, *_ = case
    gone = row.responsible
    change(row, now=now, status=EscalationStatus.PAGING, page_due_at=now, **UNANSWERED)
    data = {"was": person(gone), "limit": found.at}
    event = note(row, EventKind.UNACKNOWLEDGED, by=ENGINE, now=now, trail=trail, data=data)
    _tell(case, gone, f"e{event.seq}", {"what": "unacknowledged"})


def _hand_over_unanswered(case: _Case, found: Due) -> None:
    row, now, trail, known, _ = case
    asked = row.hand_over_to
    change(row, now=now, hand_over_to=None, hand_over_due_at=None)
    data = {"asked": person(asked)}
    event = note(row, EventKind.HAND_OVER_UNANSWERED, by=ENGINE, now=now, trail=trail, data=data)
    key = f"e{event.seq}"
    _tell(case, row.responsible, key, {"what": "hand_over_unanswered"})
    others = reachable(row, next_level(row.standing()), now, known=known)
    _send(case, others, kind="escalation_page", key=f"{key}:next")


def _warn(case: _Case, found: Due) -> None:
    row, now, trail, *_ = case
    change(row, now=now, told=[*row.told, f"{found.clock}:warned"])
    data = {"clock": found.clock}
    event = note(row, EventKind.CLOCK_WARNED, by=ENGINE, now=now, trail=trail, data=data)
    if found.clock != "acknowledgement":
        _tell(case, row.responsible, f"e{event.seq}", {"what": "clock_warned", "clock": found.clock})


def _breach(case: _Case, found: Due) -> None:
    """Mark a breached clock and tell the next level; the one of the acknowledgement is told by the steps themselves."""
    row, now, trail, known, _ = case
    change(row, now=now, told=[*row.told, f"{found.clock}:warned", f"{found.clock}:breached"])
    data = {"clock": found.clock, "limit": found.at}
    event = note(row, EventKind.CLOCK_BREACHED, by=ENGINE, now=now, trail=trail, data=data)
    if found.clock == "acknowledgement":
        return
    key = f"e{event.seq}"
    words = {"what": "clock_breached", "clock": found.clock}
    _tell(case, row.responsible, key, words)
    others = [
        one
        for one in reachable(row, next_level(row.standing()), now, known=known)
        if one.user is None or one.user != row.responsible
    ]
    _send(case, others, kind="escalation_note", key=f"{key}:next", words=words)


def _reexamine(case: _Case, found: Due) -> None:
    row, now, trail, known, _ = case
    change(row, now=now, told=[*row.told, "reexamination"])
    event = note(row, EventKind.REEXAMINATION_DUE, by=ENGINE, now=now, trail=trail, data={"due": found.at})
    key = f"e{event.seq}"
    words = {"what": "reexamination_due"}
    _tell(case, row.responsible, key, words)
    ward = [one for one in reachable(row, ["nurse_in_charge"], now, known=known) if one.user != row.responsible]
    _send(case, ward, kind="escalation_note", key=f"{key}:ward", link=False, words=words)


def _reexamine_overdue(case: _Case, found: Due) -> None:
    """Nobody looked again: whoever observes is no longer enough, and paging begins anew."""
    row, now, trail, *_ = case
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
