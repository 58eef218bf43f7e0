"""Planned contacts after a procedure, neurological observations among them, and every attempt to reach somebody."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Self

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from clinic.models import CurrentEpoch, CurrentXid, Procedure, Site, User, Xid8Field, versioned
from clinic.models.constraints import one_of
from complications.vocabulary import AttemptOutcome, FollowUpStatus

VISIT, OBSERVATION = "visit", "observation"


class FollowUpQuerySet(models.QuerySet["FollowUp"]):
    """Questions about follow-ups."""

    def at_site(self, site: Site) -> Self:
        """Return the site's follow-ups."""
        return self.filter(site=site)

    def visits(self) -> Self:
        """Return the contacts of the plan, without the observations of the ward."""
        return self.filter(kind=VISIT)

    def planned(self) -> Self:
        """Return those still to be done."""
        return self.filter(status=FollowUpStatus.PLANNED.value)

    def due(self, now: datetime) -> Self:
        """Return what the engine has to look at: a reminder to send, or an observation that is late."""
        return self.planned().filter(next_look_at__lte=now)


@versioned("FollowUpVersion", exclude=["next_look_at", "looks"])
class FollowUp(models.Model):
    """One contact: a visit of the plan (`code` FU-2H …, the code of its form) or an observation of the ward.

    The window [opens_at, closes_at] includes both ends; `next_look_at` is when the engine reminds or escalates, and
    `looks` how many of the planned moments it has used.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="follow_ups")
    procedure = models.ForeignKey(Procedure, on_delete=models.PROTECT, related_name="follow_ups")
    kind = models.CharField(max_length=12, default=VISIT)
    code = models.CharField(max_length=12)
    part = models.CharField(max_length=20, blank=True)
    channel = models.CharField(max_length=10)
    opens_at = models.DateTimeField()
    target_at = models.DateTimeField()
    closes_at = models.DateTimeField()
    status = models.CharField(max_length=20, default=FollowUpStatus.PLANNED.value)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    claimed_at = models.DateTimeField(null=True, blank=True)
    run_public_id = models.UUIDField(null=True, blank=True)
    red_flags = ArrayField(models.CharField(max_length=30), default=list, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)
    done_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    reason = models.CharField(max_length=500, blank=True)
    late = models.BooleanField(default=False, help_text="done, or reminded of, after its window had closed")
    next_look_at = models.DateTimeField(null=True, blank=True)
    looks = models.PositiveSmallIntegerField(default=0)
    planned_at = models.DateTimeField()

    objects = FollowUpQuerySet.as_manager()

    class Meta:
        indexes = [
            # the engine's question: what is due
            models.Index(fields=["next_look_at"], name="follow_up_due", condition=Q(status="planned")),
            # the call list of a site
            models.Index(fields=["site", "status", "target_at", "id"], name="follow_up_call_list"),
        ]
        constraints = [
            one_of("kind", [VISIT, OBSERVATION], "follow_up_kind_known"),
            one_of("status", FollowUpStatus, "follow_up_status_known"),
            models.UniqueConstraint(fields=["procedure", "code", "part"], name="follow_up_once_per_procedure"),
            models.CheckConstraint(
                condition=Q(opens_at__lte=F("target_at")) & Q(target_at__lte=F("closes_at")),
                name="follow_up_window_in_order",
            ),
            models.CheckConstraint(
                condition=~Q(status="done") | Q(done_at__isnull=False), name="follow_up_done_has_a_time"
            ),
            models.CheckConstraint(
                condition=~Q(status="lost_to_follow_up") | ~Q(reason=""), name="follow_up_lost_has_a_reason"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.public_id}"


class ContactAttempt(models.Model):
    """One attempt to reach the patient, or a call that the patient made."""

    append_only = True

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    procedure = models.ForeignKey(Procedure, on_delete=models.PROTECT, related_name="contacts")
    follow_up = models.ForeignKey(FollowUp, on_delete=models.PROTECT, null=True, blank=True, related_name="attempts")
    channel = models.CharField(max_length=10)
    outcome = models.CharField(max_length=20)
    note = models.CharField(max_length=1000, blank=True)
    red_flags = ArrayField(models.CharField(max_length=30), default=list, blank=True)
    at = models.DateTimeField()
    by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    change_epoch = models.IntegerField(db_default=CurrentEpoch(), editable=False)
    change_xid = Xid8Field(db_default=CurrentXid(), editable=False)

    class Meta:
        indexes = [models.Index(fields=["procedure", "-at"], name="contact_attempt_latest")]
        constraints = [one_of("outcome", AttemptOutcome, "contact_attempt_outcome_known")]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.outcome} {self.public_id}"
