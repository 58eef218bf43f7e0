"""The follow-up plan: windows, the call on the same evening, neurological observations, and when to remind.

Source: `catalogue/follow_up.toml`. Hours are hours that pass; days are counted on the site's calendar, so that a
change of clocks moves no visit: the window of a day row begins and ends at local midnight, both edges included.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from complications.rules.catalogue import FOLDER
from complications.vocabulary import RedFlag, Symptom


@dataclass(frozen=True, slots=True)
class Planned:
    """One contact: the code of its form, its window [opens, closes], the target in between, and the way."""

    code: str
    part: str
    opens_at: datetime
    target_at: datetime
    closes_at: datetime
    channel: str


@cache
def default_plan() -> Mapping[str, Any]:
    """Return the plan that ships with the product."""
    return tomllib.loads((FOLDER / "follow_up.toml").read_text(encoding="utf-8"))


def plan(
    ended_at: datetime,
    zone: ZoneInfo,
    *,
    left_at: datetime | None = None,
    optional: bool = False,
    data: Mapping[str, Any] | None = None,
) -> list[Planned]:
    """Return the contacts for a procedure that ended at `ended_at`, earliest first.

    `left_at` is given for a patient who leaves the hospital on the same day and brings the evening call (E7).
    """
    source = data if data is not None else default_plan()
    contacts: list[Planned] = []
    for row in source["follow_up"]:
        if row.get("optional") and not optional:
            continue
        if row["unit"] == "evening":
            if left_at is not None and _day(left_at, zone) == _day(ended_at, zone):
                contacts += _evening(row, source["evening"], ended_at, left_at, zone)
        elif row["unit"] == "hours":
            opens, target, closes = (ended_at + timedelta(hours=row[key]) for key in ("from", "target", "to"))
            contacts.append(Planned(row["id"], "", opens, target, closes, row["channel"]))
        else:
            contacts.append(_days(row, ended_at, zone))
    return sorted(contacts, key=lambda one: (one.target_at, one.code, one.part))


def _day(moment: datetime, zone: ZoneInfo) -> Any:
    return moment.astimezone(zone).date()


def _local(day: Any, at: time, zone: ZoneInfo, like: datetime) -> datetime:
    return datetime.combine(day, at, tzinfo=zone).astimezone(like.tzinfo)


def _days(row: Mapping[str, Any], ended_at: datetime, zone: ZoneInfo) -> Planned:
    ended = ended_at.astimezone(zone)
    first, wanted, last = (ended.date() + timedelta(days=row[key]) for key in ("from", "target", "to"))
    opens = _local(first, time.min, zone, ended_at)
    target = _local(wanted, ended.time().replace(tzinfo=None), zone, ended_at)
    closes = _local(last, time(23, 59, 59), zone, ended_at)
    return Planned(row["id"], "", opens, target, closes, row["channel"])


def _evening(
    row: Mapping[str, Any], rule: Mapping[str, Any], ended_at: datetime, left_at: datetime, zone: ZoneInfo
) -> list[Planned]:
    day = _day(ended_at, zone)
    latest = _local(day, time.fromisoformat(rule["latest"]), zone, ended_at)
    opens = left_at + timedelta(hours=rule["from_hours_after_leaving"])
    late = ended_at.astimezone(zone).time() > time.fromisoformat(rule["late_after"])
    if not late and opens < latest:
        return [Planned(row["id"], "", opens, opens, latest, row["channel"])]
    following = day + timedelta(days=1)
    morning = _local(following, time.fromisoformat(rule["morning"]), zone, ended_at)
    until = _local(following, time.fromisoformat(rule["morning_until"]), zone, ended_at)
    return [
        Planned(row["id"], "before_leaving", ended_at, left_at, left_at, "ward"),
        Planned(row["id"], "morning", morning, morning, until, row["channel"]),
    ]


def observations(
    ended_at: datetime, *, close_watch: bool = False, data: Mapping[str, Any] | None = None
) -> list[tuple[datetime, datetime]]:
    """Return (due, overdue) of each neurological observation after `ended_at`.

    Close watch, after a t0-t2 case or a leak into canal or foramen: at least hourly for 24 h.
    """
    rule = (data if data is not None else default_plan())["neuro"]
    due = ended_at
    found: list[tuple[datetime, datetime]] = []
    close_until = ended_at + timedelta(hours=rule["close_watch_h"]) if close_watch else ended_at
    last = ended_at + timedelta(hours=rule["then_until_h"])
    waits = list(rule["intervals_min"])
    while True:
        minutes = waits.pop(0) if waits else rule["then_every_min"]
        if due < close_until:
            minutes = min(minutes, rule["close_watch_every_min"])
        due = due + timedelta(minutes=minutes)
        if due > last:
            return found
        grace = rule["overdue_after_min"].get(str(minutes), rule["overdue_otherwise_min"])
        found.append((due, due + timedelta(minutes=grace)))


def reminders(contact: Planned, data: Mapping[str, Any] | None = None) -> list[datetime]:
    """Return when to remind: as the window opens, at the target, and after 25 % and 60 % of what then remains.

    Contacts of minutes or hours on the ward are on the ward's own list and get the first two only.
    """
    moments = [contact.opens_at, contact.target_at]
    rest = contact.closes_at - contact.target_at
    if contact.closes_at - contact.opens_at >= timedelta(days=1):
        fractions = (data if data is not None else default_plan())["reminder_fractions"]
        moments += [contact.target_at + rest * fraction for fraction in fractions]
    return sorted(set(moments))


def quiet_shift(moment: datetime, zone: ZoneInfo, start: time = time(20), end: time = time(7)) -> datetime:
    """Return `moment`, or the end of the quiet hours when it falls into them (routine reminders only)."""
    local = moment.astimezone(zone)
    if end <= local.time() < start:
        return moment
    day = local.date() if local.time() < end else local.date() + timedelta(days=1)
    return _local(day, end, zone, moment)


RED_FLAG_SYMPTOMS: Mapping[RedFlag, Symptom] = {
    RedFlag.LEG_WEAKNESS: Symptom.LEG_WEAKNESS,
    RedFlag.SADDLE_NUMBNESS: Symptom.SADDLE_NUMBNESS,
    RedFlag.BLADDER_BOWEL: Symptom.BLADDER_BOWEL,
    RedFlag.SEVERE_BACK_PAIN: Symptom.SEVERE_BACK_PAIN,
    RedFlag.NEW_LEG_PAIN: Symptom.NEW_LEG_PAIN,
}
"""Red flags that the spine's triggers read; fever or wound goes by NT-11, chest or breath is a medical matter."""
