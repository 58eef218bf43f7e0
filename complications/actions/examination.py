"""An examination at the bedside of an open escalation."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from clinic.actions.audit import recording
from clinic.actions.procedures import record_exam
from clinic.lib.problems import FieldError, Invalid
from clinic.models import Actor, Procedure
from clinic.vocabulary import ExamKind
from complications.actions.assessment import EXAM_KEYS, assess, neuro_of_exam
from complications.actions.reporting import raise_triggers
from complications.actions.standing import refuse_drill
from complications.models import Escalation
from complications.rules.report import Trouble, read_exam, read_neuro


def examine(
    *,
    escalation: Escalation,
    exam: Mapping[str, Any],
    by: Actor,
    now: datetime,
    at: datetime | None = None,
    attended: bool = False,
) -> Escalation:
    """Store an examination (flat: grades, signs, what was measured) and act on it.

    A worse finding joins the escalation and raises its tier; the same finding again changes nothing. It is an
    observation, not a report: without a baseline what is normal fires nothing. `attended`: the surgeon who found it
    decides in the same act; `at` is when it was done, where it arrives later. Raise Invalid when nothing was examined or a value cannot be read.
    """
    refuse_drill(escalation)
    refuse_unreadable(exam)
    if not exam or neuro_of_exam(exam).is_empty:
        raise Invalid.field("exam", "missing", "Nothing was examined yet: fill at least one value.")
    with recording(by=by, now=now):
        record_exam(
            procedure=escalation.case,
            kind=ExamKind.REVIEW,
            exam=dict(exam),
            source=escalation.reference,
            occurred_at=min(at or now, now),
            by=by,
            now=now,
        )
        raise_triggers(
            procedure=escalation.case,
            triggers=[],
            source=escalation.reference,
            occurred_at=min(at or now, now),
            exam=exam,
            by=by,
            now=now,
            attended=attended,
        )
    return escalation


def refuse_unreadable(exam: Mapping[str, Any]) -> None:
    """Raise Invalid naming every value of a flat examination that the report's form would not take either."""
    troubles: list[Trouble] = []
    read_exam({key: value for key, value in exam.items() if key in EXAM_KEYS}, "exam", troubles)
    troubles += read_neuro({key: value for key, value in exam.items() if key not in EXAM_KEYS}, "exam")[1]
    if troubles:
        faults = [FieldError(one.field, one.code, one.detail) for one in troubles]
        raise Invalid("invalid", faults[0].detail, faults)


def deficit_of(procedure: Procedure, exam: Mapping[str, Any], *, now: datetime) -> str:
    """Return in words what is worse in `exam` than at the baseline; empty where nothing is, or nothing is known of it."""
    verdict = assess(procedure, neuro_of_exam(exam), now=now, is_report=False)
    if not verdict.is_deficit or "no_baseline" in verdict.chips:
        return ""
    return verdict.triggers[0].reason
