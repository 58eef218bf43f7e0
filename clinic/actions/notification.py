"""Write, claim, deliver and cancel outgoing messages."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Q

from clinic.actions.audit import recording
from clinic.actions.outbox import lease, leased, mark_sent, write
from clinic.channels import DeliveryError, Sending, of_exception
from clinic.lib.prepared import Sent
from clinic.models import Actor, ContactPoint, Notification, Site, User
from clinic.queries.contacts import Way, ways_of_one
from clinic.vocabulary import Channel, Failure, NotificationStatus

log = logging.getLogger("clinic.notification")

SYSTEM = Actor.system("outbox")
#: More than twice as long as the slowest delivery (`SEND_WITHIN_S`, 11 s, whatever the peer does), so that no second
#: worker sends what a first still sends; and short: what a killed worker held is claimed again after it, by the watchman
#: 5 s later at the latest.
LEASE = timedelta(seconds=24)
#: Waits before the next try after a temporary failure; after the last one the message is failed, loudly.
RETRIES = tuple(timedelta(seconds=s) for s in (5, 15, 60, 300, 900, 1800))


@dataclass(frozen=True)
class Message:
    """One message to write. `dedup_key` is made of its cause, step, recipient and channel; `context` has no patient data.

    Messages of one `chain` are the ways of one person for one cause, tried by `rank`.
    """

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
    contact: int | None = None
    chain: str = ""
    rank: int = 0


def by_every_way(
    message: Message, ways: Sequence[Way], *, gap: timedelta, now: datetime, trusted_only: Sequence[str] = ()
) -> list[Message]:
    """Return the message once for each way: the first now, each further one `gap` later, or as soon as one before fails.

    `trusted_only` names words of the context that go to verified addresses only.
    """
    chain = message.dedup_key if sum(way.contact is not None for way in ways) > 1 else ""
    return [
        replace(
            message,
            dedup_key=f"{message.dedup_key}:{way.key}",
            channel=way.channel,
            address=way.address,
            contact=way.contact,
            chain=chain if way.contact is not None else "",
            rank=way.rank,
            due_at=(message.due_at or now) + way.rank * gap,
            context=message.context
            if way.trusted
            else {name: value for name, value in message.context.items() if name not in trusted_only},
        )
        for way in ways
    ]


def queue_notifications(messages: Sequence[Message], *, by: Actor, now: datetime) -> int:
    """Write messages into the outbox in one statement and return how many are new; a known dedup_key adds nothing."""
    if not messages:
        return 0
    with recording(by=by, now=now):
        return len(put_out(messages, now=now).new())


@dataclass(frozen=True)
class Put:
    """Messages that were written into the outbox."""

    rows: Sequence[Notification]
    written: Sent

    def new(self) -> list[Notification]:
        """Return those that were not there yet."""
        keys = {dedup_key: key for key, dedup_key in self.written.rows()}
        found = [row for row in self.rows if row.dedup_key in keys]
        for row in found:
            row.pk = keys[row.dedup_key]
        return found

    def leased(self) -> list[Notification]:
        """Return those of the new ones that the writer sends itself."""
        return [row for row in self.new() if row.status == NotificationStatus.LEASED.value]


def put_out(messages: Sequence[Message], *, now: datetime, hold: bool = False) -> Put:
    """Write messages into the outbox within the caller's recording.

    With `hold` what is due now is leased to the caller as it is written: who sends it as soon as that is committed need
    not come back for it, and if they die it leaves when the lease ends, as it would behind any worker.
    """
    rows = [
        Notification(
            dedup_key=m.dedup_key,
            kind=m.kind,
            channel=m.channel.value,
            site=m.site,
            recipient=m.recipient,
            recipient_name=m.recipient_name or (m.recipient.get_full_name() if m.recipient else ""),
            contact_id=m.contact,
            address=m.address or _address(m),
            chain=m.chain,
            rank=m.rank,
            reference=m.reference,
            context=dict(m.context),
            language=m.recipient.language if m.recipient else m.site.language,
            urgent=m.urgent,
            created_at=now,
            due_at=m.due_at or now,
        )
        for m in messages
    ]
    for row in rows:
        if hold and row.due_at <= now:
            row.status, row.lease_until, row.attempts = NotificationStatus.LEASED.value, now + LEASE, 1
    return Put(rows, write(rows))


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
    return [message.pk for message in lease(now=now, lasts=LEASE, limit=limit, only=only)]


def deliver(*, key: int, now: datetime) -> bool:
    """Send one leased message and mark it; return whether it left. See `Deliveries`."""
    return deliver_all(keys=[key], now=now) == 1


def deliver_all(*, keys: Sequence[int], now: datetime) -> int:
    """Send leased messages side by side, mark each, and return how many left. See `Deliveries`."""
    deliveries = Deliveries()
    deliveries.send(leased(keys))
    return deliveries.settle(now=now)


class Deliveries:
    """Messages that are leased, on their way side by side, and marked as they end.

    A crash between sending and marking lets the lease expire: the message goes out again with the same id. After a
    failure the person's next way is tried at once, while this one waits for its next try; a permanent failure, or that
    of the last try, is kept with its type. One message that fails, or cannot be marked, holds up no other.
    """

    def __init__(self) -> None:
        self.on_their_way: list[Sending] = []

    def begin(self, *, now: datetime, limit: int) -> int:
        """Lease what is due and start it; return how many were found."""
        messages = lease(now=now, lasts=LEASE, limit=limit)
        self.send(messages)
        return len(messages)

    def send(self, messages: Sequence[Notification]) -> None:
        """Start leased messages."""
        self.on_their_way += [Sending(message) for message in messages]

    def settle(self, *, now: datetime, wait: bool = True) -> int:
        """Mark what has ended, without `wait` only what has ended already; return how many left."""
        ended = [one for one in self.on_their_way if wait or one.ended]
        self.on_their_way = [one for one in self.on_their_way if one not in ended]
        sent: list[tuple[Notification, str]] = []
        for one in ended:
            result = one.wait()
            if isinstance(result, str):
                sent.append((one.message, result))
                continue
            try:
                _not_sent(one.message, result, now)
            except Exception:
                log.exception("message_not_marked", extra={"notification": one.message.pk})
        return _sent(sent, now)


def _sent(sent: Sequence[tuple[Notification, str]], now: datetime) -> int:
    """Mark messages as sent, together and where that fails each by itself; return how many were marked."""
    if not sent:
        return 0
    with suppress(Exception):
        return mark_sent(sent, now=now)
    # They have left: a connection that was lost must not be why they leave again.
    connection.close_if_unusable_or_obsolete()
    marked = 0
    for message, provider_id in sent:
        try:
            marked += mark_sent([(message, provider_id)], now=now)
        except Exception:
            # The lease expires and the message goes out again with the same id.
            log.exception("message_not_marked", extra={"notification": message.pk})
    return marked


def _not_sent(message: Notification, error: BaseException, now: datetime) -> None:
    """Let the message wait for its next try, or keep it as failed; bring the person's next way forward."""
    failure = of_exception(error)
    if failure.failure is Failure.UNKNOWN and not isinstance(error, DeliveryError):
        # A fault of ours in this one message (its words, its address).
        log.error("message_not_sent", exc_info=error, extra={"notification": message.pk})
    tries = message.attempts
    held = Notification.objects.filter(pk=message.pk, status=NotificationStatus.LEASED.value, attempts=message.attempts)
    why = {"error": failure.code, "failure": failure.failure.value, "failed_at": now, "lease_until": None}
    with transaction.atomic():
        if failure.again and tries <= len(RETRIES):
            wait = max(RETRIES[tries - 1], failure.wait or timedelta(0))
            marked = held.update(status=NotificationStatus.QUEUED.value, due_at=now + wait, **why)
        else:
            marked = held.update(status=NotificationStatus.FAILED.value, **why)
        if marked:
            bring_forward(message=message, now=now)
        if failure.gone and message.contact_id:
            _disable(message, failure.code, now)


