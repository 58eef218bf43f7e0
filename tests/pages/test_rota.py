"""The calendar of the rota and its forms, as the people who use them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from psycopg.types.range import TimestamptzRange

from clinic.lib.clock import database_now
from clinic.models import Leave, Notification, Shift, ShiftOverride, ShiftSwap, User
from clinic.vocabulary import Post, Role
from complications.models import Escalation
from tests.make import make_shift, make_user
from tests.make_complications import Ward, make_ward

pytestmark = pytest.mark.django_db
Clients = Callable[[User], Any]
ZONE = ZoneInfo("Europe/Istanbul")
LATER = 21


@pytest.fixture
def ward() -> Ward:
    ward = make_ward()
    now = database_now()
    Shift.objects.update(period=TimestamptzRange(now - timedelta(days=1), now + timedelta(days=LATER)))
    return ward


def text(client: Any, address: str, status: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == status, answer.content[:400]
    return str(answer.content.decode())


def typed(moment: datetime) -> str:
    return moment.astimezone(ZONE).strftime("%Y-%m-%dT%H:%M")


def span(start: float, end: float) -> dict[str, str]:
    now = database_now()
    return {"start": typed(now + timedelta(hours=start)), "end": typed(now + timedelta(hours=end))}


def test_the_calendar_says_who_is_on_call_and_that_nothing_is_missing(as_: Clients, ward: Ward) -> None:
    page = text(as_(ward.nurse), "/rota/")
    assert page.count(ward.first.get_full_name()) >= 10
    assert "Every place is filled" in page
    assert "Add shifts" not in page


def test_a_gap_is_shown_in_red_with_the_way_to_mend_it(as_: Clients, ward: Ward) -> None:
    Shift.objects.filter(user=ward.second).delete()
    Shift.objects.filter(user__in=[ward.head, ward.manager]).delete()
    page = text(as_(ward.manager), "/rota/?days=7")
    assert "Nobody is on call." in page
    assert "Spine (Emergency, Urgent, Prompt, Routine).</b> Step 3 of the ladder would be skipped." in page
    assert "/rota/overrides/?post=on_call_spine&amp;rank=2" in page


def test_the_calendar_costs_the_same_for_a_week_and_a_fortnight_and_for_many_shifts(as_: Clients, ward: Ward) -> None:
    client = as_(ward.manager)

    def cost(address: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            text(client, address)
        return len(captured)

    text(client, "/rota/")
    one = cost("/rota/?days=7")
    Shift.objects.filter(user=ward.second).delete()
    now = database_now()
    for number in range(10):
        user = make_user(ward.site, Role.SURGEON)
        period = TimestamptzRange(now + timedelta(days=number), now + timedelta(days=number + 1))
        Shift.objects.create(site=ward.site, post="on_call_spine", rank=2, user=user, period=period)
    assert cost("/rota/") == one


def test_an_administrator_plans_nights_and_sees_what_was_wrong_beside_the_field(as_: Clients, ward: Ward) -> None:
    client = as_(ward.manager)
    body = {"post": "on_call_spine", "rank": "3", "user": ward.head.username, "times": "4", "repeat_days": "1"}
    wrong = client.post("/rota/shifts/", {**body, "start": "tomorrow", "end": ""})
    page = wrong.content.decode()
    assert page.count("Give a day and a time.") == 3
    assert f'<option value="{ward.head.username}" selected>' in page
    wrong = client.post("/rota/shifts/", {**body, **span(5, 3)})
    assert "The end comes after the start." in wrong.content.decode()
    done = client.post("/rota/shifts/", {**body, **span(3, 13)}, follow=True)
    assert "is on the rota" in done.content.decode()
    assert Shift.objects.filter(rank=3).count() == 4
    again = client.post("/rota/shifts/", {**body, **span(3, 13)})
    assert "Somebody is planned" in again.content.decode()


def test_a_time_that_the_clocks_skip_is_named(as_: Clients, ward: Ward) -> None:
    ward.site.timezone = "Europe/Berlin"
    ward.site.save()
    body = {"post": "on_call_spine", "rank": "1", "user": ward.head.username}
    body |= {"start": "2027-03-28T02:30", "end": "2027-03-28T08:00"}
    page = as_(ward.manager).post("/rota/overrides/", body).content.decode()
    assert "the clocks go forward" in page


def test_an_override_is_added_from_a_piece_of_the_calendar_and_cancelled(as_: Clients, ward: Ward) -> None:
    client = as_(ward.manager)
    page = text(client, "/rota/overrides/?post=on_call_spine&rank=1&start=2020-01-01T00:00&end=2100-01-01T00:00")
    assert "Planned in that time" in page
    body = {"post": "on_call_spine", "rank": "1", "user": ward.head.username, "reason": "congress", **span(2, 9)}
    assert "is called instead" in client.post("/rota/overrides/", body, follow=True).content.decode()
    page = text(client, "/rota/")
    assert "congress" in page
    assert f"for {ward.first.get_full_name()}" in page
    row = ShiftOverride.objects.get()
    client.post(f"/rota/overrides/{row.public_id}/")
    assert "congress" not in text(client, "/rota/")


def test_leave_is_recorded_by_the_person_and_shown_as_a_gap(as_: Clients, ward: Ward) -> None:
    client = as_(ward.first)
    assert "is on leave" in client.post("/rota/leave/", span(20, 60), follow=True).content.decode()
    page = text(client, "/rota/")
    assert f"{ward.first.get_full_name()} is on leave and still on the rota." in page
    other = as_(ward.second).post("/rota/leave/", {"user": ward.first.username, **span(80, 90)})
    assert other.status_code == 200
    assert "an administrator can record anybody" in other.content.decode()
    assert Leave.objects.count() == 1
    client.post(f"/rota/leave/{Leave.objects.get().public_id}/")
    assert "still on the rota" not in text(client, "/rota/")


def test_a_swap_is_asked_answered_and_seen(as_: Clients, ward: Ward) -> None:
    body = {"post": "on_call_spine", "rank": "1", "asked": ward.head.username, **span(20, 30)}
    page = as_(ward.first).post("/rota/swaps/", body, follow=True).content.decode()
    assert f"You asked {ward.head.get_full_name()}" in page
    row = ShiftSwap.objects.get()
    asked = as_(ward.head)
    assert "asks you to take over" in text(asked, "/rota/")
    assert asked.post(f"/rota/swaps/{row.public_id}/", {}).status_code == 400
    page = asked.post(f"/rota/swaps/{row.public_id}/", {"answer": "accept"}, follow=True).content.decode()
    assert "the rota has changed" in page
    assert f"for {ward.first.get_full_name()}" in page
    late = as_(ward.first).post(f"/rota/swaps/{row.public_id}/", {"answer": "withdraw"}, follow=True)
    assert "cannot become withdrawn" in late.content.decode()


def test_a_shift_is_taken_off(as_: Clients, ward: Ward) -> None:
    shift = make_shift(ward.site, ward.head, Post.ON_CALL_SPINE, 3)
    as_(ward.manager).post(f"/rota/shifts/{shift.public_id}/")
    assert Shift.objects.get(pk=shift.pk).period.upper <= database_now()


def test_the_simulator_shows_the_ladder_and_sends_nothing(as_: Clients, ward: Ward) -> None:
    client = as_(ward.nurse)
    page = text(client, "/escalations/simulation/")
    for words in ("Step 1", "Step 4", "until somebody answers", "Clinical director", ward.first.get_full_name()):
        assert words in page
    night = "2027-01-11T23:00"
    page = text(client, f"/escalations/simulation/?tier=t2&at={night}")
    assert "In the quiet hours, told at once" in page
    assert "Reaches nobody" in page
    wrong = text(client, "/escalations/simulation/?tier=t9&at=soon")
    assert "Choose one of those" in wrong
    assert "That year is not one to plan in." in text(client, "/escalations/simulation/?at=9999-12-31T23:00")
    assert not Escalation.objects.exists()
    assert not Notification.objects.exists()


def test_a_turkish_reader_reads_the_rota_in_turkish(as_: Clients, ward: Ward) -> None:
    ward.manager.language = "tr"
    ward.manager.save()
    client = as_(ward.manager)
    assert "Nöbet listesi" in text(client, "/rota/")
    assert "Kim çağrılırdı?" in text(client, "/escalations/simulation/")
    assert "Vardiya ekle" in text(client, "/rota/shifts/")
