"""Who is on call: a shift gives a person a post and a rank for a time."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models

from clinic.models.constraints import one_of
from clinic.models.people import Site, User
from clinic.vocabulary import Post


class ShiftQuerySet(models.QuerySet["Shift"]):
    """Questions about the rota."""

    def on_duty(self, site: Site, at: datetime) -> Self:
        """Return the shifts of `site` that cover the instant `at`, first rank first, of active people only."""
        return (
            self.filter(site=site, period__contains=at, user__is_active=True)
            .select_related("user")
            .order_by("post", "rank", "id")
        )


class Shift(models.Model):
    """One person holds one post at one rank (1 is called first) during `period` ([start, end), UTC)."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="shifts")
    post = models.CharField(max_length=30)
    rank = models.PositiveSmallIntegerField(default=1)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="shifts")
    period = DateTimeRangeField()

    objects = ShiftQuerySet.as_manager()

    class Meta:
        constraints = [
            one_of("post", Post, "shift_post_known"),
            models.CheckConstraint(condition=models.Q(rank__gte=1), name="shift_rank_from_1"),
            ExclusionConstraint(
                name="shift_one_person_per_rank_at_a_time",
                expressions=[
                    ("site", RangeOperators.EQUAL),
                    ("post", RangeOperators.EQUAL),
                    ("rank", RangeOperators.EQUAL),
                    ("period", RangeOperators.OVERLAPS),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.post} {self.rank}"
