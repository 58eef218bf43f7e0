"""Exports: what, which rows, which columns, how many; then the API's own address is the download."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse

from clinic.access import Caller, verdict
from clinic.exports.delivery import count
from clinic.exports.manifest import file_name
from clinic.exports.registry import datasets
from clinic.exports.selection import Format, select
from clinic.exports.shape import Dataset, Filter
from clinic.lib.clock import database_now
from clinic.lib.problems import Problem
from clinic.models import Export
from clinic.vocabulary import ExportStatus

SHOWN = 20


@dataclass(frozen=True)
class FilterField:
    """One filter of the chosen dataset with what was typed."""

    declared: Filter
    value: str

    @property
    def name(self) -> str:
        """Its name in the address."""
        return self.declared.name

    @property
    def choices(self) -> Sequence[str]:
        """What it accepts; empty for a text."""
        return self.declared.choices

    @property
    def takes(self) -> str:
        """What its value is."""
        return self.declared.takes.value


@dataclass(frozen=True)
class ColumnBox:
    """One column that can be left out."""

    name: str
    unit: str
    chosen: bool


@dataclass(frozen=True)
class Ready:
    """One export that was made."""

    export: Export
    file: str
    manifest: str


def exports(request: HttpRequest) -> HttpResponse:
    """Show the form with the count of what it asks for, and what was exported lately."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    known = datasets()
    name = request.GET.get("dataset", "")
    dataset = known.get(name) or next(iter(known.values()))
    identified = request.GET.get("patients") == "identified"
    asked, columns = read(request.GET, dataset, identified=identified)
    problem: Problem | None = None
    rows = None
    as_of = ""
    try:
        selection = select(dataset, asked, identified=identified)
        if request.GET:
            rows, horizon = count(selection, caller=caller)
            as_of = str(horizon)
    except Problem as refusal:
        problem = refusal
    route = "api-export-identified" if identified else "api-export"
    address = f"{reverse(route, kwargs={'dataset': dataset.name})}?{urlencode(asked)}"
    made = (
        Export.objects.filter(site=caller.place).select_related("requested_by", "token").order_by("-started_at", "-id")
    )
    return render(
        request,
        "clinic/exports.html",
        {
            "datasets": list(known.values()),
            "dataset": dataset,
            "filters": [FilterField(one, request.GET.get(f"f.{one.name}", "")) for one in dataset.filters],
            "filtered": sum(1 for one in dataset.filters if request.GET.get(f"f.{one.name}")),
            "versions": asked.get("versions", "all"),
            "columns": columns,
            "chosen": sum(1 for one in columns if one.chosen),
            "format": asked["format"],
            "formats": list(Format),
            "identified": identified,
            "may_identify": verdict("api-export-identified", "GET", caller) == "allow",
            "reason": request.GET.get("reason", ""),
            "address": address,
            "rows": rows,
            "as_of": as_of,
            "problem": problem,
            "running": list(made.filter(status=ExportStatus.RUNNING.value)[:5]),
            "ready": [ready(one) for one in made.filter(status=ExportStatus.FINISHED.value)[:SHOWN]],
            "now": database_now(),
        },
    )


def read(query: QueryDict, dataset: Dataset, *, identified: bool) -> tuple[dict[str, str], list[ColumnBox]]:
    """Return what the form asks as the API's parameters, and its columns."""
    columns = [one for one in dataset.all_columns if identified or not one.identifying]
    wanted = set(query.getlist("col"))
    boxes = [ColumnBox(one.name, one.unit, not wanted or one.name in wanted) for one in columns]
    asked = {"format": query.get("format", "") or Format.CSV.value}
    if query.get("versions", "last") == "last":
        asked["versions"] = "last"
    if any(not one.chosen for one in boxes):
        asked["fields"] = ",".join(one.name for one in boxes if one.chosen)
    for declared in dataset.filters:
        if value := query.get(f"f.{declared.name}", "").strip():
            asked[declared.name] = value
    if identified and query.get("reason"):
        asked["reason"] = str(query["reason"])
    return asked, boxes


def ready(export: Export) -> Ready:
    """Return a finished export with its file's name and the address of its manifest."""
    address = reverse("api-export-manifest", kwargs={"dataset": export.dataset})
    return Ready(export, file_name(export), f"{address}?export={export.public_id}")
