"""A list being worked through for one procedure."""

from __future__ import annotations

from typing import Self

import pgtrigger
from django.db import models

from checklists.models.definitions import Definition
from checklists.vocabulary import Phase, RunStatus
from clinic.models.constraints import one_of
from clinic.models.people import User
from clinic.models.procedures import Procedure

#: open ──(everybody named has signed)──▶ signed. A signed run never opens again: what comes later is an amendment.
RUN_ARROWS: dict[str, frozenset[str]] = {
    RunStatus.OPEN: frozenset({RunStatus.SIGNED}),
    RunStatus.SIGNED: frozenset(),
}


# A run keeps its definition, unless a person moved it under their credential: that row is written before.
_MOVED = """
    IF OLD.status <> 'open' OR NOT COALESCE((
        SELECT was_id = OLD.definition_id AND becomes_id = NEW.definition_id
        FROM checklists_runmove WHERE run_id = OLD.id ORDER BY id DESC LIMIT 1
    ), false) THEN
        RAISE EXCEPTION 'A run keeps its definition; an open one is moved by a signed move.' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
"""


class RunQuerySet(models.QuerySet["Run"]):
    """Questions about runs."""

    def of_phases(self) -> Self:
        """Return the six lists, without the forms of the follow-up."""
        return self.exclude(phase=Phase.FOLLOW_UP)

    def in_order(self) -> Self:
        """Order as the phases follow each other."""
        order = [models.When(phase=phase, then=models.Value(place)) for place, phase in enumerate(Phase)]
        return self.order_by(models.Case(*order, default=models.Value(99)), "id")


class Run(models.Model):
    """One definition for one procedure; it keeps its definition whatever is published later, until a person moves it.

    `last_seq` numbers the events of the run; `revision` rises with every change that a reader can see (its ETag).
    """

    public_id = models.UUIDField(unique=True)
    procedure = models.ForeignKey(Procedure, on_delete=models.PROTECT, related_name="runs")
    phase = models.CharField(max_length=20)
    definition = models.ForeignKey(Definition, on_delete=models.PROTECT, related_name="runs")
    status = models.CharField(max_length=20, default=RunStatus.OPEN.value)
    is_emergency = models.BooleanField(default=False)
    follow_up = models.UUIDField(null=True, blank=True, unique=True, help_text="the follow-up whose form this is")
    last_seq = models.PositiveIntegerField(default=0)
    revision = models.PositiveIntegerField(default=0)
    moves_around = models.PositiveIntegerField(
        default=0, db_default=0, help_text="how often it or another list of its procedure was moved to another version"
    )
    opened_at = models.DateTimeField()
    opened_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    signed_at = models.DateTimeField(null=True, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)
    ask_again_since = models.DateTimeField(null=True, blank=True, help_text="a long pause: patient, level, side anew")
    debt_due_at = models.DateTimeField(null=True, blank=True, help_text="when the safety debt is looked at next")
    debt_step = models.PositiveSmallIntegerField(default=0, db_default=0)

    objects = RunQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["procedure", "phase"],
                condition=~models.Q(phase=Phase.FOLLOW_UP.value),
                name="run_once_per_phase",
            ),
            one_of("phase", Phase, "run_phase_known"),
            one_of("status", RunStatus, "run_status_known"),
            models.CheckConstraint(
                condition=models.Q(status=RunStatus.OPEN.value, signed_at=None)
                | models.Q(status=RunStatus.SIGNED.value, signed_at__isnull=False),
                name="run_signed_at_when_signed",
            ),
        ]
        indexes = [
            # the sweep for sign-outs that nobody signed
            models.Index(
                fields=["phase", "opened_at"],
                condition=models.Q(status=RunStatus.OPEN.value),
                name="run_open_by_phase",
            ),
            # the sweep for safety debt that is due
            models.Index(fields=["debt_due_at"], condition=models.Q(debt_due_at__isnull=False), name="run_debt_due"),
        ]

        triggers = [
            pgtrigger.Trigger(
                name="keeps_its_definition",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                condition=pgtrigger.Q(old__definition__df=pgtrigger.F("new__definition")),
                func=_MOVED,
            ),
            pgtrigger.Protect(
                name="signed_stays_signed",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__status="signed", new__status__df="signed"),
            ),
            pgtrigger.Protect(name="is_kept", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return str(self.public_id)
