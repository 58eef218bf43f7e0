"""The interval report: what took how long, by nearest rank, in one statement and without anybody's name."""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clinic.vocabulary import Role
from complications.actions.engine import advance_due
from complications.actions.escalation import acknowledge, arrive, decide, raise_in_error, record_milestone
from complications.models import Escalation
from complications.queries.intervals import INTERVALS, Line, interval_report, intervals_of
from complications.vocabulary import Milestone
from tests.clients import ApiClient
from tests.make import make_procedure, make_user
from tests.make_complications import Ward, make_baseline, make_escalation, make_ward

pytestmark = pytest.mark.django_db
LogIn = Callable[[Any], ApiClient]


def after(now: datetime, minutes: float) -> datetime:
    return now + timedelta(minutes=minutes)


@pytest.fixture
def ward(now: datetime) -> Ward:
    return make_ward(now)


def case(ward: Ward, at: datetime, *, answer: float | None = 2, decision: float | None = None) -> Escalation:
    """A case of a patient of its own, reported at an instant, answered and decided so many minutes later."""
    ward.procedure = make_procedure(ward.site, ward.operator)
    make_baseline(ward.procedure, at)
    row = make_escalation(ward, at)
    advance_due(now=at)
    if answer is not None:
        acknowledge(escalation=row, eta_minutes=5, by=ward.by(ward.first), now=after(at, answer))
    if decision is not None:
        arrive(escalation=row, by=ward.by(ward.first), now=after(at, decision - 1))
        data = {"decision": "decompress", "reason": "cement"}
        decide(escalation=row, data=data, by=ward.by(ward.first), now=after(at, decision))
    return row


def line(lines: list[Line], name: str, **group: str) -> Line:
    return next(one for one in lines if one.name == name and one.group == group)


def report(ward: Ward, *by: str, year: int = 2026) -> list[Line]:
    return interval_report(ward.site, since=date(year, 1, 1), until=date(year, 12, 31), by=by)


def test_the_whole_way_of_a_case_is_measured_from_moment_to_moment(ward: Ward, now: datetime) -> None:
    ward.procedure.ended_at = after(now, -300)
    row = make_escalation(ward, now, neuro={"symptoms": ["leg_weakness"], "onset_at": after(now, -30).isoformat()})
    by = ward.by(ward.first)
    advance_due(now=now + timedelta(seconds=10))
    acknowledge(escalation=row, eta_minutes=20, by=by, now=after(now, 3))
    arrive(escalation=row, by=by, now=after(now, 15))
    record_milestone(escalation=row, kind=Milestone.IMAGING_REQUESTED, at=None, by=by, now=after(now, 18))
    record_milestone(escalation=row, kind=Milestone.IMAGING_DONE, at=None, by=by, now=after(now, 40))
    decide(escalation=row, data={"decision": "decompress"}, by=by, now=after(now, 55))
    record_milestone(escalation=row, kind=Milestone.INCISION, at=None, by=by, now=after(now, 100))
    row.refresh_from_db()
    assert intervals_of(row) == {
        "onset_to_report": 1800,
        "report_to_page": 10,
        "page_to_acknowledgement": 170,
        "acknowledgement_to_bedside": 720,
        "bedside_to_imaging": 1500,
        "imaging_to_decision": 900,
        "decision_to_incision": 2700,
        "report_to_acknowledgement": 180,
        "report_to_bedside": 900,
        "request_to_imaging": 1320,
        "report_to_decision": 3300,
        "onset_to_incision": 7800,
    }


def test_percentiles_are_times_that_a_case_really_took(ward: Ward, now: datetime) -> None:
    for number, minutes in enumerate((4, 1, 2, 3, 40)):
        case(ward, now + timedelta(hours=number), answer=minutes)
    found = line(report(ward), "report_to_acknowledgement")
    assert (found.cases, found.n, found.longest_s) == (5, 5, 2400)
    # Nearest rank of five values: the 3rd (0.5 x 5 = 2.5) and the 5th (0.9 x 5 = 4.5).
    assert found.percentiles == {"p50": 180, "p90": 2400}


def test_what_did_not_happen_is_no_zero(ward: Ward, now: datetime) -> None:
    case(ward, now, answer=None)
    case(ward, now + timedelta(hours=1), answer=3)
    found = line(report(ward), "report_to_acknowledgement")
    assert (found.cases, found.n, found.percentiles["p50"]) == (2, 1, 180)
    unmeasured = line(report(ward), "decision_to_incision")
    assert (unmeasured.n, unmeasured.percentiles, unmeasured.longest_s) == (0, {"p50": None, "p90": None}, None)


def test_a_raise_and_a_return_to_paging_keep_the_first_answer(ward: Ward, now: datetime) -> None:
    row = make_escalation(ward, now, neuro={"exam": {"mrc": {"ankle_dorsiflexion_l": 4}}})
    advance_due(now=now)
    acknowledge(escalation=row, eta_minutes=5, by=ward.by(ward.first), now=after(now, 2))
    make_escalation(ward, after(now, 4))
    row.refresh_from_db()
    assert (row.status, row.first_acknowledged_at) == ("paging", None)
    assert intervals_of(row)["report_to_acknowledgement"] == 120


