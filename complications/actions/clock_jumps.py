"""When the database's clock is set back, what waits must not wait that much longer (I5).

A clock that is set forward needs nothing: what is due is due, each step once. One that is set back by an hour would keep
every page, hand-over and retry an hour from its time, and nobody would see it: nothing would be overdue.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F, Max
from django.db.models.functions import Least

from clinic.models import Notification
from clinic.vocabulary import NotificationStatus
from complications.actions.standing import lock_first
from complications.models import EngineHeartbeat, Escalation, Timer
from complications.models.engine import PENDING
from complications.rules.escalation import next_due
from complications.rules.policy import Policy
from complications.vocabulary import Tier

log = logging.getLogger("complications.engine")

#: An engine finishes a sweep every two seconds; a sweep that was finished later than this from now was never finished.
NOTICED_FROM = timedelta(seconds=30)
#: Retries wait for half an hour at most; what waits longer waits for an hour of the day, which the new clock knows.
LONGEST_RETRY = timedelta(hours=1)


def set_back(*, now: datetime) -> timedelta:
    """Bring forward by a backward jump of the clock what waits for a time to pass; return the jump, zero without one.

    The last finished sweep tells: it lies in the future. Two engines that notice at once do it once. Times of day (the
    end of quiet hours, a follow-up's window, the next examination) stay, for people were told them.
    """
    newest = EngineHeartbeat.objects.aggregate(newest=Max("finished_at"))["newest"]
    if newest is None or newest <= now + NOTICED_FROM:
        return timedelta(0)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE complications_engineheartbeat IN SHARE ROW EXCLUSIVE MODE")
        newest = EngineHeartbeat.objects.aggregate(newest=Max("finished_at"))["newest"]
        jump: timedelta = newest - now
        if jump <= NOTICED_FROM:
            return timedelta(0)
        note = f"the clock went back by {jump.total_seconds():.0f} s"
        EngineHeartbeat.objects.update(finished_at=Least("finished_at", now), note=note)
        for key in list(Escalation.objects.open().values_list("pk", flat=True)):
            _bring_forward(key, jump, now)
        Timer.objects.filter(status=PENDING, due_at__gt=now).update(due_at=F("due_at") - jump)
        messages = Notification.objects.filter(due_at__lt=F("created_at") + LONGEST_RETRY)
        messages.filter(status=NotificationStatus.QUEUED.value, due_at__gt=now).update(due_at=F("due_at") - jump)
        leased = Notification.objects.filter(status=NotificationStatus.LEASED.value, lease_until__gt=now)
        leased.update(lease_until=F("lease_until") - jump)
    log.error("clock_went_back", extra={"seconds": round(jump.total_seconds(), 1)})
    return jump


#: What a case waits with, and what its clocks compare: the times that the engine computed or stamped by the old clock.
#: Events, the times of a decision and the milestones are records and stay as they were written.
WAITS = (
    "origin",
    "page_due_at",
    "hand_over_due_at",
    "acknowledged_at",
    "first_acknowledged_at",
    "eta_at",
    "arrived_at",
    "first_arrived_at",
)


def _bring_forward(key: int, jump: timedelta, now: datetime) -> None:
    row = lock_first(Escalation.objects.open().filter(pk=key))
    if row is None:
        return
    policy = Policy(row.policy)
    if row.origin > now + jump or policy.quiet_until(Tier(row.tier), now):
        # It waits for the morning.
        return
    changes = {name: at - jump for name in WAITS if (at := getattr(row, name)) is not None}
    for name, at in changes.items():
        setattr(row, name, at)
    Escalation.objects.filter(pk=key).update(**changes, next_due_at=next_due(row.standing(), now))
