"""A drill: who began it, whether people knew of it, and its report once it has ended; and the plans by which drills begin."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q

from clinic.models import Site, User
from clinic.models.constraints import one_of
from complications.models.escalation import Escalation
from complications.rules.drill_plan import Plan
from complications.vocabulary import DrillEvery, DrillMiss, Pathway, Tier


class DrillPlanQuerySet(models.QuerySet["DrillPlan"]):
    """Questions about plans."""

    def at_site(self, site: Site) -> Self:
        """Return the site's plans."""
        return self.filter(site=site)

    def active(self) -> Self:
        """Return those that nobody has ended."""
        return self.filter(ended_at=None)

    def due(self, now: datetime) -> Self:
        """Return those whose drill should begin by now."""
        return self.active().filter(next_at__lte=now)


class DrillPlan(models.Model):
    """A site's plan: how urgent a drill, whose pathway, when. Its rule is never edited: it is ended, and another one made.

    `next_at` is when the next drill begins, drawn inside its window so that nobody can wait for it; after `closes_at` it no
    longer begins, and counts as missed.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="drill_plans")
    tier = models.CharField(max_length=2)
    pathway = models.CharField(max_length=10)
    announced = models.BooleanField(default=False)
    every = models.CharField(max_length=10)
    weekday = models.PositiveSmallIntegerField(help_text="0 is Monday")
    week = models.PositiveSmallIntegerField(default=1, help_text="of the month; 5 is the last")
    begin = models.TimeField(help_text="on the site's clock")
    end = models.TimeField()
    next_at = models.DateTimeField()
    closes_at = models.DateTimeField()
    missed_at = models.DateTimeField(null=True, help_text="the last one that did not begin")
    missed_why = models.CharField(max_length=20, blank=True, default="")
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    ended_at = models.DateTimeField(null=True)

    objects = DrillPlanQuerySet.as_manager()

    class Meta:
        indexes = [
            # the engine's question: which drill begins now
            models.Index(fields=["next_at"], name="drill_plan_due", condition=Q(ended_at=None)),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["site", "tier", "pathway"], condition=Q(ended_at=None), name="drill_plan_one_of_a_kind"
            ),
            one_of("tier", Tier, "drill_plan_tier_known"),
            one_of("pathway", [one for one in Pathway if one.pages], "drill_plan_pathway_pages"),
            one_of("every", DrillEvery, "drill_plan_every_known"),
            one_of("missed_why", ["", *DrillMiss], "drill_plan_miss_known"),
            models.CheckConstraint(
                condition=Q(weekday__lte=6, week__gte=1, week__lte=5), name="drill_plan_names_a_day"
            ),
            models.CheckConstraint(condition=Q(closes_at__gt=models.F("next_at")), name="drill_plan_has_a_window"),
        ]

    def __str__(self) -> str:
        return f"drill plan {self.public_id}"

    @property
    def rule(self) -> Plan:
        """The plan as the rules see it."""
        return Plan(DrillEvery(self.every), self.weekday, self.week, self.begin, self.end, self.site.timezone)


class Drill(models.Model):
    """What stands beside a synthetic escalation.

    The report is written as the drill ends; what became known of its messages afterwards is written into it (`amended_at`).
    """

    escalation = models.OneToOneField(Escalation, on_delete=models.PROTECT, related_name="drill")
    announced = models.BooleanField(default=False)
    started_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    report = models.JSONField(null=True)
    passed = models.BooleanField(null=True)
    reported_at = models.DateTimeField(null=True)
    amended_at = models.DateTimeField(null=True, help_text="when a later receipt entered the report")
    plan = models.ForeignKey(DrillPlan, on_delete=models.PROTECT, null=True, related_name="drills")

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
