"""Calendars: who and what an entry means, what would happen, and that the same file twice changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from hypothesis import given
from hypothesis import strategies as st

from clinic.actions.rota_import import import_rota
from clinic.lib.calendar_file import MOST_BYTES, read_calendar
from clinic.lib.problems import Invalid, Refused
from clinic.models import AuditEntry, Shift, Site, User
from clinic.queries.rota_import import ImportPlan, plan_import
from clinic.rules.rota_import import Colleague, match
from clinic.vocabulary import Role
from tests.make import make_actor, make_shift, make_site, make_user

NOW = datetime(2026, 10, 20, 8, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
NIGHTS = """BEGIN:VEVENT
UID:nights
DTSTART;TZID=Europe/Berlin:20261023T200000
DTEND;TZID=Europe/Berlin:20261024T080000
RRULE:FREQ=DAILY;COUNT=4
EXDATE;TZID=Europe/Berlin:20261024T200000
SUMMARY:On call spine: Dr. Ayşe Yılmaz
END:VEVENT
BEGIN:VEVENT
UID:nights
RECURRENCE-ID;TZID=Europe/Berlin:20261025T200000
DTSTART;TZID=Europe/Berlin:20261025T210000
DTEND;TZID=Europe/Berlin:20261026T080000
SUMMARY:On call spine: Dr. Ayşe Yılmaz
END:VEVENT
"""


def calendar(events: str = NIGHTS) -> str:
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test\n{events}END:VCALENDAR\n".replace("\n", "\r\n")


def event(**properties: str) -> str:
    values = {
        "UID": "one",
        "DTSTART": "20261101T080000Z",
        "DTEND": "20261102T080000Z",
        "SUMMARY": "On call spine: Ayşe Yılmaz",
        **properties,
    }
    lines = "".join(f"{name.replace('_', '-')}:{value}\n" for name, value in values.items() if value)
    return f"BEGIN:VEVENT\n{lines}END:VEVENT\n"


def read(text: str) -> list[Any]:
    return read_calendar(text, BERLIN, NOW, NOW + timedelta(days=400)).occurrences


def test_repetitions_exceptions_and_moved_nights_are_read_on_the_clock_of_the_file() -> None:
    found = read(calendar())
    assert [(one.start.astimezone(BERLIN).strftime("%d %H"), one.end - one.start) for one in found] == [
        ("23 20", timedelta(hours=12)),
        ("25 21", timedelta(hours=11)),
        ("26 20", timedelta(hours=12)),
    ]
    assert [one.recurrence for one in found] == ["20261023T180000Z", "20261025T190000Z", "20261026T190000Z"]


def test_the_night_in_which_the_clocks_go_back_has_thirteen_hours() -> None:
    events = NIGHTS.split("END:VEVENT")[0].replace("EXDATE;TZID=Europe/Berlin:20261024T200000\n", "") + "END:VEVENT\n"
    assert [one.end - one.start for one in read(calendar(events))][1] == timedelta(hours=13)


def test_a_day_without_time_is_midnight_to_midnight_at_the_site_and_a_time_without_zone_is_the_sites() -> None:
    (one,) = read(calendar("BEGIN:VEVENT\nUID:a\nDTSTART;VALUE=DATE:20261025\nSUMMARY:x\nEND:VEVENT\n"))
    assert one.end - one.start == timedelta(hours=25)
    (one,) = read(calendar(event(DTSTART="20261101T080000", DTEND="", DURATION="PT12H")))
    assert one.start == datetime(2026, 11, 1, 7, tzinfo=UTC)
    assert one.recurrence == ""


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "empty"),
        ("hello", "Line 1"),
        ("UID:a\n", "Line 1, UID"),
        (calendar().replace("RRULE:FREQ=DAILY;COUNT=4", "RRULE"), "Line 8"),
        (calendar().replace("20261023T200000", "tomorrow", 1), "Line 6, DTSTART"),
        (calendar().replace("COUNT=4", "COUNT=x"), "Line 8, RRULE"),
        (calendar().replace("FREQ=DAILY", "FREQ=SECONDLY"), "Line 8, RRULE"),
        (calendar().replace("COUNT=4", "INTERVAL=0"), "Line 8, RRULE"),
        (calendar().replace("COUNT=4", "BYHOUR=1,2,3"), "Line 8, RRULE"),
        (calendar().replace("FREQ=DAILY", "FREQ=MONTHLY;BYDAY=9MO"), "cannot be repeated"),
        (calendar().replace("20261023T200000", "19000101T200000", 1), "DTSTART"),
        (calendar().replace("UID:nights", "", 1), "Line 4, UID"),
        (calendar().replace("TZID=Europe/Berlin:20261023", "TZID=Mars/Base:20261023"), "Line 6, DTSTART"),
        (calendar(event(DTEND="20261031T080000Z")), "Line 7, DTEND"),
        (calendar(event(DTSTART="")), "Line 4, DTSTART"),
        (calendar().replace("END:VEVENT\r\nEND:VCALENDAR", "END:VCALENDAR"), "END:VCALENDAR without its BEGIN"),
        (calendar() + calendar(), "Only one calendar"),
        (calendar().removesuffix("END:VCALENDAR\r\n"), "without its END"),
        ("BEGIN:VCALENDAR\r\n" + "X-A:" + "a" * MOST_BYTES, "512 KiB"),
        (calendar("".join(event(UID=str(number)) for number in range(2001))), "More than 2000 events"),
        (calendar("".join(event(UID=str(one), RRULE="FREQ=DAILY") for one in range(20))), "More than 5000 occurrences"),
    ],
)
def test_what_is_malformed_or_huge_is_refused_with_its_line_and_property(text: str, where: str) -> None:
    with pytest.raises(Invalid) as refusal:
        read(text)
    assert where in refusal.value.detail
    assert {one.field for one in refusal.value.errors} == {"calendar"}


@given(st.text(max_size=300), st.integers(0, 400))
def test_no_text_breaks_the_reader(noise: str, place: int) -> None:
    text = calendar()
    for candidate in (noise, text[:place] + noise + text[place:]):
        # anything but a refusal of ours fails the test
        with suppress(Invalid):
            assert isinstance(read(candidate), list)


PEOPLE = [
    Colleague(1, "ayse", "Dr. Ayşe Yılmaz", "ayse@example.org"),
    Colleague(2, "ayse_k", "Ayşe Kaya", "kaya@example.org"),
    Colleague(3, "ayse_kd", "Ayşe Kaya Demir", "demir@example.org"),
]


@pytest.mark.parametrize(
    ("summary", "attendees", "categories", "expected"),
    [
        ("on_call_spine: YILMAZ", (), (), (None, "on_call_spine", 1, "SUMMARY")),
        ("on call spine - ayse yilmaz", (), (), (1, "on_call_spine", 1, "")),
        ("Nurse in charge Ayşe Kaya Demir", (), (), (3, "nurse_in_charge", 1, "")),
        ("night", ("mailto:KAYA@example.org",), ("on_call_spine/2",), (2, "on_call_spine", 2, "")),
        ("night rank 2", ("mailto:kaya@example.org",), ("on_call_spine",), (2, "on_call_spine", 2, "")),
        (
            "night",
            ("mailto:kaya@example.org", "mailto:ayse@example.org"),
            ("backstop",),
            (None, "backstop", 1, "ATTENDEE"),
        ),
        ("night", ("mailto:who@example.org",), ("backstop",), (None, "backstop", 1, "ATTENDEE")),
        ("Ayşe Kaya and Ayşe Yılmaz", (), ("backstop",), (None, "backstop", 1, "SUMMARY")),
        ("Ayşe Kaya", (), (), (None, "", 1, "CATEGORIES")),
    ],
)
def test_whom_and_what_an_entry_means(summary: str, attendees: Any, categories: Any, expected: tuple[Any, ...]) -> None:
    found = match(summary=summary, attendees=attendees, categories=categories, people=PEOPLE)
    assert (found.person, found.post, found.rank, found.field) == expected


@pytest.fixture
def site(db: None) -> Site:
    return make_site(timezone="Europe/Berlin")


@pytest.fixture
def ayse(site: Site) -> User:
    return make_user(site, Role.SURGEON, full_name="Dr. Ayşe Yılmaz")


def plan(site: Site, text: str, **values: Any) -> ImportPlan:
    return plan_import(site=site, text=text, now=values.pop("now", NOW), **values)


def carry_out(site: Site, text: str, *, leave_out: bool = False, now: datetime = NOW, **values: Any) -> ImportPlan:
    digest = values.pop("digest", "") or plan(site, text, now=now, **values).digest
    return import_rota(site=site, text=text, digest=digest, leave_out=leave_out, by=make_actor(), now=now, **values)


def test_a_dry_run_writes_nothing_and_the_same_file_twice_changes_nothing(site: Site, ayse: User) -> None:
    assert plan(site, calendar()).counts["add"] == 3
    assert not Shift.objects.exists()
    carry_out(site, calendar())
    assert Shift.objects.filter(user=ayse, post="on_call_spine", rank=1).count() == 3
    again = carry_out(site, calendar())
    assert (again.counts["same"], len(again.of("add", "change", "remove"))) == (3, 0)
    assert AuditEntry.objects.filter(action="rota.imported").count() == 1


def test_a_moved_night_moves_its_shift_and_a_dropped_one_is_taken_off(site: Site, ayse: User) -> None:
    carry_out(site, calendar())
    kept = Shift.objects.get(source_recurrence="20261025T190000Z")
    text = calendar().replace("20261025T210000", "20261025T220000").replace("COUNT=4", "COUNT=3")
    done = carry_out(site, text)
    assert done.counts == {"add": 0, "change": 1, "same": 1, "remove": 1, "leave_out": 0}
    moved = Shift.objects.get(public_id=kept.public_id)
    assert moved.period.lower == datetime(2026, 10, 25, 21, tzinfo=UTC)
    assert Shift.objects.count() == 2


def test_a_cancelled_entry_is_taken_off_and_another_calendar_leaves_it_alone(site: Site, ayse: User) -> None:
    carry_out(site, calendar(event()))
    carry_out(site, calendar(event(UID="other", DTSTART="20261105T080000Z", DTEND="20261106T080000Z")))
    assert Shift.objects.count() == 2
    carry_out(site, calendar(event(STATUS="CANCELLED")))
    assert Shift.objects.get().source_uid == "other"


def test_what_cannot_be_matched_is_named_and_left_out_only_on_demand(site: Site, ayse: User) -> None:
    nurse = make_user(site, Role.NURSE, full_name="Jonas Lindqvist")
    make_shift(site, make_user(site, Role.SURGEON, full_name="First One"), around=datetime(2026, 11, 11, tzinfo=UTC))
    events = [
        event(UID="ok"),
        event(UID="who", SUMMARY="On call spine: Nobody Known"),
        event(UID="post", SUMMARY="Ayşe Yılmaz"),
        event(UID="role", SUMMARY=f"On call spine: {nurse.full_name}"),
        event(UID="overlap", DTSTART="20261111T080000Z", DTEND="20261111T200000Z"),
        event(UID="twice", SUMMARY="on call spine Ayşe Yılmaz"),
    ]
    text = calendar("".join(events))
    found = {row.uid: (row.outcome, row.field, row.line) for row in plan(site, text).rows}
    assert found == {
        "ok": ("add", "", 4),
        "who": ("leave_out", "SUMMARY", 10),
        "post": ("leave_out", "CATEGORIES", 16),
        "role": ("leave_out", "ATTENDEE", 22),
        "overlap": ("leave_out", "DTSTART", 28),
        "twice": ("leave_out", "DTSTART", 34),
    }
    with pytest.raises(Refused, match="left_out"):
        carry_out(site, text)
    carry_out(site, text, leave_out=True)
    assert [shift.source_uid for shift in Shift.objects.exclude(source_uid="")] == ["ok"]


def test_post_and_rank_for_the_whole_file(site: Site, ayse: User) -> None:
    carry_out(site, calendar(event(SUMMARY="Ayşe Yılmaz")), post="on_call_spine", rank=2)
    assert Shift.objects.get().rank == 2


def test_two_who_change_places_never_stand_in_each_others_way(site: Site, ayse: User) -> None:
    make_user(site, Role.SURGEON, full_name="Jonas Lindqvist")
    first = event(UID="1", SUMMARY="on call spine Ayşe Yılmaz", DTSTART="20261101T080000Z", DTEND="20261102T080000Z")
    second = event(
        UID="2", SUMMARY="on call spine Jonas Lindqvist", DTSTART="20261102T080000Z", DTEND="20261103T080000Z"
    )
    carry_out(site, calendar(first + second))
    swapped = first.replace("202611", "2026-").replace("2026-02", "20261103").replace("2026-01", "20261102")
    back = second.replace("202611", "2026-").replace("2026-02", "20261101").replace("2026-03", "20261102")
    assert carry_out(site, calendar(swapped + back)).counts["change"] == 2
    rows = Shift.objects.order_by("period").values_list("source_uid", flat=True)
    assert list(rows) == ["2", "1"]


def test_of_what_has_begun_only_the_end_moves(site: Site, ayse: User) -> None:
    carry_out(site, calendar(event()))
    later = datetime(2026, 11, 1, 12, tzinfo=UTC)
    carry_out(site, calendar(event(DTEND="20261102T100000Z")), now=later)
    assert Shift.objects.get().period.upper == datetime(2026, 11, 2, 10, tzinfo=UTC)
    moved = plan(site, calendar(event(DTSTART="20261101T090000Z")), now=later)
    assert [(row.outcome, row.field) for row in moved.rows] == [("leave_out", "DTSTART")]
    carry_out(site, calendar(event(STATUS="CANCELLED")), now=later)
    assert Shift.objects.get().period.upper == later


def test_a_plan_that_is_no_longer_true_is_refused(site: Site, ayse: User) -> None:
    digest = plan(site, calendar()).digest
    make_shift(site, make_user(site, Role.SURGEON), around=datetime(2026, 10, 24, tzinfo=UTC))
    with pytest.raises(Refused, match="changed"):
        carry_out(site, calendar(), digest=digest)
    assert Shift.objects.count() == 1


Clients = Callable[[User], Any]


def soon() -> str:
    begin = datetime.now(UTC) + timedelta(days=3)
    span = {"DTSTART": f"{begin:%Y%m%dT%H0000Z}", "DTEND": f"{begin + timedelta(hours=12):%Y%m%dT%H0000Z}"}
    return calendar(event(**span))


def test_over_the_api_first_the_plan_then_the_deed(as_: Clients, site: Site, ayse: User) -> None:
    client = as_(make_user(site, Role.ADMINISTRATOR))
    body: dict[str, Any] = {"calendar": soon()}
    shown = client.send("POST", "/rota/import/", body)
    assert (shown.status_code, shown.json()["done"]) == (200, False)
    assert not Shift.objects.exists()
    done = client.send("POST", "/rota/import/", {**body, "digest": shown.json()["digest"]})
    assert done.json()["done"] is True
    assert Shift.objects.get().user == ayse
    wrong = client.send("POST", "/rota/import/", {"calendar": "BEGIN:VCALENDAR\nnothing"})
    assert wrong.json()["errors"][0]["detail"].startswith("Line 2")
    assert as_(ayse).send("POST", "/rota/import/", body).status_code == 403


def test_on_the_page_a_file_is_read_shown_and_carried_out(as_: Clients, site: Site, ayse: User) -> None:
    client = as_(make_user(site, Role.ADMINISTRATOR))
    file = SimpleUploadedFile("nights.ics", soon().encode())
    page = client.post("/rota/import/", {"file": file, "post": "", "rank": ""}).content.decode()
    assert "1 new" in page
    assert not Shift.objects.exists()
    digest = page.split('name="digest" value="')[1].split('"')[0]
    # A browser sends the lines of a hidden field with CR LF.
    body = {"calendar": soon(), "digest": digest, "post": "", "rank": ""}
    page = client.post("/rota/import/", body, follow=True).content.decode()
    assert "1 shift changed by the calendar." in page
    assert Shift.objects.get().user == ayse
    for content, words in (
        (b"\xff\xfe", "Line 1 is not UTF-8"),
        (b"", "Choose a calendar"),
        (b"x" * 600_000, "512 KiB"),
    ):
        wrong = client.post("/rota/import/", {"file": SimpleUploadedFile("a.ics", content)} if content else {})
        assert words in wrong.content.decode()


def test_a_turkish_administrator_reads_in_turkish_why_an_entry_is_left_out(as_: Callable[[User], Any]) -> None:
    here = make_site()
    admin = make_user(here, Role.ADMINISTRATOR, language="tr")
    client = as_(admin)
    start = datetime.now(UTC) + timedelta(days=3)
    entry = f"BEGIN:VEVENT\nUID:1\nDTSTART:{start:%Y%m%dT%H0000Z}\nDURATION:PT8H\nSUMMARY:Nobody we know\nEND:VEVENT\n"
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{entry}END:VCALENDAR\n"
    page = client.post("/rota/import/", {"calendar": text, "post": "on_call_spine"}).content.decode()
    assert "Bu yerden kimse anılmıyor." in page
    assert "Nobody of this site" not in page
    broken = client.post("/rota/import/", {"calendar": text.replace("DURATION:PT8H", "RRULE:FREQ=HOURLY")})
    said = broken.content.decode()
    assert "Satır 7, RRULE: FREQ şunlardan biridir: DAILY, MONTHLY, WEEKLY." in said
    # A program reads the same refusal in English, whoever it works for.
    answer = client.send("POST", "/rota/import/", {"calendar": text.replace("DURATION:PT8H", "RRULE:FREQ=HOURLY")})
    assert answer.json()["errors"][0]["detail"].startswith("Line 7, RRULE: FREQ is one of")
