"""When a site's drills begin: on a weekday, in a window of hours on the site's clock, at a moment that nobody foresees."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from complications.vocabulary import DrillEvery

#: Between two moments that a draw can give: nobody waits for a drill to the second.
STEPS = 1000


@dataclass(frozen=True)
class Plan:
    """How often, on which weekday (0 is Monday) of which week of the month (1 to 4, 5 the last), between which hours.

    `begin` and `end` are on the site's clock; an end that is not after the beginning lies on the next morning.
    """

    every: DrillEvery
    weekday: int
    week: int
    begin: time
    end: time
    zone: str


@dataclass(frozen=True)
class Window:
    """One time in which a drill may begin."""

    opens: datetime
    closes: datetime

    def moment(self, draw: float) -> datetime:
        """Return the moment at `draw` (0 to 1, exclusive) of the window, in UTC to the second."""
        found = self.opens + (self.closes - self.opens) * (int(draw * STEPS) / STEPS)
        return found.replace(microsecond=0)


def windows(plan: Plan, after: datetime) -> Iterator[Window]:
    """Yield the windows that open after `after`, the next first.

    Across a change of summer time a window is an hour shorter or longer; an hour that the clocks skip counts from its end.
    """
    zone = ZoneInfo(plan.zone)
    for day in _days(plan, after.astimezone(zone).date() - timedelta(days=1)):
        last = day if plan.end > plan.begin else day + timedelta(days=1)
        opens = datetime.combine(day, plan.begin, tzinfo=zone).astimezone(UTC)
        closes = datetime.combine(last, plan.end, tzinfo=zone).astimezone(UTC)
        if opens > after and closes > opens:
            yield Window(opens, closes)


def _days(plan: Plan, start: date) -> Iterator[date]:
    if plan.every is DrillEvery.WEEK:
        day = start + timedelta(days=(plan.weekday - start.weekday()) % 7)
        while True:
            yield day
            day += timedelta(days=7)
    year, month = start.year, start.month
    while True:
        if plan.every is DrillEvery.MONTH or month % 3 == 1:
            day = _of_month(year, month, plan)
            if day >= start:
                yield day
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)


def _of_month(year: int, month: int, plan: Plan) -> date:
    days = [week[plan.weekday] for week in calendar.monthcalendar(year, month) if week[plan.weekday]]
    return date(year, month, days[-1] if plan.week >= 5 else days[plan.week - 1])
