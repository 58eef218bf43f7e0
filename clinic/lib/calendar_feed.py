"""Write a calendar that others subscribe to (RFC 5545): times of one person, on the wall clock of each place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

#: How often a subscriber is asked to look again.
EVERY = timedelta(hours=1)


@dataclass(frozen=True)
class Entry:
    """One time: `uid` stays the same while its start does, `start` and `end` are instants, `zone` is where it is read."""

    uid: str
    start: datetime
    end: datetime
    zone: ZoneInfo
    summary: str
    location: str


def write_calendar(name: str, entries: Iterable[Entry], *, url: str, now: datetime) -> bytes:
    """Return the calendar; every zone that it names stands in it as a VTIMEZONE, so that no client has to guess."""
    # The library costs megabytes that a process which never writes a calendar does not need.
    from icalendar import Calendar, Event

    calendar = Calendar()
    calendar.add("prodid", "-//Vertebral augmentation//Rota//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", name)
    calendar.add("refresh-interval", EVERY, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", EVERY)
    for one in entries:
        event = Event()
        event.add("uid", one.uid)
        event.add("dtstamp", now.astimezone(UTC))
        for key, moment in zip(("dtstart", "dtend"), _written(one), strict=True):
            event.add(key, moment)
        event.add("summary", one.summary)
        event.add("location", one.location)
        event.add("url", url)
        event.add("status", "CONFIRMED")
        calendar.add_component(event)
    calendar.add_missing_timezones()
    written: Any = calendar.to_ical()
    return bytes(written)


def _written(one: Entry) -> tuple[datetime, datetime]:
    """Return both times as they are written: on the wall clock, but in UTC where a time of that clock comes twice.

    A local time that occurs twice means the first (RFC 5545, 3.3.5), so that the second can only be said in UTC.
    """
    local = one.start.astimezone(one.zone), one.end.astimezone(one.zone)
    if any(moment.fold for moment in local):
        return one.start.astimezone(UTC), one.end.astimezone(UTC)
    return local
