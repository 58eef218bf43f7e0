"""What a monitoring system reads of the middle floor: open cases, the engine, how long answers took; numbers only."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection
from prometheus_client.core import CounterMetricFamily, GaugeHistogramMetricFamily, GaugeMetricFamily, Metric

from complications.models import EngineHeartbeat
from complications.queries.audit_open import REASONS
from complications.queries.engine import engine_health
from complications.vocabulary import OPEN_ESCALATIONS, Tier

#: Over how many days answers are measured, by the index of site and time.
WINDOW_DAYS = 30
#: Upper bounds in seconds: around the policy's 5, 15, 60 minutes and a day.
BOUNDS = (60, 120, 300, 600, 900, 1800, 3600, 7200, 86400)

OPEN = """
SELECT tier, status, count(*) FROM complications_escalation
WHERE status IN ('paging', 'acknowledged', 'at_bedside', 'decided') AND NOT is_drill GROUP BY 1, 2
"""
# The first answer, whatever came after it: a raise empties the case's own column. A demo's compressed hours measure nothing.
ANSWERS = f"""
WITH answers AS (
    SELECT e.tier, extract(epoch FROM a.at - e.opened_at) AS took FROM clinic_site s CROSS JOIN LATERAL (
        SELECT id, tier, opened_at FROM complications_escalation
        WHERE site_id = s.id AND opened_at > statement_timestamp() - interval '{WINDOW_DAYS} days'
              AND status <> 'raised_in_error' AND NOT is_drill) e
    CROSS JOIN LATERAL (
        SELECT min(at) AS at FROM complications_escalationevent
        WHERE escalation_id = e.id AND kind IN ('acknowledged', 'arrived')) a
    WHERE a.at IS NOT NULL AND s.time_scale = 1)
SELECT tier, count(*), sum(took), {", ".join(f"count(*) FILTER (WHERE took <= {bound})" for bound in BOUNDS)}
FROM answers GROUP BY tier
"""  # noqa: S608 - numbers of this file only


def families() -> Iterable[Metric]:
    """Return the middle floor's metrics, from a constant number of statements."""
    with connection.cursor() as cursor:
        cursor.execute(OPEN)
        counts = {(tier, status): count for tier, status, count in cursor.fetchall()}
        cursor.execute(ANSWERS)
        answers = {tier: rest for tier, *rest in cursor.fetchall()}
    cases = GaugeMetricFamily("clinic_escalations_open", "Open escalations.", labels=["tier", "status"])
    for tier in Tier:
        for status in OPEN_ESCALATIONS:
            cases.add_metric([tier.value, status.value], counts.get((tier.value, status.value), 0))
    yield cases
    yield from _engine()
    took = GaugeHistogramMetricFamily(
        "clinic_acknowledgement_seconds",
        f"From the report to the first answer, of the cases reported in the last {WINDOW_DAYS} days.",
        labels=["tier"],
    )
    for tier in Tier:
        count, total, *buckets = answers.get(tier.value, [0, 0, *(0 for _ in BOUNDS)])
        named = [(str(float(bound)), float(n)) for bound, n in zip(BOUNDS, buckets, strict=True)]
        took.add_metric([tier.value], [*named, ("+Inf", float(count))], gsum_value=float(total))
    yield took


def _engine() -> Iterable[Metric]:
    health = engine_health()
    yield GaugeMetricFamily(
        "clinic_oldest_due_age_seconds", "How long the oldest due thing has waited.", value=health["oldest_due_age_s"]
    )
    ages = GaugeMetricFamily("clinic_engine_age_seconds", "Since the engine last finished a sweep.", labels=["engine"])
    for engine, age in sorted(health["engines"].items()):
        ages.add_metric([engine], age)
    yield ages
    done = CounterMetricFamily("clinic_took_over", "Things done because the other engine was late.", labels=["engine"])
    for beat in EngineHeartbeat.objects.filter(name__in=health["engines"]).order_by("name"):
        done.add_metric([beat.name], beat.took_over)
    yield done
    if health["clean_audit_age_s"] is not None:
        help_text = "Since all open cases were last found to stand as promised; absent before the first time."
        yield GaugeMetricFamily("clinic_clean_audit_age_seconds", help_text, value=health["clean_audit_age_s"])
    wrong = GaugeMetricFamily(
        "clinic_audit_breaches", "What the last audit of all open cases found.", labels=["reason"]
    )
    for reason in REASONS:
        wrong.add_metric([reason], health["audit_breaches"].get(reason, 0))
    yield wrong
