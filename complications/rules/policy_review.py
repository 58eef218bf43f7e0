"""What a person who sets a policy should know: where its ladder goes in a circle, and what differs between versions.

Apart from `policy.check`: that one also judges policies that stand already, which a newer wish must not switch off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from complications.rules.policy import Policy
from complications.vocabulary import Pathway, Tier

#: Corrections E2: with one surgeon who can open the canal, nobody is left when that one does not answer.
ENOUGH_WHO_OPERATE = 2
#: What the site says of itself, not the policy.
FRAME = ("version", "timezone", "time_scale")


@dataclass(frozen=True, slots=True)
class Change:
    """One value that differs: where, what it was and what it is; None where there is none."""

    field: str
    was: Any
    now: Any


def loops(data: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return (field, code, detail) for each ladder that ends with people who were all paged before.

    Such a ladder goes in a circle instead of upwards. `data` is one that `policy.check` accepts.
    """
    policy = Policy(data)
    found: list[tuple[str, str, str]] = []
    for tier in Tier:
        for pathway in Pathway:
            steps = policy.ladder(tier, pathway).steps
            before = {post for step in steps[:-1] for post in step.to}
            if not pathway.pages or len(steps) == 1 or set(steps[-1].to) - before:
                continue
            own = tier is not Tier.T3 and pathway.value in (data.get("pathways") or {})
            if own:
                last = min(len(steps), len(data["pathways"][pathway.value]["steps"])) - 1
                field = f"pathways.{pathway.value}.steps.{last}"
            else:
                field = f"tiers.{tier.value}.steps.{len(steps) - 1}.to"
            detail = "The last step pages only people who were paged before: the ladder goes in a circle."
            if (field, "loop", detail) not in found:
                found.append((field, "loop", detail))
    return found


def too_few_operate(count: int) -> list[tuple[str, str, str]]:
    """Return the refusal for a site with `count` active surgeons who can open the canal, nothing where they suffice."""
    if count >= ENOUGH_WHO_OPERATE:
        return []
    detail = (
        f"{count} active surgeons of this site can open the canal; at least {ENOUGH_WHO_OPERATE} must, or nobody is left "
        "when one does not answer. Add people before the policy."
    )
    return [("site.can_decompress", "too_few_can_decompress", detail)]


def differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    """Return what differs between two policies, in the order of the fields."""
    old, new = dict(_flat(was)), dict(_flat(now))
    names = [*old, *(name for name in new if name not in old)]
    return [Change(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)]


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if path or name not in FRAME:
                yield from _flat(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list) and not all(isinstance(one, str) for one in value):
        for index, inner in enumerate(value):
            yield from _flat(inner, f"{path}.{index}")
    else:
        yield path, value
