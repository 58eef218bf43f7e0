"""A drill: who began it, whether people knew of it, and its report once it has ended."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from clinic.models import User
from complications.models.escalation import Escalation


class Drill(models.Model):
    """What stands beside a synthetic escalation. The report is written once, as the drill ends."""

    escalation = models.OneToOneField(Escalation, on_delete=models.PROTECT, related_name="drill")
    announced = models.BooleanField(default=False)
    started_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    report = models.JSONField(null=True)
    passed = models.BooleanField(null=True)
    reported_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(report__isnull=True, passed__isnull=True, reported_at__isnull=True)
                | Q(report__isnull=False, passed__isnull=False, reported_at__isnull=False),
                name="drill_report_is_whole",
            )
        ]

    def __str__(self) -> str:
        return f"drill {self.escalation_id}"
