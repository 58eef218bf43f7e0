"""How long the way from onset to incision took, interval by interval: one statement for any number of cases.

Percentiles are by nearest rank: the smallest measured value that at least p of all values do not exceed. It is
PostgreSQL's `percentile_disc` ("the first value whose position in the ordering equals or exceeds the specified
fraction", PostgreSQL documentation, ordered-set aggregates) and definition 1 of Hyndman and Fan, Sample Quantiles in
Statistical Packages, The American Statistician 50 (1996) 361: no value is shown that no case had.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from clinic.models import Site
from complications.models import Escalation

PERCENTILES = (50, 90)
GROUPS = ("tier", "month", "shift")
SHIFTS = ("day", "evening", "night", "weekend")
#: What is measured: from which moment to which. The first seven follow each other; the others are what audits ask for.
INTERVALS: dict[str, tuple[str, str]] = {
    "onset_to_report": ("onset", "report"),
    "report_to_page": ("report", "page"),
    "page_to_acknowledgement": ("page", "acknowledgement"),
    "acknowledgement_to_bedside": ("acknowledgement", "bedside"),
    "bedside_to_imaging": ("bedside", "imaging"),
    "imaging_to_decision": ("imaging", "decision"),
    "decision_to_incision": ("decision", "incision"),
    "report_to_acknowledgement": ("report", "acknowledgement"),
    "report_to_bedside": ("report", "bedside"),
    "request_to_imaging": ("imaging_request", "imaging"),
    "report_to_decision": ("report", "decision"),
    "onset_to_incision": ("onset", "incision"),
}

# A raise empties some columns of the case; its events keep the first page, answer and arrival. The decision is the one
# that stands. Times on the way are in `milestones`. What was raised in error, and a drill, measures nothing.
_MOMENTS = """
WITH cases AS MATERIALIZED (
    SELECT e.id, e.tier, e.opened_at AT TIME ZONE %(zone)s AS here, e.onset_at AS onset, e.opened_at AS report,
           e.decided_at AS decision, (e.milestones->>'imaging_requested')::timestamptz AS imaging_request,
           (e.milestones->>'imaging_done')::timestamptz AS imaging, (e.milestones->>'incision')::timestamptz AS incision
    FROM complications_escalation e WHERE {which} AND e.status <> 'raised_in_error' AND NOT e.is_drill
), firsts AS (
    SELECT v.escalation_id,
           min(v.at) FILTER (WHERE v.kind = 'step_paged') AS page,
           min(v.at) FILTER (WHERE v.kind IN ('acknowledged', 'arrived')) AS acknowledgement,
           min((v.data->>'at')::timestamptz) FILTER (WHERE v.kind = 'arrived') AS bedside
    FROM complications_escalationevent v JOIN cases ON cases.id = v.escalation_id GROUP BY v.escalation_id
), moments AS (
    SELECT cases.*, page, LEAST(acknowledgement, bedside) AS acknowledgement, bedside, cases.tier AS of_tier,
           to_char(here, 'YYYY-MM') AS of_month,
           CASE WHEN extract(isodow FROM here) >= 6 THEN 'weekend' WHEN here::time < '08:00' THEN 'night'
                WHEN here::time < '16:00' THEN 'day' ELSE 'evening' END AS of_shift
    FROM cases LEFT JOIN firsts ON firsts.escalation_id = cases.id
)
"""


@dataclass(frozen=True)
class Line:
    """One interval of one group: how many cases have it, its percentiles and its longest, in seconds."""

    group: dict[str, str]
    name: str
    cases: int
    n: int
    percentiles: dict[str, float | None]
    longest_s: float | None


def interval_report(site: Site, *, since: date, until: date, by: Sequence[str] = ()) -> list[Line]:
    """Return the intervals of the site's cases that were reported from `since` to `until`, both days included.

    The first lines count all cases together, the following ones the groups of `by` (of GROUPS), in order. Days, months
    and shifts are the site's own: day 08 to 16, evening 16 to 24, night 00 to 08, weekend Saturday and Sunday. An
    interval counts where both its ends are known and in order; nothing of a patient is read.
    """
    zone = ZoneInfo(site.timezone)
    begins = datetime.combine(since, time(), tzinfo=zone)
    ends = datetime.combine(until + timedelta(days=1), time(), tzinfo=zone)
    groups = [name for name in GROUPS if name in by]
    columns = ", ".join(f"of_{name}" for name in groups)
    sets = "(name, place)" + (f", (name, place, {columns})" if groups else "")
    spans = ", ".join(
        f"('{name}', {place}, {ending} - {start})" for place, (name, (start, ending)) in enumerate(INTERVALS.items())
    )
    shares = ", ".join(
        f"percentile_disc({percent / 100}) WITHIN GROUP (ORDER BY span) FILTER (WHERE span >= interval '0')"
        for percent in PERCENTILES
    )
    which = "e.site_id = %(site)s AND e.opened_at >= %(begins)s AND e.opened_at < %(ends)s"
    # Everything that is put into the statement is a constant of this file.
    statement = f"""{_MOMENTS.format(which=which)}
        SELECT name, {columns + "," if groups else ""} count(*), count(*) FILTER (WHERE span >= interval '0'),
               max(span) FILTER (WHERE span >= interval '0'), {shares}
        FROM moments CROSS JOIN LATERAL (VALUES {spans}) AS spans (name, place, span)
        GROUP BY GROUPING SETS ({sets})
        ORDER BY {"".join(f"of_{name} NULLS FIRST, " for name in groups)}place"""  # noqa: S608
    values: dict[str, Any] = {"zone": site.timezone, "site": site.pk, "begins": begins, "ends": ends}
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows = cursor.fetchall()
    return [_line(row, groups) for row in rows]


def _line(row: Sequence[Any], groups: Sequence[str]) -> Line:
    name, *rest = row
    group = {one: value for one, value in zip(groups, rest, strict=False) if value is not None}
    cases, n, longest, *shares = rest[len(groups) :]
    percentiles = {f"p{percent}": _seconds(value) for percent, value in zip(PERCENTILES, shares, strict=True)}
    return Line(group, name, cases, n, percentiles, _seconds(longest))


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else round(span.total_seconds(), 3)


def intervals_of(row: Escalation) -> dict[str, float | None]:
    """Return the intervals of one case in seconds, by the same definitions; None where an end is not known."""
    spans = ", ".join(f"{ending} - {start}" for start, ending in INTERVALS.values())
    statement = f"{_MOMENTS.format(which='e.id = %(id)s')} SELECT {spans} FROM moments"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, {"zone": row.site.timezone, "id": row.pk})
        found = cursor.fetchone() or (None,) * len(INTERVALS)
    return {name: _seconds(span) for name, span in zip(INTERVALS, found, strict=True)}
