"""Who holds a post at an instant: shifts, overrides, leave, swaps, the change of the clocks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st
from psycopg.types.range import TimestamptzRange

from clinic.actions.rota import (
    add_leave,
    add_override,
    add_shifts,
    cancel_leave,
    cancel_override,
    change_shift,
    remove_shift,
)
from clinic.actions.swaps import Part, answer_swap, propose_swap, withdraw_swap
from clinic.lib.problems import Denied, Invalid, Refused
from clinic.models import AuditEntry, Leave, Shift, ShiftOverride, ShiftSwap, User
from clinic.queries.rota import read_rota
from clinic.rules.rota import Away, Plan, Turn, local_instant, repeated
from clinic.vocabulary import Post, Role
from tests.make import make_actor, make_shift, make_site, make_user

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
SPINE = Post.ON_CALL_SPINE.value


def wall(text: str) -> datetime:
    """A time as it stands on the wall, without a zone."""
    return datetime.fromisoformat(text)


def hours(number: float) -> datetime:
    return START + timedelta(hours=number)


def turn(person: int, start: float, end: float, *, override: bool = False, rank: int = 1) -> Turn:
    return Turn(SPINE, rank, person, hours(start), hours(end), override)


def holder(plan: Plan, at: float) -> int | None:
    found = plan.holders(hours(at)).get((SPINE, 1))
    return found.person if found else None


EVERYBODY = frozenset(range(10))


def test_a_shift_begins_with_its_first_instant_and_ends_before_its_last() -> None:
    plan = Plan([turn(1, 0, 8), turn(2, 8, 16)], active=EVERYBODY)
    assert [holder(plan, at) for at in (-0.001, 0, 7.999, 8, 15.999, 16)] == [None, 1, 1, 2, 2, None]


def test_an_override_replaces_the_shift_while_it_lasts() -> None:
    plan = Plan([turn(1, 0, 24), turn(2, 8, 16, override=True)], active=EVERYBODY)
    assert [holder(plan, at) for at in (7, 8, 15, 16)] == [1, 2, 2, 1]


def test_an_override_also_fills_a_gap() -> None:
    plan = Plan([turn(2, 8, 16, override=True)], active=EVERYBODY)
    assert [holder(plan, at) for at in (7, 8, 16)] == [None, 2, None]


def test_somebody_away_holds_nothing_and_somebody_gone_neither() -> None:
    plan = Plan([turn(1, 0, 24)], [Away(1, hours(8), hours(16))], EVERYBODY)
    assert [holder(plan, at) for at in (7, 8, 15, 16)] == [1, None, None, 1]
    assert holder(Plan([turn(1, 0, 24)], active=frozenset()), 1) is None


def test_under_an_override_whose_person_is_away_the_shift_counts_again() -> None:
    turns = [turn(1, 0, 24), turn(2, 8, 16, override=True)]
    assert holder(Plan(turns, [Away(2, hours(10), hours(12))], EVERYBODY), 11) == 1
    assert holder(Plan(turns, active=frozenset({1})), 11) == 1


def test_segments_say_who_was_planned_and_why_they_do_not_hold_it() -> None:
    turns = [turn(1, 0, 24), turn(2, 4, 8, override=True)]
    plan = Plan(turns, [Away(1, hours(12), hours(16))], EVERYBODY)
    found = plan.segments(hours(0), hours(30))[SPINE, 1]
    assert [(one.person, one.why) for one in found] == [
        (1, ""),
        (2, "override"),
        (1, ""),
        (None, "away"),
        (1, ""),
        (None, ""),
    ]
    assert found[0].start == hours(0)
    assert found[-1].end == hours(30)


SPANS = st.tuples(st.integers(0, 20), st.integers(1, 12), st.integers(0, 4))


@given(
    shifts=st.lists(SPANS, max_size=5),
    overrides=st.lists(SPANS, max_size=4),
    away=st.lists(SPANS, max_size=4),
    gone=st.sets(st.integers(0, 4)),
    at=st.integers(0, 160),
)
def test_segments_and_holders_are_one_answer(
    shifts: list[Any], overrides: list[Any], away: list[Any], gone: set[int], at: int
) -> None:
    def apart(spans: list[Any]) -> list[Any]:
        """As the database keeps them: none overlaps another."""
        kept: list[Any] = []
        for start, length, person in spans:
            if all(start + length <= other or other + more <= start for other, more, _ in kept):
                kept.append((start, length, person))
        return kept

    turns = [turn(person, start, start + length) for start, length, person in apart(shifts)]
    turns += [turn(person, start, start + length, override=True) for start, length, person in apart(overrides)]
    absent = [Away(person, hours(start), hours(start + length)) for start, length, person in away]
    plan = Plan(turns, absent, EVERYBODY - gone)
    moment = hours(at / 5)
    segments = plan.segments(hours(0), hours(40), [(SPINE, 1)])[SPINE, 1]
    (one,) = [found for found in segments if found.start <= moment < found.end]
    held = plan.holders(moment).get((SPINE, 1))
    assert one.turn == held
    assert held is None or (held.person not in gone and not plan.is_away(held.person, moment))
    assert [found.end for found in segments[:-1]] == [found.start for found in segments[1:]]


BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("day", "length"),
    [(wall("2026-03-27T20:00"), [12, 11, 12]), (wall("2026-10-23T20:00"), [12, 13, 12])],
)
def test_a_night_on_call_has_eleven_or_thirteen_hours_when_the_clocks_change(day: datetime, length: list[int]) -> None:
    # Fridays to Sundays: the clocks change in the second night.
    nights = repeated(day, day + timedelta(hours=12), BERLIN, every_days=1, times=3)
    assert [(end - start) / timedelta(hours=1) for start, end in nights] == length
    assert [end for _, end in nights[:-1]] != [start for start, _ in nights[1:]]
    assert {start.astimezone(BERLIN).hour for start, _ in nights} == {20}


def test_in_istanbul_every_night_has_twelve_hours() -> None:
    day = wall("2026-03-27T20:00")
    nights = repeated(day, day + timedelta(hours=12), ZoneInfo("Europe/Istanbul"), every_days=1, times=3)
    assert {end - start for start, end in nights} == {timedelta(hours=12)}


def test_a_time_that_the_clocks_skip_is_refused_and_of_one_that_comes_twice_the_first_counts() -> None:
    with pytest.raises(ValueError, match="clocks go forward"):
        local_instant(wall("2026-03-29T02:30"), BERLIN)
    assert local_instant(wall("2026-10-25T02:30"), BERLIN) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@pytest.fixture
def people(db: None) -> tuple[Any, User, User, User]:
    site = make_site(timezone="Europe/Berlin")
    return site, make_user(site, Role.SURGEON), make_user(site, Role.SURGEON), make_user(site, Role.ADMINISTRATOR)


def on_call(site: Any, at: datetime, rank: int = 1) -> User | None:
    return read_rota(site, at).place((SPINE, rank), at)


def plan(site: Any, user: User, start: float = 0, end: float = 24, rank: int = 1) -> Shift:
    by = make_actor(None, "administrator")
    spans = [(hours(start), hours(end))]
    (shift,) = add_shifts(site=site, post=SPINE, rank=rank, user=user, spans=spans, by=by, now=hours(-1))
    return shift


def test_the_database_refuses_two_overrides_of_one_place_at_a_time(people: Any) -> None:
    site, first, second, admin = people
    by = make_actor(admin, "administrator")

    def override(user: User, start: float, end: float, rank: int = 1) -> ShiftOverride:
        span = (hours(start), hours(end))
        return add_override(site=site, post=SPINE, rank=rank, user=user, span=span, reason="", by=by, now=hours(-1))

    standing = override(first, 0, 8)
    with pytest.raises(Refused, match="overlaps"):
        override(second, 7, 9)
    with pytest.raises(IntegrityError), transaction.atomic():
        ShiftOverride.objects.create(
            site=site, post=SPINE, rank=1, user=second, period=TimestamptzRange(hours(7), hours(9)), created_at=START
        )
    override(second, 8, 9)
    override(second, 0, 8, rank=2)
    cancel_override(override=standing, by=by, now=hours(-1))
    assert override(second, 0, 8).user == second


def test_two_people_are_never_planned_at_one_rank(people: Any) -> None:
    site, first, second, _ = people
    plan(site, first)
    with pytest.raises(Refused, match="overlaps"):
        plan(site, second, 23, 30)


def test_a_person_on_leave_still_on_the_rota_holds_nothing(people: Any) -> None:
    site, first, second, _ = people
    plan(site, first)
    plan(site, second, rank=2)
    leave = add_leave(site=site, user=first, span=(hours(2), hours(4)), by=make_actor(first), now=hours(-1))
    assert [on_call(site, hours(at)) for at in (1, 2, 3, 4)] == [first, None, None, first]
    assert on_call(site, hours(3), 2) == second
    cancel_leave(leave=leave, by=make_actor(first), now=hours(3))
    assert on_call(site, hours(3)) == first
    assert Leave.objects.get().period.upper == hours(3)


def test_leave_counts_at_every_site_of_the_person(people: Any) -> None:
    site, first, _, _ = people
    other = make_site()
    make_shift(other, first, around=START)
    add_leave(site=site, user=first, span=(hours(0), hours(4)), by=make_actor(first), now=hours(-1))
    assert on_call(other, hours(1)) is None


def test_a_shift_that_has_begun_ends_early_and_one_that_is_over_stays(people: Any) -> None:
    site, first, second, admin = people
    by = make_actor(admin, "administrator")
    shift = plan(site, first)
    with pytest.raises(Refused, match="begun"):
        change_shift(shift=shift, user=second, by=by, now=hours(1))
    change_shift(shift=shift, end=hours(12), by=by, now=hours(1))
    remove_shift(shift=shift, by=by, now=hours(2))
    assert Shift.objects.get().period.upper == hours(2)
    with pytest.raises(Refused, match="past"):
        remove_shift(shift=shift, by=by, now=hours(3))
    later = plan(site, first, 30, 40)
    change_shift(shift=later, user=second, by=by, now=hours(3))
    assert on_call(site, hours(31)) == second
    remove_shift(shift=later, by=by, now=hours(3))
    assert on_call(site, hours(31)) is None
    names = AuditEntry.objects.filter(stream=f"site:{site.public_id}").order_by("pk").values_list("action", flat=True)
    assert [name for name in names if name.startswith("shift.")] == [
        "shift.planned",
        "shift.changed",
        "shift.removed",
        "shift.planned",
        "shift.changed",
        "shift.removed",
    ]


def test_a_post_needs_its_role_and_a_colleague(people: Any) -> None:
    site, first, _, admin = people
    gone = make_user(site, Role.SURGEON, is_active=False)
    for user, words in (
        (admin, "needs the role surgeon"),
        (make_user(make_site(), Role.SURGEON), "does not work at this site"),
        (gone, "does not work at this site"),
    ):
        with pytest.raises(Invalid) as refusal:
            plan(site, user)
        assert words in refusal.value.detail
        assert refusal.value.errors[0].field == "user"
    assert plan(site, first).user == first


def swap(site: Any, giver: User, asked: User, *, back: Part | None = None, end: float = 8) -> ShiftSwap:
    part = Part(SPINE, 1, (hours(2), hours(end)))
    return propose_swap(site=site, giver=giver, asked=asked, part=part, back=back, by=make_actor(giver), now=hours(-1))


def test_before_a_swap_is_accepted_the_original_holds_and_afterwards_the_other(people: Any) -> None:
    site, first, second, _ = people
    plan(site, first)
    row = swap(site, first, second)
    assert on_call(site, hours(3)) == first
    with pytest.raises(Denied):
        answer_swap(swap=row, accept=True, by=make_actor(first), now=hours(0))
    answer_swap(swap=row, accept=True, by=make_actor(second), now=hours(0))
    assert [on_call(site, hours(at)) for at in (1, 2, 7, 8)] == [first, second, second, first]
    with pytest.raises(Refused):
        answer_swap(swap=row, accept=False, by=make_actor(second), now=hours(0))
    entries = AuditEntry.objects.filter(action__startswith="swap.").order_by("pk")
    assert [(one.action, one.actor) for one in entries] == [
        ("swap.proposed", f"user:{first.public_id}"),
        ("swap.accepted", f"user:{second.public_id}"),
    ]


def test_an_exchange_moves_both_or_neither(people: Any) -> None:
    site, first, second, _ = people
    plan(site, first)
    plan(site, second, 24, 48)
    back = Part(SPINE, 1, (hours(26), hours(30)))
    row = swap(site, first, second, back=back)
    add_override(
        site=site,
        post=SPINE,
        rank=1,
        user=first,
        span=(hours(29), hours(31)),
        reason="",
        by=make_actor(),
        now=hours(-1),
    )
    with pytest.raises(Refused, match="not_held"):
        answer_swap(swap=row, accept=True, by=make_actor(second), now=hours(0))
    assert on_call(site, hours(3)) == first
    assert ShiftSwap.objects.get().status == "proposed"
    cancel_override(override=ShiftOverride.objects.get(), by=make_actor(), now=hours(0))
    answer_swap(swap=row, accept=True, by=make_actor(second), now=hours(0))
    assert (on_call(site, hours(3)), on_call(site, hours(27))) == (second, first)


def test_what_one_took_over_can_be_passed_on_in_part(people: Any) -> None:
    site, first, second, _ = people
    third = make_user(site, Role.SURGEON)
    plan(site, first)
    answer_swap(swap=swap(site, first, second, end=12), accept=True, by=make_actor(second), now=hours(-1))
    part = Part(SPINE, 1, (hours(4), hours(8)))
    row = propose_swap(site=site, giver=second, asked=third, part=part, back=None, by=make_actor(second), now=hours(-1))
    answer_swap(swap=row, accept=True, by=make_actor(third), now=hours(-1))
    assert [on_call(site, hours(at)) for at in (1, 2, 4, 7, 8, 11, 12)] == [
        first,
        second,
        third,
        third,
        second,
        second,
        first,
    ]
    back = propose_swap(
        site=site,
        giver=third,
        asked=second,
        part=Part(SPINE, 1, (hours(4), hours(8))),
        back=None,
        by=make_actor(third),
        now=hours(-1),
    )
    answer_swap(swap=back, accept=True, by=make_actor(second), now=hours(-1))
    assert on_call(site, hours(5)) == second


def test_a_declined_or_withdrawn_swap_changes_nothing(people: Any) -> None:
    site, first, second, _ = people
    plan(site, first)
    answer_swap(swap=swap(site, first, second), accept=False, by=make_actor(second), now=hours(0))
    row = swap(site, first, second)
    with pytest.raises(Denied):
        withdraw_swap(swap=row, by=make_actor(second), now=hours(0))
    withdraw_swap(swap=row, by=make_actor(first), now=hours(0))
    assert on_call(site, hours(3)) == first
    assert not ShiftOverride.objects.exists()


def test_a_swap_is_refused_for_what_one_does_not_hold_and_once_its_time_has_begun(people: Any) -> None:
    site, first, second, _ = people
    plan(site, first)
    with pytest.raises(Refused, match="not_held"):
        swap(site, second, first)
    with pytest.raises(Refused, match="not_held"):
        swap(site, first, second, end=25)
    with pytest.raises(Invalid, match="invalid"):
        swap(site, first, first)
    row = swap(site, first, second)
    with pytest.raises(Refused, match="begun"):
        answer_swap(swap=row, accept=True, by=make_actor(second), now=hours(3))


def test_the_rota_costs_one_statement_however_long(people: Any, django_assert_num_queries: Any) -> None:
    site, first, second, _ = people
    for number in range(6):
        plan(site, first if number % 2 else second, number * 24, number * 24 + 24)
    with django_assert_num_queries(1):
        rota = read_rota(site, hours(0), hours(24 * 90))
        assert [one.user for one in rota.on_duty(hours(25))] == [first]


Clients = Callable[[User], Any]


def test_over_the_api_a_week_of_nights_is_planned_on_the_clock_of_the_site(as_: Clients, people: Any) -> None:
    _, first, _, admin = people
    begin = (datetime.now(BERLIN) + timedelta(days=2)).replace(hour=20, minute=0, second=0, microsecond=0)
    body = {
        "post": SPINE,
        "rank": 1,
        "user": first.username,
        "start": begin.isoformat(),
        "end": (begin + timedelta(hours=12)).isoformat(),
        "repeat_days": 1,
        "times": 5,
    }
    client = as_(admin)
    answer = client.send("POST", "/rota/shifts/", body)
    assert answer.status_code == 201, answer.content
    assert Shift.objects.count() == 5
    again = client.send("POST", "/rota/shifts/", body)
    assert (again.status_code, again.json()["code"]) == (409, "overlaps")
    wrong = client.send("POST", "/rota/shifts/", {**body, "user": admin.username})
    assert [one["field"] for one in wrong.json()["errors"]] == ["user"]
    seen = client.get("/api/v1/rota/holders/", {"at": (begin + timedelta(hours=1)).isoformat()}).json()["results"]
    assert seen == [{"post": SPINE, "rank": 1, "person": {"user": first.username, "name": first.get_full_name()}}]
    rota = client.get("/api/v1/rota/", {"to": (begin + timedelta(days=9)).isoformat()}).json()
    assert [one["person"] is None for one in rota["places"][0]["segments"]] == [True, False] * 5 + [True]
    assert client.get("/api/v1/rota/", {"from": "tomorrow"}).json()["errors"][0]["field"] == "from"
    one = answer.json()["results"][0]["id"]
    assert client.send("DELETE", f"/rota/shifts/{one}/").status_code == 200
    assert as_(first).send("DELETE", f"/rota/shifts/{one}/").status_code == 403


def test_over_the_api_leave_is_ones_own_and_a_swap_needs_the_other(as_: Clients, people: Any) -> None:
    site, first, second, admin = people
    now = datetime.now(UTC)
    make_shift(site, first, around=now + timedelta(hours=30))
    span = {"start": (now + timedelta(hours=8)).isoformat(), "end": (now + timedelta(hours=20)).isoformat()}
    give = {"post": SPINE, "rank": 1, **span}
    answer = as_(first).send("POST", "/rota/swaps/", {"asked": second.username, "give": give})
    assert answer.status_code == 201, answer.content
    path = f"/rota/swaps/{answer.json()['id']}/answer/"
    assert as_(first).send("POST", path, {"answer": "accept"}).status_code == 403
    assert as_(second).send("POST", path, {"answer": "accept"}).json()["status"] == "accepted"
    leave = {"user": second.username, **span}
    assert as_(first).send("POST", "/rota/leave/", leave).status_code == 403
    made = as_(second).send("POST", "/rota/leave/", span)
    assert made.status_code == 201
    twice = as_(admin).send("POST", "/rota/leave/", leave)
    assert (twice.status_code, twice.json()["code"]) == (409, "overlaps")
    # The one who took it is away: the shift below the override counts again.
    assert on_call(site, now + timedelta(hours=10)) == first
    assert as_(first).send("DELETE", f"/rota/leave/{made.json()['id']}/").status_code == 403
    assert as_(admin).send("DELETE", f"/rota/leave/{made.json()['id']}/").status_code == 200
    assert on_call(site, now + timedelta(hours=10)) == second
