"""`demo load`: fill the database with any number of past cases, as fast as COPY and the version triggers allow."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from time import monotonic
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import Count

from checklists.management.demo.bulk import check_at_once
from checklists.management.demo.cases import cases
from checklists.management.demo.clinic import BY
from checklists.management.demo.log import LogWriter
from checklists.management.demo.past import PastWriter, Team, in_parts, record_load
from clinic.models import Patient, Site

#: Cases in one transaction. PostgreSQL goes through its list of waiting triggers once for each version row, so that
#: 4000 in one transaction take twice as long as eight times 500.
PART = 500
#: Two connections: one generates while the other waits for the database, and a server with two cores uses both.
WRITERS = 2
#: Days before today in which nothing is loaded.
RECENT = 35


@dataclass(frozen=True)
class Loaded:
    """What a load wrote, and how fast."""

    procedures: int
    rows: int
    seconds: float

    def __str__(self) -> str:
        speed = self.procedures / self.seconds if self.seconds else 0
        return f"{self.procedures} procedures, {self.rows} rows in {self.seconds:.1f} s ({speed:.0f} procedures/s)"


def load(site: Site, *, procedures: int, years: int, now: datetime, tell: Callable[[str], None]) -> Loaded:
    """Add `procedures` completed cases over the last `years` to a site, with their complications.

    Left out, compared with a case that a team works through: checklist runs with their ticks, team and baseline
    examination, follow-ups, escalations, and an audit entry for each case (there is one for each part of the load).
    They end five weeks ago: the sweep for procedures without a follow-up plan looks back a month.
    """
    begin = monotonic()
    start = Patient.objects.filter(site=site, mrn__startswith="L").aggregate(n=Count("id"))["n"] + 1
    today = now.astimezone(ZoneInfo(site.timezone)).date()
    days = 365 * years
    shares = [procedures * (n + 1) // WRITERS - procedures * n // WRITERS for n in range(WRITERS)]
    with ThreadPoolExecutor(WRITERS) as writers:
        jobs = []
        for index, share in enumerate(shares):
            first = today - timedelta(days=RECENT + days - days * index // WRITERS)
            last = today - timedelta(days=RECENT + days - days * (index + 1) // WRITERS + 1)
            jobs.append(writers.submit(_load_share, site, share, first, max(first, last), start, now, tell))
            start += share
        rows = sum(job.result() for job in jobs)
    return Loaded(procedures, rows, monotonic() - begin)


def _load_share(
    site: Site, count: int, first: date, last: date, start: int, now: datetime, tell: Callable[[str], None]
) -> int:
    chance = random.Random()  # noqa: S311 - made-up cases, not secrets
    team = Team.of(site)
    writer = PastWriter(team=team, by=BY, made_at=now, chance=chance)
    log = LogWriter(site, made_at=now, chance=chance)
    stream = cases(
        chance,
        count=count,
        first=first - timedelta(days=3) if first.weekday() > 4 else first,
        last=last,
        zone=ZoneInfo(site.timezone),
        prefix="L",
        operators=len(team.operators),
        start_number=start,
    )
    done = 0
    try:
        for part in in_parts(stream, PART):
            with transaction.atomic():
                check_at_once()
                written = writer.write(part, with_teams=False)
                writer.rows += log.write(written)
                record_load(site, written, by=BY, now=now)
            done += len(part)
            if done // 10_000 != (done - len(part)) // 10_000:
                tell(f"{done} of {count}")
    finally:
        connection.close()
    return writer.rows
