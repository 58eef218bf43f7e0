"""Every clock of every tier warns its owner at 80 % of the target and tells the next level at the limit."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from clinic.models import Notification
from complications.actions.engine import advance_due
from complications.actions.escalation import arrive, decide, record_milestone
from complications.models import Escalation
from complications.vocabulary import Milestone, Setting, Tier
from tests.make_complications import Ward, make_escalation, make_ward

pytestmark = pytest.mark.django_db
REPORTS: dict[Tier, dict[str, Any]] = {
    Tier.T0: {},
    Tier.T1: {"neuro": {"exam": {"mrc": {"ankle_dorsiflexion_l": 4}}}},
    Tier.T2: {"type": "LEK-EPI", "level": "L1"},
    Tier.T3: {"type": "LEK-VEP", "level": "L1"},
}


def after(now: datetime, minutes: float) -> datetime:
    return now + timedelta(minutes=minutes)


def run(row: Escalation, now: datetime, minutes: list[float]) -> dict[str, tuple[float, float]]:
    """Let the engine look just before and at each of these minutes; return clock → minutes of its warning and breach."""
    for minute in sorted(minutes):
        advance_due(now=after(now, minute) - timedelta(seconds=1))
        advance_due(now=after(now, minute))
    found: dict[str, dict[str, float]] = {}
    for event in row.events.filter(kind__in=["clock_warned", "clock_breached"]):
        minute = (event.at - now).total_seconds() / 60
        assert event.kind not in found.setdefault(event.data["clock"], {}), "each is said once"
        found[event.data["clock"]][event.kind] = minute
    return {clock: (told["clock_warned"], told["clock_breached"]) for clock, told in found.items()}


#: Clinical content 3.3 with corrections F12 and E6: clock → minutes of its warning (80 % of the target) and its limit.
UNANSWERED = [
    (Tier.T0, {"acknowledgement": (4, 5), "bedside": (24, 30), "imaging_requested": (12, 15)}),
    (Tier.T0, {"imaging_done": (48, 90), "decision": (96, 120)}),
    (Tier.T1, {"acknowledgement": (12, 15), "bedside": (48, 60), "imaging_requested": (48, 60)}),
    (Tier.T1, {"imaging_done": (192, 240), "decision": (288, 360)}),
    (Tier.T2, {"acknowledgement": (48, 60), "bedside": (192, 240), "imaging_requested": (192, 240)}),
    (Tier.T2, {"imaging_done": (576, 1080), "decision": (1152, 1440)}),
    (Tier.T3, {"acknowledgement": (1152, 1440), "bedside": (3456, 4320), "decision": (8064, 10080)}),
]


@pytest.mark.parametrize(("tier", "expected"), UNANSWERED)
def test_a_case_that_nobody_looks_at_passes_every_limit_in_its_turn(
    tier: Tier, expected: dict[str, tuple[float, float]], now: datetime
) -> None:
    ward = make_ward(now)
    row = make_escalation(ward, now, **REPORTS[tier])
    assert row.tier == tier.value
    found = run(row, now, [minute for pair in expected.values() for minute in pair])
    assert {clock: found[clock] for clock in expected} == expected


def test_the_report_of_a_scan_is_counted_from_its_end_and_theatre_from_the_report(now: datetime) -> None:
    ward = make_ward(now)
    row = make_escalation(ward, now)
    arrive(escalation=row, by=ward.by(ward.first), now=after(now, 4))
    for minute, kind in ((5, Milestone.IMAGING_REQUESTED), (20, Milestone.IMAGING_DONE)):
        record_milestone(escalation=row, kind=kind, at=None, by=ward.by_nurse, now=after(now, minute))
    assert run(row, now, [44, 50]) == {"imaging_report": (44, 50)}
    data = {"decision": "decompress", "reason": "cement"}
    decide(escalation=row, data=data, by=ward.by(ward.first), now=after(now, 60))
    assert run(row, now, [288, 720])["theatre"] == (288, 720)


def test_at_home_the_call_back_and_the_arrival_have_clocks_of_their_own(now: datetime) -> None:
    ward = make_ward(now)
    row = make_escalation(ward, now, setting=Setting.AT_HOME)
    found = run(row, now, [12, 15, 96, 120])
    assert (found["call_back"], found["patient_arrived"]) == ((12, 15), (96, 120))
    assert "bedside" not in found, "it begins with the patient's arrival"


def told(clock: str, what: str) -> set[Any]:
    return {one.recipient for one in Notification.objects.filter(context__clock=clock, context__what=what)}


def test_a_warning_goes_to_the_owner_and_a_breach_to_the_next_level_as_well(now: datetime) -> None:
    ward: Ward = make_ward(now)
    row = make_escalation(ward, now)
    advance_due(now=now)
    arrive(escalation=row, by=ward.by(ward.first), now=after(now, 4))
    run(row, now, [12, 15, 48, 90, 96, 120])
    for clock in ("imaging_requested", "imaging_done", "decision"):
        assert told(clock, "clock_warned") == {ward.first}
        assert told(clock, "clock_breached") == {ward.first, ward.second, ward.anaesthetist}


def test_a_clock_that_was_met_says_nothing(now: datetime) -> None:
    ward = make_ward(now)
    row = make_escalation(ward, now)
    arrive(escalation=row, by=ward.by(ward.first), now=after(now, 3))
    for minute, kind in enumerate(
        (Milestone.IMAGING_REQUESTED, Milestone.IMAGING_DONE, Milestone.IMAGING_REPORTED), start=4
    ):
        record_milestone(escalation=row, kind=kind, at=None, by=ward.by_nurse, now=after(now, minute))
    assert run(row, now, [5, 12, 15, 24, 30, 48, 90]) == {}
