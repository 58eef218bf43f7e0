"""The log of complications: one row per event, versions beside it, nothing edited in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import Q

from clinic.models import Procedure, Site, User, versioned
from clinic.models.constraints import one_of
from clinic.vocabulary import LEVELS
from complications.rules.grading import CLAVIEN_ORDER, Grades
from complications.vocabulary import ComplicationStatus, Setting, Source


class ComplicationQuerySet(models.QuerySet["Complication"]):
    """Questions about the log."""

    def at_site(self, site: Site) -> Self:
        """Return the site's entries."""
        return self.filter(site=site)

    def open_draft(self, procedure: Procedure, level: str, code: str) -> Self:
        """Return the draft that a further leak of the same kind adds to."""
        return self.filter(procedure=procedure, level=level, code=code, status=ComplicationStatus.DRAFT.value)

    def with_facet(self, site: Site, name: str, values: Sequence[str]) -> Self:
        """Return the site's entries whose facet `name` is one of `values`."""
        asked = [f"{site.pk}:{name}:{value}" for value in values]
        return self.filter(facets__overlap=asked) if len(asked) > 1 else self.filter(facets__contains=asked)

    def for_display(self) -> Self:
        """Join what a row of the log shows, so that a page costs a constant number of queries."""
        return self.select_related(
            "procedure__patient", "procedure__operator", "reported_by", "sent_by"
        ).prefetch_related("escalations")


@versioned("ComplicationVersion", exclude=["content_sha256", "facets"])
class Complication(models.Model):
    """One complication or near miss. `code` is empty until somebody knows what it is: a deficit is never refused for it.

    `fields` holds what the catalogue asks for the code, `treatment` the facts that the grades come from, `neuro` the
    report's neurological part word for word. Grades: Clavien-Dindo, SIR 1-5, CIRSE 1-6, Donaldson 0-3; `worst_*` is
    the worst ever, the others are the current ones.
    """

    public_id = models.UUIDField(unique=True)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="complications")
    procedure = models.ForeignKey(Procedure, on_delete=models.PROTECT, related_name="complications")
    code = models.CharField(max_length=7, blank=True)
    level = models.CharField(max_length=3, blank=True)
    side = models.CharField(max_length=10, blank=True)
    site_of_leak = models.CharField(max_length=20, blank=True)
    status = models.CharField(max_length=20)
    symptomatic = models.BooleanField(null=True, blank=True)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    reported_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    sent_by = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="who was logged in when it came",
    )
    unconfirmed_reporter = models.CharField(
        max_length=150,
        blank=True,
        default="",
        db_default="",
        help_text="whom an unproven ticket names (`unknown`: nobody); reported_by is the sender",
    )
    detected_by = models.CharField(max_length=40, blank=True)
    source = models.CharField(max_length=10)
    source_ref = models.CharField(max_length=120, blank=True)
    setting = models.CharField(max_length=20)
    narrative = models.TextField(blank=True)
    fields = models.JSONField(default=dict)
    treatment = models.JSONField(default=dict)
    neuro = models.JSONField(null=True, blank=True)
    clavien = models.CharField(max_length=4, blank=True)
    clavien_d = models.BooleanField(default=False)
    sir = models.PositiveSmallIntegerField(null=True, blank=True)
    cirse = models.PositiveSmallIntegerField(null=True, blank=True)
    bcis = models.PositiveSmallIntegerField(null=True, blank=True)
    worst_clavien = models.CharField(max_length=4, blank=True)
    worst_sir = models.PositiveSmallIntegerField(null=True, blank=True)
    worst_cirse = models.PositiveSmallIntegerField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)
    changed_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    changed_at = models.DateTimeField()
    change_reason = models.CharField(max_length=1000, blank=True)
    content_sha256 = models.CharField(max_length=64, blank=True, help_text="what was first reported under this id")
    # Written by the database alone (its triggers read the procedure, too), so that any set of filters is one index scan.
    facets = ArrayField(models.TextField(), default=list, editable=False)

    objects = ComplicationQuerySet.as_manager()

    class Meta:
        indexes = [
            # keyset pages of the log, newest first
            models.Index(fields=["site", "-occurred_at", "-id"], name="complication_keyset"),
            # the log by type
            models.Index(fields=["site", "code", "-occurred_at", "-id"], name="complication_by_code"),
            # the log by any set of its filters: rare combinations are found without walking the site's rows
            GinIndex(fields=["facets"], name="complication_facets"),
            # what a person searches: words of the narrative, never identifiers
            GinIndex(SearchVector("narrative", config="simple"), name="complication_words"),
        ]
        constraints = [
            one_of("status", ComplicationStatus, "complication_status_known"),
            one_of("setting", Setting, "complication_setting_known"),
            one_of("source", Source, "complication_source_known"),
            one_of("level", ["", *LEVELS], "complication_level_known"),
            one_of("clavien", ["", *CLAVIEN_ORDER], "complication_clavien_known"),
            models.CheckConstraint(
                condition=Q(sir__isnull=True) | Q(sir__range=(1, 5)), name="complication_sir_1_to_5"
            ),
            models.CheckConstraint(
                condition=Q(cirse__isnull=True) | Q(cirse__range=(1, 6)), name="complication_cirse_1_to_6"
            ),
            models.CheckConstraint(
                condition=Q(bcis__isnull=True) | Q(bcis__range=(0, 3)), name="complication_bcis_0_to_3"
            ),
            models.UniqueConstraint(
                fields=["procedure", "level", "code"],
                condition=Q(status=ComplicationStatus.DRAFT.value),
                name="complication_one_open_draft",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code or 'unclassified'} {self.public_id}"

    @property
    def grades(self) -> Grades:
        """The current grades."""
        return Grades(self.clavien or None, self.clavien_d, self.sir, self.cirse, self.bcis)

    @property
    def worst_grades(self) -> Grades:
        """The worst grades that this entry ever had."""
        return Grades(self.worst_clavien or None, sir=self.worst_sir, cirse=self.worst_cirse, bcis=self.bcis)


def grade_columns(current: Grades, worst: Grades) -> dict[str, Any]:
    """Return the grades as columns of `Complication`."""
    return {
        "clavien": current.clavien or "",
        "clavien_d": current.clavien_d,
        "sir": current.sir,
        "cirse": current.cirse,
        "bcis": current.bcis,
        "worst_clavien": worst.clavien or "",
        "worst_sir": worst.sir,
        "worst_cirse": worst.cirse,
    }
