"""What a monitoring system reads of the ground floor: the outbox, exports, checkpoints; numbers only.

Everything is read from the database at the moment of the scrape: several processes serve, and none of them counts alone.
Labels are words of our vocabularies; no person, patient, site or address is one.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection
from prometheus_client.core import GaugeMetricFamily, Metric

#: Messages are counted over so many hours, by the index of site and time.
WINDOW_HOURS = 24

MESSAGES = f"""
SELECT n.channel, n.status, n.failure, count(*) FROM clinic_site s CROSS JOIN LATERAL (
    SELECT channel, status, failure FROM clinic_notification
    WHERE site_id = s.id AND created_at > statement_timestamp() - interval '{WINDOW_HOURS} hours') n
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""  # noqa: S608 - a number of this file only
WAITING = """
SELECT count(*) FILTER (WHERE due_at <= statement_timestamp()),
       extract(epoch FROM statement_timestamp() - min(created_at) FILTER (WHERE urgent AND due_at <= statement_timestamp()
               OR urgent AND error <> ''))
FROM clinic_notification WHERE status = 'queued'
"""
EXPORTS = "SELECT status, identified, count(*) FROM clinic_export GROUP BY 1, 2 ORDER BY 1, 2"
CHECKPOINT = "SELECT extract(epoch FROM statement_timestamp() - max(at)) FROM clinic_auditcheckpoint"


def families() -> Iterable[Metric]:
    """Return the ground floor's metrics, from four statements."""
    with connection.cursor() as cursor:
        cursor.execute(MESSAGES)
        messages = cursor.fetchall()
        cursor.execute(WAITING)
        waiting, oldest = cursor.fetchone() or (0, None)
        cursor.execute(EXPORTS)
        exports = cursor.fetchall()
        cursor.execute(CHECKPOINT)
        (checkpoint,) = cursor.fetchone() or (None,)
    sent = GaugeMetricFamily(
        "clinic_messages",
        f"Messages written in the last {WINDOW_HOURS} hours, by channel, status and kind of the latest failure.",
        labels=["channel", "status", "failure"],
    )
    for channel, status, failure, count in messages:
        sent.add_metric([channel, status, failure], count)
    yield sent
    yield GaugeMetricFamily("clinic_messages_due", "Messages that should have left and have not.", value=waiting)
    yield GaugeMetricFamily(
        "clinic_oldest_unsent_page_age_seconds",
        "Age of the oldest urgent message that is due, or was tried in vain, and has not left; 0 without any.",
        value=float(oldest or 0),
    )
    left = GaugeMetricFamily("clinic_exports", "Exports by status.", labels=["status", "identified"])
    for status, identified, count in exports:
        left.add_metric([status, "yes" if identified else "no"], count)
    yield left
    if checkpoint is not None:
        help_text = "Age of the newest signed checkpoint of the audit trail; absent before the first."
        yield GaugeMetricFamily("clinic_audit_checkpoint_age_seconds", help_text, value=float(checkpoint))
