"""One round of the engine's work, as Celery and the watchman both run it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from time import monotonic

from clinic.actions.notification import claim_due, deliver_all
from complications.actions.engine import advance_due
from complications.actions.follow_up import sweep_unplanned
from complications.actions.reminders import fire_timers, remind_drafts
from complications.actions.reminders import remind_due as _remind_due

#: Messages that are sent side by side, and for how long new ones are begun: with the slowest delivery behind the last of
#: them a sweep ends before Celery's limit for a task.
AT_ONCE = 8
LONGEST_S = 4


def advance(*, now: datetime, only: Sequence[int] | None = None) -> int:
    """Fire the timers and advance the escalations that are due; return how many."""
    fired = fire_timers(now=now) if only is None else 0
    return fired + advance_due(now=now, only=only).advanced


def deliver_due(*, now: datetime, limit: int = 60) -> int:
    """Claim what waits in the outbox, urgent messages first, and send it; return how many left.

    A few are claimed at a time and sent side by side, so that a slow provider never holds a lease for longer than the
    lease lasts, and never holds up the others.
    """
    sent, looked, start = 0, 0, monotonic()
    while looked < limit and monotonic() - start < LONGEST_S:
        # A lease counts from its own claim, not from the start of this round.
        moment = now + timedelta(seconds=int(monotonic() - start))
        keys = claim_due(now=moment, limit=AT_ONCE)
        if not keys:
            break
        looked += len(keys)
        sent += deliver_all(keys=keys, now=moment)
    return sent


def deliver_keys(keys: Sequence[int], *, now: datetime) -> int:
    """Send these messages, as far as nobody else has claimed them."""
    return deliver_all(keys=claim_due(now=now, limit=len(keys) or 1, only=keys), now=now)


def remind(*, now: datetime) -> int:
    """Look at the follow-ups that are due; return how many."""
    return _remind_due(now=now)


def sweep_plans(*, now: datetime) -> int:
    """Plan for procedures that nobody signed out, and remind of drafts that wait; return how many."""
    return sweep_unplanned(now=now) + remind_drafts(now=now)
