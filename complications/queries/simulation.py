"""Who would be paged when, if somebody reported now or at another time: the engine's own answers, nothing written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from clinic.models import Procedure, Site, User
from clinic.queries.rota import read_rota
from complications.models import Escalation
from complications.queries.policy import policy_in_force
from complications.queries.recipients import Recipient, freeze, reachable
from complications.rules.escalation import Clock, clocks, first_page
from complications.rules.policy import Policy
from complications.rules.simulation import Moment, horizon, play
from complications.vocabulary import Pathway, Setting, Tier


@dataclass(frozen=True)
class Simulation:
    """A report that nobody answers: who is told at once, and everything that follows until the repeat ran twice."""

    at: datetime
    tier: Tier
    pathway: Pathway
    setting: Setting
    policy_version: int | None
    paging_from: datetime
    told_now: tuple[Recipient, ...]
    moments: list[Moment[Recipient]]
    clocks: list[Clock]
    backstop: dict[str, Any]

    @property
    def steps(self) -> list[Moment[Recipient]]:
        """The steps alone."""
        return [one for one in self.moments if one.what == "page"]


def simulate(
    *,
    site: Site,
    at: datetime,
    tier: Tier,
    pathway: Pathway,
    setting: Setting,
    operator: User | None = None,
    draft: Mapping[str, Any] | None = None,
) -> Simulation:
    """Play a report at the instant `at` by the policy in force and the rota as it is planned now.

    `draft` is a policy that nobody has set yet (one that `rules.policy.check` takes) in place of the one in force. Without an `operator` nobody stands for that post: which one it is depends on the case.
    """
    data, version = policy_in_force(site)
    if draft is not None:
        data = {**draft, "timezone": site.timezone, "time_scale": site.time_scale}
    policy = Policy(data)
    start, quiet_posts = first_page(policy, tier, at, at)
    rota = read_rota(site, at, max(at, start) + horizon(policy.ladder(tier, pathway)))
    # Never saved: the engine's own questions are asked of a case that does not exist.
    procedure = Procedure(site=site, operator=operator or User(is_active=False))
    row = Escalation(
        site=site,
        procedure=procedure,
        pathway=pathway.value,
        tier=tier.value,
        setting=setting.value,
        policy=data,
        policy_version=version,
        opened_at=at,
        found_at=at,
        origin=start,
        page_due_at=start,
        recipients=freeze(site, procedure, at, rota),
    )

    def reach(posts: Sequence[str], now: datetime) -> Sequence[Recipient]:
        return reachable(row, posts, now, rota)

    standing = row.standing()
    return Simulation(
        at=at,
        tier=tier,
        pathway=pathway,
        setting=setting,
        policy_version=version if draft is None else None,
        paging_from=start,
        told_now=tuple(reach(quiet_posts, at)),
        moments=play(standing, reach, opened_at=at),
        clocks=clocks(standing),
        backstop=dict(policy.backstop),
    )


def recipient_line(one: Recipient) -> dict[str, Any]:
    """Return who is reached, as the event of a step names them."""
    return {"post": one.post, "name": one.name, "channels": [channel.value for channel in one.channels()]}


def moment_line(one: Moment[Recipient], ladder_start: datetime) -> dict[str, Any]:
    """Return a moment as the API shows it; `after_s` counts from the beginning of the ladder."""
    return {
        "at": one.at,
        "after_s": (one.at - ladder_start).total_seconds(),
        "what": "skip" if one.skipped else one.what,
        "round": one.round if one.what == "page" else None,
        "step": one.step if one.what == "page" else None,
        "repeat": one.repeat,
        "clock": one.clock or None,
        "posts": list(one.posts),
        "to": [recipient_line(person) for person in one.people],
    }


def simulation_body(found: Simulation) -> dict[str, Any]:
    """Return the whole as the API shows it."""
    return {
        "at": found.at,
        "tier": found.tier.value,
        "pathway": found.pathway.value,
        "setting": found.setting.value,
        "policy_version": found.policy_version,
        "paging_from": found.paging_from,
        "told_now": [recipient_line(one) for one in found.told_now],
        "moments": [moment_line(one, found.paging_from) for one in found.moments],
        "clocks": [
            {
                "name": clock.name,
                "start_at": clock.start,
                "warn_at": clock.warn_at,
                "target_at": clock.target,
                "limit_at": clock.limit,
            }
            for clock in found.clocks
        ],
    }
