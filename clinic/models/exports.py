"""What left the house: one row for each export, with its manifest."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from clinic.models.constraints import one_of
from clinic.models.devices import ApiToken
from clinic.models.people import Site, User
from clinic.models.versions import Xid8Field
from clinic.vocabulary import ExportStatus

#: Where an export may go from where: it ends once, whole or not.
EXPORT_ARROWS: dict[str, frozenset[str]] = {
    ExportStatus.RUNNING.value: frozenset({ExportStatus.FINISHED.value, ExportStatus.ABORTED.value}),
}


class Export(models.Model):
    """One export: what was asked, by whom and why, and what was delivered.

        running ──► finished    the last row was handed over; rows, bytes, hash and manifest are known
           └──────► aborted     the reader went away, or the service was stopped

    `as_of_epoch`, `as_of_xid` bound what was visible: every version whose (epoch, xid) lies below them, and no other.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    dataset = models.CharField(max_length=40)
    format = models.CharField(max_length=10)
    identified = models.BooleanField(default=False)
    reason = models.CharField(max_length=500, blank=True)
    params = models.JSONField(default=dict, help_text="filters, fields, since, after: as they were asked")
    as_of_epoch = models.IntegerField()
    as_of_xid = Xid8Field()
    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    token = models.ForeignKey(ApiToken, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    status = models.CharField(max_length=10, default=ExportStatus.RUNNING.value)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    rows = models.BigIntegerField(null=True, blank=True)
    bytes = models.BigIntegerField(null=True, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    manifest = models.JSONField(null=True, blank=True)

    class Meta:
        indexes = [
            # the page's list, newest first
            models.Index(fields=["site", "-started_at", "-id"], name="export_newest"),
            # what a stopped service left behind
            models.Index(fields=["started_at"], name="export_running", condition=Q(status=ExportStatus.RUNNING.value)),
        ]
        constraints = [
            one_of("status", ExportStatus, "export_status_known"),
            models.CheckConstraint(
                condition=~Q(status=ExportStatus.FINISHED.value)
                | (Q(manifest__isnull=False) & Q(rows__isnull=False) & Q(ended_at__isnull=False) & ~Q(sha256="")),
                name="export_finished_is_complete",
            ),
            models.CheckConstraint(
                condition=Q(identified=False) | ~Q(reason=""), name="export_identified_has_a_reason"
            ),
        ]

    def __str__(self) -> str:
        return str(self.public_id)
