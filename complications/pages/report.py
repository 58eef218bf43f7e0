"""The report form: pre-filled from a run, sent once however often it is sent."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from clinic.access import Caller, access_procedure
from clinic.lib.clock import database_now
from clinic.lib.problems import Problem
from clinic.models import Procedure
from clinic.vocabulary import LEVELS
from complications.actions.reporting import report_complication
from complications.pages.exam import ExamForm, read_exam_form, read_measured
from complications.rules.catalogue import Complication, complications
from complications.rules.grading import ANAESTHESIA, FLAGS, THERAPIES
from complications.rules.report import Report
from complications.vocabulary import Source, Symptom

DETECTED = (
    "fluoroscopy",
    "xray",
    "ct",
    "mri",
    "examination",
    "monitoring",
    "laboratory",
    "patient",
    "carer",
    "follow_up",
)


@dataclass(frozen=True)
class FormError:
    """One thing to mend, with the place to go to."""

    anchor: str
    detail: str


def report(request: HttpRequest) -> HttpResponse:
    """Show the form for `?procedure=`, or report what was typed and go to the record or to who is being paged."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    data = request.POST if request.method == "POST" else request.GET
    procedure = access_procedure(caller, _uuid(request.GET.get("procedure", "") or data.get("procedure", "")))
    now = database_now()
    zone = ZoneInfo(caller.place.timezone)
    errors: list[FormError] = []
    if request.method == "POST":
        try:
            result = report_complication(
                report=read_report(request.POST, zone, now), procedure=procedure, by=caller.actor(), now=now
            )
        except Problem as problem:
            errors = [FormError(one.field.rpartition(".")[2], one.detail) for one in problem.errors] or [
                FormError("report", problem.detail)
            ]
        else:
            if result.escalation:
                messages.warning(request, _("Reported. Paging has begun; this page shows who answers."))
                return HttpResponseRedirect(reverse("page-escalation", args=[result.escalation.public_id]))
            messages.success(request, _("Reported."))
            return HttpResponseRedirect(reverse("page-complication", args=[result.complication.public_id]))
    given = given_of(data, zone, now)
    return render(
        request,
        "complications/report.html",
        {
            "procedure": procedure,
            "given": given,
            "carried": [("procedure", str(procedure.public_id)), ("source_ref", given["source_ref"])],
            "errors": errors,
            "groups": grouped(),
            "levels": levels_around(procedure),
            "symptoms": list(Symptom),
            "detected": DETECTED,
            "therapies": THERAPIES,
            "anaesthesia_for": ANAESTHESIA,
            "facts": FLAGS,
            "exam": ExamForm(procedure, data.dict()),
            "now": now,
        },
        status=400 if errors else 200,
    )


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        return uuid.UUID(int=0)  # no procedure has it: the door answers as for any other unknown one


def grouped() -> list[tuple[str, list[Complication]]]:
    """Return the catalogue by group, in its own order; a leak comes first."""
    rows = list(complications().values())
    order = list(dict.fromkeys(row.group for row in rows))
    rows.sort(key=lambda row: order.index(row.group))
    return [(group, list(found)) for group, found in groupby(rows, key=lambda row: row.group)]


def levels_around(procedure: Procedure) -> list[str]:
    """Return the treated levels with their neighbours: a leak or a fracture stands there."""
    places = {LEVELS.index(row.level) for row in procedure.levels.all()}
    near = {place + step for place in places for step in (-1, 0, 1) if 0 <= place + step < len(LEVELS)}
    usual = [place for place in sorted(near) if LEVELS[place] not in {"T13", "L6", "S2"} or place in places]
    return [LEVELS[place] for place in usual]


def given_of(data: QueryDict, zone: ZoneInfo, now: datetime) -> dict[str, Any]:
    """Return what stands in the form: what was typed, or what the run already knows."""
    code = data.get("type", "")
    row = complications().get(code)
    at = data.get("occurred_at", "")
    try:
        moment = datetime.fromisoformat(at) if at else now
    except ValueError:
        moment = now
    return {
        "id": data.get("id") or str(uuid.uuid4()),
        "source_ref": data.get("source_ref", "") or data.get("run", ""),
        "type": code,
        "group": row.group if row else "",
        "level": data.get("level", ""),
        "occurred_at": (moment.astimezone(zone) if moment.tzinfo else moment).strftime("%Y-%m-%dT%H:%M"),
        "onset_at": data.get("onset_at", ""),
        "detected_by": data.get("detected_by", ""),
        "symptomatic": data.get("symptomatic", ""),
        "narrative": data.get("narrative", ""),
        "concern": data.get("concern", ""),
        "symptoms": data.getlist("symptoms"),
        "therapies": data.getlist("therapies"),
        "facts": data.getlist("facts"),
        "treatment_anaesthesia": data.get("treatment.anaesthesia", ""),
        "fields": {name.removeprefix("fields."): value for name, value in data.items() if name.startswith("fields.")},
        "exam_open": any(name.startswith("mrc.") and value for name, value in data.items()),
    }


def read_report(data: QueryDict, zone: ZoneInfo, now: datetime) -> Report:
    """Return the form as a report; what was left open is absent, never "normal"."""
    code = data.get("type", "")
    neuro = read_neuro_form(data, zone)
    return Report(
        public_id=_uuid(data.get("id", "")) if data.get("id") else uuid.uuid4(),
        type=code,
        level=data.get("level", ""),
        occurred_at=_local(data.get("occurred_at", ""), zone) or now,
        symptomatic={"true": True, "false": False}.get(data.get("symptomatic", "")),
        detected_by=data.get("detected_by", ""),
        narrative=data.get("narrative", "").strip(),
        fields=read_fields(code, data.dict()),
        treatment=read_treatment(data),
        raw_neuro=neuro or None,
        source=Source.FORM,
    )


def _local(text: str, zone: ZoneInfo) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone)
    except ValueError:
        return None


def read_neuro_form(data: QueryDict, zone: ZoneInfo) -> dict[str, Any]:
    """Return the neurological part as the API's JSON; empty when nothing was said."""
    neuro: dict[str, Any] = dict(read_measured(data.dict()))
    if exam := read_exam_form(data.dict()):
        neuro["exam"] = exam
    if symptoms := data.getlist("symptoms"):
        neuro["symptoms"] = symptoms
    if concern := data.get("concern", "").strip():
        neuro["concern"] = {"text": concern}
    if neuro and (onset := _local(data.get("onset_at", ""), zone)):
        neuro["onset_at"] = onset.isoformat()
    return neuro


def read_fields(code: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the questions of the chosen type; numbers with a decimal comma are understood."""
    row = complications().get(code)
    found: dict[str, Any] = {}
    for field in row.fields if row else ():
        text = str(data.get(f"fields.{code}.{field.key}", "")).strip()
        if not text:
            continue
        if field.type == "boolean":
            found[field.key] = text == "true"
        elif field.type in {"integer", "decimal"}:
            try:
                number = float(text.replace(",", "."))
            except ValueError:
                found[field.key] = text
            else:
                found[field.key] = int(number) if number.is_integer() else number
        else:
            found[field.key] = text
    return found


def read_treatment(data: QueryDict) -> dict[str, Any]:
    """Return the facts that the grades come from."""
    found: dict[str, Any] = {fact: True for fact in data.getlist("facts") if fact in FLAGS}
    if therapies := [one for one in data.getlist("therapies") if one in THERAPIES]:
        found["therapies"] = therapies
    if data.get("treatment.anaesthesia"):
        found["anaesthesia"] = data["treatment.anaesthesia"]
    return found
