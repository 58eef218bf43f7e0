"""A paging policy: steps, waits, clocks and recipients by tier and pathway, as frozen into each escalation.

`Policy` reads the JSON of a policy row or of an escalation's snapshot; `check` says why a policy is refused. Minutes
are divided by `time_scale` (1 everywhere but on a demo site), so that a compressed day runs by the same rules.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from complications.rules.catalogue import FOLDER
from complications.vocabulary import Pathway, Tier

RANKED = ("on_call_rank_1", "on_call_rank_2", "on_call_rank_3")
POSTS = (
    *RANKED,
    "operator",
    "nurse_in_charge",
    "anaesthetist_on_call",
    "medical_on_call",
    "head_of_department",
    "duty_manager",
    "backstop",
)

CLOCKS = (
    "ack",
    "bedside",
    "imaging_requested",
    "imaging_done",
    "imaging_limit",
    "decision",
    "theatre_target",
    "theatre_limit",
)


@dataclass(frozen=True, slots=True)
class Step:
    """Whom a step pages, and how long after the ladder began."""

    after: timedelta
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ladder:
    """The steps of one tier and pathway; after the last the repeat pages until somebody answers."""

    steps: tuple[Step, ...]
    repeat_from: timedelta
    repeat_every: timedelta
    repeat_to: tuple[str, ...]

    def recipients(self, step: int) -> tuple[str, ...]:
        """Return whom position `step` pages; past the last step it is the repeat."""
        return self.steps[step].to if step < len(self.steps) else self.repeat_to

    def wait_after(self, step: int) -> timedelta:
        """Return the time from position `step` to the next one."""
        if step >= len(self.steps):
            return self.repeat_every
        following = self.steps[step + 1].after if step + 1 < len(self.steps) else self.repeat_from
        return following - self.steps[step].after

    @property
    def longest_wait(self) -> timedelta:
        """Return the longest pause between two pages."""
        return max(self.wait_after(step) for step in range(len(self.steps) + 1))


class Policy:
    """A policy as data. Raise KeyError or ValueError while reading one that `check` would refuse."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data
        self.scale = max(1, int(data.get("time_scale", 1)))
        try:
            self.zone = ZoneInfo(str(data.get("timezone", "UTC")))
        except (KeyError, ValueError):
            # Quiet hours at the wrong hour are a nuisance; a case that cannot be opened is a harm.
            self.zone = ZoneInfo("UTC")

    def minutes(self, number: float) -> timedelta:
        """Return `number` policy minutes as time that passes."""
        return timedelta(minutes=number) / self.scale

    def number(self, tier: Tier, key: str) -> timedelta | None:
        """Return the minutes of clock `key` in `tier`, None where the tier has no such clock."""
        value = self.data["tiers"][tier.value].get(key)
        return None if value is None else self.minutes(value)

    def at_home(self, tier: Tier, key: str) -> timedelta | None:
        """Return a time that counts only for a patient who is not in the house."""
        value = self.data["tiers"][tier.value].get("at_home", {}).get(key)
        return None if value is None else self.minutes(value)

    @property
    def backstop(self) -> Mapping[str, Any]:
        """The contact that is always reached: {name, email?, phone?}."""
        contact: Mapping[str, Any] = self.data.get("backstop") or {}
        return contact

    def ladder(self, tier: Tier, pathway: Pathway) -> Ladder:
        """Return the steps of `tier`, with the recipients of `pathway`."""
        row = self.data["tiers"][tier.value]
        names = self.data.get("pathways", {}).get(pathway.value)
        steps = []
        for index, step in enumerate(row["steps"]):
            own = names["steps"][min(index, len(names["steps"]) - 1)] if names and tier is not Tier.T3 else step["to"]
            steps.append(Step(self.minutes(step["after_min"]), tuple(own)))
        repeat = row["repeat"]
        to = names["repeat"] if names and tier is not Tier.T3 else repeat["to"]
        return Ladder(tuple(steps), self.minutes(repeat["from_min"]), self.minutes(repeat["every_min"]), tuple(to))

    def report_limit(self, tier: Tier) -> timedelta | None:
        """Return the time from the end of a scan to its report."""
        value = (self.data["tiers"][tier.value].get("report") or {}).get("min")
        return None if value is None else self.minutes(value)

    def quiet_until(self, tier: Tier, now: datetime) -> tuple[datetime, tuple[str, ...]] | None:
        """Return when the quiet hours end and who is told at once, None outside them (and on a compressed day)."""
        quiet = self.data["tiers"][tier.value].get("quiet")
        if not quiet or self.scale != 1:
            return None
        local = now.astimezone(self.zone)
        start, end = time.fromisoformat(quiet["from"]), time.fromisoformat(quiet["to"])
        after, before = local.time() >= start, local.time() < end
        if not (after or before if start > end else after and before):
            return None
        day = local.date() if local.time() < end else local.date() + timedelta(days=1)
        morning = datetime.combine(day, end, tzinfo=self.zone)
        return morning.astimezone(now.tzinfo), tuple(quiet["to_now"])

    def longest_wait(self) -> timedelta:
        """Return the longest time that an open escalation may lie without being looked at (invariant I1)."""
        waits = [self.ladder(tier, pathway).longest_wait for tier in Tier for pathway in Pathway if pathway.pages]
        quiet = [
            timedelta(hours=24) for tier in Tier if self.data["tiers"][tier.value].get("quiet") and self.scale == 1
        ]
        return max([*waits, *quiet])

    @property
    def idle_check(self) -> timedelta:
        """How long an open escalation with nothing due may lie before the engine looks again."""
        return min(self.ladder(tier, Pathway.SPINE).longest_wait for tier in Tier)


