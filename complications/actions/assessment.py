"""What the rules say about a finding, with what is known of this patient: baseline, pain so far, leaks, fever."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from clinic.models import NeuroExam, Procedure, TreatedLevel
from clinic.vocabulary import ExamKind
from complications.models import Complication
from complications.rules.report import NOT_TESTED, Exam, Neuro, NotExaminable, better_of, read_exam, read_neuro
from complications.rules.triggers import Context, Verdict, evaluate

CANAL_CODES = ("LEK-EPI", "LEK-FOR")
CANAL_LEAKS = {"epidural", "foraminal"}
EXAM_KEYS = frozenset(Exam.__slots__) | {"perianal"}
MEASURED = ("pvr_ml", "hours_since_void", "nrs_back", "nrs_leg", "temperature_c", "crp_mg_l")


def baseline_of(procedure: Procedure) -> Exam | None:
    """Return the patient's baseline: the newest examination of each source; where they conflict the better counts."""
    newest: dict[str, Exam] = {}
    rows = NeuroExam.objects.filter(procedure=procedure, kind=ExamKind.BASELINE.value).order_by("recorded_at", "id")
    for row in rows:
        newest[row.source] = read_exam(row.exam)
    return better_of(list(newest.values()))


def context_of(procedure: Procedure, *, now: datetime, is_report: bool, by_patient: bool) -> Context:
    """Return what happened before, as far as it was recorded."""
    ended = procedure.ended_at
    later = [row for row in _later_exams(procedure) if ended is None or row.occurred_at >= ended]
    back = [(row.occurred_at, nrs) for row in later if (nrs := _number(row.exam, "nrs_back")) is not None]
    hour = now - timedelta(hours=1)
    leg = [nrs for row in later if row.occurred_at >= hour and (nrs := _number(row.exam, "nrs_leg")) is not None]
    crp = [value for row in later if (value := _number(row.exam, "crp_mg_l")) is not None]
    fever = [value for row in later if (value := _number(row.exam, "temperature_c")) is not None and value >= 38.0]
    levels = TreatedLevel.objects.filter(procedure=procedure)
    return Context(
        now=now,
        is_report=is_report,
        by_patient=by_patient,
        hours_since_end=(now - ended).total_seconds() / 3600 if ended else None,
        lowest_nrs_back=int(min((nrs for _, nrs in back))) if back else None,
        nrs_back_high_minutes=_high_for(back, now),
        lowest_nrs_leg_last_hour=int(min(leg)) if leg else None,
        on_antithrombotic=bool(procedure.on_antithrombotic),
        known_canal_leak=_canal_leak(procedure),
        earlier_fever=bool(fever),
        lowest_crp=min(crp) if crp else None,
        levels=tuple(row.level for row in levels),
    )


def _later_exams(procedure: Procedure) -> list[NeuroExam]:
    rows = NeuroExam.objects.filter(procedure=procedure).exclude(kind=ExamKind.BASELINE.value)
    return list(rows.order_by("occurred_at", "id"))


def _number(exam: Mapping[str, Any], key: str) -> float | None:
    value = exam.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _high_for(back: list[tuple[datetime, float]], now: datetime) -> float | None:
    """Return for how many minutes pain has been 9 or more without a lower value between."""
    since: datetime | None = None
    for at, nrs in back:
        if nrs < 9:
            since = None
        elif since is None:
            since = at
    return (now - since).total_seconds() / 60 if since else None


def _canal_leak(procedure: Procedure) -> bool:
    if any(CANAL_LEAKS & set(row.leak_sites) for row in TreatedLevel.objects.filter(procedure=procedure)):
        return True
    return Complication.objects.filter(procedure=procedure, code__in=CANAL_CODES).exclude(
        status__in=["not_reportable", "duplicate"]
    ).exists()  # fmt: skip


def assess(procedure: Procedure, neuro: Neuro, *, now: datetime, is_report: bool, by_patient: bool = False) -> Verdict:
    """Return which triggers fire for `neuro`, compared with what is known of this patient."""
    context = context_of(procedure, now=now, is_report=is_report, by_patient=by_patient)
    return evaluate(neuro, baseline_of(procedure), context)


def neuro_of_exam(exam: Mapping[str, Any]) -> Neuro:
    """Return a stored examination (flat: grades and what was measured beside them) as the rules read it."""
    nested = {key: value for key, value in exam.items() if key in EXAM_KEYS}
    measured = {key: exam[key] for key in MEASURED if exam.get(key) is not None}
    neuro, _ = read_neuro({"exam": nested, **measured})
    tried = any(exam.get(leg) in NOT_TESTED for leg in ("leg_l", "leg_r"))
    if tried and not (neuro.exam and neuro.exam.tested):
        # "Cannot be tested" is not normal, and not nothing either: somebody looks again within the hour (NT-09).
        return replace(neuro, not_examinable=NotExaminable(None, "not testable"))
    return neuro


def exam_of_neuro(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return a report's neurological part in the flat shape that examinations are stored in; empty without one."""
    exam = raw.get("exam") if isinstance(raw.get("exam"), Mapping) else {}
    return {**dict(exam or {}), **{key: raw[key] for key in MEASURED if raw.get(key) is not None}}
