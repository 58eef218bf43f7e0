"""`demo history`: a year of past cases at the sites where people work, written in the background after the first page."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction

from checklists.management.demo.alarms import ALARMING, replay_alarms
from checklists.management.demo.bulk import append_audit, check_at_once
from checklists.management.demo.cases import Case, Event, cases
from checklists.management.demo.clinic import BY
from checklists.management.demo.entries import canonical
from checklists.management.demo.lists import ListWriter
from checklists.management.demo.log import LogWriter
from checklists.management.demo.past import PastWriter, Team, Written, in_parts
from checklists.management.demo.visits import VisitWriter
from clinic.actions.audit import recording
from clinic.models import Patient, Site

#: Cases of a year: about nine a week at A, two a week at B.
CASES = {"A": 460, "B": 110}
PART = 20


def write_history(now: datetime, *, scale: float = 1.0, tell: Callable[[str], None]) -> int:
    """Write the past year of every site that has none yet, and return how many cases were added.

    Each part is one transaction: a history that was cut off goes on where it stood.
    """
    added = 0
    for code, year in CASES.items():
        site = Site.objects.filter(code=code).first()
        if site is None:
            continue
        count = max(1, round(year * scale))
        new = _write_site(site, count, now)
        added += new
        tell(f"site {code}: {new} past cases written")
    return added


def _write_site(site: Site, count: int, now: datetime) -> int:
    known = Patient.objects.filter(site=site, mrn__startswith="H").count()
    if known >= count:
        return 0
    # The same seed: a second run makes the same cases, and leaves out those that are there.
    chance = random.Random(f"history {site.code}")  # noqa: S311 - made-up cases, not secrets
    zone = ZoneInfo(site.timezone)
    today = now.astimezone(zone).date()
    team = Team.of(site)
    stream = cases(
        chance,
        count=count,
        first=today - timedelta(days=365),
        last=today - timedelta(days=3),
        zone=zone,
        prefix="H",
        operators=len(team.operators),
    )
    rest = with_a_deficit(list(stream))[known:]
    writer = HistoryWriter(team, now)
    for part in in_parts(rest, PART):
        writer.write(part)
    with recording(by=BY, now=now) as trail:
        trail.add(
            stream=f"site:{site.public_id}",
            action="demo.history_written",
            subject=f"site:{site.public_id}",
            data={"procedures": len(rest)},
        )
    return len(rest)


def with_a_deficit(year: list[Case]) -> list[Case]:
    """Return the cases with at least one deficit after a canal leak among them: a year without one has nothing to show.

    At published rates a department of this size sees one in most years (3 of 9 thoracic canal leaks, HSIEH19).
    """
    if any(event.deficit for case in year for event in case.events):
        return year
    leaks = [(case, event) for case in year for event in case.events if event.code == "LEK-EPI"]
    case = leaks[0][0] if leaks else year[len(year) // 2]
    level = leaks[0][1].level if leaks else case.levels[0].level
    if not leaks:
        case.events.append(Event("LEK-EPI", level, case.ended_at, False, "fluoroscopy"))
        case.levels[0].leak_sites.append("epidural")
    code = "NEU-COR" if level[0] in "CT" else "NEU-CES"
    case.events.append(Event(code, level, case.ended_at + timedelta(hours=2), True, "clinical", True))
    return year


class HistoryWriter:
    """Writes past cases whole: rows of the ground floor, lists, log, visits, audit, and the few alarms."""

    def __init__(self, team: Team, now: datetime) -> None:
        # Ids by another chance than the cases: a run that goes on must not draw those of the one that was cut off.
        ids = random.Random()  # noqa: S311
        self.team, self.now = team, now
        self.past = PastWriter(team=team, by=BY, made_at=now, chance=ids)
        self.lists = ListWriter(team, ids)
        self.log = LogWriter(team.site, made_at=now, chance=ids)
        self.visits = VisitWriter(team, made_at=now, chance=ids)

    def write(self, part: Sequence[Case]) -> None:
        """Write some cases in one transaction."""
        with transaction.atomic():
            check_at_once()
            written = self.past.write(part)
            ticked = self.lists.write(written)
            self.log.write(written, leave_out=ALARMING)
            self.visits.write(written)
            append_audit((f"procedure:{one.public_id}", [_booked(one), *ticked[one.public_id]]) for one in written)
            replay_alarms(written, self.team, made_at=self.now)


def _booked(one: Written) -> str:
    case = one.case
    data = {
        "kind": case.kind,
        "indication": case.indication,
        "anaesthesia": case.anaesthesia,
        "levels": [level.level for level in case.levels],
        "scheduled_at": case.scheduled_at,
        "operator": f"user:{one.operator.public_id}",
        "patient": f"patient:{one.patient}",
    }
    subject = f"procedure:{one.public_id}"
    return canonical("procedure.booked", subject, one.operator, "surgeon", case.booked_at, data)
