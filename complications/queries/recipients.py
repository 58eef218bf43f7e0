"""Whom a post means right now, who can be reached, and who may answer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import ClassVar, Self

from clinic.lib.prepared import Sent, send
from clinic.models import ContactPoint, Procedure, Site, User
from clinic.queries.contacts import Way, ask_points, points_of, ways_by, ways_of, ways_of_contact
from clinic.queries.rota import Rota, ask_rota, read_rota, rota_of
from clinic.vocabulary import Channel, Post, Role
from complications.models import Escalation
from complications.rules.policy import POSTS, RANKED, Policy
from complications.vocabulary import EventKind, Pathway

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


class Known:
    """What is asked about whom a case calls at an instant, each question once.

    The engine asks all of it together (`ask`): one round trip instead of one for each question.
    """

    def __init__(self, row: Escalation, now: datetime) -> None:
        self._row, self._now = row, now
        self._asked: dict[str, Sent] = {}

    def ask(self) -> Self:
        """Send every question; the answers are read where they are needed."""
        self._asked = {name: ask(self) for name, ask in self._questions.items()}
        return self

    def _answer(self, name: str) -> Sent:
        return self._asked.get(name) or self._questions[name](self)

    def _ask_declined(self) -> Sent:
        return send(_DECLINED, [self._row.pk])

    def _ask_members(self) -> Sent:
        roles = [str(role) for role in ANSWERING.get(self._row.pathway, ())]
        return send(_MEMBERS, [self._row.site_id, roles])

    def _ask_links(self) -> Sent:
        return send(_LINKS, [self._row.pk, self._now])

    def _ask_points(self) -> Sent:
        row = self._row
        frozen = {key for keys in row.recipients.values() for key in keys}
        people = frozen | ({row.procedure.operator_id} if row.procedure else set())
        return ask_points(row.site, self._now, sorted(people), since=row.opened_at)

    def _ask_rota(self) -> Sent:
        return ask_rota(self._row.site, self._now)

    _questions: ClassVar[dict[str, Callable[[Known], Sent]]] = {
        "declined": _ask_declined,
        "members": _ask_members,
        "links": _ask_links,
        "points": _ask_points,
        "rota": _ask_rota,
    }

    @cached_property
    def rota(self) -> Rota:
        """Who holds what at the site."""
        return rota_of(self._row.site, self._answer("rota"))

    @cached_property
    def points(self) -> dict[int, list[ContactPoint]]:
        """The contact points of whoever holds a post or held one as the case began, by person."""
        return points_of(self._answer("points"))

    @cached_property
    def declined(self) -> set[tuple[int, int]]:
        """Round and user id of whoever said that they cannot come."""
        return {(turn, user) for turn, user in self._answer("declined").rows()}

    @cached_property
    def members(self) -> set[int]:
        """The user ids of everybody at the site who may take responsibility."""
        return {user for (user,) in self._answer("members").rows()}

    @cached_property
    def links(self) -> dict[int, str]:
        """The links that were made at this very instant, by user id; whoever makes one adds it."""
        return {user: str(public_id) for user, public_id in self._answer("links").rows()}


_DECLINED = f"""
SELECT DISTINCT (data #>> '{{state,round}}')::int, actor_id FROM complications_escalationevent
WHERE escalation_id = %s::bigint AND kind = '{EventKind.DECLINED.value}' AND actor_id IS NOT NULL
"""  # noqa: S608 - a constant of our own
_MEMBERS = """
SELECT DISTINCT member.user_id FROM clinic_membership member JOIN clinic_user person ON person.id = member.user_id
WHERE member.site_id = %s::bigint AND member.role = ANY(%s::text[]) AND member.is_active AND person.is_active
"""
_LINKS = """
SELECT user_id, public_id FROM complications_acknowledgelink
WHERE escalation_id = %s::bigint AND created_at = %s::timestamptz
"""


def reachable(
    row: Escalation, posts: Sequence[str], now: datetime, rota: Rota | None = None, *, known: Known | None = None
) -> list[Recipient]:
    """Return who can be reached for `posts`, each person once; the rota of now first, then the one of the opening.

    Only active people of this site with an address count, and nobody who is on leave; the backstop contact of the
    policy always does. `known` is what was asked for together.
    """
    policy = Policy(row.policy)
    rota = rota or (known.rota if known else read_rota(row.site, now))
    duty = {post: on_duty(row.site, post, row.procedure, now, rota) for post in posts}
    # The operator was read with the case.
    there = rota.people | ({row.procedure.operator_id: row.procedure.operator} if row.procedure else {})
    kept = _kept({key for post in posts for key in row.recipients.get(post, [])}, there, rota, now)
    everybody = {user.pk: user for users in duty.values() for user in users} | kept
    # An address that somebody removes while the case runs still counts where nothing else is left.
    ways = ways_by(known.points, everybody.values()) if known else ways_of(everybody.values(), since=row.opened_at)
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


def _kept(keys: Collection[int], known: Mapping[int, User], rota: Rota, now: datetime) -> dict[int, User]:
    """Return, by key, the people of a frozen rota who are still there and not on leave."""
    there = [key for key in keys if not rota.is_away(key, now)]
    unknown = [key for key in there if key not in known]
    found = {**known, **({user.pk: user for user in User.objects.filter(pk__in=unknown)} if unknown else {})}
    return {key: found[key] for key in there if key in found and found[key].is_active}


def reached_by(users: Iterable[User]) -> dict[int, list[Channel]]:
    """Return by which channels each of many people can be reached, together."""
    return {key: [way.channel for way in ways] for key, ways in ways_of(users).items()}


def recipient(post: str, user: User, ways: Sequence[Way] | None = None) -> Recipient:
    """Return a person of the house as the holder of a post, with their ways where they are known already."""
    return Recipient(post, user.get_full_name(), user=user, known=None if ways is None else tuple(ways))


def may_answer(row: Escalation, user: User) -> bool:
    """Return whether this person may take responsibility for the escalation."""
    return user.pk in Known(row, row.opened_at).members
