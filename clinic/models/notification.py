"""The outbox: every outgoing message is a row written with its cause; a lease delivers it at least once."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q

from clinic.models.constraints import one_of
from clinic.models.contacts import ContactPoint
from clinic.models.people import Site, User
from clinic.models.versions import versioned
from clinic.vocabulary import Channel, Failure, NotificationStatus


class NotificationQuerySet(models.QuerySet["Notification"]):
    """Questions about outgoing messages."""

    def due(self, now: datetime) -> Self:
        """Return what is to be handed to its channel: queued and due, or leased to a worker that died."""
        return self.filter(
            Q(status=NotificationStatus.QUEUED.value, due_at__lte=now)
            | Q(status=NotificationStatus.LEASED.value, lease_until__lte=now)
        )

    def waiting_behind(self, message: Notification) -> Self:
        """Return the untried ways of the same person for the same cause that come after this one, in order."""
        rows = self.filter(chain=message.chain, rank__gt=message.rank, attempts=0)
        return rows.exclude(chain="").filter(status=NotificationStatus.QUEUED.value).order_by("rank", "id")

    def unsent(self) -> Self:
        """Return what has not left yet."""
        return self.filter(status__in=[NotificationStatus.QUEUED.value, NotificationStatus.LEASED.value])


@versioned("NotificationVersion", exclude=["lease_until", "contact", "chain", "rank"])
class Notification(models.Model):
    """One message to one person over one channel. It carries no patient data and no key to an upper floor's table."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    dedup_key = models.CharField(
        max_length=200, unique=True, help_text="the same cause, step, recipient and channel is one message"
    )
    kind = models.CharField(max_length=50, help_text="names the template in templates/notices/")
    channel = models.CharField(max_length=10)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    recipient = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="notifications")
    recipient_name = models.CharField(max_length=200, blank=True)
    contact = models.ForeignKey(
        ContactPoint, on_delete=models.PROTECT, null=True, blank=True, related_name="notifications"
    )
    address = models.CharField(max_length=254, blank=True, help_text="as it was when the message was written")
    chain = models.CharField(
        max_length=200, blank=True, help_text="the same cause and person; its ranks are that person's ways in order"
    )
    rank = models.PositiveSmallIntegerField(default=0, help_text="0 is the way that this person is tried by first")
    reference = models.CharField(max_length=60, help_text="opaque, e.g. escalation:<uuid>")
    context = models.JSONField(default=dict, help_text="words for the template; no patient data")
    language = models.CharField(max_length=5, default="en")
    urgent = models.BooleanField(default=False)
    status = models.CharField(max_length=10, default=NotificationStatus.QUEUED.value)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True, blank=True)
    provider_id = models.CharField(max_length=200, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True, help_text="the device or the provider says it arrived")
    failed_at = models.DateTimeField(
        null=True, blank=True, help_text="the latest failure, also of a message tried again"
    )
    failure = models.CharField(max_length=10, blank=True, help_text="what kind of failure the latest one was")
    error = models.CharField(
        max_length=200, blank=True, help_text="typed: rejected, unreachable, timeout, no_address, gone, unknown, …"
    )

    objects = NotificationQuerySet.as_manager()

    class Meta:
        indexes = [
            # the engine's question: what is due
            models.Index(
                fields=["due_at"], name="notification_queued", condition=Q(status=NotificationStatus.QUEUED.value)
            ),
            models.Index(
                fields=["lease_until"], name="notification_leased", condition=Q(status=NotificationStatus.LEASED.value)
            ),
            # the messages of one escalation, and the inbox page
            models.Index(fields=["reference", "created_at"], name="notification_reference"),
            models.Index(fields=["site", "-created_at"], name="notification_inbox"),
            # the other ways of the same person for the same cause: tried at once when this one fails
            models.Index(fields=["chain", "rank"], name="notification_chain", condition=~Q(chain="")),
        ]
        constraints = [
            one_of("channel", Channel, "notification_channel_known"),
            one_of("status", NotificationStatus, "notification_status_known"),
            one_of("failure", ["", *Failure], "notification_failure_known"),
            models.CheckConstraint(
                condition=~Q(status=NotificationStatus.SENT.value) | Q(sent_at__isnull=False),
                name="notification_sent_has_a_time",
            ),
            models.CheckConstraint(
                condition=~Q(status=NotificationStatus.LEASED.value) | Q(lease_until__isnull=False),
                name="notification_leased_has_an_end",
            ),
        ]

    def __str__(self) -> str:
        return str(self.public_id)
