"""Write, claim, deliver and cancel outgoing messages."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet

from clinic.actions.audit import recording
from clinic.channels import DeliveryError, send
from clinic.models import Actor, Notification, Site, User
from clinic.vocabulary import Channel, NotificationStatus

log = logging.getLogger("clinic.notification")

#: Longer than the slowest delivery (settings.DELIVERY_SECONDS, 15 s), so that no second worker sends what a first still
#: sends; and short: what a killed worker held is claimed again after it, by the watchman 5 s later at the latest.
LEASE = timedelta(seconds=22)
#: Waits before the next try after a temporary failure; after the last one the message is failed, loudly.
RETRIES = tuple(timedelta(seconds=s) for s in (5, 15, 60, 300, 900, 1800))


@dataclass(frozen=True)
class Message:
    """One message to write. `dedup_key` is made of its cause, step, recipient and channel; `context` has no patient data."""

    dedup_key: str
    kind: str
    recipient: User | None
    channel: Channel
    site: Site
    reference: str
    context: Mapping[str, Any] = field(default_factory=dict)
    due_at: datetime | None = None
    urgent: bool = False
    address: str = ""
    recipient_name: str = ""


def queue_notifications(messages: Sequence[Message], *, by: Actor, now: datetime) -> int:
    """Write messages into the outbox in one statement and return how many are new; a known dedup_key adds nothing."""
    if not messages:
        return 0
    rows = [
        Notification(
            dedup_key=m.dedup_key,
            kind=m.kind,
            channel=m.channel.value,
            site=m.site,
            recipient=m.recipient,
            recipient_name=m.recipient_name or (m.recipient.get_full_name() if m.recipient else ""),
            address=m.address or _address(m),
            reference=m.reference,
            context=dict(m.context),
            language=m.recipient.language if m.recipient else m.site.language,
            urgent=m.urgent,
            created_at=now,
            due_at=m.due_at or now,
        )
        for m in messages
    ]
    with recording(by=by, now=now):
        before = Notification.objects.filter(dedup_key__in=[m.dedup_key for m in messages]).count()
        Notification.objects.bulk_create(rows, ignore_conflicts=True)
    return len({m.dedup_key for m in messages}) - before


def _address(message: Message) -> str:
    if message.recipient is None:
        return ""
    match message.channel:
        case Channel.EMAIL:
            return message.recipient.email
        case Channel.SMS:
            return message.recipient.phone
        case _:
            return message.recipient.username


def claim_due(*, now: datetime, limit: int = 50, only: Sequence[int] | None = None) -> list[int]:
    """Lease due messages to the caller and return their keys, urgent ones first; rows that others hold are skipped."""
    with transaction.atomic():
        rows = Notification.objects.due(now)
        if only is not None:
            rows = rows.filter(pk__in=only)
        keys = list(
            rows.select_for_update(skip_locked=True)
            .order_by("-urgent", "due_at", "id")
            .values_list("pk", flat=True)[:limit]
        )
        Notification.objects.filter(pk__in=keys).update(
            status=NotificationStatus.LEASED.value, lease_until=now + LEASE, attempts=F("attempts") + 1
        )
    return keys


def release(*, keys: Sequence[int], claimed_at: datetime) -> None:
    """Give messages that were claimed at `claimed_at` back unsent: whoever comes next claims them at once."""
    held = Notification.objects.filter(status=NotificationStatus.LEASED.value, lease_until=claimed_at + LEASE)
    held.filter(pk__in=keys).update(
        status=NotificationStatus.QUEUED.value, lease_until=None, attempts=F("attempts") - 1
    )


def deliver(*, key: int, now: datetime) -> bool:
    """Send one leased message and mark it; return whether it left.

    A crash between sending and marking lets the lease expire: the message goes out again with the same id. A temporary
    failure waits and is tried again; a permanent one, or the last try, is kept as failed with its typed reason.
    """
    message = (
        Notification.objects.select_related("recipient", "site")
        .filter(pk=key, status=NotificationStatus.LEASED.value)
        .first()
    )
    if message is None:
        return False
    held = Notification.objects.filter(pk=key, status=NotificationStatus.LEASED.value, attempts=message.attempts)
    try:
        provider_id = send(message)
    except DeliveryError as error:
        _not_sent(held, message, error, now)
        return False
    except Exception as error:
        # A fault of ours in this one message (its words, its address): typed like any other, or its lease would be taken
        # again without end.
        log.exception("message_not_sent", extra={"notification": key, "error": type(error).__name__})
        _not_sent(held, message, DeliveryError("unknown", temporary=True), now)
        return False
    # It left, and says so, also where somebody answered meanwhile.
    left = Notification.objects.filter(pk=key, attempts=message.attempts).filter(
        status__in=[NotificationStatus.LEASED.value, NotificationStatus.CANCELLED.value]
    )
    return bool(
        left.update(
            status=NotificationStatus.SENT.value, lease_until=None, sent_at=now, provider_id=provider_id, error=""
        )
    )


def _not_sent(held: QuerySet[Notification], message: Notification, error: DeliveryError, now: datetime) -> None:
    """Let the message wait for its next try, or keep it as failed with its typed reason."""
    tries = message.attempts
    if error.temporary and tries <= len(RETRIES):
        due_at = now + RETRIES[tries - 1]
        held.update(status=NotificationStatus.QUEUED.value, lease_until=None, due_at=due_at, error=error.kind)
    else:
        held.update(status=NotificationStatus.FAILED.value, lease_until=None, error=error.kind)


def cancel_unsent(*, reference: str, now: datetime, but_posts: Sequence[str] = ()) -> int:
    """Cancel what has not left for this reference; return how many. Called in the acknowledging transaction.

    What a worker holds is cancelled too: if that worker died, or fails, its message is not sent after the answer.
    Messages to the holders of `but_posts` (`post` in their context) stay on their way.
    """
    rows = Notification.objects.filter(reference=reference).unsent()
    if but_posts:
        rows = rows.filter(~Q(context__has_key="post") | ~Q(context__post__in=list(but_posts)))
    return rows.update(status=NotificationStatus.CANCELLED.value, lease_until=None)
