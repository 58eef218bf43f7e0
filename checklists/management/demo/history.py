"""`demo history`: a year of past cases at the sites where people work, written in the background after the first page."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import rfc8785
from django.db import transaction

from checklists.management.demo.bulk import append_audit, check_at_once
from checklists.management.demo.cases import cases
from checklists.management.demo.clinic import BY
from checklists.management.demo.past import PastWriter, Team, Written, in_parts
from clinic.actions.audit import json_value, recording, rfc3339
from clinic.models import Patient, Site, User

#: Cases of a year: about nine a week at A, two a week at B.
CASES = {"A": 460, "B": 110}
PART = 50


def write_history(now: datetime, *, scale: float = 1.0, tell: Callable[[str], None]) -> int:
    """Write the past year of every site that has none yet, and return how many cases were added.

    Each part is one transaction, and the last transaction of a site marks it as done in the audit trail: a history
    that was cut off goes on where it stood.
    """
    added = 0
    for code, year in CASES.items():
        site = Site.objects.filter(code=code).first()
        if site is None:
            continue
        count = max(1, round(year * scale))
        before = Patient.objects.filter(site=site, mrn__startswith="H").count()
        added += _write_site(site, count, skip=before, now=now)
        tell(f"site {code}: {max(0, count - before)} past cases written")
    return added


def _write_site(site: Site, count: int, *, skip: int, now: datetime) -> int:
    if skip >= count:
        return 0
    # The same seed: a second run makes the same cases, and leaves out those that are there.
    chance = random.Random(f"history {site.public_id}")  # noqa: S311 - made-up cases, not secrets
    zone = ZoneInfo(site.timezone)
    today = now.astimezone(zone).date()
    team = Team.of(site)
    # Ids by another chance: a second run that goes on must not draw those of the first.
    writer = PastWriter(team=team, by=BY, made_at=now, chance=random.Random())  # noqa: S311
    stream = cases(
        chance,
        count=count,
        first=today - timedelta(days=365),
        last=today - timedelta(days=3),
        zone=zone,
        prefix="H",
        operators=len(team.operators),
    )
    rest = list(stream)[skip:]
    for part in in_parts(rest, PART):
        with transaction.atomic():
            check_at_once()
            append_audit((f"procedure:{one.public_id}", entries(one, team)) for one in writer.write(part))
    with recording(by=BY, now=now) as trail:
        trail.add(
            stream=f"site:{site.public_id}",
            action="demo.history_written",
            subject=f"site:{site.public_id}",
            data={"procedures": len(rest)},
        )
    return len(rest)


def entries(one: Written, team: Team) -> list[str]:
    """Return the audit entries that a past case would have left, oldest first, as canonical text."""
    case = one.case
    subject = f"procedure:{one.public_id}"
    booked = {
        "kind": case.kind,
        "indication": case.indication,
        "anaesthesia": case.anaesthesia,
        "levels": [level.level for level in case.levels],
        "scheduled_at": case.scheduled_at,
        "operator": f"user:{one.operator.public_id}",
        "patient": f"patient:{one.patient}",
    }
    return [canonical("procedure.booked", subject, one.operator, case.booked_at, booked)]


def canonical(action: str, subject: str, who: User, at: datetime, data: dict[str, Any]) -> str:
    """Return one entry as `recording()` would write it, by the demo's command in that person's name."""
    entry = {
        "action": action,
        "actor": f"user:{who.public_id}",
        "actor_name": who.get_full_name(),
        "role": "surgeon",
        "via": "command",
        "device": "",
        "request_id": "",
        "at": rfc3339(at),
        "subject": subject,
        "data": json_value(data),
    }
    return rfc8785.dumps(entry).decode()
