"""The plan: windows, the evening call, observations and reminders, over changes of the clock too."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from complications.rules.follow_up import observations, plan, quiet_shift, reminders

ISTANBUL = ZoneInfo("Europe/Istanbul")
LONDON = ZoneInfo("Europe/London")
ENDED = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def hours(moment: datetime, since: datetime = ENDED) -> float:
    return (moment - since).total_seconds() / 3600


@pytest.mark.parametrize(("code", "opens", "target", "closes"), [("FU-2H", 1, 2, 4), ("FU-24H", 18, 24, 36)])
def test_hours_are_hours_that_pass(code: str, opens: int, target: int, closes: int) -> None:
    (contact,) = [one for one in plan(ENDED, ISTANBUL) if one.code == code]
    assert [hours(at) for at in (contact.opens_at, contact.target_at, contact.closes_at)] == [opens, target, closes]


@pytest.mark.parametrize(
    ("code", "opens", "target", "closes"),
    [
        ("FU-7D", 5, 7, 10),
        ("FU-14D", 11, 14, 21),
        ("FU-6W", 35, 42, 56),
        ("FU-3M", 75, 91, 120),
        ("FU-6M", 150, 182, 215),
        ("FU-12M", 330, 365, 420),
        ("FU-24M", 700, 730, 760),
    ],
)
def test_days_are_counted_on_the_calendar_of_the_site(code: str, opens: int, target: int, closes: int) -> None:
    (contact,) = [one for one in plan(ENDED, LONDON, optional=True) if one.code == code]
    days = [at.astimezone(LONDON).date() for at in (contact.opens_at, contact.target_at, contact.closes_at)]
    ended = ENDED.astimezone(LONDON).date()
    assert days == [ended + timedelta(days=day) for day in (opens, target, closes)]
    assert contact.target_at.astimezone(LONDON).time() == ENDED.astimezone(LONDON).time()


@pytest.mark.parametrize("ended", [datetime(2026, 3, 26, 9, tzinfo=UTC), datetime(2026, 10, 22, 9, tzinfo=UTC)])
def test_a_change_of_clocks_moves_no_visit(ended: datetime) -> None:
    (week,) = [one for one in plan(ended, LONDON) if one.code == "FU-7D"]
    assert week.target_at.astimezone(LONDON).hour == ended.astimezone(LONDON).hour
    assert abs(hours(week.target_at, ended) - 7 * 24) == 1


def test_the_optional_last_visit_is_planned_only_when_asked_for() -> None:
    assert "FU-24M" not in [one.code for one in plan(ENDED, ISTANBUL)]


def evening(ended: str, left: str) -> list[tuple[str, str, str]]:
    def at(text: str) -> datetime:
        return datetime.fromisoformat(f"2026-11-24T{text}").replace(tzinfo=ISTANBUL).astimezone(UTC)

    def shown(moment: datetime) -> str:
        local = moment.astimezone(ISTANBUL)
        return f"{local.day} {local:%H:%M}"

    found = [one for one in plan(at(ended), ISTANBUL, left_at=at(left)) if one.code == "FU-8H"]
    return [(one.part, shown(one.opens_at), shown(one.closes_at)) for one in found]


def test_a_day_case_is_called_on_the_same_evening_and_never_at_night() -> None:
    assert evening("10:00", "14:00") == [("", "24 16:00", "24 21:30")]
    assert evening("16:00", "18:30") == [("", "24 20:30", "24 21:30")]


def test_a_late_case_is_seen_before_leaving_and_called_in_the_morning() -> None:
    assert evening("18:30", "21:00") == [
        ("before_leaving", "24 18:30", "24 21:00"),
        ("morning", "25 07:30", "25 09:30"),
    ]
    assert evening("18:00", "19:00") == [("", "24 21:00", "24 21:30")]
    assert [part for part, _, _ in evening("17:00", "20:00")] == ["before_leaving", "morning"]


def test_nobody_who_stays_is_called_in_the_evening() -> None:
    assert "FU-8H" not in [one.code for one in plan(ENDED, ISTANBUL)]
    tomorrow = ENDED + timedelta(days=1)
    assert "FU-8H" not in [one.code for one in plan(ENDED, ISTANBUL, left_at=tomorrow)]


def test_observations_come_close_at_first() -> None:
    minutes = [(due - ENDED).total_seconds() / 60 for due, _ in observations(ENDED)]
    assert minutes[:13] == [15, 30, 45, 60, 90, 120, 150, 180, 240, 300, 360, 420, 660]


def test_an_observation_is_overdue_after_its_grace() -> None:
    late = {(due - ENDED).total_seconds() / 60: (over - due).total_seconds() / 60 for due, over in observations(ENDED)}
    assert (late[15], late[60], late[90], late[240], late[660]) == (5, 5, 10, 15, 15)


def test_close_watch_is_hourly_for_a_day() -> None:
    due = [moment for moment, _ in observations(ENDED, close_watch=True)]
    gaps = [later - earlier for earlier, later in zip([ENDED, *due], due, strict=False)]
    assert all(gap <= timedelta(hours=1) for gap, at in zip(gaps, due, strict=True) if hours(at) <= 24)
    assert max(gaps) == timedelta(hours=4)


def test_reminders_at_opening_target_and_later() -> None:
    (week,) = [one for one in plan(ENDED, ISTANBUL) if one.code == "FU-7D"]
    rest = week.closes_at - week.target_at
    assert reminders(week) == [week.opens_at, week.target_at, week.target_at + rest * 0.25, week.target_at + rest * 0.6]
    (ward,) = [one for one in plan(ENDED, ISTANBUL) if one.code == "FU-2H"]
    assert len(reminders(ward)) == 2


def test_routine_reminders_wait_for_the_morning() -> None:
    night = datetime(2026, 11, 24, 20, 30, tzinfo=UTC)
    assert quiet_shift(night, ISTANBUL).astimezone(ISTANBUL).isoformat() == "2026-11-25T07:00:00+03:00"
    assert quiet_shift(ENDED, ISTANBUL) == ENDED
