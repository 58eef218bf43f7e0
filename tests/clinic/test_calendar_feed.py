"""One's own calendar: an address that a calendar program reads without a log-in, with nobody's times but one's own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from icalendar import Calendar

from clinic.actions.calendar_feed import digest_of, make_calendar_feed, stop_calendar_feed
from clinic.actions.rota import add_leave, add_override
from clinic.lib.calendar_feed import Entry, write_calendar
from clinic.lib.clock import database_now
from clinic.models import AuditEntry, CalendarFeed, Membership, Site, User
from clinic.vocabulary import Post
from tests.make import make_actor, make_procedure, make_shift, make_site, make_user

pytestmark = pytest.mark.django_db
SPINE = Post.ON_CALL_SPINE


@pytest.fixture
def site() -> Site:
    return make_site(timezone="Europe/Berlin")


@pytest.fixture
def surgeon(site: Site) -> User:
    return make_user(site, "surgeon", full_name="Dr Own")


def address(user: User) -> str:
    _, secret = make_calendar_feed(by=make_actor(user, "surgeon"), now=database_now())
    return f"/rota/mine.ics?key={secret}"


def events(body: bytes) -> list[Any]:
    return list(Calendar.from_ical(body).walk("VEVENT"))


def test_a_calendar_program_reads_its_owners_times_and_nothing_else(
    site: Site, surgeon: User, anonymous: Client, django_assert_max_num_queries: Any
) -> None:
    other = make_user(site, "surgeon", full_name="Dr Other")
    start = database_now().replace(minute=0, second=0, microsecond=0)
    mine = make_shift(site, surgeon, SPINE, 1, around=start)
    make_shift(site, other, SPINE, 2)
    procedure = make_procedure(site, surgeon)
    where = address(surgeon)
    with django_assert_max_num_queries(8):
        answer = anonymous.get(where)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/calendar; charset=utf-8"
    assert "no-store" in answer["Cache-Control"]
    (event,) = events(answer.content)
    assert (event.start, event.end) == (mine.period.lower, mine.period.upper)
    assert event["dtstart"].params["TZID"] == "Europe/Berlin"
    assert "Spine surgeon on call 1" in event["summary"]
    said = answer.content.decode()
    for hidden in ("Dr Other", procedure.patient.family_name, procedure.patient.mrn):
        assert hidden not in said
    # The zone stands in the file.
    assert [zone["tzid"] for zone in Calendar.from_ical(answer.content).walk("VTIMEZONE")] == ["Europe/Berlin"]


def test_overrides_and_leave_count_and_both_sites(site: Site, surgeon: User, anonymous: Client) -> None:
    elsewhere = make_site(timezone="Europe/Istanbul")
    Membership.objects.create(user=surgeon, site=elsewhere, role="surgeon")
    start = database_now().replace(minute=0, second=0, microsecond=0) + timedelta(days=2)
    shift = make_shift(site, surgeon, SPINE, 1, around=start)
    other_shift = make_shift(elsewhere, surgeon, SPINE, 2, around=start + timedelta(days=3))
    by = make_actor(make_user(site, "administrator"), "administrator")
    stand_in = make_user(site, "surgeon")
    lower = shift.period.lower
    add_override(
        site=site,
        post=SPINE,
        rank=1,
        user=stand_in,
        span=(lower + timedelta(hours=2), lower + timedelta(hours=4)),
        reason="",
        by=by,
        now=database_now(),
    )
    where = address(surgeon)
    found = [(one.start, one.end) for one in events(anonymous.get(where).content)]
    assert found == [
        (lower, lower + timedelta(hours=2)),
        (lower + timedelta(hours=4), shift.period.upper),
        (other_shift.period.lower, other_shift.period.upper),
    ]
    add_leave(site=site, user=surgeon, span=(lower - timedelta(days=1), shift.period.upper), by=by, now=database_now())
    (left,) = events(anonymous.get(where).content)
    assert left["location"] == elsewhere.name


def test_an_address_is_stopped_at_once_and_a_new_one_stops_the_old(surgeon: User, anonymous: Client) -> None:
    old = address(surgeon)
    assert anonymous.get(old).status_code == 200
    new = address(surgeon)
    assert anonymous.get(old).status_code == 404
    assert anonymous.get(new).status_code == 200
    stop_calendar_feed(by=make_actor(surgeon, "surgeon"), now=database_now())
    gone = anonymous.get(new)
    assert (gone.status_code, anonymous.get("/rota/mine.ics?key=guess").content) == (404, gone.content)
    assert anonymous.get("/rota/mine.ics").status_code == 404
    told = AuditEntry.objects.filter(stream=f"user:{surgeon.public_id}").order_by("seq")
    assert list(told.values_list("action", flat=True)) == [
        "calendar_feed.made",
        "calendar_feed.stopped",
        "calendar_feed.made",
        "calendar_feed.stopped",
    ]


def test_who_has_left_has_no_calendar(surgeon: User, anonymous: Client) -> None:
    where = address(surgeon)
    User.objects.filter(pk=surgeon.pk).update(is_active=False)
    assert anonymous.get(where).status_code == 404


def test_only_a_hash_is_kept_and_one_address_stands(surgeon: User) -> None:
    where = address(surgeon)
    row = CalendarFeed.objects.get()
    assert row.sha256 == digest_of(where.partition("key=")[2])
    assert where.partition("key=")[2] not in str(CalendarFeed.objects.values().get())
    with pytest.raises(IntegrityError), transaction.atomic():
        CalendarFeed.objects.create(user=surgeon, sha256="0" * 64, created_at=database_now())


BERLIN = ZoneInfo("Europe/Berlin")


def written(start: datetime, end: datetime) -> Any:
    entry = Entry("one@clinic.example.org", start, end, BERLIN, "On call", "Hospital")
    body = write_calendar("On call", [entry], url="https://clinic.example.org/rota/", now=start)
    (event,) = events(body)
    # Python calls no time of a doubled hour equal to any of another zone: compared as instants.
    assert (event.start.astimezone(UTC), event.end.astimezone(UTC)) == (start, end)
    return event


@pytest.mark.parametrize(
    ("start", "hours", "zone"),
    [
        # A night as summer time begins has eleven hours, as it ends thirteen; both ends stand on the wall clock.
        (datetime(2026, 3, 28, 19, tzinfo=UTC), 11, "Europe/Berlin"),
        (datetime(2026, 10, 24, 18, tzinfo=UTC), 13, "Europe/Berlin"),
        # Half past two comes twice on the last Sunday of October: the first is said on the wall clock, the second in UTC.
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), 6, "Europe/Berlin"),
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), 6, None),
    ],
)
def test_the_times_are_right_across_the_change_of_summer_time(start: datetime, hours: int, zone: str | None) -> None:
    event = written(start, start + timedelta(hours=hours))
    assert event["dtstart"].params.get("TZID") == zone


def test_the_page_gives_the_address_once(as_: Callable[[Any], Any], surgeon: User, anonymous: Client) -> None:
    client = as_(surgeon)
    assert 'id="none"' in client.get("/rota/calendar/").content.decode()
    made = client.post("/rota/calendar/", {"act": "make"}).content.decode()
    where = made.split('id="address">')[1].split("<")[0]
    assert anonymous.get("/" + where.split("/", 3)[3]).status_code == 200
    assert "key=" not in client.get("/rota/calendar/").content.decode()
    client.post("/rota/calendar/", {"act": "stop"})
    assert anonymous.get("/" + where.split("/", 3)[3]).status_code == 404