def default_policy() -> dict[str, Any]:
    """Return a fresh copy of the policy that ships with the product, without a backstop contact."""
    return tomllib.loads(_default_text())


@cache
def _default_text() -> str:
    return (FOLDER / "policy.toml").read_text(encoding="utf-8")


def check(data: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return (field, code, detail) for everything that forbids using the policy `data`; empty = it may be used.

    Never raise: what cannot be read forbids it too, and each question that a running case asks is asked once here.
    """
    try:
        wrong = _faults(data)
        if not wrong:
            _rehearse(data)
    except Exception as error:
        detail = (
            f"Something in this policy cannot be used ({type(error).__name__}: {error}). Compare it with the default."
        )
        return [("", "unreadable", detail)]
    return wrong


def _rehearse(data: Mapping[str, Any]) -> None:
    """Ask everything that an open case may ask of its policy, through a day and a night; raise what a case would."""
    policy = Policy(data)
    for tier in Tier:
        for key in (*CLOCKS, "arrival_grace_min"):
            policy.number(tier, key)
        for key in ("call_back_min", "patient_arrived_min"):
            policy.at_home(tier, key)
        policy.report_limit(tier)
        for hour in range(24):
            quiet = policy.quiet_until(tier, datetime(2026, 1, 1, hour, tzinfo=UTC))
            if quiet and set(quiet[1]) - set(POSTS):
                raise ValueError("quiet.to_now names a post that is not known")
        for pathway in Pathway:
            policy.ladder(tier, pathway)
    policy.longest_wait()
    policy.idle_check  # noqa: B018 - asked for its fault


def _faults(data: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    wrong: list[tuple[str, str, str]] = []
    contact = data.get("backstop") or {}
    if not isinstance(contact, Mapping) or not (contact.get("email") or contact.get("phone")):
        detail = "Name a backstop with an e-mail address or a telephone number: somebody must answer when nobody does."
        wrong.append(("backstop", "no_backstop", detail))
    tiers = data.get("tiers")
    if not isinstance(tiers, Mapping):
        return [*wrong, ("tiers", "missing", "Give the tiers t0, t1, t2 and t3.")]
    for tier in Tier:
        row = tiers.get(tier.value)
        if not isinstance(row, Mapping):
            wrong.append((f"tiers.{tier.value}", "missing", f"The tier {tier.value} is missing."))
        else:
            wrong += [(f"tiers.{tier.value}.{key}", code, detail) for key, code, detail in _check_tier(row, tier)]
    for name, row in (data.get("pathways") or {}).items():
        wrong += [(f"pathways.{name}.{key}", code, detail) for key, code, detail in _check_pathway(name, row)]
    return wrong


def _check_tier(row: Mapping[str, Any], tier: Tier) -> list[tuple[str, str, str]]:
    wrong: list[tuple[str, str, str]] = []
    steps = row.get("steps")
    repeat = row.get("repeat")
    if not isinstance(steps, list) or not steps or not isinstance(repeat, Mapping):
        return [("steps", "missing", "Give at least one step and what is repeated after the last.")]
    times: list[float] = []
    for index, step in enumerate(steps):
        after = step.get("after_min") if isinstance(step, Mapping) else None
        if not isinstance(after, int | float) or isinstance(after, bool) or after < 0:
            return [(f"steps.{index}", "not_a_number", "Each step needs after_min, in minutes.")]
        times.append(after)
        wrong += _check_posts(f"steps.{index}.to", step.get("to"))
    wrong += _check_posts("repeat.to", repeat.get("to"))
    if times[0] != 0:
        wrong.append(("steps.0.after_min", "late_first_step", "The first step pages at once: after_min is 0."))
    if sorted(set(times)) != times:
        wrong.append(("steps", "not_ascending", "Each step comes later than the one before."))
    every, start = repeat.get("every_min"), repeat.get("from_min")
    if not isinstance(every, int | float) or every <= 0 or not isinstance(start, int | float) or start <= times[-1]:
        wrong.append(("repeat", "not_a_number", "from_min comes after the last step and every_min is above 0."))
    if not any("backstop" in (step.get("to") or ()) for step in steps) or "backstop" not in (repeat.get("to") or ()):
        wrong.append(("steps", "no_backstop", "A step and the repeat must page the backstop."))
    return wrong + _check_clocks(row, tier)


def _check_clocks(row: Mapping[str, Any], tier: Tier) -> list[tuple[str, str, str]]:
    wrong: list[tuple[str, str, str]] = []
    for key in ("ack", "bedside", "decision"):
        value = row.get(key)
        if not isinstance(value, int | float) or isinstance(value, bool) or value <= 0:
            wrong.append((key, "not_a_number", f"Give the minutes of {key}."))
    limit, report, decision = row.get("imaging_limit"), (row.get("report") or {}).get("min"), row.get("decision")
    if limit is not None and report is not None and decision is not None and limit + report > decision:
        detail = f"Imaging by {limit} min and its report {report} min later miss the decision at {decision} min."
        wrong.append(("imaging_limit", "imaging_after_decision", detail))
    for first, second in (("imaging_done", "imaging_limit"), ("theatre_target", "theatre_limit")):
        if row.get(first) is not None and row.get(second) is not None and row[first] > row[second]:
            wrong.append((first, "target_after_limit", f"{first} lies after {second}."))
    if tier in (Tier.T0, Tier.T1, Tier.T2) and not row.get("at_home"):
        wrong.append(
            ("at_home", "missing", "Give call_back_min and patient_arrived_min: most late deficits start at home.")
        )
    return wrong


def _check_pathway(name: str, row: Any) -> list[tuple[str, str, str]]:
    if name not in [pathway.value for pathway in Pathway]:
        return [("", "not_a_choice", f"Pathways: {', '.join(Pathway)}.")]
    if not isinstance(row, Mapping) or not row.get("steps") or not row.get("repeat"):
        return [("steps", "missing", "Give the recipients of each step and of the repeat.")]
    wrong: list[tuple[str, str, str]] = []
    for index, to in enumerate(row["steps"]):
        wrong += _check_posts(f"steps.{index}", to)
    wrong += _check_posts("repeat", row["repeat"])
    if "backstop" not in row["repeat"] or not any("backstop" in to for to in row["steps"]):
        wrong.append(("steps", "no_backstop", "A step and the repeat must page the backstop."))
    return wrong


def _check_posts(field: str, to: Any) -> list[tuple[str, str, str]]:
    if not isinstance(to, list) or not to:
        return [(field, "missing", "Name at least one recipient.")]
    unknown = [str(one) for one in to if one not in POSTS]
    return [(field, "not_a_choice", f"Unknown: {', '.join(unknown)}. Posts: {', '.join(POSTS)}.")] if unknown else []
