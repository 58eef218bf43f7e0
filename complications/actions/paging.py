"""The messages that a step, a clock or a change of hands sends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from clinic.actions.notification import Message, by_every_way, queue_notifications
from clinic.models import User
from clinic.vocabulary import Channel
from complications.actions.standing import ENGINE
from complications.models import AcknowledgeLink, Escalation
from complications.queries.recipients import Recipient, may_answer, members_who_may_answer, on_duty, recipient
from complications.vocabulary import Tier

__all__ = ["may_answer", "on_duty", "send", "tell_user"]

LINK_LIFE = timedelta(hours=24)
#: How long a person's next way waits behind the one before it, where that one left and nobody answered.
GAPS = {Tier.T0: timedelta(seconds=30), Tier.T1: timedelta(minutes=1), Tier.T2: timedelta(minutes=5)}


def send(
    row: Escalation,
    recipients: Sequence[Recipient],
    *,
    kind: str,
    key: str,
    now: datetime,
    urgent: bool = True,
    link: bool = True,
    due_at: datetime | None = None,
    words: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """Write one message per recipient and channel; `key` (round and step, or the event) makes each of them once.

    `due_at` is when it leaves, where that is not now.

    Return [{post, name, channels}]. The words carry site, urgency, reference and link, and no patient data.
    """
    base = {
        "site": row.site.name,
        "tier": row.tier,
        "urgency": Tier(row.tier).label,
        "reference": row.short,
        "pathway": row.pathway,
        "path": f"/escalations/{row.public_id}/",
        "call_back": row.site.first_phone[1],
        **({"drill": True} if row.is_drill else {}),
        **(words or {}),
    }
    messages: list[Message] = []
    told: list[dict[str, Any]] = []
    may = members_who_may_answer(row, recipients) if link else set()
    for one in recipients:
        ways = one.ways()
        context = dict(base, post=one.post)
        if one.user is not None and one.user.pk in may:
            context["link"] = str(_link(row, one.user, now).public_id)
        message = Message(
            dedup_key=f"esc:{row.public_id}:{key}:{one.key}",
            kind=kind,
            recipient=one.user,
            channel=Channel.INBOX,
            site=row.site,
            reference=row.reference,
            context=context,
            due_at=due_at,
            urgent=urgent,
            recipient_name=one.name,
        )
        messages += by_every_way(message, ways, gap=gap(row), now=now, trusted_only=["link"])
        told.append({"post": one.post, "name": one.name, "channels": [way.channel.value for way in ways]})
    queue_notifications(messages, by=ENGINE, now=now)
    return told


def gap(row: Escalation) -> timedelta:
    """Return how long a person's next way waits; shorter the worse the case is."""
    return GAPS.get(Tier(row.tier), timedelta(minutes=5)) / max(1, int(row.policy.get("time_scale", 1)))


def _link(row: Escalation, user: User, now: datetime) -> AcknowledgeLink:
    link, _ = AcknowledgeLink.objects.get_or_create(
        escalation=row, user=user, created_at=now, defaults={"expires_at": now + LINK_LIFE}
    )
    return link


def tell_user(
    row: Escalation,
    user: User | None,
    *,
    kind: str,
    key: str,
    now: datetime,
    words: Mapping[str, Any],
    urgent: bool = True,
) -> None:
    """Write a message to one person, if there is one and they can be reached."""
    if user is not None and user.is_active:
        send(row, [recipient("", user)], kind=kind, key=key, now=now, link=False, urgent=urgent, words=words)
