"""A clock that jumps by an hour, and the nights in which the hour changes: no step is skipped, repeated or kept waiting (I5)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from clinic.actions.notification import claim_due
from clinic.models import Notification
from complications.actions.clock_jumps import set_back
from complications.actions.engine import advance_due
from complications.actions.escalation import acknowledge, hand_over
from complications.actions.heartbeat import beat
from complications.actions.reminders import fire_timers
from complications.actions.timers import set_timer
from complications.models import EngineHeartbeat, Escalation
from tests.make_complications import Ward, make_escalation, make_ward

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def after(now: datetime, minutes: float) -> datetime:
    return now + timedelta(minutes=minutes)


@pytest.fixture
def ward(now: datetime) -> Ward:
    return make_ward(now)


def steps(row: Escalation) -> list[tuple[int, int]]:
    kinds = ["step_paged", "step_skipped"]
    return [(one.data["round"], one.data["step"]) for one in row.events.filter(kind__in=kinds)]


def test_a_clock_that_is_set_back_keeps_nobody_waiting(ward: Ward, now: datetime) -> None:
    row = make_escalation(ward, now)
    advance_due(now=after(now, 1))
    beat(name="celery", now=after(now, 2))
    back = after(now, 2) - HOUR
    assert set_back(now=back) == HOUR
    # Three minutes after the jump the second step is due, as it would have been without it.
    advance_due(now=back + timedelta(minutes=2, seconds=59))
    assert steps(row) == [(0, 0)]
    for minute in (3, 8, 13):
        advance_due(now=after(back, minute))
    assert steps(row) == [(0, 0), (0, 1), (0, 2), (0, 3)]
    assert set_back(now=after(back, 14)) == timedelta(0)
    assert "went back by 3600 s" in EngineHeartbeat.objects.get().note


def test_pages_that_were_just_written_leave_at_once_after_it(ward: Ward, now: datetime) -> None:
    make_escalation(ward, now)
    advance_due(now=now)
    held = claim_due(now=now, limit=1)
    beat(name="celery", now=now)
    back = now - HOUR
    assert claim_due(now=back, limit=10) == []
    set_back(now=back)
    assert len(claim_due(now=back, limit=10)) == 2
    assert claim_due(now=after(back, 1), limit=10, only=held) == held, (
        "and what a dead worker held, when its lease ends"
    )


def test_who_does_not_come_loses_the_case_in_time_and_a_hand_over_and_a_timer_end(ward: Ward, now: datetime) -> None:
    row = make_escalation(ward, now)
    set_timer(
        procedure=make_ward(now).procedure,
        key="k",
        due_at=after(now, 60),
        trigger="NT-09",
        unless="words",
        by=ward.by_nurse,
        now=now,
    )
    acknowledge(escalation=row, eta_minutes=10, by=ward.by(ward.first), now=after(now, 1))
    hand_over(escalation=row, to=ward.second, by=ward.by(ward.first), now=after(now, 2))
    beat(name="celery", now=after(now, 2))
    back = after(now, 2) - HOUR
    set_back(now=back)
    advance_due(now=after(back, 5))
    assert row.events.filter(kind="hand_over_unanswered").exists()
    advance_due(now=after(back, 14))
    assert row.events.filter(kind="unacknowledged").exists()
    assert fire_timers(now=after(back, 58)) == 1


def test_two_engines_that_notice_bring_forward_once(ward: Ward, now: datetime) -> None:
    row = make_escalation(ward, now)
    for name in ("celery", "watchman"):
        beat(name=name, now=now)
    assert (set_back(now=now - HOUR), set_back(now=now - HOUR)) == (HOUR, timedelta(0))
    row.refresh_from_db()
    assert row.page_due_at == now - HOUR


def test_what_waits_for_the_morning_still_does(now: datetime) -> None:
    night = now.replace(hour=22)
    ward = make_ward(night)
    row = make_escalation(ward, night, type="LEK-EPI", level="L1")
    morning = row.page_due_at
    beat(name="celery", now=night)
    set_back(now=night - HOUR)
    row.refresh_from_db()
    assert row.page_due_at == morning


def test_a_clock_that_is_set_forward_runs_what_is_due_once_and_goes_on(ward: Ward, now: datetime) -> None:
    row = make_escalation(ward, now)
    advance_due(now=now)
    for minute in (61, 62, 63, 76, 91):
        advance_due(now=after(now, minute))
    assert steps(row) == [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (1, 4), (2, 4)]


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_in_the_nights_of_the_change_every_step_keeps_its_minutes(day: str) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    begin = datetime.fromisoformat(f"{day}T00:50:00+00:00")
    ward = make_ward(begin)
    ward.site.timezone = "Europe/Berlin"
    ward.site.save()
    row = make_escalation(ward, begin)
    assert begin.astimezone(berlin).utcoffset() != after(begin, 30).astimezone(berlin).utcoffset()
    ran = []
    for minute in range(46):
        before = len(steps(row))
        advance_due(now=after(begin, minute))
        ran += [minute] * (len(steps(row)) - before)
    assert ran == [0, 5, 10, 15, 30, 45]


@pytest.mark.parametrize(
    ("evening", "morning"), [("2026-03-28T21:00", "2026-03-29T05:00"), ("2026-10-24T20:00", "2026-10-25T06:00")]
)
def test_in_the_nights_of_the_change_the_morning_is_seven_by_the_sites_clock(evening: str, morning: str) -> None:
    begin = datetime.fromisoformat(evening).replace(tzinfo=UTC)
    ward = make_ward(begin)
    ward.site.timezone = "Europe/Berlin"
    ward.site.save()
    row = make_escalation(ward, begin, type="LEK-EPI", level="L1")
    assert row.page_due_at == datetime.fromisoformat(morning).replace(tzinfo=UTC)
    assert not Notification.objects.filter(reference=row.reference, recipient=ward.first).exists()
