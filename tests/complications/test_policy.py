"""A policy is refused with the reason, or it can be relied on."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from complications.rules.policy import Policy, check, default_policy
from complications.vocabulary import Pathway, Tier

BACKSTOP = {"name": "Clinical director", "phone": "+90 212 000 00 00"}


def good() -> dict[str, Any]:
    return {**default_policy(), "backstop": BACKSTOP, "timezone": "Europe/Istanbul"}


def changed(path: str, value: Any) -> dict[str, Any]:
    data = deepcopy(good())
    *parents, last = path.split(".")
    row: Any = data
    for name in parents:
        row = row[int(name)] if name.isdigit() else row[name]
    if isinstance(row, list):
        row[int(last)] = value
    else:
        row[last] = value
    return data


def test_the_policy_that_ships_is_accepted_once_it_has_a_backstop() -> None:
    assert check(good()) == []
    assert [found[1] for found in check(default_policy())] == ["no_backstop"]


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("backstop", {}, "no_backstop"),
        ("backstop", {"name": "x"}, "no_backstop"),
        ("tiers.t0.repeat.to", ["on_call_rank_1"], "no_backstop"),
        ("tiers.t0.steps.3.to", ["duty_manager"], "no_backstop"),
        ("tiers.t0.steps", [], "missing"),
        ("tiers.t0.steps.0.after_min", 1, "late_first_step"),
        ("tiers.t0.steps.1.after_min", 20, "not_ascending"),
        ("tiers.t0.steps.1.after_min", 10, "not_ascending"),
        ("tiers.t0.steps.1.after_min", "soon", "not_a_number"),
        ("tiers.t0.steps.0.to", ["janitor"], "not_a_choice"),
        ("tiers.t0.steps.0.to", [], "missing"),
        ("tiers.t0.repeat.every_min", 0, "not_a_number"),
        ("tiers.t0.repeat.from_min", 15, "not_a_number"),
        ("tiers.t0.imaging_limit", 91, "imaging_after_decision"),
        ("tiers.t2.imaging_limit", 1440, "imaging_after_decision"),
        ("tiers.t0.theatre_target", 800, "target_after_limit"),
        ("tiers.t0.ack", None, "not_a_number"),
        ("tiers.t1.at_home", {}, "missing"),
        ("tiers.t3", None, "missing"),
        ("pathways.medical.repeat", ["medical_on_call"], "no_backstop"),
        ("pathways", ["medical"], "unreadable"),
        ("tiers.t0.report", "soon", "unreadable"),
        ("tiers.t0.arrival_grace_min", "five", "unreadable"),
        ("tiers.t1.at_home", {"call_back_min": "soon"}, "unreadable"),
        ("tiers.t2.quiet", {"from": "25:00", "to": "07:00", "to_now": ["nurse_in_charge"]}, "unreadable"),
        ("tiers.t2.quiet", {"from": "20:00", "to": "07:00"}, "unreadable"),
        ("tiers.t2.quiet", {"from": "20:00", "to": "07:00", "to_now": ["janitor"]}, "unreadable"),
        ("tiers.t3.theatre_limit", "late", "unreadable"),
        ("time_scale", "fast", "unreadable"),
    ],
)
def test_a_policy_that_could_strand_somebody_is_refused(path: str, value: Any, code: str) -> None:
    assert code in [found[1] for found in check(changed(path, value))]


@pytest.mark.parametrize("tier", list(Tier))
def test_imaging_and_its_report_leave_time_for_the_decision(tier: Tier) -> None:
    row = default_policy()["tiers"][tier.value]
    if row.get("imaging_limit"):
        assert row["imaging_limit"] + row["report"]["min"] <= row["decision"]


def test_the_ladder_of_an_emergency() -> None:
    ladder = Policy(good()).ladder(Tier.T0, Pathway.SPINE)
    assert [step.after for step in ladder.steps] == [timedelta(minutes=minute) for minute in (0, 5, 10, 15)]
    assert ladder.steps[0].to == ("on_call_rank_1", "operator", "nurse_in_charge")
    assert (ladder.repeat_from, ladder.repeat_every) == (timedelta(minutes=30), timedelta(minutes=15))
    assert "backstop" in ladder.repeat_to


def test_a_medical_ladder_keeps_the_times_and_never_pages_the_spine_surgeon() -> None:
    ladder = Policy(good()).ladder(Tier.T1, Pathway.MEDICAL)
    assert [step.after for step in ladder.steps] == [timedelta(minutes=minute) for minute in (0, 15, 30, 45)]
    assert all(not post.startswith("on_call_rank") for step in ladder.steps for post in step.to)


def test_a_compressed_day_divides_every_wait() -> None:
    policy = Policy({**good(), "time_scale": 60})
    assert policy.ladder(Tier.T0, Pathway.SPINE).steps[1].after == timedelta(seconds=5)
    assert policy.number(Tier.T0, "decision") == timedelta(minutes=2)


@pytest.mark.parametrize(
    ("at", "until"),
    [
        (datetime(2026, 11, 24, 17, 0, tzinfo=UTC), datetime(2026, 11, 25, 4, 0, tzinfo=UTC)),
        (datetime(2026, 11, 24, 3, 59, tzinfo=UTC), datetime(2026, 11, 24, 4, 0, tzinfo=UTC)),
        (datetime(2026, 11, 24, 4, 0, tzinfo=UTC), None),
        (datetime(2026, 11, 24, 16, 59, tzinfo=UTC), None),
    ],
)
def test_prompt_cases_wait_for_the_morning_but_for_the_nurse_in_charge(at: datetime, until: datetime | None) -> None:
    quiet = Policy(good()).quiet_until(Tier.T2, at)
    assert (quiet[0] if quiet else None) == until
    assert quiet is None or quiet[1] == ("nurse_in_charge",)
    assert Policy(good()).quiet_until(Tier.T1, at) is None
