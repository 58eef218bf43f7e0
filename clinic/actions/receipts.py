"""What a provider, or the phone itself, says of a message that left."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction

from clinic.actions.notification import bring_forward
from clinic.lib.problems import Invalid, NotFound
from clinic.models import Notification
from clinic.vocabulary import Channel, Failure, NotificationStatus


def record_receipt(*, message: UUID, said: dict[str, str], now: datetime) -> datetime | None:
    """Keep that a message arrived, or that it never will: then the person's next way is tried at once. Return when it arrived.

    `said` is what came, by field. A text message's receipt is read by the settings SMS_RECEIPT_*, a phone's by `status`.
    A second receipt changes nothing; words that mean neither are accepted and ignored, since providers send many
    ("buffered", "enroute").
    """
    with transaction.atomic():
        row = Notification.objects.select_for_update(no_key=True).filter(public_id=message).first()
        if row is None:
            raise NotFound("unknown_receipt", "There is no message with this receipt.")
        sms = row.channel == Channel.SMS.value
        name = settings.SMS_RECEIPT_FIELD if sms else "status"
        if name not in said:
            raise Invalid.field(name, "missing", "Say in this field what became of the message.")
        word = said[name].strip().lower()
        if word in [one.lower() for one in settings.SMS_RECEIPT_DELIVERED] or (not sms and word == "delivered"):
            if row.delivered_at is None:
                row.delivered_at = now
                Notification.objects.filter(pk=row.pk).update(delivered_at=now)
        elif sms and word in [one.lower() for one in settings.SMS_RECEIPT_FAILED]:
            failed = Notification.objects.filter(
                pk=row.pk, status=NotificationStatus.SENT.value, delivered_at=None
            ).update(
                status=NotificationStatus.FAILED.value,
                failed_at=now,
                failure=Failure.PERMANENT.value,
                error="not_delivered",
            )
            if failed:
                bring_forward(message=row, now=now)
        return row.delivered_at
