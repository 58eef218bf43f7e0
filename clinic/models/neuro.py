"""Neurological examinations: the baseline and every later one, append-only."""

import uuid

import pgtrigger
from django.db import models

from clinic.models.constraints import one_of
from clinic.models.people import User
from clinic.models.procedures import Procedure
from clinic.vocabulary import ExamKind


class NeuroExam(models.Model):
    """One examination.

    `exam` holds the report's shape of the API contract: `mrc` (muscle_side → 0-5 or "nt"), `ais`, `light_touch_l/_r`,
    `perianal_sensation`, `anal_tone`, `bladder`, `bowel`, `legs_move`, and what was measured beside it
    (`pvr_ml`, `nrs_back`, `nrs_leg`, `spo2` …). What was not tested is absent or "nt", never normal.
    """

    append_only = True

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    procedure = models.ForeignKey(Procedure, on_delete=models.PROTECT, related_name="neuro_exams")
    kind = models.CharField(max_length=12)
    source = models.CharField(
        max_length=100, help_text="what it was taken from, e.g. run:<id>:<instance> or complication:<id>"
    )
    exam = models.JSONField()
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    recorded_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        indexes = [
            # the latest examinations of a procedure, and its baseline
            models.Index(fields=["procedure", "kind", "-recorded_at"], name="neuro_exam_latest"),
        ]
        constraints = [one_of("kind", ExamKind, "neuro_exam_kind_known")]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.kind} {self.public_id}"
