"""The policy as a form and back. Every input is named by its path in the policy, as refusals name it."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _

from complications.rules.policy import POSTS
from complications.vocabulary import Pathway, Tier

CLOCKS = (
    "ack",
    "bedside",
    "imaging_requested",
    "imaging_done",
    "imaging_limit",
    "report.min",
    "decision",
    "theatre_target",
    "theatre_limit",
    "arrival_grace_min",
    "at_home.call_back_min",
    "at_home.patient_arrived_min",
)
MOST_STEPS = 6
OWN_PATHWAYS = tuple(one for one in Pathway if one.pages and one is not Pathway.SPINE)
Fault = tuple[str, str, str]


@dataclass(frozen=True)
class Input:
    """One number or text of the form: its path, the last word of it, and what stands in it."""

    name: str
    key: str
    value: str


@dataclass(frozen=True)
class Posts:
    """One list of posts to tick."""

    name: str
    chosen: tuple[str, ...]


@dataclass(frozen=True)
class StepForm:
    """One step: when, and whom."""

    number: int
    after: Input
    to: Posts
    spare: bool


@dataclass(frozen=True)
class TierForm:
    """One tier: its clocks, steps, repeat and quiet hours."""

    tier: str
    clocks: list[Input]
    steps: list[StepForm]
    repeat_from: Input
    repeat_every: Input
    repeat_to: Posts
    quiet_from: Input | None = None
    quiet_to: Input | None = None
    quiet_posts: Posts | None = None


@dataclass(frozen=True)
class PathwayForm:
    """Whom the steps of another pathway page; the times are the tier's."""

    pathway: str
    steps: list[tuple[int, Posts]]
    repeat: Posts


@dataclass(frozen=True)
class PolicyForm:
    """The whole policy as inputs."""

    backstop: list[Input]
    tiers: list[TierForm]
    pathways: list[PathwayForm] = field(default_factory=list)


def as_form(data: Mapping[str, Any]) -> PolicyForm:
    """Return a policy, also one that was typed wrongly, as the inputs of the form."""
    contact = data.get("backstop") or {}
    backstop = [Input(f"backstop.{key}", key, str(contact.get(key) or "")) for key in ("name", "email", "phone")]
    tiers = [_tier(tier.value, data["tiers"][tier.value]) for tier in Tier]
    pathways = []
    for pathway in OWN_PATHWAYS:
        row = (data.get("pathways") or {}).get(pathway.value)
        if row is None:
            continue
        path = f"pathways.{pathway.value}"
        steps = [(index + 1, Posts(f"{path}.steps.{index}", tuple(to))) for index, to in enumerate(row["steps"])]
        pathways.append(PathwayForm(pathway.value, steps, Posts(f"{path}.repeat", tuple(row["repeat"]))))
    return PolicyForm(backstop, tiers, pathways)


def _tier(tier: str, row: Mapping[str, Any]) -> TierForm:
    path = f"tiers.{tier}"
    steps = [
        StepForm(
            index + 1,
            _input(f"{path}.steps.{index}.after_min", step.get("after_min")),
            Posts(f"{path}.steps.{index}.to", tuple(step.get("to") or ())),
            spare=False,
        )
        for index, step in enumerate(row["steps"])
    ]
    if (index := len(steps)) < MOST_STEPS:
        to = Posts(f"{path}.steps.{index}.to", ())
        steps.append(StepForm(index + 1, _input(f"{path}.steps.{index}.after_min", None), to, spare=True))
    repeat, quiet = row["repeat"], row.get("quiet")
    return TierForm(
        tier,
        [_input(f"{path}.{key}", _get(row, key)) for key in CLOCKS],
        steps,
        _input(f"{path}.repeat.from_min", repeat.get("from_min")),
        _input(f"{path}.repeat.every_min", repeat.get("every_min")),
        Posts(f"{path}.repeat.to", tuple(repeat.get("to") or ())),
        _input(f"{path}.quiet.from", quiet["from"]) if quiet else None,
        _input(f"{path}.quiet.to", quiet["to"]) if quiet else None,
        Posts(f"{path}.quiet.to_now", tuple(quiet["to_now"])) if quiet else None,
    )


def _get(row: Mapping[str, Any], key: str) -> Any:
    value: Any = row
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _input(name: str, value: Any) -> Input:
    return Input(
        name, name.rpartition(".")[2] if "report" not in name else "report", "" if value is None else str(value)
    )


def read_form(post: QueryDict, base: Mapping[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
    """Return the policy that was typed, over the one that it began from, with what is not a number.

    What cannot be read stays as it was typed, so that the form shows it again.
    """
    data: dict[str, Any] = copy.deepcopy(dict(base))
    wrong: list[Fault] = []
    data["backstop"] = {
        key: text for key in ("name", "email", "phone") if (text := post.get(f"backstop.{key}", "").strip())
    }
    for tier in Tier:
        _read_tier(post, f"tiers.{tier.value}", data["tiers"][tier.value], wrong)
    for name, row in (data.get("pathways") or {}).items():
        path = f"pathways.{name}"
        row["steps"] = [_posts(post, f"{path}.steps.{index}", before) for index, before in enumerate(row["steps"])]
        row["repeat"] = _posts(post, f"{path}.repeat", row["repeat"])
    return data, wrong


def _read_tier(post: QueryDict, path: str, row: dict[str, Any], wrong: list[Fault]) -> None:
    for key in CLOCKS:
        value = _number(post, f"{path}.{key}", wrong)
        first, _dot, rest = key.partition(".")
        if not rest:
            _put(row, first, value)
        elif value is not None or first in row:
            inner = row.setdefault(first, {})
            _put(inner, rest, value)
            if first == "at_home" and not {"call_back_min", "patient_arrived_min"} & set(inner):
                del row[first]
    steps: list[dict[str, Any]] = []
    for index in range(MOST_STEPS):
        after = _number(post, f"{path}.steps.{index}.after_min", wrong)
        before = row["steps"][index]["to"] if index < len(row["steps"]) else ()
        to = _posts(post, f"{path}.steps.{index}.to", before)
        if after is not None or to:
            steps.append({"after_min": after, "to": to})
    row["steps"] = steps
    row["repeat"] = {
        "from_min": _number(post, f"{path}.repeat.from_min", wrong),
        "every_min": _number(post, f"{path}.repeat.every_min", wrong),
        "to": _posts(post, f"{path}.repeat.to", row["repeat"]["to"]),
    }
    if row.get("quiet"):
        row["quiet"] = {
            "from": post.get(f"{path}.quiet.from", "").strip(),
            "to": post.get(f"{path}.quiet.to", "").strip(),
            "to_now": _posts(post, f"{path}.quiet.to_now", row["quiet"]["to_now"]),
        }


def _put(row: dict[str, Any], key: str, value: Any) -> None:
    if value is None:
        row.pop(key, None)
    else:
        row[key] = value


def _posts(post: QueryDict, name: str, before: Sequence[str]) -> list[str]:
    """Return the ticked posts: those that stood there in their order, then the others."""
    ticked = set(post.getlist(name))
    kept = [one for one in before if one in ticked]
    return kept + [one for one in POSTS if one in ticked and one not in kept]


def _number(post: QueryDict, name: str, wrong: list[Fault]) -> Any:
    text = post.get(name, "").strip().replace(",", ".")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1_000_000:
        wrong.append((name, "not_a_number", _("Give the minutes as a number.")))
        return text
    return int(value) if value.is_integer() else value
