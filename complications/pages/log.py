"""The log of complications: filters as links, the spine figure, keyset pages, the detail beside the list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from clinic.access import Caller
from clinic.lib.clock import database_now
from clinic.lib.problems import Problem
from clinic.vocabulary import Indication, ProcedureKind
from complications.access import access_complication
from complications.actions.drafts import correct_complication
from complications.models import Complication
from complications.models.complications import ComplicationQuerySet
from complications.pages.detail import Detail, name_of, short_name
from complications.pages.spine import spine
from complications.rules.catalogue import complications
from complications.rules.grading import CLAVIEN_ORDER
from complications.vocabulary import ComplicationStatus

PAGE = 50


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


#: What the log filters by; each name is the API's as well.
WORDS = {
    "type": "code",
    "site_of_leak": "site_of_leak",
    "clavien": "clavien",
    "sir": "sir",
    "cirse": "cirse",
    "level": "level",
    "status": "status",
    "kind": "procedure__kind",
    "indication": "procedure__indication",
    "operator": "procedure__operator__username",
}
NAMES = (*WORDS, "group", "symptomatic", "from", "to", "q")


def filtered(rows: ComplicationQuerySet, query: QueryDict, zone: ZoneInfo) -> ComplicationQuerySet:
    """Return the rows that the address asks for; several values of one filter are divided by commas, any of them fits."""
    for name, column in WORDS.items():
        if values := values_of(query, name):
            if name in {"sir", "cirse"}:
                values = [value for value in values if value.isdecimal()]
            rows = rows.filter(**{f"{column}__in": values})
    if groups := values_of(query, "group"):
        rows = rows.filter(code__in=[row.code for row in complications().values() if row.group in groups])
    if query.get("symptomatic") in {"true", "false"}:
        rows = rows.filter(symptomatic=query["symptomatic"] == "true")
    if start := _date(query.get("from", "")):
        rows = rows.filter(occurred_at__gte=datetime.combine(start, time.min, zone))
    if end := _date(query.get("to", "")):
        rows = rows.filter(occurred_at__lt=datetime.combine(end + timedelta(days=1), time.min, zone))
    if words := query.get("q", "").strip():
        # As the index is built: words of the narrative, never identifiers.
        vector = SearchVector("narrative", config="simple")
        rows = rows.annotate(words=vector).filter(words=SearchQuery(words, config="simple", search_type="websearch"))
    return rows


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
    every = Complication.objects.at_site(caller.place)
    if caller.own_only:
        every = every.filter(procedure__operator=caller.person)
    rows = filtered(every, query, zone)
    total = rows.aggregate(records=Count("pk"), procedures=Count("procedure", distinct=True))
    by_level = (
        filtered(every, _without(query, "level"), zone).exclude(level="").values_list("level").annotate(Count("pk"))
    )
    page = rows.for_display().prefetch_related("procedure__levels").order_by("-occurred_at", "-pk")
    if after := _after(query.get("after", "")):
        at, key = after
        page = page.filter(Q(occurred_at__lt=at) | Q(occurred_at=at, pk__lt=key))
    found = list(page[: PAGE + 1])
    shown = found[:PAGE]
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
            "spine": spine(dict(by_level), values_of(query, "level"), level_queries(query)),
            "next_query": "&".join(filter(None, [base, _place(shown[-1])])) if len(found) > PAGE else "",
            "opened": opened,
            "opened_id": opened.public_id if opened else None,
            "detail": Detail(opened, caller) if opened else None,
            "close_href": f"?{here}",
            "now": database_now(),
        },
    )


def _without(query: QueryDict, name: str) -> QueryDict:
    found = query.copy()
    found.pop(name, None)
    return found


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _place(row: Complication) -> str:
    return f"after={row.occurred_at.isoformat().replace('+', '%2B')}_{row.pk}"


def _after(text: str) -> tuple[datetime, int] | None:
    at, _under, key = text.rpartition("_")
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return None
    return (moment, int(key)) if key.isdecimal() and moment.tzinfo else None


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
