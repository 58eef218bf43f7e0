"""The timeline of one procedure: printable, and as it stood at any past instant."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from checklists.queries.definitions import movable_runs
from checklists.queries.timeline import KINDS, timeline_of
from clinic.access import Caller, access_procedure, verdict
from clinic.lib.clock import database_now
from clinic.models import NeuroExam
from complications.pages.view import EscalationView


def procedure(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show the line; `?at=` as it stood then (site time), `?kind=` one kind."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    row = access_procedure(caller, public_id)
    now = database_now()
    at = _instant(request.GET.get("at", ""), ZoneInfo(caller.place.timezone))
    line = timeline_of(row, at)
    kind = request.GET.get("kind", "")
    baseline = NeuroExam.objects.filter(procedure=row, kind="baseline").order_by("recorded_at").first()
    return render(
        request,
        "checklists/timeline.html",
        {
            "procedure": row,
            "line": line,
            "kind": kind if kind in KINDS else "",
            "kinds": [(name, line.counts[name]) for name in KINDS],
            "total": sum(line.counts.values()),
            "at": at,
            "at_text": request.GET.get("at", ""),
            "cases": [EscalationView(case, caller, now) for case in line.escalations],
            "baseline": baseline.exam if baseline else {},
            "kept": _kept(request.GET),
            "movable": movable_runs(row) if verdict("page-run-move", "GET", caller) == "allow" else [],
            "now": now,
        },
    )


def _instant(text: str, zone: ZoneInfo) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _kept(query: Mapping[str, Any]) -> str:
    return f"&at={query['at']}" if query.get("at") else ""
