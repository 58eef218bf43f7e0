"""What the engine looks at: due rows that fire a trigger, and the proof that it is alive."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q

from clinic.models import Procedure, User
from clinic.models.constraints import one_of

PENDING, FIRED, DROPPED = "pending", "fired", "dropped"


class TimerQuerySet(models.QuerySet["Timer"]):
    """Questions about timers."""

    def due(self, now: datetime) -> Self:
        """Return the pending ones whose time has come."""
        return self.filter(status=PENDING, due_at__lte=now)


class Timer(models.Model):
    """A trigger that fires at `due_at` unless it is dropped, or what `unless` names was recorded since `set_at`."""

    procedure = models.ForeignKey(Procedure, on_delete=models.PROTECT, related_name="timers")
    key = models.CharField(max_length=120)
    trigger = models.CharField(max_length=10)
    reason = models.CharField(max_length=300, blank=True)
    due_at = models.DateTimeField()
    unless = models.CharField(max_length=300, blank=True)
    status = models.CharField(max_length=10, default=PENDING)
    set_at = models.DateTimeField()
    set_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = TimerQuerySet.as_manager()

    class Meta:
        indexes = [
            # the engine's question: what is due
            models.Index(fields=["due_at"], name="timer_due", condition=Q(status=PENDING)),
        ]
        constraints = [
            one_of("status", [PENDING, FIRED, DROPPED], "timer_status_known"),
            models.UniqueConstraint(fields=["procedure", "key"], condition=Q(status=PENDING), name="timer_one_pending"),
        ]

    def __str__(self) -> str:
        return f"{self.trigger} {self.key}"


class EngineHeartbeat(models.Model):
    """When an engine last finished a sweep: one row for each way in which the engine runs."""

    name = models.CharField(max_length=20, primary_key=True)
    finished_at = models.DateTimeField()
    took_over = models.PositiveBigIntegerField(default=0, help_text="things done because the other engine was late")
    note = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return self.name
