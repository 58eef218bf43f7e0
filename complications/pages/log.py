"""The log of complications: filters as links, the spine figure, keyset pages, the detail beside the list."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.core.cache import cache
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from clinic.access import Caller
from clinic.lib.clock import database_now
from clinic.lib.problems import Problem
from clinic.vocabulary import Anaesthesia, Indication, ProcedureKind
from complications.access import access_complication
from complications.actions.drafts import correct_complication
from complications.models import Complication
from complications.models.complications import ComplicationQuerySet
from complications.pages.detail import Detail, name_of, short_name
from complications.pages.spine import spine
from complications.queries.log import FILTERS, about, log_of, own_cases, page_of
from complications.rules.catalogue import complications
from complications.rules.grading import CLAVIEN_ORDER
from complications.vocabulary import ComplicationStatus


@dataclass(frozen=True)
class Chip:
    """One filter in force: what it says, and the address without it."""

    name: str
    value: str
    without: str


@dataclass(frozen=True)
class Choice:
    """One filter that can be chosen."""

    name: str
    options: list[tuple[str, str]]
    value: str


@dataclass(frozen=True)
class Line:
    """One row of the list."""

    row: Complication
    title: str
    href: str


#: What stands in the page's address: the API's filters, and the group of the taxonomy. Days are the site's.
NAMES = (*(name for name in FILTERS if name != "procedure"), "group")
#: A long log counts its levels at most this often, in seconds.
COUNTED_FOR_S = 60


def asked_of(query: QueryDict, zone: ZoneInfo) -> dict[str, str]:
    """Return the page's filters as the API's: a group as its types, a day as its first instant."""
    asked = {name: query.get(name, "").strip() for name in FILTERS if query.get(name)}
    if groups := values_of(query, "group"):
        types = [row.code for row in complications().values() if row.group in groups]
        asked["type"] = ",".join(one for one in types if not asked.get("type") or one in values_of(query, "type"))
    for name, days in (("from", 0), ("to", 1)):
        day = _date(asked.pop(name, ""))
        if day:
            asked[name] = datetime.combine(day + timedelta(days=days), time.min, zone).isoformat()
    return asked


def values_of(query: QueryDict, name: str) -> list[str]:
    """Return the values of one filter."""
    return [value for value in query.get(name, "").split(",") if value]


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def address(query: QueryDict, **changes: str | None) -> str:
    """Return the filters as an address with `changes` made (None removes one); the place in the list is left behind."""
    found = QueryDict(mutable=True)
    for name in NAMES:
        value = changes[name] if name in changes else query.get(name, "")
        if value:
            found[name] = value
    return found.urlencode()


def log(request: HttpRequest) -> HttpResponse:
    """Show the list; `?open=` shows a record beside it, `?after=` is where the page begins."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    query = request.GET
    zone = ZoneInfo(caller.place.timezone)
    rows = _own(log_of(caller.place, asked_of(query, zone)), caller)
    shown, place_of_next = page_of(rows.for_display().prefetch_related("procedure__levels"), query.get("after", ""))
    total = about(rows) if query.get("after") else about(rows, shown, place_of_next)
    opened = access_complication(caller, query["open"]) if _is_uuid(query.get("open", "")) else None
    base = address(query)
    place = f"after={query['after']}" if query.get("after") else ""
    here = "&".join(filter(None, [base, place]))
    return render(
        request,
        "complications/log.html",
        {
            "rows": [Line(row, title_of(row), f"?{here}&open={row.public_id}".replace("?&", "?")) for row in shown],
            "total": total,
            "chips": chips(query),
            "choices": choices(query),
            "filters": {name: query.get(name, "") for name in NAMES},
            "without_q": [(name, query[name]) for name in NAMES if name != "q" and query.get(name)],
            "kept": [(name, query[name]) for name in ("q", "level") if query.get(name)],
            "spine": spine(
                level_counts(query, zone, caller, exact=total["exact"]), values_of(query, "level"), level_queries(query)
            ),
            "next_query": "&".join(filter(None, [base, f"after={place_of_next}"])) if place_of_next else "",
            "opened": opened,
            "opened_id": opened.public_id if opened else None,
            "detail": Detail(opened, caller) if opened else None,
            "close_href": f"?{here}",
            "now": database_now(),
        },
    )


