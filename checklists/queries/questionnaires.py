"""Published versions as FHIR questionnaires."""

from __future__ import annotations

from typing import Any

from checklists.models import Definition, Withdrawal
from checklists.rules.questionnaire.export import Note, to_questionnaire


def questionnaire_of(definition: Definition) -> tuple[dict[str, Any], list[Note]]:
    """Return a version as a FHIR R4 Questionnaire with the report; a withdrawn one is `retired`."""
    withdrawn = Withdrawal.objects.filter(definition=definition).exists()
    return to_questionnaire(
        definition.content,
        status="retired" if withdrawn else "active",
        sha256=definition.sha256,
        date=definition.published_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
