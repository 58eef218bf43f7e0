"""Whom a post means right now, and the messages that a step, a clock or a change of hands sends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from clinic.actions.notification import Message, queue_notifications
from clinic.models import Membership, Procedure, Shift, Site, User
from clinic.vocabulary import Channel, Post, Role
from complications.actions.standing import ENGINE
from complications.models import AcknowledgeLink, Escalation
from complications.rules.policy import POSTS, RANKED, Policy
from complications.vocabulary import Pathway, Tier

LINK_LIFE = timedelta(hours=24)
#: Who may take responsibility, by pathway; the spine waits for a surgeon.
ANSWERING: dict[str, tuple[Role, ...]] = {
    Pathway.SPINE.value: (Role.SURGEON,),
    Pathway.OPERATOR.value: (Role.SURGEON,),
    Pathway.MEDICAL.value: (Role.SURGEON, Role.ANAESTHETIST),
    Pathway.CARDIAC.value: (Role.SURGEON, Role.ANAESTHETIST),
}


@dataclass(frozen=True)
class Recipient:
    """A person of the house, or the policy's backstop contact outside of it."""

    post: str
    name: str
    user: User | None = None
    email: str = ""
    phone: str = ""

    @property
    def key(self) -> str:
        """What makes the message of this recipient one message."""
        return f"user:{self.user.pk}" if self.user else f"contact:{self.post}"

    def channels(self) -> list[Channel]:
        """Return the ways by which this person can be reached; none for somebody without an address."""
        found: list[Channel] = []
        email = self.user.email if self.user else self.email
        if settings.EMAIL_HOST and email:
            found.append(Channel.EMAIL)
        inbox = settings.DEMO or not settings.EMAIL_HOST
        if inbox and (email or self.phone or (self.user is not None and self.user.phone)):
            found.append(Channel.INBOX)
        return found


def on_duty(site: Site, post: str, procedure: Procedure, now: datetime) -> list[User]:
    """Return the people who hold `post` at the site now, as the rota says."""
    if post == "operator":
        return [procedure.operator] if procedure.operator.is_active else []
    shifts: Iterable[Shift] = Shift.objects.on_duty(site, now)
    if post in RANKED:
        rank = int(post[-1])
        return [shift.user for shift in shifts if shift.post == Post.ON_CALL_SPINE.value and shift.rank == rank]
    return [shift.user for shift in shifts if shift.post == post]


def freeze(site: Site, procedure: Procedure, now: datetime) -> dict[str, list[int]]:
    """Return who holds every post now: a rota that is emptied later strands no running escalation."""
    return {post: [user.pk for user in on_duty(site, post, procedure, now)] for post in POSTS}


def reachable(row: Escalation, posts: Sequence[str], now: datetime) -> list[Recipient]:
    """Return who can be reached for `posts`, each person once; the rota of now first, then the one of the opening.

    Only active people of this site with an address count; the backstop contact of the policy always does.
    """
    policy = Policy(row.policy)
    found: dict[str, Recipient] = {}
    for post in posts:
        people = [_recipient(post, user) for user in on_duty(row.site, post, row.procedure, now)]
        people = [one for one in people if one.channels()]
        if not people:
            kept = User.objects.filter(pk__in=row.recipients.get(post, []), is_active=True).order_by("pk")
            people = [one for one in (_recipient(post, user) for user in kept) if one.channels()]
        if post == "backstop" and policy.backstop:
            contact = policy.backstop
            people.append(
                Recipient(
                    post,
                    str(contact.get("name", "backstop")),
                    email=str(contact.get("email") or ""),
                    phone=str(contact.get("phone") or ""),
                )
            )
        for one in people:
            if one.channels():
                found.setdefault(one.key, one)
    return list(found.values())


def _recipient(post: str, user: User) -> Recipient:
    return Recipient(post, user.get_full_name(), user=user)


def send(
    row: Escalation,
    recipients: Sequence[Recipient],
    *,
    kind: str,
    key: str,
    now: datetime,
    urgent: bool = True,
    link: bool = True,
    words: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """Write one message per recipient and channel; `key` (round and step, or the event) makes each of them once.

    Return [{post, name, channels}]. The words carry site, urgency, reference and link, and no patient data.
    """
    base = {
        "site": row.site.name,
        "tier": row.tier,
        "urgency": Tier(row.tier).label,
        "reference": row.short,
        "pathway": row.pathway,
        "path": f"/escalations/{row.public_id}/",
        "call_back": next((str(entry["number"]) for entry in row.site.phone_list), ""),
        **(words or {}),
    }
    messages: list[Message] = []
    told: list[dict[str, Any]] = []
    may = _may_answer(row, recipients) if link else set()
    for one in recipients:
        channels = one.channels()
        context = dict(base, post=one.post)
        if one.user is not None and one.user.pk in may:
            context["link"] = str(_link(row, one.user, now).public_id)
        messages += [
            Message(
                dedup_key=f"esc:{row.public_id}:{key}:{one.key}:{channel.value}",
                kind=kind,
                recipient=one.user,
                channel=channel,
                site=row.site,
                reference=row.reference,
                context=context,
                urgent=urgent,
                address=one.email if channel is Channel.EMAIL else one.phone if one.user is None else "",
                recipient_name=one.name,
            )
            for channel in channels
        ]
        told.append({"post": one.post, "name": one.name, "channels": [channel.value for channel in channels]})
    queue_notifications(messages, by=ENGINE, now=now)
    return told


def _may_answer(row: Escalation, recipients: Sequence[Recipient]) -> set[int]:
    users = [one.user.pk for one in recipients if one.user is not None]
    roles = [str(role) for role in ANSWERING.get(row.pathway, ())]
    members = Membership.objects.filter(site=row.site, user__in=users, role__in=roles, is_active=True)
    return set(members.values_list("user_id", flat=True))


def may_answer(row: Escalation, user: User) -> bool:
    """Return whether this person may take responsibility for the escalation."""
    return bool(_may_answer(row, [Recipient("", user.get_full_name(), user=user)]))


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
        send(row, [_recipient("", user)], kind=kind, key=key, now=now, link=False, urgent=urgent, words=words)
