"""The log of complications: filters, keyset pages that stay fast at any size, and one entry as it is shown."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db.models import F, OuterRef, Q

from clinic.lib.problems import FieldError, Invalid
from clinic.models import Site, User, spoken_name
from clinic.vocabulary import LEVELS, Anaesthesia, Indication, ProcedureKind
from complications.models import Complication, Escalation
from complications.models.complications import ComplicationQuerySet
from complications.queries.escalations import person
from complications.rules.catalogue import complications
from complications.rules.grading import CLAVIEN_ORDER, Grades
from complications.vocabulary import ComplicationStatus

PAGE = 50
#: Up to here a page says how many there are; beyond it, about how many.
EXACT = 1000
SITES_OF_LEAK = tuple(sorted({row.site_of_leak for row in complications().values() if row.site_of_leak}))


@dataclass(frozen=True)
class LogFilter:
    """One filter of the log: what it accepts. Of the kind `facet` it asks the entry's facets, which one index serves."""

    choices: Sequence[str] = ()
    kind: str = "facet"


NUMBERS_1_TO_6 = tuple(str(number) for number in range(1, 7))
FILTERS: dict[str, LogFilter] = {
    "type": LogFilter(tuple(complications())),
    "site_of_leak": LogFilter(SITES_OF_LEAK),
    "clavien": LogFilter(CLAVIEN_ORDER),
    "sir": LogFilter(NUMBERS_1_TO_6[:5]),
    "cirse": LogFilter(NUMBERS_1_TO_6),
    "level": LogFilter(LEVELS),
    "kind": LogFilter(tuple(ProcedureKind)),
    "indication": LogFilter(tuple(Indication)),
    "anaesthesia": LogFilter(tuple(Anaesthesia)),
    "operator": LogFilter(kind="person"),
    "status": LogFilter(tuple(ComplicationStatus)),
    "procedure": LogFilter(kind="uuid"),
    "symptomatic": LogFilter(("true", "false")),
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
        elif chosen := _chosen(name, one, value, faults):
            if one.kind == "uuid":
                rows = rows.filter(procedure__public_id__in=chosen)
            else:
                rows = rows.with_facet(site, name, _keys(chosen) if one.kind == "person" else chosen)
    if faults:
        raise Invalid("invalid", "Some filters were not accepted.", faults)
    return rows


def own_cases(rows: ComplicationQuerySet, site: Site, person: User) -> ComplicationQuerySet:
    """Return those of the person's own operations."""
    return rows.with_facet(site, "operator", [str(person.pk)])


def _chosen(name: str, one: LogFilter, value: str, faults: list[FieldError]) -> list[str]:
    chosen = [word.strip() for word in value.split(",") if word.strip()]
    chosen = [word.lower() for word in chosen] if name == "clavien" else chosen
    wrong = [word for word in chosen if one.choices and word not in one.choices]
    wrong += [word for word in chosen if one.kind == "uuid" and not _is_uuid(word)]
    if wrong or not chosen:
        accepted = ", ".join(one.choices) or "an id"
        faults.append(FieldError(name, "not_a_choice", f"Accepted: {accepted}."))
        return []
    return chosen


def _keys(usernames: list[str]) -> list[str]:
    # Nobody has the number 0: a name that is not known finds nothing.
    return [str(key) for key in User.objects.filter(username__in=usernames).values_list("pk", flat=True)] or ["0"]


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


def page_of(rows: Any, after: str = "", size: int = PAGE) -> tuple[list[Any], str | None]:
    """Return one keyset page, newest first, and the `after` of the next one; raise Invalid for a broken one.

    `rows` are a log (`log_of`), its `lines`, or it with what a page shows joined.
    """
    if after:
        at, key = read_after(after)
        # The first condition says nothing new: it is the one that an index can begin at.
        rows = rows.filter(occurred_at__lte=at).filter(Q(occurred_at__lt=at) | Q(pk__lt=key))
    found = list(rows.order_by("-occurred_at", "-id")[: size + 1])
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


def about(rows: ComplicationQuerySet, found: Sequence[Any] = (), following: str | None = "") -> dict[str, Any]:
    """Return how many match: exactly while there are few, else the planner's estimate, which costs nothing.

    Give the first page and its `following` where they are known: a log that fits on it is counted already.
    """
    if following is None:
        return {"count": len(found), "exact": True}
    plan = json.loads(rows.order_by().explain(format="json"))
    estimate = int(plan[0]["Plan"]["Plan Rows"])
    if estimate <= EXACT * 10:
        counted = rows.order_by().values("pk")[: EXACT + 1].count()
        if counted <= EXACT:
            return {"count": counted, "exact": True}
    return {"count": max(estimate, EXACT), "exact": False}


_OWN = (
    *(
        "pk",
        "public_id",
        "code",
        "level",
        "side",
        "site_of_leak",
        "status",
        "symptomatic",
        "occurred_at",
        "recorded_at",
    ),
    *("detected_by", "source", "setting", "narrative", "fields", "treatment", "neuro", "clavien", "clavien_d", "sir"),
    *("cirse", "bcis", "worst_clavien", "worst_sir", "worst_cirse", "version", "changed_at", "change_reason"),
    "unconfirmed_reporter",
)
_BESIDE = {
    "procedure_id_": F("procedure__public_id"),
    **{name: F(f"procedure__{name}") for name in ("kind", "indication")},
    **{
        name: F(f"procedure__patient__{name}")
        for name in ("mrn", "family_name", "given_name", "birth_date", "language")
    },
    **{f"operator_{name}": F(f"procedure__operator__{name}") for name in ("username", "full_name")},
    **{f"reporter_{name}": F(f"reported_by__{name}") for name in ("username", "full_name")},
    **{f"sender_{name}": F(f"sent_by__{name}") for name in ("username", "full_name")},
    "escalated": ArraySubquery(
        Escalation.objects.filter(complications=OuterRef("pk")).order_by("pk").values("public_id")
    ),
}


def lines(rows: ComplicationQuerySet) -> Any:
    """Return the rows as `entry` reads them: plain columns of one query, a fraction of what whole objects cost."""
    return rows.annotate(**_BESIDE).values_list(*_OWN, *_BESIDE, named=True)


def entry(row: Any) -> dict[str, Any]:
    """Return one entry as the API shows it; `row` is one of `lines`."""
    known = complications().get(row.code)
    grades = Grades(row.clavien or None, row.clavien_d, row.sir, row.cirse, row.bcis)
    worst = Grades(row.worst_clavien or None, sir=row.worst_sir, cirse=row.worst_cirse, bcis=row.bcis)
    return {
        "id": str(row.public_id),
        "procedure": str(row.procedure_id_),
        "patient": {
            "mrn": row.mrn,
            "name": spoken_name(row.family_name, row.given_name, row.language),
            "birth_date": row.birth_date.isoformat(),
        },
        "kind": row.kind,
        "indication": row.indication,
        "operator": _person(row.operator_username, row.operator_full_name),
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
        "reported_by": _person(row.reporter_username, row.reporter_full_name),
        "sent_by": _person(row.sender_username, row.sender_full_name),
        "unconfirmed_reporter": row.unconfirmed_reporter or None,
        "detected_by": row.detected_by or None,
        "source": row.source,
        "setting": row.setting,
        "narrative": row.narrative,
        "fields": row.fields,
        "treatment": row.treatment,
        "neuro": row.neuro,
        "grades": grades.as_json(),
        "worst_grades": worst.as_json(),
        "version": row.version,
        "changed_at": row.changed_at,
        "change_reason": row.change_reason or None,
        "escalations": [str(one) for one in row.escalated],
    }


def _person(username: str | None, full_name: str | None) -> dict[str, str] | None:
    return {"user": username, "name": full_name or username} if username else None


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
