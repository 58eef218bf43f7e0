"""The audit of everything that is open: does each case stand as the engine promises, right now?

Asked by the watchman before it tells the outside world that all is well; the reasons are named, nobody's case is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import OuterRef, Q, Subquery

from complications.models import EngineHeartbeat, Escalation, EscalationEvent
from complications.queries.engine import AUDIT, CLEAN_AUDIT, STALE_AFTER_S, oldest_due, overdue
from complications.rules.policy import Policy
from complications.vocabulary import EscalationStatus, EventKind

#: How long something may be due before it counts as overdue: the watchman takes over after as long.
LATE_AFTER = timedelta(seconds=5)

#: What an audit may find. `unwatched`: looked at later than the longest wait of its policy (I1). `overdue`: due for more
#: than five seconds. `stuck`: the engine failed at it last. `no_next_page`: nobody answered, and no page is planned.
#: `page_late`: an urgent message has not left for half a minute. `engine_silent`: no engine finished a sweep for as long.
REASONS = ("unwatched", "overdue", "stuck", "no_next_page", "page_late", "engine_silent")


@dataclass(frozen=True)
class OpenAudit:
    """How many cases are open, and how many things are wrong by reason; clean when none is."""

    open: int
    breaches: dict[str, int]

    @property
    def clean(self) -> bool:
        """Return whether everything open stands as promised."""
        return not self.breaches

    def note(self) -> str:
        """Return the breaches as the heartbeat's row keeps them: `overdue=2 stuck=1`, empty when clean."""
        return " ".join(f"{reason}={count}" for reason, count in self.breaches.items())


def audit_open(now: datetime) -> OpenAudit:
    """Look at all open cases together, with a constant number of statements whatever their number."""
    rows = Escalation.objects.open()
    last = EscalationEvent.objects.filter(escalation=OuterRef("pk")).order_by("-seq").values("kind")[:1]
    failed = rows.filter(failures__gt=0).annotate(last=Subquery(last)).filter(last=EventKind.ENGINE_FAILED.value)
    silent = Q(status=EscalationStatus.PAGING.value, page_due_at=None)
    oldest = oldest_due(now)
    waits = 0.0 if oldest is None else (now - oldest).total_seconds()
    late = overdue(now - LATE_AFTER)
    found = {
        "unwatched": _unwatched(now),
        "overdue": max(rows.filter(next_due_at__lte=now - LATE_AFTER).count(), int(late.any)),
        "stuck": failed.count(),
        "no_next_page": rows.filter(silent).count(),
        "page_late": int(waits > STALE_AFTER_S),
        "engine_silent": int(_engine_silent(now)),
    }
    return OpenAudit(rows.count(), {reason: found[reason] for reason in REASONS if found[reason]})


def _engine_silent(now: datetime) -> bool:
    since = now - timedelta(seconds=STALE_AFTER_S)
    beats = EngineHeartbeat.objects.exclude(name__in=[AUDIT, CLEAN_AUDIT])
    return not beats.filter(finished_at__gt=since).exists()


def _unwatched(now: datetime) -> int:
    """Count the policies under which some case is looked at too late: the latest of each policy speaks for the others.

    Cases of one site and policy version began with the same waits, so one row of each needs its policy read.
    """
    latest = (
        Escalation.objects.open()
        .order_by("site_id", "policy_version", "-next_due_at")
        .distinct("site_id", "policy_version")
        .values_list("next_due_at", "policy")
    )
    return sum(at is None or at > now + Policy(policy).longest_wait() for at, policy in latest)