def _own(rows: ComplicationQuerySet, caller: Caller) -> ComplicationQuerySet:
    return own_cases(rows, caller.place, caller.person) if caller.own_only else rows


def level_counts(query: QueryDict, zone: ZoneInfo, caller: Caller, *, exact: bool) -> dict[str, int]:
    """Return how many records fit at each level, whatever levels are chosen; a long log is counted once a minute."""
    asked = asked_of(query, zone)
    asked.pop("level", None)

    def counted() -> dict[str, int]:
        rows = _own(log_of(caller.place, asked), caller).exclude(level="").order_by()
        return dict(rows.values_list("level").annotate(Count("pk")))

    if exact:
        return counted()
    who = caller.person.pk if caller.own_only else ""
    key = hashlib.sha256(repr((caller.place.pk, who, sorted(asked.items()))).encode()).hexdigest()
    return cache.get_or_set(f"log-levels:{key}", counted, COUNTED_FOR_S) or {}


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def title_of(row: Complication) -> str:
    """Return what a row says in the first column: the type without its group."""
    return short_name(row.code)


def level_queries(query: QueryDict) -> dict[str, str]:
    """Return for each level the address that adds it to the filter, or takes it out."""
    chosen = values_of(query, "level")
    levels = [*(f"C{n}" for n in range(2, 8)), *(f"T{n}" for n in range(1, 13)), *(f"L{n}" for n in range(1, 6)), "S1"]
    return {
        level: address(
            query,
            level=",".join(one for one in levels if (one in chosen) != (one == level)) or None,
        )
        for level in levels
    }


def chips(query: QueryDict) -> list[Chip]:
    """Return the filters in force."""
    found = []
    for name in NAMES:
        if name in {"q", "from", "to"} or not query.get(name):
            continue
        found.append(Chip(name, str(query[name]), address(query, **{name: None})))
    if query.get("from") or query.get("to"):
        value = f"{query.get('from', '')} – {query.get('to', '')}"
        found.append(Chip("period", value, address(query, **{"from": None, "to": None})))
    if query.get("q"):
        found.append(Chip("q", str(query["q"]), address(query, q=None)))
    return found


def choices(query: QueryDict) -> list[Choice]:
    """Return the filters that can be chosen; their words are put in by the template."""
    groups: Sequence[str] = list(dict.fromkeys(row.group for row in complications().values()))
    codes: Iterable[tuple[str, str]] = sorted(
        ((code, name_of(code)) for code in complications()), key=lambda one: one[1]
    )
    options: dict[str, list[tuple[str, str]]] = {
        "group": [(group, "") for group in groups],
        "type": list(codes),
        "clavien": [(grade, "") for grade in CLAVIEN_ORDER],
        "kind": [(kind.value, "") for kind in ProcedureKind],
        "indication": [(one.value, "") for one in Indication],
        "anaesthesia": [(one.value, "") for one in Anaesthesia],
        "status": [(status.value, "") for status in ComplicationStatus],
        "symptomatic": [("true", ""), ("false", "")],
    }
    return [Choice(name, rows, query.get(name, "")) for name, rows in options.items()]


def complication(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show one record on a page of its own; a POST adds a version with a state and its reason."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    row = access_complication(caller, public_id)
    now = database_now()
    if request.method == "POST":
        try:
            correct_complication(
                complication=row,
                changes={},
                status=ComplicationStatus(request.POST.get("status", "")),
                reason=request.POST.get("reason", ""),
                by=caller.actor(),
                now=now,
            )
        except ValueError:
            messages.error(request, _("There is no such state."))
        except Problem as problem:
            messages.error(request, problem.detail)
        else:
            messages.success(request, _("Recorded as a new version."))
        return HttpResponseRedirect(reverse("page-complication", args=[public_id]))
    context: dict[str, Any] = {"opened": row, "detail": Detail(row, caller), "now": now}
    return render(request, "complications/complication.html", context)
