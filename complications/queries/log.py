"""The log of complications: filters, keyset pages that stay fast at any size, and one entry as it is shown."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db.models import Q

from clinic.lib.problems import FieldError, Invalid
from clinic.models import Site, User
from clinic.vocabulary import LEVELS, Anaesthesia, Indication, ProcedureKind
from complications.models import Complication
from complications.models.complications import ComplicationQuerySet
from complications.queries.escalations import person
from complications.rules.catalogue import complications
from complications.rules.grading import CLAVIEN_ORDER
from complications.vocabulary import ComplicationStatus

PAGE = 50
#: Up to here a page says how many there are; beyond it, about how many.
EXACT = 1000
SITES_OF_LEAK = tuple(sorted({row.site_of_leak for row in complications().values() if row.site_of_leak}))


@dataclass(frozen=True)
class LogFilter:
    """One filter of the log: what it accepts, and the question it becomes."""

    choices: Sequence[str] = ()
    ask: Callable[[list[str]], Q] | None = None
    kind: str = "words"


def _in(column: str) -> Callable[[list[str]], Q]:
    return lambda words: Q(**{f"{column}__in": words})


NUMBERS_1_TO_6 = tuple(str(number) for number in range(1, 7))
FILTERS: dict[str, LogFilter] = {
    "type": LogFilter(tuple(complications()), _in("code")),
    "site_of_leak": LogFilter(SITES_OF_LEAK, _in("site_of_leak")),
    "clavien": LogFilter(CLAVIEN_ORDER, _in("clavien")),
    "sir": LogFilter(NUMBERS_1_TO_6[:5], _in("sir")),
    "cirse": LogFilter(NUMBERS_1_TO_6, _in("cirse")),
    "level": LogFilter(LEVELS, _in("level")),
    "kind": LogFilter(tuple(ProcedureKind), _in("procedure__kind")),
    "indication": LogFilter(tuple(Indication), _in("procedure__indication")),
    "anaesthesia": LogFilter(tuple(Anaesthesia), _in("procedure__anaesthesia")),
    "operator": LogFilter((), _in("procedure__operator__username")),
    "status": LogFilter(tuple(ComplicationStatus), _in("status")),
    "procedure": LogFilter(kind="uuid", ask=_in("procedure__public_id")),
    "symptomatic": LogFilter(("true", "false"), lambda words: Q(symptomatic=words[0] == "true"), "flag"),
    "from": LogFilter(kind="instant"),
    "to": LogFilter(kind="instant"),
    "q": LogFilter(kind="text"),
}


def log_of(site: Site, given: Mapping[str, str]) -> ComplicationQuerySet:
    """Return the entries that match; several words of a filter are separated by commas. Raise Invalid naming the field."""
    rows = Complication.objects.at_site(site)
    faults: list[FieldError] = []
    for name, value in given.items():
        one = FILTERS.get(name)
        if one is None or value == "":
            continue
        if one.kind == "instant":
            moment = read_instant(name, value, faults)
            if moment is not None:
                rows = rows.filter(occurred_at__gte=moment) if name == "from" else rows.filter(occurred_at__lt=moment)
        elif one.kind == "text":
            words = SearchQuery(value, config="simple", search_type="websearch")
            rows = rows.annotate(words=SearchVector("narrative", config="simple")).filter(words=words)
        elif one.ask is not None:
            chosen = [word.strip() for word in value.split(",") if word.strip()]
            chosen = [word.lower() for word in chosen] if name == "clavien" else chosen
            wrong = [word for word in chosen if one.choices and word not in one.choices]
            wrong += [word for word in chosen if one.kind == "uuid" and not _is_uuid(word)]
            if wrong or not chosen:
                accepted = ", ".join(one.choices) or "an id"
                faults.append(FieldError(name, "not_a_choice", f"Accepted: {accepted}."))
            else:
                rows = rows.filter(one.ask(chosen))
    if faults:
        raise Invalid("invalid", "Some filters were not accepted.", faults)
    return rows


def _is_uuid(word: str) -> bool:
    try:
        UUID(word)
    except ValueError:
        return False
    return True


def read_instant(name: str, value: str, faults: list[FieldError]) -> datetime | None:
    """Return an RFC 3339 instant, or note what is wrong with it."""
    try:
        moment = datetime.fromisoformat(value.replace(" ", "+"))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        faults.append(FieldError(name, "not_a_time", "Send RFC 3339 with a zone, for example 2026-11-24T03:06:00Z."))
        return None
    return moment


def page_of(rows: ComplicationQuerySet, after: str = "", size: int = PAGE) -> tuple[list[Complication], str | None]:
    """Return one keyset page, newest first, and the `after` of the next one; raise Invalid for a broken one."""
    if after:
        at, key = read_after(after)
        # The first condition says nothing new: it is the one that an index can begin at.
        rows = rows.filter(occurred_at__lte=at).filter(Q(occurred_at__lt=at) | Q(pk__lt=key))
    found = list(rows.for_display().order_by("-occurred_at", "-id")[: size + 1])
    more = found[size - 1] if len(found) > size else None
    return found[:size], make_after(more.occurred_at, more.pk) if more else None


def make_after(at: datetime, key: int) -> str:
    """Return where the next page begins, as an opaque text."""
    return base64.urlsafe_b64encode(json.dumps([at.isoformat(), key]).encode()).decode().rstrip("=")


def read_after(text: str) -> tuple[datetime, int]:
    """Return what `make_after` wrote; raise Invalid otherwise."""
    try:
        at, key = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return datetime.fromisoformat(at), int(key)
    except (ValueError, TypeError):
        raise Invalid.field("after", "not_a_page", "Use the `next` of an earlier answer.") from None


def about(rows: ComplicationQuerySet) -> dict[str, Any]:
    """Return how many match: exactly while there are few, else the planner's estimate, which costs nothing."""
    plan = json.loads(rows.order_by().explain(format="json"))
    estimate = int(plan[0]["Plan"]["Plan Rows"])
    if estimate <= EXACT * 10:
        counted = rows.order_by().values("pk")[: EXACT + 1].count()
        if counted <= EXACT:
            return {"count": counted, "exact": True}
    return {"count": max(estimate, EXACT), "exact": False}


