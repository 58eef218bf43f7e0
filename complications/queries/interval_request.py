"""What a caller asks of the interval report, read from its parameters; the same for the page, the API and the CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from clinic.lib.problems import Invalid
from clinic.models import Site
from complications.queries.intervals import GROUPS, PERCENTILES, Line, interval_report

#: Days that are shown where nobody says which.
USUAL_DAYS = 365


@dataclass(frozen=True)
class Asked:
    """From which day to which, both included, and by what the cases are grouped."""

    since: date
    until: date
    by: tuple[str, ...]

    def lines(self, site: Site) -> list[Line]:
        """Return the report."""
        return interval_report(site, since=self.since, until=self.until, by=self.by)


def read_asked(params: Mapping[str, str], site: Site, now: datetime) -> Asked:
    """Return what `from`, `to` (days) and `by` (of tier, month, shift, with commas) ask for; raise Invalid naming one."""
    today = now.astimezone(ZoneInfo(site.timezone)).date()
    until = _day(params, "to") or today
    since = _day(params, "from") or until - timedelta(days=USUAL_DAYS)
    if since > until:
        raise Invalid.field("from", "after_the_end", "The first day lies after the last one.")
    by = tuple(word for word in params.get("by", "tier").split(",") if word)
    if set(by) - set(GROUPS):
        raise Invalid.field("by", "not_a_choice", f"Accepted, with commas between: {', '.join(GROUPS)}.")
    return Asked(since, until, by)


def _day(params: Mapping[str, str], name: str) -> date | None:
    text = params.get(name, "")
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Invalid.field(name, "not_a_day", "Send a day such as 2026-11-24.") from None


def as_csv(lines: Sequence[Line], by: Sequence[str]) -> str:
    """Return the report as CSV (RFC 4180): a line for each group and interval, seconds; an empty group is all cases."""
    out = io.StringIO()
    writer = csv.writer(out)
    groups = [name for name in GROUPS if name in by]
    writer.writerow([*groups, "interval", "cases", "n", *(f"p{percent}_s" for percent in PERCENTILES), "longest_s"])
    for line in lines:
        values = [line.group.get(name, "") for name in groups]
        shares = ["" if value is None else value for value in line.percentiles.values()]
        longest = "" if line.longest_s is None else line.longest_s
        writer.writerow([*values, line.name, line.cases, line.n, *shares, longest])
    return out.getvalue()
