"""The procedure, its treated levels and its team: what both upper floors need to know."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models

from clinic.models.constraints import one_of
from clinic.models.patients import Patient
from clinic.models.people import Room, Site, User
from clinic.models.versions import versioned
from clinic.vocabulary import (
    LEVELS,
    Anaesthesia,
    Indication,
    LevelStatus,
    Outcome,
    ProcedureKind,
    ProcedureStatus,
    TeamRole,
)


class ProcedureQuerySet(models.QuerySet["Procedure"]):
    """Questions about procedures."""

    def at_site(self, site: Site) -> Self:
        """Return the site's procedures."""
        return self.filter(site=site)

    def between(self, start: datetime, end: datetime) -> Self:
        """Return those scheduled in [start, end)."""
        return self.filter(scheduled_at__gte=start, scheduled_at__lt=end)

    def for_display(self) -> Self:
        """Join what a card shows, so that a list costs a constant number of queries."""
        return self.select_related("patient", "room", "operator", "site").prefetch_related("levels")


@versioned("ProcedureVersion", exclude=["booking_sha256"])
class Procedure(models.Model):
    """One visit to theatre. Ages in years, cement in mL, pain 0-10 (NRS), pressures in mmHg, saturation in %."""

    public_id = models.UUIDField(unique=True)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="procedures")
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="procedures")
    kind = models.CharField(max_length=20)
    indication = models.CharField(max_length=30)
    anaesthesia = models.CharField(max_length=30)
    scheduled_at = models.DateTimeField()
    room = models.ForeignKey(Room, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    operator = models.ForeignKey(User, on_delete=models.PROTECT, related_name="operations")
    status = models.CharField(max_length=20, default=ProcedureStatus.BOOKED.value)
    age_years = models.PositiveSmallIntegerField()
    asa = models.CharField(max_length=4, blank=True)
    open_surgery = models.CharField(max_length=40, blank=True)
    imaging_kind = models.CharField(max_length=40, blank=True)
    baseline_nrs_rest = models.PositiveSmallIntegerField(null=True, blank=True)
    baseline_nrs_movement = models.PositiveSmallIntegerField(null=True, blank=True)
    baseline_systolic = models.PositiveSmallIntegerField(null=True, blank=True)
    baseline_spo2 = models.PositiveSmallIntegerField(null=True, blank=True)
    on_antithrombotic = models.BooleanField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    incision_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    left_hospital_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=20, blank=True)
    cement_ml = models.DecimalField(max_digits=5, decimal_places=1, null=True, blank=True)
    disposition = models.CharField(max_length=30, blank=True)
    first_walk = models.CharField(max_length=30, blank=True)
    first_walk_at = models.DateTimeField(null=True, blank=True)
    booking_sha256 = models.CharField(
        max_length=64, help_text="what was booked under this id; another content is refused"
    )
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()

    objects = ProcedureQuerySet.as_manager()

    class Meta:
        indexes = [
            # the board and the day's list
            models.Index(fields=["site", "scheduled_at"], name="procedure_day"),
            # keyset pages of the API, newest first
            models.Index(fields=["site", "-scheduled_at", "-id"], name="procedure_keyset"),
        ]
        constraints = [
            one_of("kind", ProcedureKind, "procedure_kind_known"),
            one_of("indication", Indication, "procedure_indication_known"),
            one_of("anaesthesia", Anaesthesia, "procedure_anaesthesia_known"),
            one_of("status", ProcedureStatus, "procedure_status_known"),
            one_of("outcome", ["", *Outcome], "procedure_outcome_known"),
            models.CheckConstraint(condition=models.Q(age_years__lte=130), name="procedure_age_possible"),
        ]

    def __str__(self) -> str:
        return str(self.public_id)


@versioned("TreatedLevelVersion")
class TreatedLevel(models.Model):
    """One vertebra of a procedure; volumes in mL per patient's side."""

    procedure = models.ForeignKey(Procedure, on_delete=models.PROTECT, related_name="levels")
    level = models.CharField(max_length=3)
    position = models.PositiveSmallIntegerField(help_text="order from the head down")
    status = models.CharField(max_length=12, default=LevelStatus.PLANNED.value)
    planned_kind = models.CharField(max_length=20, blank=True)
    approach = models.CharField(max_length=30, blank=True)
    sides = models.CharField(max_length=12, blank=True)
    cement_ml = models.DecimalField(max_digits=4, decimal_places=1, null=True, blank=True)
    cement_ml_left = models.DecimalField(max_digits=4, decimal_places=1, null=True, blank=True)
    cement_ml_right = models.DecimalField(max_digits=4, decimal_places=1, null=True, blank=True)
    cement_lot = models.CharField(max_length=40, blank=True)
    injected_at = models.DateTimeField(null=True, blank=True)
    leak_sites = ArrayField(models.CharField(max_length=30), default=list, blank=True)

    class Meta:
        ordering = ["position"]
        indexes = [
            # recall: which patients had this lot
            models.Index(fields=["cement_lot"], name="treated_level_lot"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["procedure", "level"], name="treated_level_once_per_procedure"),
            one_of("level", LEVELS, "treated_level_known"),
            one_of("status", LevelStatus, "treated_level_status_known"),
        ]

    def __str__(self) -> str:
        return self.level


class TeamMember(models.Model):
    """Who does what in a procedure."""

    procedure = models.ForeignKey(Procedure, on_delete=models.PROTECT, related_name="team")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    role = models.CharField(max_length=20)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["procedure", "user", "role"], name="team_member_once"),
            one_of("role", TeamRole, "team_role_known"),
        ]

    def __str__(self) -> str:
        return self.role
