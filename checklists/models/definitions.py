"""Published lists: immutable, found by their hash, pinned by every run."""

from __future__ import annotations

from typing import Self

import pgtrigger
from django.db import models

from checklists.vocabulary import Phase
from clinic.models.constraints import one_of
from clinic.models.people import User


class DefinitionQuerySet(models.QuerySet["Definition"]):
    """Questions about definitions."""

    def newest(self) -> Self:
        """Return the newest published definition of each name that nobody withdrew: what is opened next."""
        return self.filter(withdrawal=None).order_by("name", "-id").distinct("name")


class Definition(models.Model):
    """One list in one version. `sha256` is over the RFC 8785 form of `content`, both languages included."""

    append_only = True

    name = models.CharField(max_length=40, help_text="pre, sign_in, … or the form of a follow-up, e.g. fu_24h")
    version = models.CharField(max_length=20)
    kind = models.CharField(max_length=20)
    phase = models.CharField(max_length=20)
    code = models.CharField(max_length=20, blank=True, help_text="code of the follow-up that it is the form of")
    sha256 = models.CharField(max_length=64, unique=True)
    content = models.JSONField()
    published_at = models.DateTimeField()
    published_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, related_name="+", help_text="who approved it; null = the files"
    )
    authored_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")

    objects = DefinitionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="definition_version_once"),
            one_of("phase", Phase, "definition_phase_known"),
            # From the repository's files nobody, from a draft two people.
            models.CheckConstraint(
                condition=models.Q(published_by=None, authored_by=None)
                | models.Q(published_by__isnull=False, authored_by__isnull=False)
                & ~models.Q(published_by=models.F("authored_by")),
                name="definition_by_two_people",
            ),
        ]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"
