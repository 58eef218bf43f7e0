"""Who is on call: shifts, the overrides that replace them, leave, and swaps between two people.

Who holds a post at an instant is decided in one place, `clinic.rules.rota`, read by `clinic.queries.rota`.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Self

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import Q
from psycopg.types.range import TimestamptzRange

from clinic.models.constraints import one_of
from clinic.models.people import Site, User
from clinic.vocabulary import Post, SwapStatus

STANDS = Q(cancelled_at__isnull=True)


class ShiftQuerySet(models.QuerySet["Shift"]):
    """Questions about the planned rota; who holds a post is asked of `clinic.queries.rota`."""

    def during(self, start: datetime, end: datetime) -> Self:
        """Return what touches the time from `start` to `end` (both included)."""
        return self.filter(period__overlap=TimestamptzRange(start, end, "[]"))


class Shift(models.Model):
    """One person is planned for one post at one rank (1 is called first) during `period` ([start, end), UTC)."""

    public_id = models.UUIDField(db_default=RandomUUID(), unique=True, editable=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="shifts")
    post = models.CharField(max_length=30)
    rank = models.PositiveSmallIntegerField(default=1)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="shifts")
    period = DateTimeRangeField()
    source_uid = models.CharField(max_length=255, blank=True, default="", help_text="UID of the calendar it came from")
    source_recurrence = models.CharField(
        max_length=40, blank=True, default="", help_text="RECURRENCE-ID in UTC; empty for an event that does not repeat"
    )

    objects = ShiftQuerySet.as_manager()

    class Meta:
        constraints = [
            one_of("post", Post, "shift_post_known"),
            models.CheckConstraint(condition=Q(rank__gte=1), name="shift_rank_from_1"),
            ExclusionConstraint(
                name="shift_one_person_per_rank_at_a_time",
                expressions=[
                    ("site", RangeOperators.EQUAL),
                    ("post", RangeOperators.EQUAL),
                    ("rank", RangeOperators.EQUAL),
                    ("period", RangeOperators.OVERLAPS),
                ],
            ),
            models.UniqueConstraint(
                fields=["site", "source_uid", "source_recurrence"],
                condition=~Q(source_uid=""),
                name="shift_imported_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.post} {self.rank}"


class ShiftOverrideQuerySet(models.QuerySet["ShiftOverride"]):
    """Questions about overrides."""

    def standing(self) -> Self:
        """Return those that nobody cancelled."""
        return self.filter(STANDS)

    def during(self, start: datetime, end: datetime) -> Self:
        """Return what touches the time from `start` to `end` (both included)."""
        return self.filter(period__overlap=TimestamptzRange(start, end, "[]"))


class ShiftOverride(models.Model):
    """Another person holds a post and rank for a time, whoever is planned; cancelled, never deleted."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="shift_overrides")
    post = models.CharField(max_length=30)
    rank = models.PositiveSmallIntegerField(default=1)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="shift_overrides")
    period = DateTimeRangeField()
    reason = models.CharField(max_length=200, blank=True)
    swap = models.ForeignKey("ShiftSwap", on_delete=models.PROTECT, null=True, blank=True, related_name="overrides")
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    cancelled_at = models.DateTimeField(null=True, blank=True)
    cancelled_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    objects = ShiftOverrideQuerySet.as_manager()

    class Meta:
        constraints = [
            one_of("post", Post, "shift_override_post_known"),
            models.CheckConstraint(condition=Q(rank__gte=1), name="shift_override_rank_from_1"),
            models.CheckConstraint(condition=Q(period__isempty=False), name="shift_override_lasts"),
            ExclusionConstraint(
                name="shift_override_one_at_a_time",
                expressions=[
                    ("site", RangeOperators.EQUAL),
                    ("post", RangeOperators.EQUAL),
                    ("rank", RangeOperators.EQUAL),
                    ("period", RangeOperators.OVERLAPS),
                ],
                condition=STANDS,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.post} {self.rank} override"


class LeaveQuerySet(models.QuerySet["Leave"]):
    """Questions about leave."""

    def standing(self) -> Self:
        """Return those that nobody cancelled."""
        return self.filter(STANDS)

    def during(self, start: datetime, end: datetime) -> Self:
        """Return what touches the time from `start` to `end` (both included)."""
        return self.filter(period__overlap=TimestamptzRange(start, end, "[]"))


class Leave(models.Model):
    """A person is away and is paged at no site; why is nobody's business here. Cancelled, never deleted."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="leaves", help_text="where it was recorded")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="leaves")
    period = DateTimeRangeField()
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    cancelled_at = models.DateTimeField(null=True, blank=True)
    cancelled_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    objects = LeaveQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(period__isempty=False), name="leave_lasts"),
            ExclusionConstraint(
                name="leave_once_at_a_time",
                expressions=[("user", RangeOperators.EQUAL), ("period", RangeOperators.OVERLAPS)],
                condition=STANDS,
            ),
        ]

    def __str__(self) -> str:
        return f"leave of user {self.user_id}"


class ShiftSwapQuerySet(models.QuerySet["ShiftSwap"]):
    """Questions about swaps."""

    def waiting(self, now: datetime) -> Self:
        """Return those that can still be answered."""
        return self.filter(status=SwapStatus.PROPOSED.value, period__endswith__gt=now)


class ShiftSwap(models.Model):
    """One person asks another to take a post and rank for a time, perhaps in exchange for another time.

        proposed ──► accepted | declined | withdrawn

    Until it is accepted the rota is as it was; accepted, it stands as one override for each of the two times.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="shift_swaps")
    proposed_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    asked = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    post = models.CharField(max_length=30)
    rank = models.PositiveSmallIntegerField(default=1)
    period = DateTimeRangeField()
    back_post = models.CharField(max_length=30, blank=True)
    back_rank = models.PositiveSmallIntegerField(null=True, blank=True)
    back_period = DateTimeRangeField(null=True, blank=True)
    status = models.CharField(max_length=10, default=SwapStatus.PROPOSED.value)
    proposed_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)

    objects = ShiftSwapQuerySet.as_manager()

    class Meta:
        constraints = [
            one_of("post", Post, "shift_swap_post_known"),
            one_of("back_post", ["", *Post], "shift_swap_back_post_known"),
            one_of("status", SwapStatus, "shift_swap_status_known"),
            models.CheckConstraint(condition=~Q(proposed_by=models.F("asked")), name="shift_swap_between_two"),
            models.CheckConstraint(
                condition=Q(back_post="", back_rank__isnull=True, back_period__isnull=True)
                | (~Q(back_post="") & Q(back_rank__gte=1, back_period__isempty=False)),
                name="shift_swap_back_is_whole",
            ),
            models.CheckConstraint(
                condition=Q(status=SwapStatus.PROPOSED.value) | Q(answered_at__isnull=False),
                name="shift_swap_answered_has_a_time",
            ),
            models.CheckConstraint(condition=Q(period__isempty=False), name="shift_swap_lasts"),
        ]

    def __str__(self) -> str:
        return f"swap {self.status}"


class CalendarFeedQuerySet(models.QuerySet["CalendarFeed"]):
    """Questions about calendar addresses."""

    def standing(self) -> Self:
        """Return those that nobody has stopped."""
        return self.filter(revoked_at=None)


class CalendarFeed(models.Model):
    """The secret address under which a calendar program reads when one person is on call; stored as its SHA-256."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="calendar_feeds")
    sha256 = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)

    objects = CalendarFeedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user"], condition=Q(revoked_at=None), name="calendar_feed_one_of_a_person")
        ]

    def __str__(self) -> str:
        return f"calendar of {self.user_id}"
