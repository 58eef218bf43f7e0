"""One round of the engine's work, as Celery and the watchman both run it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from time import monotonic

from django.conf import settings

from clinic.actions.notification import LEASE, claim_due, deliver, release
from complications.actions.engine import advance_due
from complications.actions.follow_up import sweep_unplanned
from complications.actions.reminders import fire_timers, remind_drafts
from complications.actions.reminders import remind_due as _remind_due

AT_ONCE = 3
#: A round begins no new claim after this, so that it is over (3 s, 7 s of its lease, one delivery of 15 s) before a worker's
#: task is cut off.
LONGEST_S = 3

log = logging.getLogger("complications.engine")


def advance(*, now: datetime, only: Sequence[int] | None = None) -> int:
    """Fire the timers and advance the escalations that are due; return how many."""
    fired = fire_timers(now=now) if only is None else 0
    return fired + advance_due(now=now, only=only).advanced


def deliver_due(*, now: datetime, limit: int = 60) -> int:
    """Claim what waits in the outbox, urgent messages first, and send it; return how many left."""
    sent, looked, start = 0, 0, monotonic()
    while looked < limit and monotonic() - start < LONGEST_S:
        # A lease counts from its own claim, not from the start of this round.
        moment = now + timedelta(seconds=int(monotonic() - start))
        keys = claim_due(now=moment, limit=AT_ONCE)
        if not keys:
            break
        looked += len(keys)
        sent += _deliver(keys, moment)
    return sent


def deliver_keys(keys: Sequence[int], *, now: datetime) -> int:
    """Send these messages, as far as nobody else has claimed them."""
    return _deliver(claim_due(now=now, limit=len(keys) or 1, only=keys), now)


def _deliver(keys: Sequence[int], now: datetime) -> int:
    """Send claimed messages while their lease is sure to outlast the next one; give the rest back."""
    sent, start = 0, monotonic()
    for index, key in enumerate(keys):
        if monotonic() - start > LEASE.total_seconds() - settings.DELIVERY_SECONDS:
            release(keys=keys[index:], claimed_at=now)
            break
        try:
            sent += deliver(key=key, now=now)
        except Exception:
            # The lease expires and the message goes out again with the same id; its siblings are not held up.
            log.exception("message_not_delivered", extra={"notification": key})
    return sent


def remind(*, now: datetime) -> int:
    """Look at the follow-ups that are due; return how many."""
    return _remind_due(now=now)


def sweep_plans(*, now: datetime) -> int:
    """Plan for procedures that nobody signed out, and remind of drafts that wait; return how many."""
    return sweep_unplanned(now=now) + remind_drafts(now=now)