def bring_forward(*, message: Notification, now: datetime) -> None:
    """Make the person's next untried way for the same cause due at once."""
    following = Notification.objects.waiting_behind(message).values_list("pk", flat=True).first()
    if following is not None:
        Notification.objects.filter(
            pk=following, status=NotificationStatus.QUEUED.value, attempts=0, due_at__gt=now
        ).update(due_at=now)


def _disable(message: Notification, reason: str, now: datetime) -> None:
    """Take an address that is no more out of use, and say so where its owner looks."""
    point = message.contact
    if point is None:
        return
    with recording(by=SYSTEM, now=now) as trail:
        if ContactPoint.objects.filter(pk=point.pk, disabled_at=None).update(disabled_at=now, disabled_reason=reason):
            stream = f"user:{point.user.public_id}" if point.user else f"site:{message.site.public_id}"
            trail.add(
                stream=stream,
                action="contact_point.disabled",
                subject=f"contact_point:{point.public_id}",
                data={"kind": point.kind, "reason": reason},
            )
            _say_disabled(message, point, now)


def _say_disabled(message: Notification, point: ContactPoint, now: datetime) -> None:
    """Tell the person by what is left that one of their addresses no longer takes pages."""
    if point.user is None:
        return
    notice = Message(
        dedup_key=f"contact:{point.public_id}:disabled:{now.timestamp():.3f}",
        kind="contact_disabled",
        recipient=point.user,
        channel=Channel.INBOX,
        site=message.site,
        reference=f"contact_point:{point.public_id}",
        context={"site": message.site.name, "gone": point.shown, "path": "/me/contacts/"},
    )
    queue_notifications(
        by_every_way(notice, ways_of_one(point.user), gap=timedelta(minutes=10), now=now), by=SYSTEM, now=now
    )


def cancel_unsent(*, reference: str, now: datetime, but_posts: Sequence[str] = ()) -> int:
    """Cancel what has not left for this reference; return how many. Called in the acknowledging transaction.

    What a worker holds is cancelled too: if that worker died, or fails, its message is not sent after the answer.
    Messages to the holders of `but_posts` (`post` in their context) stay on their way, and those to webhooks: a machine
    hears of everything that happened.
    """
    rows = Notification.objects.filter(reference=reference).unsent().exclude(channel=Channel.WEBHOOK.value)
    if but_posts:
        rows = rows.filter(~Q(context__has_key="post") | ~Q(context__post__in=list(but_posts)))
    with transaction.atomic():
        # In the order of the keys, as whoever marks several as sent: an answer never waits in a ring with a worker.
        keys = list(rows.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))
        held = Notification.objects.filter(pk__in=keys).unsent()
        return held.update(status=NotificationStatus.CANCELLED.value, lease_until=None)
