"""Take a FHIR questionnaire in as a draft of one of our lists."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from checklists.actions.drafts import next_version, open_draft
from checklists.models import Draft
from checklists.queries.definitions import in_force, types_published
from checklists.rules.check import BrokenDefinition
from checklists.rules.questionnaire.check import Fault, questionnaire_faults
from checklists.rules.questionnaire.export import Note
from checklists.rules.questionnaire.importing import NotImportable, from_questionnaire, own_name
from checklists.rules.written import read_json, storable_fault
from clinic.lib.problems import FieldError, Invalid
from clinic.models import Actor


def read_questionnaire(text: str) -> Any:
    """Return the resource that a text holds; raise Invalid where it is no JSON that can be kept."""
    try:
        return read_json("questionnaire", text)
    except BrokenDefinition as error:
        raise Invalid.field("questionnaire", "not_json", f"{error.field}: {error.remedy}".removeprefix(": ")) from error


def import_questionnaire(*, resource: Any, name: str, by: Actor, now: datetime) -> tuple[Draft, list[Note]]:
    """Open a draft of the list `name` (of the list that it was exported from, where `name` is empty) from a questionnaire.

    Raise Invalid `not_importable` naming every place (a FHIRPath) with code and remedy, Refused `draft_in_work`.
    """
    fault = storable_fault(resource)
    if fault:
        raise Invalid.field("questionnaire", "unreadable", fault)
    faults = questionnaire_faults(resource)
    if faults:
        raise _refused(faults)
    name = name or own_name(resource)
    base = in_force(name)
    if base is None:
        raise Invalid.field("list", "unknown_list", "Choose for which of the published lists this is a draft.")
    try:
        found = from_questionnaire(resource, base=base.content, version=next_version(name), taken=types_published())
    except NotImportable as refusal:
        raise _refused(refusal.faults) from refusal
    report = [one.as_json() for one in found.notes]
    note = f"FHIR: {resource.get('url') or resource.get('title') or 'Questionnaire'}"
    draft = open_draft(name=name, content=found.content, base=base, note=note, by=by, now=now, report=report)
    return draft, found.notes


def _refused(faults: list[Fault]) -> Invalid:
    return Invalid(
        "not_importable",
        f"This questionnaire cannot be taken in: {len(faults)} points.",
        [FieldError(one.place or "questionnaire", one.code, one.detail) for one in faults],
    )
