"""Reads over several models: how alive the engine is, what the log and the lists show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Exists, Min, OuterRef

from clinic.lib.prepared import fetch
from clinic.models import Notification
from clinic.vocabulary import NotificationStatus
from complications.models import DrillPlan, EngineHeartbeat, Escalation, FollowUp, Timer
from complications.models.engine import PENDING
from complications.models.escalation import OPEN
from complications.vocabulary import FollowUpStatus

#: Seconds: after this without a finished sweep pages turn red; after that the service counts as down.
STALE_AFTER_S, DOWN_AFTER_S = 30, 60
#: The rows of EngineHeartbeat that are no engine: when everything open was audited last, and was found well last.
AUDIT, CLEAN_AUDIT = "audit", "clean_audit"


def engine_health() -> dict[str, Any]:
    """Return `engine_age_s` (since the last finished sweep, None when none ever did) and `oldest_due_age_s`.

    The status is `degraded` while the engine is silent for 30 s, something is overdue by that or the last audit of all
    open cases was not clean, `down` after 60 s of an overdue page: it is asked by /healthz and by the red banner of
    every page. `clean_audit_age_s` and `audit_breaches` are of that audit: numbers by reason, no case.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        now: datetime = cursor.fetchone()[0]
    rows = {beat.name: beat for beat in EngineHeartbeat.objects.all()}
    audited, clean = rows.pop(AUDIT, None), rows.pop(CLEAN_AUDIT, None)
    breaches = read_note(audited.note) if audited else {}
    beats = list(rows.values())
    newest = max((beat.finished_at for beat in beats), default=None)
    age = None if newest is None else max(0.0, (now - newest).total_seconds())
    late = oldest_due(now)
    overdue = 0.0 if late is None else max(0.0, (now - late).total_seconds())
    status = "ok"
    if age is None or age > STALE_AFTER_S or overdue > STALE_AFTER_S or breaches:
        status = "degraded"
    if overdue > DOWN_AFTER_S:
        status = "down"
    return {
        "status": status,
        "engine_age_s": None if age is None else round(age, 1),
        "oldest_due_age_s": round(overdue, 1),
        "engines": {beat.name: round((now - beat.finished_at).total_seconds(), 1) for beat in beats},
        "took_over": sum(beat.took_over for beat in beats),
        "clean_audit_age_s": None if clean is None else round((now - clean.finished_at).total_seconds(), 1),
        "audit_breaches": breaches,
    }


def read_note(note: str) -> dict[str, int]:
    """Return how many things an audit found wrong, by reason, from its row's note (`overdue=2 stuck=1`)."""
    pairs = (word.partition("=") for word in note.split())
    return {reason: int(count) for reason, _, count in pairs if count.isdecimal()}


def oldest_due(now: datetime) -> datetime | None:
    """Return since when the oldest due thing waits: an escalation, a timer or an urgent message; None without any.

    An urgent message that failed counts from when it was written: its next try lies in the future, and a mail server
    that refuses everything would otherwise look well. Where another way of the same person took the page, nobody waits.
    """
    by_another_way = Notification.objects.filter(chain=OuterRef("chain"), status=NotificationStatus.SENT.value).exclude(
        chain=""
    )
    moments = [
        Escalation.objects.due(now).aggregate(oldest=Min("next_due_at"))["oldest"],
        Timer.objects.due(now).aggregate(oldest=Min("due_at"))["oldest"],
        Notification.objects.filter(status=NotificationStatus.QUEUED.value, urgent=True, due_at__lte=now).aggregate(
            oldest=Min("due_at")
        )["oldest"],
        Notification.objects.unsent()
        .filter(urgent=True)
        .exclude(error="")
        .exclude(Exists(by_another_way))
        .aggregate(oldest=Min("created_at"))["oldest"],
    ]
    return min((moment for moment in moments if moment is not None), default=None)


@dataclass(frozen=True)
class Look:
    """What one look found: the clock, the escalations that are due with the time since which, and when the next row is."""

    now: datetime
    due: dict[int, datetime]
    next_at: datetime | None

    @property
    def idle_s(self) -> float | None:
        """Seconds from the look until the next of the engine's rows falls due; None when nothing waits."""
        return None if self.next_at is None else (self.next_at - self.now).total_seconds()


# The states are written out, as the partial indexes name them; statement_timestamp() is one value in all of it.
_OPEN = ", ".join(f"'{status}'" for status in OPEN)
_LOOK = f"""
SELECT statement_timestamp(), due.ids, due.moments, LEAST(
    (SELECT min(next_due_at) FROM complications_escalation
     WHERE status IN ({_OPEN}) AND next_due_at > statement_timestamp()),
    (SELECT min(due_at) FROM complications_timer WHERE status = '{PENDING}' AND due_at > statement_timestamp()),
    (SELECT min(next_at) FROM complications_drillplan WHERE ended_at IS NULL AND next_at > statement_timestamp()),
    (SELECT min(next_look_at) FROM complications_followup
     WHERE status = '{FollowUpStatus.PLANNED.value}' AND next_look_at > statement_timestamp()),
    (SELECT min(due_at) FROM clinic_notification
     WHERE status = '{NotificationStatus.QUEUED.value}' AND due_at > statement_timestamp()),
    (SELECT min(lease_until) FROM clinic_notification
     WHERE status = '{NotificationStatus.LEASED.value}' AND lease_until > statement_timestamp()))
FROM (SELECT array_agg(id) AS ids, array_agg(next_due_at) AS moments FROM (
    SELECT id, next_due_at FROM complications_escalation
    WHERE status IN ({_OPEN}) AND next_due_at <= statement_timestamp() ORDER BY next_due_at, id LIMIT 100) first) due
"""  # noqa: S608 - constants of our own


def look() -> Look:
    """Return what is due now, the longest due first and at most 100, and when the next row falls due: one statement."""
    [(now, keys, moments, next_at)] = fetch(_LOOK, [])
    return Look(now, dict(zip(keys or (), moments or (), strict=True)), next_at)


@dataclass(frozen=True)
class Overdue:
    """What should have been done before a moment: by which part of the engine, and how late the oldest is."""

    engine: bool
    messages: bool
    follow_ups: bool
    oldest_s: float

    @property
    def any(self) -> bool:
        """Return whether anything is overdue."""
        return self.engine or self.messages or self.follow_ups


def overdue(before: datetime) -> Overdue:
    """Return what has been due since before `before`."""
    since = oldest_due(before)
    return Overdue(
        engine=any(
            rows.exists()
            for rows in (Escalation.objects.due(before), Timer.objects.due(before), DrillPlan.objects.due(before))
        ),
        messages=Notification.objects.due(before).exists(),
        follow_ups=FollowUp.objects.due(before).exists(),
        oldest_s=0.0 if since is None else (before - since).total_seconds(),
    )
