"""One round of the engine's work, as Celery and the watchman both run it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from time import monotonic

from django.db import Error

from clinic.actions.notification import Deliveries, claim_due, deliver_all
from clinic.models import Notification
from complications.actions.drill_plans import amend_reports, start_planned
from complications.actions.engine import advance_due
from complications.actions.follow_up import sweep_unplanned
from complications.actions.reminders import fire_timers, remind_drafts
from complications.actions.reminders import remind_due as _remind_due

log = logging.getLogger("complications.engine")

#: Messages that are sent side by side, and for how long new ones are begun: with the slowest delivery behind the last of
#: them a sweep ends before Celery's limit for a task.
AT_ONCE = 8
LONGEST_S = 4
#: For how long a round sends the pages of its cases itself: their leases count from its beginning.
READY_S = 2


class Round:
    """What one task does: cases that are due, each followed at once by its pages, then whatever else waits."""

    def __init__(self, *, now: datetime) -> None:
        self.start, self.began = now, monotonic()
        self.deliveries = Deliveries()
        self.begun = self.sent = 0
        self.left_waiting = False

    @property
    def now(self) -> datetime:
        """The time of the round's beginning and what has passed since: a lease counts from its own claim."""
        return self.start + timedelta(seconds=int(monotonic() - self.began))

    def advance(self, *, only: Sequence[int] | None = None) -> int:
        """Fire the timers, begin the planned drills and advance the escalations that are due (of the keys `only`); return how many.

        The pages of each leave after its own commit, not behind the others, and a slow provider holds up no case.
        """
        fired = fire_timers(now=self.start) + start_planned(now=self.start) if only is None else 0
        return fired + advance_due(now=self.start, only=only, sender=self).advanced

    def is_ready(self) -> bool:
        """Return whether a further case's pages can be sent at once: not many are on their way, and it is not late."""
        ready = len(self.deliveries.on_their_way) < AT_ONCE and monotonic() - self.began < READY_S
        self.left_waiting |= not ready
        return ready

    def send(self, messages: Sequence[Notification]) -> None:
        """Send a case's pages; what a provider holds up is waited for after the last case."""
        self.begun += len(messages)
        self.deliveries.send(messages)
        try:
            self.sent += self.deliveries.settle(now=self.now, wait=False)
        except Error as error:
            # Their leases end; the next case must not wait for that.
            log.warning("pages_not_marked", extra={"error": type(error).__name__})

    @property
    def is_done(self) -> bool:
        """Whether everything that the cases wrote has left: behind what did not, another way may be due at once."""
        return self.begun == self.sent and not self.left_waiting

    def deliver(self, *, limit: int = 60) -> int:
        """Send what else waits, urgent messages first, and wait for all of it; return how many messages left.

        A few are claimed at a time and sent side by side, so that a slow provider never holds a lease for longer than
        the lease lasts, and never holds up the others.
        """
        self.sent += self.deliveries.settle(now=self.now)
        looked = 0
        while looked < limit and monotonic() - self.began < LONGEST_S:
            found = self.deliveries.begin(now=self.now, limit=AT_ONCE)
            left = self.deliveries.settle(now=self.now)
            looked, self.sent = looked + found, self.sent + left
            if left == found < AT_ONCE:
                # All of it left; behind what did not, the person's next way is due at once.
                break
        return self.sent


def advance(*, now: datetime, only: Sequence[int] | None = None) -> int:
    """Advance what is due (of the keys `only`) and send what waits; return how many cases and messages that were.

    With `only` no other's messages are looked for, once those of these cases have left: that is for the sweep.
    """
    work = Round(now=now)
    done = work.advance(only=only)
    return done + (work.sent if only is not None and work.is_done else work.deliver())


def deliver_due(*, now: datetime, limit: int = 60) -> int:
    """Claim what waits in the outbox, urgent messages first, and send it; return how many left."""
    return Round(now=now).deliver(limit=limit)


def deliver_keys(keys: Sequence[int], *, now: datetime) -> int:
    """Send these messages, as far as nobody else has claimed them."""
    return deliver_all(keys=claim_due(now=now, limit=len(keys) or 1, only=keys), now=now)


def remind(*, now: datetime) -> int:
    """Look at the follow-ups that are due, and at what came late to the report of a drill; return how many."""
    return _remind_due(now=now) + amend_reports(now=now)


def sweep_plans(*, now: datetime) -> int:
    """Plan for procedures that nobody signed out, and remind of drafts that wait; return how many."""
    return sweep_unplanned(now=now) + remind_drafts(now=now)
