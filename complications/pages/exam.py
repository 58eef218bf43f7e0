"""The neurological examination as a form: the baseline beside each value, and what was typed as the report's JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from clinic.models import NeuroExam, Procedure
from clinic.vocabulary import ExamKind
from complications.actions.assessment import baseline_of
from complications.rules.exam_form import MEASURED, ROOTS, SIGNS, muscles_for
from complications.vocabulary import ARM_MUSCLES, LEG_MUSCLES


@dataclass(frozen=True)
class Cell:
    """One muscle on one side: its key, what it was, what was typed."""

    key: str
    side: str
    was: str
    value: str


@dataclass(frozen=True)
class Muscle:
    """One row of the table."""

    key: str
    root: str
    cells: list[Cell]


@dataclass(frozen=True)
class Sign:
    """One question with segments."""

    name: str
    options: tuple[str, ...]
    was: str
    value: str


class ExamForm:
    """What the examination's template needs."""

    def __init__(
        self, procedure: Procedure | None, given: Mapping[str, Any], muscles: Iterable[str] | None = None
    ) -> None:
        #: Without a procedure it is the form of every case, which a script fills in on the phone.
        self.offline = procedure is None
        baseline = baseline_of(procedure) if procedure else None
        asked = muscles or (muscles_for(row.level for row in procedure.levels.all()) if procedure else ())
        self.sides = [("l", _("Left")), ("r", _("Right"))]
        self.muscles = [
            Muscle(
                key,
                ROOTS[key],
                [
                    Cell(f"{key}_{side}", word, _grade(baseline, f"{key}_{side}"), given.get(f"mrc.{key}_{side}", ""))
                    for side, word in self.sides
                ],
            )
            for key in asked
        ]
        self.signs = [
            Sign(name, options, str(getattr(baseline, name, None) or ""), given.get(name, ""))
            for name, options in SIGNS.items()
        ]
        self.total = sum(len(muscle.cells) for muscle in self.muscles)
        self.baseline_at = _baseline_at(procedure) if procedure and baseline else None
        for name in MEASURED:
            setattr(self, name, given.get(name, ""))

    @classmethod
    def blank(cls) -> ExamForm:
        """Return the form with every muscle and no patient."""
        return cls(None, {}, muscles=(*ARM_MUSCLES, *LEG_MUSCLES))


def _grade(baseline: Any, muscle: str) -> str:
    grade = baseline.grade(muscle) if baseline else None
    return "" if grade is None else str(grade)


def _baseline_at(procedure: Procedure) -> datetime | None:
    rows = NeuroExam.objects.filter(procedure=procedure, kind=ExamKind.BASELINE.value)
    return rows.order_by("-occurred_at").values_list("occurred_at", flat=True).first()


def read_exam_form(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was answered as the `exam` of the API; what was left open is absent, never normal."""
    mrc: dict[str, int | str] = {}
    for key in ROOTS:
        for side in "lr":
            text = str(data.get(f"mrc.{key}_{side}", "")).strip()
            if text == "nt":
                mrc[f"{key}_{side}"] = "nt"
            elif text.isdecimal():
                mrc[f"{key}_{side}"] = int(text)
    signs = {name: data[name] for name in SIGNS if data.get(name)}
    return {**({"mrc": mrc} if mrc else {}), **signs}


def read_measured(data: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers beside the examination; a decimal comma is understood, what is no number is left out."""
    found: dict[str, float] = {}
    for name in MEASURED:
        try:
            found[name] = float(str(data.get(name, "")).strip().replace(",", "."))
        except ValueError:
            continue
    return {name: int(value) if value.is_integer() else value for name, value in found.items()}
