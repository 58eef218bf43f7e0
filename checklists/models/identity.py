"""Who made sure, and when, that the list which is open is the list of the patient who is there."""

from __future__ import annotations

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models

from checklists.models.runs import Run
from clinic.models.constraints import one_of
from clinic.models.devices import Tablet
from clinic.models.people import Room, User


class IdentityCheck(models.Model):
    """One look at a patient's identifiers on opening a list; only ever added. What was typed is not kept, only if it fitted.

    `outcome`: matched, mismatched (a near miss, whoever it was) or waived (`reason` says why nobody could be asked).
    """

    append_only = True

    public_id = models.UUIDField(unique=True)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="identity_checks")
    outcome = models.CharField(max_length=10)
    identifiers = ArrayField(models.CharField(max_length=12), default=list)
    differing = ArrayField(models.CharField(max_length=12), default=list)
    reason = models.CharField(max_length=40, blank=True)
    on_tablet = models.BooleanField(default=False, help_text="compared on the tablet, without a network")
    by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    tablet = models.ForeignKey(Tablet, on_delete=models.PROTECT, null=True, related_name="+")
    room = models.ForeignKey(Room, on_delete=models.PROTECT, null=True, related_name="+")
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [one_of("outcome", ["matched", "mismatched", "waived"], "identity_outcome_known")]
        indexes = [
            # whether this list may be opened without asking again
            models.Index(fields=["run", "-occurred_at"], name="identity_by_run"),
        ]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.outcome} {self.public_id}"
