"""What must not strand a case: settings that somebody broke, people who left, one bad row among good ones."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import InternalError, connection

from clinic.lib.problems import Denied, Invalid
from clinic.models import Notification, Procedure, Site, User
from clinic.vocabulary import Role
from complications.actions.engine import advance_due
from complications.actions.escalation import acknowledge, arrive, decide, hand_over
from complications.actions.follow_up import plan_follow_ups, sweep_unplanned
from complications.actions.links import acknowledge_by_link, link_token
from complications.actions.reminders import fire_timers, remind_due
from complications.actions.reporting import raise_triggers
from complications.actions.sweeping import deliver_due
from complications.actions.timers import set_timer
from complications.models import AcknowledgeLink, Escalation, EscalationPolicy, FollowUp, Timer
from complications.rules.policy import RANKED, default_policy
from tests.make import make_procedure, make_user
from tests.make_complications import BACKSTOP, Ward, make_escalation, make_report, make_ward, weak_leg

pytestmark = pytest.mark.django_db


@pytest.fixture
def ward(now: datetime) -> Ward:
    return make_ward(now)


def observe(ward: Ward, now: datetime, exam: dict[str, Any]) -> None:
    raise_triggers(
        procedure=ward.procedure,
        triggers=[],
        source="run:1:2",
        occurred_at=now,
        exam=exam,
        by=ward.by_nurse,
        now=now,
    )


@pytest.mark.parametrize("phones", [[{"label": "Switchboard"}], ["112"], {"Switchboard": "112"}, [None]])
def test_a_telephone_list_that_was_entered_wrongly_stops_no_page(ward: Ward, now: datetime, phones: Any) -> None:
    Site.objects.filter(pk=ward.site.pk).update(phone_list=phones)
    ward.site.refresh_from_db()
    ward.procedure.site = ward.site
    make_escalation(ward, now)
    assert advance_due(now=now).failed == 0
    assert Notification.objects.filter(kind="escalation_page").exists()


@pytest.mark.parametrize(
    "broken",
    [
        {"tiers": {}},
        {"tiers": []},
        {**default_policy(), "backstop": BACKSTOP, "pathways": ["medical"]},
        {**default_policy(), "backstop": "the switchboard"},
        {**default_policy(), "backstop": BACKSTOP, "tiers": {**default_policy()["tiers"], "t0": "at once"}},
    ],
)
def test_a_policy_that_cannot_be_read_falls_back_to_the_one_that_ships(
    ward: Ward, now: datetime, broken: dict[str, Any]
) -> None:
    EscalationPolicy.objects.create(site=ward.site, version=2, data=broken, created_at=now)
    escalation = make_escalation(ward, now)
    assert escalation.policy_version == 0
    advance_due(now=now)
    assert Notification.objects.filter(kind="escalation_page").exists()


def test_a_time_zone_that_nobody_knows_stops_no_page(ward: Ward, now: datetime) -> None:
    ward.site.timezone = "Europe/Instanbul"
    ward.site.save()
    ward.procedure.site = ward.site
    make_report(ward, now, neuro=weak_leg(2))
    assert advance_due(now=now).failed == 0
    assert Notification.objects.filter(kind="escalation_page").exists()


def test_hour_after_hour_not_examinable_calls_after_the_first_hour(ward: Ward, now: datetime) -> None:
    asleep = {"leg_l": "not_testable", "leg_r": "not_testable"}
    for minutes in (0, 20, 40):
        observe(ward, now + timedelta(minutes=minutes), asleep)
    timer = Timer.objects.get(procedure=ward.procedure, key="not_examinable")
    assert timer.due_at == now + timedelta(minutes=60)
    assert fire_timers(now=now + timedelta(minutes=60)) == 1
    assert Escalation.objects.get().triggers[0]["trigger"] == "NT-09"


def test_somebody_who_left_cannot_answer_by_the_link_they_still_have(ward: Ward, now: datetime) -> None:
    escalation = make_escalation(ward, now)
    link = AcknowledgeLink.objects.create(
        escalation=escalation, user=ward.first, created_at=now, expires_at=now + timedelta(hours=1)
    )
    User.objects.filter(pk=ward.first.pk).update(is_active=False)
    with pytest.raises(Denied):
        acknowledge_by_link(token=link_token(link.public_id), eta_minutes=5, now=now)
    escalation.refresh_from_db()
    assert escalation.status == "paging"


def test_the_answer_of_who_cannot_operate_leaves_the_pages_of_those_who_can(ward: Ward, now: datetime) -> None:
    escalation = make_escalation(ward, now)
    advance_due(now=now)
    radiologist = make_user(ward.site, Role.SURGEON, can_decompress=False)
    acknowledge(escalation=escalation, eta_minutes=5, by=ward.by(radiologist), now=now + timedelta(seconds=1))
    waiting = Notification.objects.unsent().filter(kind="escalation_page")
    assert {message.recipient for message in waiting} == {ward.first}
    assert {message.context["post"] for message in waiting} <= set(RANKED)


def test_one_procedure_that_cannot_be_planned_leaves_the_others_their_observations(ward: Ward, now: datetime) -> None:
    broken = ward.procedure
    good = make_procedure(ward.site, ward.operator)
    Procedure.objects.filter(pk__in=[broken.pk, good.pk]).update(ended_at=now - timedelta(hours=1))
    other_site = Site.objects.create(code=f"s{uuid.uuid4().hex[:8]}", name="Broken", timezone="Nowhere/Land")
    Procedure.objects.filter(pk=broken.pk).update(site=other_site)
    assert sweep_unplanned(now=now) == 1
    assert FollowUp.objects.filter(procedure=good).exists()


def test_a_new_time_of_arrival_leaves_the_page_to_whom_was_asked_to_take_over(ward: Ward, now: datetime) -> None:
    escalation = make_escalation(ward, now)
    acknowledge(escalation=escalation, eta_minutes=20, by=ward.by(ward.first), now=now)
    hand_over(escalation=escalation, to=ward.second, by=ward.by(ward.first), now=now)
    acknowledge(escalation=escalation, eta_minutes=30, by=ward.by(ward.first), now=now)
    waiting = Notification.objects.unsent().filter(kind="escalation_page")
    assert {message.recipient for message in waiting} == {ward.second}


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"decision": "decompress", "in_theatre_at": "later"}, "in_theatre_at"),
        ({"decision": "decompress", "incision_at": "later"}, "incision_at"),
        ({"decision": "observe", "next_exam_at": "next year"}, "next_exam_at"),
        ({"decision": "observe", "reexam_interval_minutes": 90_000}, "next_exam_at"),
    ],
)
def test_a_decision_with_a_time_that_would_end_the_watch_is_refused(
    ward: Ward, now: datetime, data: dict[str, Any], field: str
) -> None:
    escalation = make_escalation(ward, now)
    arrive(escalation=escalation, surgeon=ward.first, by=ward.by_nurse, now=now)
    times = {"later": now + timedelta(hours=2), "next year": now + timedelta(days=365)}
    given = {key: times[value].isoformat() if value in times else value for key, value in data.items()}
    with pytest.raises(Invalid) as refused:
        decide(escalation=escalation, data=given, by=ward.by(ward.first), now=now)
    assert [fault.field for fault in refused.value.errors] == [field]
    escalation.refresh_from_db()
    assert escalation.status == "at_bedside"


def test_at_the_bedside_too_who_cannot_operate_keeps_nobody_from_those_who_can(ward: Ward, now: datetime) -> None:
    escalation = make_escalation(ward, now)
    advance_due(now=now)
    radiologist = make_user(ward.site, Role.SURGEON, can_decompress=False)
    acknowledge(escalation=escalation, eta_minutes=5, by=ward.by(radiologist), now=now + timedelta(minutes=1))
    arrive(escalation=escalation, by=ward.by(radiologist), now=now + timedelta(minutes=3))
    advance_due(now=now + timedelta(minutes=5))
    last = escalation.events.filter(kind="step_paged").last()
    assert last is not None
    assert {one["post"] for one in last.data["to"]} == {"on_call_rank_1", "on_call_rank_2"}
    row = acknowledge(escalation=escalation, eta_minutes=10, by=ward.by(ward.first), now=now + timedelta(minutes=6))
    assert (row.status, row.responsible, row.cannot_operate) == ("acknowledged", ward.first, False)
    advance_due(now=now + timedelta(minutes=12))
    assert escalation.events.filter(kind="step_paged").count() == 2


def test_the_surgeon_who_can_operate_and_simply_comes_ends_the_calling(ward: Ward, now: datetime) -> None:
    escalation = make_escalation(ward, now)
    radiologist = make_user(ward.site, Role.SURGEON, can_decompress=False)
    arrive(escalation=escalation, surgeon=radiologist, by=ward.by_nurse, now=now)
    row = arrive(escalation=escalation, surgeon=ward.first, by=ward.by_nurse, now=now + timedelta(minutes=1))
    assert (row.status, row.responsible, row.cannot_operate) == ("at_bedside", ward.first, False)
    advance_due(now=now + timedelta(minutes=20))
    assert escalation.events.filter(kind="step_paged").count() == 0


@pytest.mark.parametrize(
    "more",
    [
        {"narrative": "left leg \ud800 weak"},
        {"narrative": "left leg \x00 weak"},
        {"type": "CVS-BCI", "fields": {"grade": "severe"}},
        {"type": "CVS-BCI", "fields": {"grade": 10**30}},
        {"type": "CVS-BCI", "fields": {"spo2_lowest": "low"}},
        {"type": "CVS-BCI", "fields": {"sbp_before": [], "sbp_lowest": {}}},
    ],
)
def test_nothing_that_was_typed_beside_a_deficit_keeps_it_from_calling(
    as_: Any, ward: Ward, more: dict[str, Any]
) -> None:
    report = {"id": str(uuid.uuid4()), "procedure": str(ward.procedure.public_id), "neuro": weak_leg(2), **more}
    client = as_(ward.nurse)
    first = client.send("POST", "/complications/", report)
    assert first.status_code == 201, first.content
    assert first.json()["escalation"] is not None
    assert client.send("POST", "/complications/", report).status_code == 200


def test_a_running_service_without_a_mail_server_says_so_and_calls_down_to_the_backstop(
    ward: Ward, now: datetime, settings: Any
) -> None:
    settings.DEMO, settings.EMAIL_HOST, settings.EMAIL_BACKEND = False, "", "clinic.lib.mail.EmailBackend"
    row = make_escalation(ward, now)
    advance_due(now=now)
    events = list(row.events.filter(kind__in=["step_paged", "step_skipped"]))
    assert [(event.kind, event.data["step"]) for event in events[:4]] == [("step_skipped", n) for n in range(4)]
    pages = Notification.objects.filter(reference=row.reference)
    assert not pages, "an inbox that nobody reads is not a page"
    settings.EMAIL_HOST, settings.EMAIL_BACKEND = "mail.example.org", "django.core.mail.backends.locmem.EmailBackend"
    row.refresh_from_db()
    assert row.page_due_at is not None
    later = row.page_due_at
    advance_due(now=later)
    deliver_due(now=later)
    assert set(pages.values_list("channel", "status")) == {("email", "sent")}, "who can be called again is called"


def test_reminders_too_leave_by_mail_or_not_at_all(ward: Ward, now: datetime, settings: Any) -> None:
    settings.DEMO, settings.EMAIL_HOST = False, ""
    plan_follow_ups(procedure=ward.procedure, ended_at=now - timedelta(days=2), by=ward.by_nurse, now=now)
    remind_due(now=now + timedelta(days=30))
    assert not Notification.objects.exclude(channel="email").exists()


def test_a_timer_that_cannot_be_put_off_stops_neither_the_others_nor_the_engine(ward: Ward, now: datetime) -> None:
    other = make_ward(now)
    for place, trigger in ((ward, "broken"), (other, "NT-09")):
        set_timer(
            procedure=place.procedure,
            key="k",
            due_at=now,
            trigger=trigger,
            unless="words",
            by=place.by_nurse,
            now=now - timedelta(hours=1),
        )
    broken = Timer.objects.get(trigger="broken").pk

    def fail(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
        if sql.startswith('UPDATE "complications_timer"') and broken in params:
            raise InternalError("this row cannot be written")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(fail):
        assert fire_timers(now=now) == 1
    assert Escalation.objects.get().procedure == other.procedure


def night_case(now: datetime, **values: Any) -> tuple[Ward, Escalation, datetime, datetime]:
    """A prompt case of the afternoon, the night after it, and the morning."""
    ward = make_ward(now)
    row = make_escalation(ward, now.replace(hour=14), type="LEK-EPI", level="L1", **values)
    morning = (now + timedelta(days=1)).replace(hour=4, minute=0)
    return ward, row, now.replace(hour=22), morning


def test_a_second_prompt_report_at_night_about_a_case_of_the_day_wakes_the_nurse_only(now: datetime) -> None:
    ward, row, night, morning = night_case(now)
    advance_due(now=now.replace(hour=14))
    known = set(Notification.objects.values_list("pk", flat=True))
    make_escalation(ward, night, type="LEK-FOR", level="L2")
    fresh = Notification.objects.filter(reference=row.reference).exclude(pk__in=known)
    assert {one.recipient for one in fresh.filter(due_at__lte=night)} == {ward.nurse}
    assert {one.recipient for one in fresh.filter(due_at=morning)} == {ward.first, ward.operator}


def test_news_at_night_about_a_prompt_case_under_observation_begins_its_ladder_in_the_morning(now: datetime) -> None:
    ward, row, night, morning = night_case(now)
    arrive(escalation=row, by=ward.by(ward.first), now=now.replace(hour=15))
    data = {"decision": "observe", "reexam_interval_minutes": 1200}
    decide(escalation=row, data=data, by=ward.by(ward.first), now=now.replace(hour=15))
    make_escalation(ward, night, type="LEK-FOR", level="L2")
    row.refresh_from_db()
    assert (row.status, row.page_due_at, row.origin) == ("paging", morning, morning)
    advance_due(now=night)
    assert not row.events.filter(kind="step_paged").exists()
    advance_due(now=morning)
    assert row.events.filter(kind="step_paged").count() == 1


def test_a_worse_report_at_night_waits_for_nobody(now: datetime) -> None:
    ward, row, night, _ = night_case(now)
    make_escalation(ward, night)
    row.refresh_from_db()
    assert (row.tier, row.page_due_at) == ("t0", night)
