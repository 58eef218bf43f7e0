"""The interval report as a page: a table for all cases and one for each group."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from clinic.access import Caller
from clinic.lib.clock import database_now
from clinic.lib.problems import Invalid
from complications.queries.interval_request import Asked, read_asked
from complications.queries.intervals import GROUPS, Line


@dataclass(frozen=True)
class Table:
    """One group of cases with its intervals."""

    group: dict[str, str]
    cases: int
    lines: list[Line]


def tables_of(lines: list[Line]) -> list[Table]:
    """Return the lines by their group, in their order; an interval that no case has is left out."""
    found: dict[tuple[tuple[str, str], ...], Table] = {}
    for line in lines:
        table = found.setdefault(tuple(line.group.items()), Table(line.group, line.cases, []))
        if line.n:
            table.lines.append(line)
    return list(found.values())


def intervals(request: HttpRequest) -> HttpResponse:
    """Show the report for `?from=`, `?to=` and `?by=`; what cannot be read is said, and the usual report shown."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    now = database_now()
    problem = ""
    try:
        asked: Asked = read_asked(request.GET.dict(), caller.place, now)
    except Invalid as refused:
        problem = refused.errors[0].detail
        asked = read_asked({}, caller.place, now)
    chosen = {
        "asked": asked,
        "by": ",".join(asked.by),
        "problem": problem,
        "groups": [(name, ",".join(_toggled(asked.by, name))) for name in GROUPS],
        "tables": tables_of(asked.lines(caller.place)),
        "now": now,
    }
    return render(request, "complications/intervals.html", chosen, status=400 if problem else 200)


def _toggled(by: tuple[str, ...], name: str) -> list[str]:
    return [one for one in GROUPS if (one in by) != (one == name)]
