"""Whom a post means right now, who can be reached, and who may answer."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from clinic.models import Membership, Procedure, Site, User
from clinic.queries.contacts import Way, ways_of, ways_of_contact
from clinic.queries.rota import Rota, read_rota
from clinic.vocabulary import Channel, Post, Role
from complications.models import Escalation
from complications.rules.policy import POSTS, RANKED, Policy
from complications.vocabulary import Pathway

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
    #: the ways where they were looked up together with others'
    known: tuple[Way, ...] | None = None

    @property
    def key(self) -> str:
        """What makes the message of this recipient one message."""
        return f"user:{self.user.pk}" if self.user else f"contact:{self.post}"

    def ways(self) -> tuple[Way, ...]:
        """Return the ways by which this person can be reached, in their order; none for somebody without an address."""
        if self.known is not None:
            return self.known
        if self.user is None:
            return tuple(ways_of_contact(email=self.email, phone=self.phone))
        return tuple(ways_of([self.user])[self.user.pk])

    def channels(self) -> list[Channel]:
        """Return the channels of the ways."""
        return [way.channel for way in self.ways()]

    @property
    def is_within_reach(self) -> bool:
        """Return whether any way that this installation can use leads to this person."""
        return bool(self.ways())


def on_duty(site: Site, post: str, procedure: Procedure | None, now: datetime, rota: Rota | None = None) -> list[User]:
    """Return the people who hold `post` at the site now, as the rota says; nobody who is on leave.

    A drill has no procedure, and so nobody stands as its operator.
    `rota` is one already read that reaches to `now`: whoever asks for several posts reads it once.
    """
    rota = rota or read_rota(site, now)
    if post == "operator":
        if procedure is None:
            return []
        operator = procedure.operator
        return [operator] if operator.is_active and not rota.is_away(operator.pk, now) else []
    if post in RANKED:
        return rota.holders_of(Post.ON_CALL_SPINE.value, now, int(post[-1]))
    return rota.holders_of(post, now)


def freeze(site: Site, procedure: Procedure | None, now: datetime, rota: Rota | None = None) -> dict[str, list[int]]:
    """Return who holds every post now: a rota that is emptied later strands no running escalation."""
    rota = rota or read_rota(site, now)
    return {post: [user.pk for user in on_duty(site, post, procedure, now, rota)] for post in POSTS}


def reachable(row: Escalation, posts: Sequence[str], now: datetime, rota: Rota | None = None) -> list[Recipient]:
    """Return who can be reached for `posts`, each person once; the rota of now first, then the one of the opening.

    Only active people of this site with an address count, and nobody who is on leave; the backstop contact of the
    policy always does.
    """
    policy = Policy(row.policy)
    rota = rota or read_rota(row.site, now)
    duty = {post: on_duty(row.site, post, row.procedure, now, rota) for post in posts}
    kept = _kept({key for post in posts for key in row.recipients.get(post, [])}, rota, now)
    everybody = {user.pk: user for users in duty.values() for user in users} | kept
    # An address that somebody removes while the case runs still counts where nothing else is left.
    ways = ways_of(everybody.values(), since=row.opened_at) if everybody else {}
    found: dict[str, Recipient] = {}
    for post in posts:
        people = [recipient(post, user, ways[user.pk]) for user in duty[post] if ways[user.pk]]
        if not people:
            frozen = sorted(key for key in row.recipients.get(post, []) if key in kept)
            people = [recipient(post, kept[key], ways[key]) for key in frozen if ways[key]]
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


def _kept(keys: Collection[int], rota: Rota, now: datetime) -> dict[int, User]:
    """Return, by key, the people of a frozen rota who are still there and not on leave."""
    there = [key for key in keys if not rota.is_away(key, now)]
    unknown = [key for key in there if key not in rota.people]
    found = rota.people | ({user.pk: user for user in User.objects.filter(pk__in=unknown)} if unknown else {})
    return {key: found[key] for key in there if key in found and found[key].is_active}


def reached_by(users: Iterable[User]) -> dict[int, list[Channel]]:
    """Return by which channels each of many people can be reached, together."""
    return {key: [way.channel for way in ways] for key, ways in ways_of(users).items()}


def recipient(post: str, user: User, ways: Sequence[Way] | None = None) -> Recipient:
    """Return a person of the house as the holder of a post, with their ways where they are known already."""
    return Recipient(post, user.get_full_name(), user=user, known=None if ways is None else tuple(ways))


def members_who_may_answer(row: Escalation, recipients: Sequence[Recipient]) -> set[int]:
    """Return the user ids of those who may take responsibility."""
    users = [one.user.pk for one in recipients if one.user is not None]
    roles = [str(role) for role in ANSWERING.get(row.pathway, ())]
    members = Membership.objects.filter(
        site=row.site, user__in=users, role__in=roles, is_active=True, user__is_active=True
    )
    return set(members.values_list("user_id", flat=True))


def may_answer(row: Escalation, user: User) -> bool:
    """Return whether this person may take responsibility for the escalation."""
    return bool(members_who_may_answer(row, [Recipient("", user.get_full_name(), user=user)]))
