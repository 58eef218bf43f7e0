"""What a surgeon wrote at the bedside, as their phone sent it: kept whole, and once."""

from __future__ import annotations

import pgtrigger
from django.db import models

from clinic.models import User
from complications.models.escalation import Escalation


class BedsideEntry(models.Model):
    """One form of the phone: arrival, examination, times and decision, and what became of each of them.

    `public_id` was made by the phone, so that the same form arrives once however often it is sent. `made_at` and `sent_at`
    are the phone's clock, `received_at` the server's; `occurred_at` is when it was written, corrected by what the phone's
    clock was wrong as it sent. `outcome` says for each part `stored`, `not_in_force` or `refused`.
    """

    append_only = True

    public_id = models.UUIDField(unique=True, editable=False)
    escalation = models.ForeignKey(Escalation, on_delete=models.PROTECT, related_name="bedside_entries")
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField(help_text="the phone's clock as it was written")
    sent_at = models.DateTimeField(null=True, help_text="the phone's clock as it was sent")
    received_at = models.DateTimeField()
    occurred_at = models.DateTimeField(help_text="when it was written, by the server's clock")
    data = models.JSONField(help_text="what was written")
    digest = models.CharField(max_length=64, help_text="SHA-256 of it: the same id with other words is refused")
    outcome = models.JSONField()

    class Meta:
        indexes = [
            # the page of a case: what was written there, newest first
            models.Index(fields=["escalation", "-received_at"], name="bedside_entry_of_case"),
        ]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"bedside {self.public_id}"
