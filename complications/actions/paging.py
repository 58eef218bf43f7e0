"""The messages that a step, a clock or a change of hands sends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from clinic.actions.notification import Message, Put, by_every_way, put_out
from clinic.lib import prepared
from clinic.models import User
from clinic.vocabulary import Channel
from complications.models import Escalation
from complications.queries.recipients import Known, Recipient, may_answer, on_duty, recipient
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
    known: Known | None = None,
    held: list[Put] | None = None,
) -> list[dict[str, Any]]:
    """Write one message per recipient and channel; `key` (round and step, or the event) makes each of them once.

    `due_at` is when it leaves, where that is not now; `known` is what was asked about the case's people together. What is
    due now and `held` is leased to the caller, who sends it.

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
    known = known or Known(row, now)
    people = {one.user.pk for one in recipients if one.user is not None} if link else set()
    answering = people & known.members if people else set()
    links = _links(row, answering, known, now) if answering else {}
    for one in recipients:
        ways = one.ways()
        context = dict(base, post=one.post)
        if one.user is not None and one.user.pk in answering:
            context["link"] = links[one.user.pk]
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
    put = put_out(messages, now=now, hold=held is not None)
    if held is not None:
        held.append(put)
    return told


def gap(row: Escalation) -> timedelta:
    """Return how long a person's next way waits; shorter the worse the case is."""
    return GAPS.get(Tier(row.tier), timedelta(minutes=5)) / max(1, int(row.policy.get("time_scale", 1)))


_LINK = """
INSERT INTO complications_acknowledgelink (public_id, escalation_id, user_id, created_at, expires_at)
SELECT sent.public_id, %s::bigint, sent.user_id, %s::timestamptz, %s::timestamptz
FROM unnest(%s::uuid[], %s::bigint[]) AS sent (public_id, user_id)
"""


def _links(row: Escalation, users: Iterable[int], known: Known, now: datetime) -> dict[int, str]:
    """Return the link of each of these people, made unless there is one of this moment already.

    Whoever holds the case's lock, as every sender does, knows all of them.
    """
    fresh = {user: uuid4() for user in sorted(set(users) - set(known.links))}
    if fresh:
        expires = now + LINK_LIFE
        prepared.send(_LINK, [row.pk, now, expires, list(fresh.values()), list(fresh)])
        known.links.update({user: str(public_id) for user, public_id in fresh.items()})
    return known.links


def tell_user(
    row: Escalation,
    user: User | None,
    *,
    kind: str,
    key: str,
    now: datetime,
    words: Mapping[str, Any],
    urgent: bool = True,
    known: Known | None = None,
    held: list[Put] | None = None,
) -> None:
    """Write a message to one person, if there is one and they can be reached."""
    if user is not None and user.is_active:
        people = [recipient("", user)]
        send(row, people, kind=kind, key=key, now=now, link=False, urgent=urgent, words=words, known=known, held=held)