def entry(row: Complication) -> dict[str, Any]:
    """Return one entry (load it with `for_display`)."""
    patient, procedure = row.procedure.patient, row.procedure
    known = complications().get(row.code)
    return {
        "id": str(row.public_id),
        "procedure": str(procedure.public_id),
        "patient": {"mrn": patient.mrn, "name": patient.display_name, "birth_date": patient.birth_date.isoformat()},
        "kind": procedure.kind,
        "indication": procedure.indication,
        "operator": person(procedure.operator),
        "type": row.code or None,
        "name": known.name if known else None,
        "name_tr": known.name_tr if known else None,
        "level": row.level or None,
        "side": row.side or None,
        "site_of_leak": row.site_of_leak or None,
        "status": row.status,
        "symptomatic": row.symptomatic,
        "occurred_at": row.occurred_at,
        "recorded_at": row.recorded_at,
        "reported_by": person(row.reported_by),
        "detected_by": row.detected_by or None,
        "source": row.source,
        "setting": row.setting,
        "narrative": row.narrative,
        "fields": row.fields,
        "treatment": row.treatment,
        "neuro": row.neuro,
        "grades": row.grades.as_json(),
        "worst_grades": row.worst_grades.as_json(),
        "version": row.version,
        "changed_at": row.changed_at,
        "change_reason": row.change_reason or None,
        "escalations": [str(one.public_id) for one in row.escalations.all()],
    }


def versions(row: Complication) -> list[dict[str, Any]]:
    """Return every version of an entry, oldest first, each with who made it, when and why."""
    rows = list(row.versions.order_by("pgh_id"))  # type: ignore[attr-defined] # made by pghistory
    people = {user.pk: user for user in User.objects.filter(pk__in={one.changed_by_id for one in rows})}
    return [
        {
            "version": one.version,
            "status": one.status,
            "type": one.code or None,
            "level": one.level or None,
            "symptomatic": one.symptomatic,
            "occurred_at": one.occurred_at,
            "narrative": one.narrative,
            "fields": one.fields,
            "treatment": one.treatment,
            "clavien": one.clavien or None,
            "sir": one.sir,
            "cirse": one.cirse,
            "bcis": one.bcis,
            "changed_at": one.changed_at,
            "changed_by": person(people.get(one.changed_by_id)),
            "reason": one.change_reason or None,
        }
        for one in rows
    ]


def catalogue() -> list[dict[str, Any]]:
    """Return the taxonomy as a form needs it: codes, names, and the fields of each."""
    return [
        {
            "code": row.code,
            "name": row.name,
            "name_tr": row.name_tr,
            "group": row.group,
            "site_of_leak": row.site_of_leak or None,
            "icd10cm": row.icd10cm,
            "rate": row.rate,
            "fields": [
                {
                    "key": field.key,
                    "type": field.type,
                    "label": field.label,
                    "label_tr": field.label_tr,
                    "unit": field.unit or None,
                    "min": field.min,
                    "max": field.max,
                    "options": [{"value": o.value, "label": o.label, "label_tr": o.label_tr} for o in field.options],
                    "when": field.when,
                }
                for field in row.fields
            ],
        }
        for row in complications().values()
    ]
