"""The audit of everything that is open: does each case stand as the engine promises, right now?

Asked by the watchman before it tells the outside world that all is well; the reasons are named, nobody's case is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from clinic.lib.prepared import fetch
from complications.models import EngineHeartbeat
from complications.models.escalation import OPEN
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


_OPEN = ", ".join(f"'{status}'" for status in OPEN)
# Cases of one site and policy version began with the same waits, so the latest of them speaks for the others: one row of
# each group has its policy read. All cases are read once: with very many of them each reading is felt.
_ALL = f"""
SELECT found.cases, found.late, found.stuck, found.silent, found.latest, one.policy
FROM (
    SELECT site_id, policy_version, count(*) AS cases, max(next_due_at) AS latest,
           count(*) FILTER (WHERE next_due_at <= %s::timestamptz) AS late,
           count(*) FILTER (WHERE status = '{EscalationStatus.PAGING.value}' AND page_due_at IS NULL) AS silent,
           count(*) FILTER (WHERE failures > 0 AND '{EventKind.ENGINE_FAILED.value}' = (
               SELECT kind FROM complications_escalationevent event WHERE event.escalation_id = looked_at.id
               ORDER BY seq DESC LIMIT 1)) AS stuck
    FROM complications_escalation looked_at WHERE status IN ({_OPEN}) GROUP BY site_id, policy_version
) found CROSS JOIN LATERAL (
    SELECT policy FROM complications_escalation other
    WHERE other.next_due_at = found.latest AND other.site_id = found.site_id
      AND other.policy_version = found.policy_version AND other.status IN ({_OPEN}) LIMIT 1
) one
"""  # noqa: S608 - constants of our own


def audit_open(now: datetime) -> OpenAudit:
    """Look at all open cases together, with a constant number of statements whatever their number."""
    oldest = oldest_due(now)
    waits = 0.0 if oldest is None else (now - oldest).total_seconds()
    late = overdue(now - LATE_AFTER)
    groups = fetch(_ALL, [now - LATE_AFTER])
    unwatched = sum(latest > now + Policy(json.loads(policy)).longest_wait() for *_, latest, policy in groups)
    cases, overdue_cases, stuck, silent = (sum(group[place] for group in groups) for place in range(4))
    found = {
        "unwatched": unwatched,
        "overdue": max(overdue_cases, int(late.any)),
        "stuck": stuck,
        "no_next_page": silent,
        "page_late": int(waits > STALE_AFTER_S),
        "engine_silent": int(_engine_silent(now)),
    }
    return OpenAudit(cases, {reason: found[reason] for reason in REASONS if found[reason]})


def _engine_silent(now: datetime) -> bool:
    since = now - timedelta(seconds=STALE_AFTER_S)
    beats = EngineHeartbeat.objects.exclude(name__in=[AUDIT, CLEAN_AUDIT])
    return not beats.filter(finished_at__gt=since).exists()
