"""Drills that begin by themselves: in their window on the site's clock, once, and missed in sight of the administrators."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from clinic.lib.clock import database_now
from clinic.lib.problems import Invalid, Refused
from clinic.models import AuditEntry, Notification, Site
from complications.actions.drill_plans import amend_reports, end_drill_plan, set_drill_plan, start_planned
from complications.actions.drills import start_drill
from complications.actions.engine import advance_due
from complications.actions.escalation import acknowledge
from complications.actions.sweeping import advance, deliver_due
from complications.models import Drill, DrillPlan, Escalation
from complications.queries.engine import look, overdue
from complications.rules.drill_plan import Plan, windows
from complications.vocabulary import DrillEvery, Pathway, Tier
from tests.make_complications import Ward, make_escalation, make_ward
from tests.waiting import eventually

pytestmark = pytest.mark.django_db
#: The people of the ward are on call for half a day around the test's clock (a Monday, nine o'clock UTC).
TODAY: dict[str, Any] = {"every": DrillEvery.WEEK, "weekday": 0, "begin": time(15), "end": time(16)}
ISTANBUL, BERLIN = "Europe/Istanbul", "Europe/Berlin"


@pytest.fixture
def ward(now: datetime) -> Ward:
    return make_ward(now)


def plan_of(ward: Ward, now: datetime, **values: Any) -> DrillPlan:
    """A drill of every month, on its first Tuesday between ten and three."""
    given: dict[str, Any] = {"tier": Tier.T0, "pathway": Pathway.SPINE, "every": DrillEvery.MONTH, "weekday": 1}
    given |= {"week": 1, "begin": time(10), "end": time(15), "announced": False, **values}
    return set_drill_plan(site=ward.site, by=ward.by(ward.manager, "administrator"), now=now, **given)


def told_of(action: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(AuditEntry.objects.get(action=action).canonical)["data"]
    return data


def rule(every: DrillEvery = DrillEvery.MONTH, weekday: int = 1, week: int = 1, **values: Any) -> Plan:
    return Plan(
        every, weekday, week, values.get("begin", time(10)), values.get("end", time(15)), values.get("zone", BERLIN)
    )


def opens(plan: Plan, after: datetime, count: int) -> list[str]:
    zone = ZoneInfo(plan.zone)
    return [f"{one.opens.astimezone(zone):%a %Y-%m-%d %H:%M}" for one in islice(windows(plan, after), count)]


def test_the_windows_of_a_plan() -> None:
    after = datetime(2026, 1, 20, tzinfo=UTC)
    assert opens(rule(), after, 3) == ["Tue 2026-02-03 10:00", "Tue 2026-03-03 10:00", "Tue 2026-04-07 10:00"]
    assert opens(rule(week=5, weekday=6), after, 2) == ["Sun 2026-01-25 10:00", "Sun 2026-02-22 10:00"]
    assert opens(rule(DrillEvery.QUARTER, week=2), after, 2) == ["Tue 2026-04-14 10:00", "Tue 2026-07-14 10:00"]
    assert opens(rule(DrillEvery.WEEK, 2), after, 2) == ["Wed 2026-01-21 10:00", "Wed 2026-01-28 10:00"]


def test_a_window_of_the_night_and_of_the_change_of_summer_time() -> None:
    # On the last Saturday of March 2026 the night in Berlin has an hour less.
    night = rule(week=5, weekday=5, begin=time(22), end=time(6))
    (one,) = islice(windows(night, datetime(2026, 3, 20, tzinfo=UTC)), 1)
    assert (one.closes - one.opens) == timedelta(hours=7)
    assert one.opens == datetime(2026, 3, 28, 21, tzinfo=UTC)
    # Every moment that can be drawn lies inside.
    moments = [one.moment(step / 1000) for step in range(1000)]
    assert one.opens == moments[0]
    assert max(moments) < one.closes
    assert opens(rule(zone=ISTANBUL), datetime(2026, 7, 1, tzinfo=UTC), 1) == ["Tue 2026-07-07 10:00"]


def test_a_drill_begins_at_its_moment_once_and_the_next_is_planned(ward: Ward, now: datetime) -> None:
    plan = plan_of(ward, now)
    assert start_planned(now=plan.next_at - timedelta(seconds=1)) == 0
    assert advance(now=plan.next_at) >= 1
    drill = Drill.objects.get()
    assert (drill.plan, drill.escalation.is_drill, drill.started_by) == (plan, True, None)
    assert start_planned(now=plan.next_at + timedelta(seconds=2)) == 0
    again = DrillPlan.objects.get()
    assert again.next_at > plan.closes_at
    assert next(windows(plan.rule, plan.closes_at)).closes == again.closes_at
    assert told_of("drill.started")["planned"] is True


def test_the_engine_and_the_watchman_know_of_it(ward: Ward) -> None:
    # The watchman reads the database's own clock.
    plan = plan_of(ward, database_now())
    assert look().next_at == plan.next_at
    assert overdue(plan.next_at - timedelta(minutes=1)).engine is False
    assert overdue(plan.next_at + timedelta(seconds=5)).engine is True


@pytest.mark.django_db(transaction=True)
def test_four_engines_begin_one_drill() -> None:
    now = database_now()
    ward = make_ward(now)
    plan = plan_of(ward, now)
    start = threading.Barrier(4)

    def work() -> None:
        start.wait()
        try:
            start_planned(now=plan.next_at)
        finally:
            connection.close()

    engines = [threading.Thread(target=work) for _ in range(4)]
    for engine in engines:
        engine.start()
    for engine in engines:
        engine.join()
    assert Drill.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_without_celery_the_watchman_begins_it(watchman: Callable[..., Any]) -> None:
    now = database_now()
    plan = plan_of(make_ward(now), now)
    DrillPlan.objects.filter(pk=plan.pk).update(next_at=now, closes_at=now + timedelta(hours=1))
    watchman()
    eventually(Drill.objects.exists, what="the watchman has begun the drill")
    assert DrillPlan.objects.get().next_at > now + timedelta(hours=1)


def test_what_no_engine_began_in_its_window_is_missed_and_told(ward: Ward, now: datetime) -> None:
    plan = plan_of(ward, now)
    late = plan.closes_at + timedelta(minutes=1)
    start_planned(now=late)
    assert not Drill.objects.exists()
    row = DrillPlan.objects.get()
    assert (row.missed_at, row.missed_why) == (late, "no_engine")
    assert row.next_at > late
    told = Notification.objects.get(kind="drill_missed")
    assert told.recipient == ward.manager
    assert told_of("drill.missed")["why"] == "no_engine"
    deliver_due(now=late)
    assert start_planned(now=late) == 0


def test_a_drill_waits_for_a_case_and_is_missed_rather_than_in_its_way(ward: Ward, now: datetime) -> None:
    plan = plan_of(ward, now)
    case = make_escalation(ward, plan.next_at - timedelta(minutes=1))
    start_planned(now=plan.next_at)
    assert not Drill.objects.exists()
    # The case goes on for longer than the window: the drill is looked at again and again, and then not begun.
    while (waiting := DrillPlan.objects.get()).missed_at is None:
        assert plan.next_at < waiting.next_at < plan.closes_at
        start_planned(now=waiting.next_at)
    row = DrillPlan.objects.get()
    assert row.missed_why == "case_open"
    assert not Drill.objects.exists()
    assert Escalation.objects.get(pk=case.pk).status == "paging"


def test_a_drill_waits_for_another_drill(ward: Ward, now: datetime) -> None:
    plan = plan_of(ward, now, end=time(16))
    by = ward.by(ward.manager, "administrator")
    given: dict[str, Any] = {"tier": Tier.T1, "pathway": Pathway.SPINE, "announced": True}
    start_drill(site=ward.site, by=by, now=plan.next_at, **given)
    start_planned(now=plan.next_at)
    assert Drill.objects.count() == 1


def test_an_ended_plan_begins_nothing(ward: Ward, now: datetime) -> None:
    plan = plan_of(ward, now)
    by = ward.by(ward.manager, "administrator")
    with pytest.raises(Refused, match="plan_exists"):
        plan_of(ward, now, weekday=3)
    end_drill_plan(plan=plan, by=by, now=now)
    end_drill_plan(plan=plan, by=by, now=now)
    assert AuditEntry.objects.filter(action="drill_plan.ended").count() == 1
    assert start_planned(now=plan.next_at) == 0
    assert plan_of(ward, now, weekday=3).ended_at is None


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"end": time(10, 20)}, "end"),
        ({"pathway": Pathway.STROKE}, "pathway"),
        ({"weekday": 7}, "weekday"),
        ({"week": 6}, "week"),
    ],
)
def test_a_plan_that_makes_no_sense_names_the_field(
    ward: Ward, now: datetime, values: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        plan_of(ward, now, **values)
    assert [one.field for one in refused.value.errors] == [field]


def test_a_planned_drill_that_nobody_answers_is_told_to_the_administrators(ward: Ward, now: datetime) -> None:
    plan = plan_of(ward, now)
    start_planned(now=plan.next_at)
    moment = plan.next_at
    for minute in range(0, 60, 1):
        moment = plan.next_at + timedelta(minutes=minute)
        advance_due(now=moment)
        deliver_due(now=moment)
    drill = Drill.objects.get()
    assert drill.passed is False
    told = Notification.objects.filter(kind="drill_failed")
    assert {one.recipient for one in told} == {ward.manager}
    assert all(not one.context.get("drill") for one in told)


def test_a_receipt_that_comes_after_the_end_enters_the_report(ward: Ward, now: datetime) -> None:
    plan = plan_of(ward, now, **TODAY)
    start_planned(now=plan.next_at)
    advance_due(now=plan.next_at)
    deliver_due(now=plan.next_at)
    row = Escalation.objects.get(is_drill=True)
    end = plan.next_at + timedelta(minutes=1)
    acknowledge(escalation=row, eta_minutes=10, by=ward.by(ward.first), now=end)
    assert Drill.objects.get().passed is True
    assert amend_reports(now=end + timedelta(seconds=5)) == 0
    page = Notification.objects.filter(reference=row.reference, kind="escalation_page", status="sent").first()
    assert page is not None
    later = end + timedelta(minutes=4)
    Notification.objects.filter(pk=page.pk).update(delivered_at=later)
    assert amend_reports(now=later + timedelta(seconds=5)) == 1
    assert amend_reports(now=later + timedelta(seconds=10)) == 0
    drill = Drill.objects.get()
    assert drill.report is not None
    ways = [way for one in drill.report["pages"] for way in one["ways"] if way["delivered_at"]]
    assert len(ways) == 1
    assert (drill.passed, drill.amended_at) == (True, later + timedelta(seconds=5))
    # A page that turns out never to have arrived takes the mark away, and is told.
    failed = later + timedelta(minutes=1)
    Notification.objects.filter(pk=page.pk).update(
        status="failed", failure="permanent", error="not_delivered", failed_at=failed
    )
    amend_reports(now=failed + timedelta(seconds=5))
    assert Drill.objects.get().passed is False
    assert Notification.objects.filter(kind="drill_failed").exists()


def test_the_plan_over_page_and_api(as_: Callable[[Any], Any], now: datetime) -> None:
    ward = make_ward(database_now())
    admin = as_(ward.manager)
    body = {"every": "week", "weekday": 3, "begin": "21:00", "end": "05:00"}
    made = admin.send("POST", "/drills/plans/", body)
    assert made.status_code == 201, made.json()
    assert made.json()["tier"] == "t0"
    assert admin.send("POST", "/drills/plans/", body).status_code == 409
    (listed,) = as_(ward.nurse).send("GET", "/drills/plans/").json()["results"]
    assert (listed["begin"], listed["timezone"]) == ("21:00", Site.objects.get().timezone)
    assert "next_at" not in listed
    assert admin.send("POST", "/drills/plans/", {**body, "begin": "9 o'clock"}).json()["errors"][0]["field"] == "begin"
    form = {
        "tier": "t1",
        "pathway": "spine",
        "every": "month",
        "weekday": "0",
        "week": "2",
        "begin": "10:00",
        "end": "10:05",
    }
    wrong = admin.post("/escalations/drills/plans/", form)
    assert wrong.status_code == 400
    assert "half an hour" in wrong.content.decode()
    right = admin.post("/escalations/drills/plans/", {**form, "end": "15:00"}, follow=True)
    assert "every month" in right.content.decode()
    ended = admin.send("POST", f"/drills/plans/{listed['id']}/end/")
    assert ended.json()["ended_at"]
