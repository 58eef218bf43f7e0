"""What a monitoring system reads of the top floor: ticks stored, held and put aside; numbers only."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

TICKS = """
SELECT (SELECT coalesce(max(id), 0) FROM checklists_event),
       (SELECT count(*) FROM checklists_event WHERE outcome = 'held'),
       (SELECT count(*) FROM checklists_quarantined)
"""


def families() -> Iterable[Metric]:
    """Return the top floor's metrics, from one statement that reads no more rows than are held or put aside."""
    with connection.cursor() as cursor:
        cursor.execute(TICKS)
        stored, held, aside = cursor.fetchone() or (0, 0, 0)
    yield CounterMetricFamily("clinic_ticks_stored", "The number that the newest stored tick was given.", value=stored)
    yield GaugeMetricFamily("clinic_ticks_held", "Ticks that came in another's name and were held.", value=held)
    yield GaugeMetricFamily("clinic_ticks_quarantined", "What could not be taken and is kept aside.", value=aside)