@pytest.mark.parametrize(
    ("local", "shift", "month"),
    [
        ("2026-03-02T08:00", "day", "2026-03"),
        ("2026-03-02T15:59", "day", "2026-03"),
        ("2026-03-02T16:00", "evening", "2026-03"),
        ("2026-03-31T23:59", "evening", "2026-03"),
        ("2026-04-01T00:00", "night", "2026-04"),
        ("2026-03-07T00:00", "weekend", "2026-03"),
        ("2026-03-08T23:59", "weekend", "2026-03"),
    ],
)
def test_months_and_shifts_are_those_of_the_sites_clock(local: str, shift: str, month: str) -> None:
    at = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo("Europe/Istanbul"))
    ward = make_ward(at)
    ward.site.timezone = "Europe/Istanbul"
    ward.site.save()
    case(ward, at)
    found = line(report(ward, "shift", "month", "tier"), "report_to_page", shift=shift, month=month, tier="t0")
    assert found.n == 1


def test_days_are_the_sites_days_both_included_and_errors_are_left_out(ward: Ward, now: datetime) -> None:
    case(ward, now)
    wrong = case(ward, now + timedelta(hours=1), answer=None)
    raise_in_error(escalation=wrong, reason="wrong patient", by=ward.by(ward.first), now=after(now, 70))
    case(ward, now + timedelta(days=1))
    other = make_ward(now)
    case(other, now)
    day = now.date()
    assert line(interval_report(ward.site, since=day, until=day), "report_to_page").cases == 1
    assert line(interval_report(ward.site, since=day, until=day + timedelta(days=1)), "report_to_page").cases == 2


def copies(row: Escalation, count: int) -> None:
    """Closed cases like this one, an hour apart, into the past."""
    made = []
    for number in range(1, count + 1):
        fields = {
            one.attname: getattr(row, one.attname) for one in Escalation._meta.concrete_fields if not one.primary_key
        }
        at = row.opened_at - timedelta(hours=number)
        times = {"opened_at": at, "closed_at": at, "next_due_at": None, "status": "closed", "public_id": uuid.uuid4()}
        made.append(Escalation(**{**fields, **times}))
    Escalation.objects.bulk_create(made)


def test_it_is_one_statement_for_any_number_of_cases_and_begins_at_the_index(ward: Ward, now: datetime) -> None:
    row = case(ward, now)
    copies(row, 2000)
    with CaptureQueriesContext(connection) as statements:
        found = interval_report(ward.site, since=now.date(), until=now.date(), by=["tier", "month", "shift"])
    assert len(statements) == 1
    assert line(found, "report_to_page").cases == 1 + now.astimezone(ZoneInfo(ward.site.timezone)).hour
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + statements[0]["sql"])
        plan = "\n".join(one[0] for one in cursor.fetchall())
    assert "escalation_keyset" in plan, plan


def test_the_api_answers_numbers_and_nobodys_name(ward: Ward, as_: LogIn) -> None:
    row = make_escalation(ward, datetime.now(tz=ZoneInfo("UTC")) - timedelta(minutes=5))
    advance_due(now=row.opened_at)
    answer = as_(ward.first).get("/api/v1/escalations/intervals/?by=tier,shift")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["by"], body["percentiles"]) == (["tier", "shift"], "nearest rank")
    assert {one["interval"] for one in body["results"]} == set(INTERVALS)
    page = next(one for one in body["results"] if one["interval"] == "report_to_page" and one["group"])
    assert (page["n"], page["p50_s"], page["group"]["tier"]) == (1, 0, "t0")
    patient = ward.procedure.patient
    for secret in (patient.family_name, patient.mrn, str(row.public_id), ward.first.get_full_name()):
        assert secret not in answer.content.decode()


def test_the_same_numbers_leave_as_csv(ward: Ward, as_: LogIn) -> None:
    make_escalation(ward, datetime.now(tz=ZoneInfo("UTC")) - timedelta(minutes=5))
    answer = as_(ward.first).get("/api/v1/escalations/intervals/?by=month&format=csv", headers={"accept": "text/csv"})
    assert answer.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert len(rows) == 2 * len(INTERVALS)
    assert {row["month"] == "" for row in rows} == {True, False}
    assert set(rows[0]) == {"month", "interval", "cases", "n", "p50_s", "p90_s", "longest_s"}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=yesterday", "from"),
        ("from=2026-05-02&to=2026-05-01", "from"),
        ("by=surgeon", "by"),
        ("format=xml", "format"),
    ],
)
def test_what_cannot_be_read_is_named(query: str, field: str, ward: Ward, as_: LogIn) -> None:
    answer = as_(ward.first).get(f"/api/v1/escalations/intervals/?{query}")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == field


def test_the_page_shows_the_groups_and_costs_no_query_for_a_case(
    ward: Ward, as_: LogIn, now: datetime, django_assert_max_num_queries: Any
) -> None:
    administrator = as_(make_user(ward.site, Role.ADMINISTRATOR))
    administrator.get("/escalations/intervals/")
    with CaptureQueriesContext(connection) as few:
        administrator.get("/escalations/intervals/?from=2026-01-01&to=2026-12-31&by=tier,shift")
    for number in range(3):
        case(ward, now + timedelta(hours=number), decision=20)
    with CaptureQueriesContext(connection) as many:
        page = administrator.get("/escalations/intervals/?from=2026-01-01&to=2026-12-31&by=tier,shift")
    assert len(many) == len(few)
    text = page.content.decode()
    assert "Emergency" in text
    assert "Report to answer" in text
    assert administrator.get("/escalations/intervals/?from=x").status_code == 400
    assert as_(ward.nurse).get("/escalations/intervals/").status_code == 403


def test_a_cases_own_intervals_stand_on_its_timeline(ward: Ward, as_: LogIn, now: datetime) -> None:
    row = case(ward, now, decision=20)
    page = as_(ward.first).get(f"/procedures/{row.case.public_id}/")
    assert "Answer to bedside" in page.content.decode()
