"""What is wrong with the rota of the days to come, before somebody needs it: gaps, people out of reach, loops.

Plain data in, plain data out. Every change point of the rota is looked at, for every pathway and tier of the policy;
findings that last are joined. Red is what would leave a first or second call unanswered; amber is to be looked at.
Sources: escalation page ("a pre-flight view"), corrections F13 and E2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from clinic.rules.rota import Place, Plan, Turn
from clinic.vocabulary import Post, Role
from complications.rules.policy import RANKED, Policy
from complications.vocabulary import Pathway, Tier

#: The ranks without which an emergency begins with nobody; further ones are a comfort.
FIRST_CALLED = {(Post.ON_CALL_SPINE.value, 1), (Post.ON_CALL_SPINE.value, 2)}
#: Nobody in the rota stands for these: the case itself, and the contact of the policy.
NOT_PLANNED = ("operator", "backstop")
ENOUGH = 2


@dataclass(frozen=True, slots=True)
class Colleague:
    """What the check needs to know of a person: roles at the site, whether they can operate and be reached."""

    key: int
    roles: frozenset[str]
    can_decompress: bool
    reachable: bool
    is_backstop: bool = False

    @property
    def can_answer(self) -> bool:
        """Return whether a page of the spine pathway may be answered by them."""
        return Role.SURGEON.value in self.roles


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong from `start` to `end`; `code` says what, the rest where."""

    code: str
    red: bool
    start: datetime
    end: datetime
    post: str = ""
    rank: int = 0
    person: int | None = None
    pathway: str = ""
    step: int | None = None
    tiers: tuple[str, ...] = ()

    @property
    def severity(self) -> str:
        """`red` or `amber`."""
        return "red" if self.red else "amber"

    @property
    def same(self) -> tuple[object, ...]:
        """What makes findings of neighbouring stretches one."""
        return self.code, self.red, self.post, self.rank, self.person, self.pathway, self.step, self.tiers


@dataclass(frozen=True)
class Site:
    """A site over the time that is looked at."""

    plan: Plan
    policy: Policy
    people: Mapping[int, Colleague]
    backstop_reachable: bool


def findings(site: Site, start: datetime, end: datetime) -> list[Finding]:
    """Return what is wrong between the two instants, red first, then in order of time."""
    joined: dict[tuple[object, ...], list[Finding]] = {}
    for begin, until in pairwise(site.plan.change_points(start, end)):
        for one in _at(site, begin, until):
            same = joined.setdefault(one.same, [])
            if same and same[-1].end == begin:
                same[-1] = replace(same[-1], end=until)
            else:
                same.append(one)
    everything = [one for rows in joined.values() for one in rows]
    return sorted(everything, key=lambda one: (not one.red, one.start, one.code, one.post, one.rank, one.pathway))


def _at(site: Site, start: datetime, end: datetime) -> Iterator[Finding]:
    holders = site.plan.holders(start)
    yield from _places(site, holders, start, end)
    yield from _surgeons(site, holders, start, end)
    yield from _steps(site, holders, start, end)
    if not site.backstop_reachable:
        yield Finding("backstop_unreachable", True, start, end)


def _places(site: Site, holders: Mapping[Place, Turn], start: datetime, end: datetime) -> Iterator[Finding]:
    """Each place that the policy names: empty, held by somebody out of reach, or by who is the last resort."""
    for place in sorted(wanted_places(site.policy)):
        post, rank = place
        red = place in FIRST_CALLED
        turn = holders.get(place)
        if turn is None:
            yield Finding("nobody", red, start, end, post, rank)
            for planned in site.plan.turns:
                if planned.place == place and planned.covers(start):
                    away = site.plan.is_away(planned.person, start)
                    code = "on_leave" if away else "has_left"
                    yield Finding(code, red, start, end, post, rank, planned.person)
            continue
        person = site.people[turn.person]
        if not person.reachable:
            yield Finding("unreachable", red, start, end, post, rank, person.key)
        if person.is_backstop and post != Post.BACKSTOP.value:
            yield Finding("loop", red, start, end, post, rank, person.key)


def _surgeons(site: Site, holders: Mapping[Place, Turn], start: datetime, end: datetime) -> Iterator[Finding]:
    """The spine ranks: one person twice, who may not answer, who cannot operate; and how many at the site can."""
    on_call = [(place, turn.person) for place, turn in holders.items() if place[0] == Post.ON_CALL_SPINE.value]
    seen: set[int] = set()
    for (post, rank), key in on_call:
        person = site.people[key]
        if key in seen:
            yield Finding("same_person", True, start, end, post, rank, key)
        seen.add(key)
        if not person.can_answer:
            yield Finding("cannot_answer", True, start, end, post, rank, key)
        elif not person.can_decompress:
            yield Finding("cannot_operate", False, start, end, post, rank, key)
    if on_call and not any(site.people[key].can_answer and site.people[key].can_decompress for _, key in on_call):
        yield Finding("nobody_can_operate", True, start, end)
    able = [
        one
        for one in site.people.values()
        if one.can_answer and one.can_decompress and not site.plan.is_away(one.key, start)
    ]
    if len(able) < ENOUGH:
        yield Finding("too_few_can_decompress", True, start, end)


def _steps(site: Site, holders: Mapping[Place, Turn], start: datetime, end: datetime) -> Iterator[Finding]:
    """Each step of each pathway and tier that would be skipped; red where nothing before the backstop reaches anybody."""
    for pathway in Pathway:
        if not pathway.pages:
            continue
        empty: dict[int, list[str]] = {}
        lonely: list[str] = []
        for tier in Tier:
            steps = site.policy.ladder(tier, pathway).steps
            reached = [any(_reaches(site, post, holders) for post in step.to) for step in steps]
            for index, found in enumerate(reached):
                if not found:
                    empty.setdefault(index, []).append(tier.value)
            before = [found for step, found in zip(steps, reached, strict=True) if "backstop" not in step.to]
            if before and not any(before):
                lonely.append(tier.value)
        for index, tiers in sorted(empty.items()):
            yield Finding("step_skipped", index == 0, start, end, pathway=pathway.value, step=index, tiers=tuple(tiers))
        if lonely:
            yield Finding("only_backstop", True, start, end, pathway=pathway.value, tiers=tuple(lonely))


def _reaches(site: Site, post: str, holders: Mapping[Place, Turn]) -> bool:
    """Return whether paging `post` reaches somebody; of the operator of a case it is not known before, and believed."""
    if post == "operator" or (post == "backstop" and site.backstop_reachable):
        return True
    return any(site.people[turn.person].reachable for place, turn in holders.items() if _stands_for(post, place))


def _stands_for(post: str, place: Place) -> bool:
    if post in RANKED:
        return place == (Post.ON_CALL_SPINE.value, int(post[-1]))
    return place[0] == post


def wanted_places(policy: Policy) -> set[Place]:
    """Return the posts and ranks that some step, repeat or quiet hour of the policy names."""
    named: set[str] = set()
    for tier in Tier:
        named |= set((policy.data["tiers"][tier.value].get("quiet") or {}).get("to_now", ()))
        for pathway in Pathway:
            if pathway.pages:
                ladder = policy.ladder(tier, pathway)
                named |= {post for step in ladder.steps for post in step.to} | set(ladder.repeat_to)
    return {
        (Post.ON_CALL_SPINE.value, int(post[-1])) if post in RANKED else (post, 1)
        for post in named
        if post not in NOT_PLANNED
    }
