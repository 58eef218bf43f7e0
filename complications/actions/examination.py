"""An examination at the bedside of an open escalation."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from clinic.actions.audit import recording
from clinic.actions.procedures import record_exam
from clinic.lib.problems import FieldError, Invalid
from clinic.models import Actor
from clinic.vocabulary import ExamKind
from complications.actions.assessment import EXAM_KEYS, neuro_of_exam
from complications.actions.reporting import raise_triggers
from complications.models import Escalation
from complications.rules.report import read_neuro


def examine(*, escalation: Escalation, exam: Mapping[str, Any], by: Actor, now: datetime) -> Escalation:
    """Store an examination (flat: grades, signs, what was measured) and act on it.

    A worse finding joins the escalation and raises its tier; the same finding again changes nothing. Raise Invalid
    when nothing was examined or a value cannot be read.
    """
    nested = {key: value for key, value in exam.items() if key in EXAM_KEYS}
    measured = {key: value for key, value in exam.items() if key not in EXAM_KEYS}
    _, troubles = read_neuro({"exam": nested, **measured})
    if troubles:
        faults = [FieldError(one.field, one.code, one.detail) for one in troubles]
        raise Invalid("invalid", faults[0].detail, faults)
    if not exam or neuro_of_exam(exam).is_empty:
        raise Invalid.field("exam", "missing", "Nothing was examined yet: fill at least one value.")
    with recording(by=by, now=now):
        record_exam(
            procedure=escalation.procedure,
            kind=ExamKind.REVIEW,
            exam=dict(exam),
            source=escalation.reference,
            occurred_at=now,
            by=by,
            now=now,
        )
        raise_triggers(
            procedure=escalation.procedure,
            triggers=[],
            source=escalation.reference,
            occurred_at=now,
            exam=exam,
            by=by,
            now=now,
        )
    return escalation
