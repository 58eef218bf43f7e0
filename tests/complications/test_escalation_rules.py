"""What is due when: the ladder, the clocks, the arrival limit, and what a worse report does."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from complications.rules.escalation import (
    Standing,
    after_page,
    arrival_due,
    clocks,
    due,
    join,
    next_due,
    next_level,
    reported,
)
from complications.rules.policy import Policy, default_policy
from complications.vocabulary import Decision, EscalationStatus, Milestone, Pathway, Setting, Tier

T = datetime(2026, 11, 24, 3, 6, tzinfo=UTC)
POLICY = Policy({**default_policy(), "backstop": {"name": "b", "phone": "1"}, "timezone": "Europe/Istanbul"})
S = EscalationStatus


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def standing(**changes: Any) -> Standing:
    base = Standing(
        status=S.PAGING,
        tier=Tier.T0,
        pathway=Pathway.SPINE,
        setting=Setting.IN_HOUSE,
        policy=POLICY,
        origin=T,
        round=0,
        step=0,
        page_due_at=T,
    )
    return replace(base, **changes)


def walk(now: Standing, at: datetime, steps: int) -> list[tuple[int, int, float]]:
    """Run `steps` pages, each at its own time, and return (round, step, minute)."""
    found = []
    for _ in range(steps):
        assert now.page_due_at is not None
        at = max(at, now.page_due_at)
        found.append((now.round, now.step, (at - T).total_seconds() / 60))
        turn, step, following = after_page(now, at, reached=True)
        now = replace(now, round=turn, step=step, page_due_at=following)
    return found


@pytest.mark.parametrize(
    ("tier", "expected"),
    [
        (Tier.T0, [0, 5, 10, 15, 30, 45, 60]),
        (Tier.T1, [0, 15, 30, 45, 90, 135, 180]),
        (Tier.T2, [0, 60, 120, 180, 360, 540, 720]),
    ],
)
def test_the_ladder_runs_to_the_backstop_and_repeats(tier: Tier, expected: list[float]) -> None:
    walked = walk(standing(tier=tier), T, 7)
    assert [minute for _, _, minute in walked] == expected
    assert [step for _, step, _ in walked] == [0, 1, 2, 3, 4, 4, 4]
    assert len({(turn, step) for turn, step, _ in walked}) == 7


def test_a_step_that_reaches_nobody_is_followed_at_once() -> None:
    assert after_page(standing(), T, reached=False) == (0, 1, T)


def test_steps_that_fell_due_during_an_outage_start_at_once_and_none_is_skipped() -> None:
    walked = walk(standing(), T + minutes(12), 4)
    assert [(step, minute) for _, step, minute in walked] == [(0, 12), (1, 12), (2, 12), (3, 15)]


def test_repeats_that_lie_in_the_past_are_not_caught_up() -> None:
    late = T + minutes(300)
    _, _, following = after_page(standing(step=4, page_due_at=T + minutes(30)), late, reached=True)
    assert following == late + minutes(15)


def limits(now: Standing) -> dict[str, tuple[float | None, float | None]]:
    def since(at: datetime | None) -> float | None:
        return None if at is None else (at - T).total_seconds() / 60

    return {clock.name: (since(clock.warn_at), since(clock.limit)) for clock in clocks(now)}


def test_the_clocks_of_an_emergency() -> None:
    assert limits(standing()) == {
        "acknowledgement": (4, 5),
        "bedside": (24, 30),
        "imaging_requested": (12, 15),
        "imaging_done": (48, 90),
        "imaging_report": (None, None),
        "decision": (96, 120),
    }


def test_the_report_of_a_scan_counts_from_the_end_of_the_scan() -> None:
    found = limits(standing(milestones={Milestone.IMAGING_DONE: T + minutes(50)}))
    assert found["imaging_report"] == (74, 80)


def test_theatre_counts_from_the_report_once_an_operation_is_decided() -> None:
    found = limits(standing(status=S.DECIDED, decision=Decision.DECOMPRESS, decided_at=T + minutes(60)))
    assert (found["theatre"], "imaging_done" in found) == ((288, 720), False)
    urgent = limits(standing(tier=Tier.T1, status=S.DECIDED, decision=Decision.DECOMPRESS, decided_at=T))
    assert urgent["theatre"] == (576, 1440)


@pytest.mark.parametrize(
    ("tier", "call_back", "arrival"), [(Tier.T0, 15, 120), (Tier.T1, 30, 240), (Tier.T2, 60, 1440)]
)
def test_at_home_the_patient_is_called_back_and_brought_in(tier: Tier, call_back: int, arrival: int) -> None:
    found = limits(standing(tier=tier, setting=Setting.AT_HOME))
    assert (found["call_back"][1], found["patient_arrived"][1]) == (call_back, arrival)
    assert found["bedside"] == found["decision"] == (None, None)
    there = limits(standing(setting=Setting.AT_HOME, milestones={Milestone.PATIENT_ARRIVED: T + minutes(90)}))
    assert there["bedside"][1] == 120


def test_a_routine_review_has_no_home_clocks() -> None:
    assert set(limits(standing(tier=Tier.T3, setting=Setting.AT_HOME))) == {"acknowledgement", "bedside", "decision"}


def test_a_medical_case_has_no_imaging_clock() -> None:
    assert set(limits(standing(pathway=Pathway.MEDICAL))) == {"acknowledgement", "bedside", "decision"}


def test_a_clock_says_how_it_stands() -> None:
    (bedside,) = [clock for clock in clocks(standing()) if clock.name == "bedside"]
    assert [bedside.state(T + minutes(m)) for m in (0, 24, 30)] == ["running", "warned", "breached"]
    assert replace(bedside, met_at=T + minutes(29)).state(T + minutes(40)) == "met"
    assert replace(bedside, met_at=T + minutes(31)).state(T + minutes(40)) == "met_late"


def acknowledged(at: float, eta: float | None, **changes: Any) -> Standing:
    moment = T + minutes(at)
    return standing(
        status=S.ACKNOWLEDGED,
        acknowledged_at=moment,
        first_acknowledged_at=moment,
        eta_at=None if eta is None else moment + minutes(eta),
        **changes,
    )


@pytest.mark.parametrize(
    ("at", "eta", "limit"),
    [(3, 10, 18), (3, 27, 35), (3, 60, 35), (3, None, 35), (29, 20, 35), (40, 10, 55), (40, 60, 75), (40, None, 75)],
)
def test_the_arrival_limit(at: float, eta: float | None, limit: float) -> None:
    assert arrival_due(acknowledged(at, eta)) == T + minutes(limit)


def test_at_home_nobody_is_expected_at_the_bedside_before_the_patient() -> None:
    home = acknowledged(3, 10, setting=Setting.AT_HOME)
    assert arrival_due(home) is None
    there = replace(home, milestones={Milestone.PATIENT_ARRIVED: T + minutes(100)})
    assert arrival_due(there) == T + minutes(135)


def test_nobody_is_paged_after_an_acknowledgement_but_for_one_who_cannot_operate() -> None:
    told = frozenset({"acknowledgement:warned", "acknowledgement:breached", "imaging_requested:warned"})
    answered = acknowledged(3, 10, page_due_at=T + minutes(5), step=1, told=told)
    assert due(answered, T + minutes(11)) is None
    found = due(replace(answered, cannot_operate=True), T + minutes(11))
    assert found is not None
    assert found.what == "page"


def test_a_warning_comes_before_its_breach_and_each_once() -> None:
    now = standing(step=1, page_due_at=T + minutes(500))
    seen = []
    at = T + minutes(400)
    while (found := due(now, at)) is not None:
        word = "warned" if found.what == "warn" else "breached"
        seen.append((found.clock, word))
        now = replace(now, told=now.told | {f"{found.clock}:{word}"})
    assert seen == sorted(seen, key=seen.index)
    assert len(seen) == len(set(seen)) == 10
    assert seen.index(("decision", "warned")) < seen.index(("decision", "breached"))


def test_the_next_level_of_a_breach_is_the_step_not_yet_run() -> None:
    assert next_level(standing(step=2)) == ("head_of_department", "duty_manager")
    assert "backstop" in next_level(standing(step=4))


def test_a_closed_escalation_has_nothing_due() -> None:
    assert next_due(standing(status=S.CLOSED), T) is None
    assert due(standing(status=S.CLOSED), T + timedelta(days=9)) is None


STATUSES = st.sampled_from([S.PAGING, S.ACKNOWLEDGED, S.AT_BEDSIDE, S.DECIDED])


@given(STATUSES, st.sampled_from(list(Tier)), st.sampled_from(list(Setting)), st.integers(0, 4), st.integers(0, 3000))
def test_an_open_escalation_is_looked_at_before_the_longest_wait(
    status: EscalationStatus, tier: Tier, setting: Setting, step: int, late: int
) -> None:
    now = standing(
        status=status, tier=tier, setting=setting, step=step, page_due_at=T + minutes(late), acknowledged_at=T
    )
    at = T + minutes(late)
    found = next_due(now, at)
    assert found is not None
    assert found <= at + POLICY.longest_wait()


@pytest.mark.parametrize(
    ("pressed", "counts"),
    [(None, T), (T - minutes(40), T - minutes(40)), (T + minutes(1), T), (T - timedelta(days=2), T)],
)
def test_a_late_delivered_report_counts_from_when_it_was_made(pressed: datetime | None, counts: datetime) -> None:
    assert reported(T, pressed) == counts


def test_a_worse_report_voids_an_acknowledgement_and_not_an_arrival() -> None:
    urgent = standing(tier=Tier.T1, status=S.ACKNOWLEDGED, acknowledged_at=T)
    assert join(urgent, Tier.T0, news=True).repage
    there = join(replace(urgent, status=S.AT_BEDSIDE), Tier.T0, news=True)
    assert (there.raised, there.repage, there.new_origin) == (True, False, True)
    assert there.tell_posts == ("on_call_rank_2", "anaesthetist_on_call")


def test_a_tier_never_falls() -> None:
    assert not join(standing(), Tier.T2, news=True).raised


def test_a_second_report_of_the_same_tier_pages_again_and_a_repeated_observation_does_not() -> None:
    assert join(standing(), Tier.T0, news=True).tell_posts == ("on_call_rank_1", "operator", "nurse_in_charge")
    assert join(standing(), Tier.T0, news=False).tell_posts == ()
    answered = standing(status=S.ACKNOWLEDGED, acknowledged_at=T)
    assert (join(answered, Tier.T0, news=True).repage, join(answered, Tier.T0, news=True).tell_responsible) == (
        False,
        True,
    )


@pytest.mark.parametrize("decision", [Decision.OBSERVE, Decision.IMAGE_FIRST])
def test_who_only_observes_is_paged_again_by_news(decision: Decision) -> None:
    watched = standing(status=S.DECIDED, decision=decision)
    assert join(watched, Tier.T0, news=True).repage
    assert not join(watched, Tier.T0, news=False).repage
    assert not join(replace(watched, decision=Decision.DECOMPRESS), Tier.T0, news=True).repage
