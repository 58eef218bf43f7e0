"""The engine: steps in order, nothing stranded, and the cases that broke other paging systems."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from clinic.actions.notification import claim_due, deliver
from clinic.actions.procedures import record_exam
from clinic.actions.rota import add_leave, add_override
from clinic.lib.clock import database_now
from clinic.lib.problems import Invalid
from clinic.models import Notification, Shift, User
from clinic.vocabulary import ExamKind, Post, Role
from complications.actions.drafts import draft_complication
from complications.actions.engine import advance_due
from complications.actions.escalation import acknowledge, arrive, hand_over
from complications.actions.follow_up import plan_follow_ups
from complications.actions.heartbeat import beat
from complications.actions.policy import set_policy
from complications.actions.reminders import fire_timers, remind_drafts, remind_due
from complications.actions.reporting import raise_triggers
from complications.actions.sweeping import deliver_due
from complications.actions.timers import drop_timer, set_timer
from complications.models import Escalation, FollowUp, Timer
from complications.queries import engine_health
from complications.rules.policy import Policy, default_policy
from complications.rules.triggers import FiredTrigger
from complications.vocabulary import Tier
from tests.make import make_shift, make_user
from tests.make_complications import BACKSTOP, NORMAL, Ward, make_baseline, make_escalation, make_ward, weak_leg

pytestmark = pytest.mark.django_db


def after(now: datetime, minutes: float) -> datetime:
    return now + timedelta(minutes=minutes)


@pytest.fixture
def ward(now: datetime) -> Ward:
    return make_ward(now)


def fresh(row: Escalation) -> Escalation:
    return Escalation.objects.get(pk=row.pk)


def steps(row: Escalation) -> list[tuple[int, int, str]]:
    kinds = ("step_paged", "step_skipped")
    return [(e.data["round"], e.data["step"], e.kind[5:]) for e in row.events.filter(kind__in=kinds)]


def paged(row: Escalation) -> set[User | None]:
    return {one.recipient for one in Notification.objects.filter(reference=row.reference, kind="escalation_page")}


def test_each_step_pages_whom_the_policy_names(ward: Ward, now: datetime) -> None:
    row = make_escalation(ward, now)
    expected: list[tuple[int, set[User | None]]] = [
        (0, {ward.first, ward.operator, ward.nurse}),
        (5, {ward.second, ward.anaesthetist}),
        (10, {ward.head, ward.manager}),
        (15, {None}),
    ]
    seen: set[User | None] = set()
    for minute, fresh_people in expected:
        advance_due(now=after(now, minute))
        seen |= fresh_people
        assert paged(row) == seen
    advance_due(now=after(now, 30))
    assert steps(row) == [(0, 0, "paged"), (0, 1, "paged"), (0, 2, "paged"), (0, 3, "paged"), (0, 4, "paged")]
    advance_due(now=after(now, 45))
    assert steps(row)[-1] == (1, 4, "paged")


def test_no_step_runs_twice_however_often_the_engine_looks(ward: Ward, now: datetime) -> None:
    row = make_escalation(ward, now)
    for second in range(0, 1000, 7):
        advance_due(now=now + timedelta(seconds=second))
    assert steps(row) == [(0, 0, "paged"), (0, 1, "paged"), (0, 2, "paged"), (0, 3, "paged")]


def test_the_backstop_outside_the_house_is_written_to_by_its_address(ward: Ward, now: datetime) -> None:
    row = make_escalation(ward, now)
    advance_due(now=after(now, 15))
    (message,) = Notification.objects.filter(reference=row.reference, recipient=None, kind="escalation_page")
    assert message.recipient_name == BACKSTOP["name"]


def test_a_step_with_nobody_reachable_is_skipped_at_once_and_recorded(ward: Ward, now: datetime) -> None:
    Shift.objects.all().delete()
    ward.operator.is_active = False
    ward.operator.save()
    row = make_escalation(ward, now)
    advance_due(now=now)
    assert steps(row) == [(0, 0, "skipped"), (0, 1, "skipped"), (0, 2, "skipped"), (0, 3, "paged")]


def test_somebody_who_has_left_is_not_paged(ward: Ward, now: datetime) -> None:
    User.objects.filter(pk=ward.first.pk).update(is_active=False)
    row = make_escalation(ward, now)
    advance_due(now=now)
    assert ward.first not in paged(row)


def test_the_shift_that_begins_meanwhile_is_paged(ward: Ward, now: datetime) -> None:
    row = make_escalation(ward, now)
    advance_due(now=now)
    Shift.objects.filter(rank=2, post=Post.ON_CALL_SPINE.value).delete()
    other = make_user(ward.site, Role.SURGEON)
    make_shift(ward.site, other, Post.ON_CALL_SPINE, 2, around=now)
    advance_due(now=after(now, 5))
    assert other in paged(row)
    assert ward.second not in paged(row)


def test_a_rota_that_is_emptied_strands_nobody(ward: Ward, now: datetime) -> None:
    row = make_escalation(ward, now)
    Shift.objects.all().delete()
    advance_due(now=after(now, 5))
    assert {ward.first, ward.second} <= paged(row)


def test_a_new_policy_does_not_touch_a_running_escalation(ward: Ward, now: datetime) -> None:
    row = make_escalation(ward, now)
    slow: dict[str, Any] = {**default_policy(), "backstop": BACKSTOP}
    for number, step in enumerate(slow["tiers"]["t0"]["steps"]):
        step["after_min"] = number * 100
    slow["tiers"]["t0"]["repeat"]["from_min"] = 1000
    set_policy(site=ward.site, data=slow, by=ward.by_nurse, now=now)
    advance_due(now=after(now, 5))
    assert [step for _, step, _ in steps(row)] == [0, 1]


def test_clocks_warn_the_owner_and_a_breach_tells_the_next_level(ward: Ward, now: datetime) -> None:
    row = make_escalation(ward, now)
    advance_due(now=now)
    acknowledge(escalation=row, eta_minutes=5, by=ward.by(ward.first), now=after(now, 1))
    arrive(escalation=row, by=ward.by(ward.first), now=after(now, 5))
    advance_due(now=after(now, 12))
    warned = Notification.objects.get(context__clock="imaging_requested")
    assert (warned.recipient, warned.context["what"]) == (ward.first, "clock_warned")
    advance_due(now=after(now, 15))
    told = Notification.objects.filter(context__clock="imaging_requested", context__what="clock_breached")
    assert {one.recipient for one in told} == {ward.first, ward.second, ward.anaesthetist}
    advance_due(now=after(now, 16))
    assert row.events.filter(kind="clock_breached", data__clock="imaging_requested").count() == 1


def test_a_broken_escalation_never_stops_the_others(ward: Ward, now: datetime) -> None:
    broken = make_escalation(ward, now)
    other = make_ward(now)
    whole = make_escalation(other, now)
    Escalation.objects.filter(pk=broken.pk).update(policy={"tiers": {}})
    swept = advance_due(now=now)
    assert (swept.advanced, swept.failed) == (1, 1)
    assert steps(whole) == [(0, 0, "paged")]
    row = fresh(broken)
    assert (row.failures, row.last_failure, row.next_due_at) == (1, "KeyError", after(now, 1))
    assert row.events.filter(kind="engine_failed").count() == 1


def test_a_message_whose_sender_died_goes_out_again_with_the_same_id(ward: Ward, now: datetime) -> None:
    make_escalation(ward, now)
    advance_due(now=now)
    claimed = claim_due(now=now, limit=1)
    assert not set(claimed) & set(claim_due(now=now, limit=10))
    again = claim_due(now=after(now, 2), limit=1, only=claimed)
    assert again == claimed
    assert deliver(key=again[0], now=after(now, 2))


def test_every_page_carries_a_link_and_no_patient_data(ward: Ward, now: datetime) -> None:
    row = make_escalation(ward, now)
    advance_due(now=now)
    patient = ward.procedure.patient
    for message in Notification.objects.filter(reference=row.reference):
        text = str(message.context)
        for secret in (patient.family_name, patient.given_name, patient.mrn, "ankle"):
            assert secret not in text
        assert bool(message.context.get("link")) is (message.recipient != ward.nurse)


def test_two_hours_of_outage_lose_no_step_and_repeat_none(ward: Ward, now: datetime) -> None:
    row = make_escalation(ward, now)
    advance_due(now=after(now, 120))
    assert [(turn, step) for turn, step, _ in steps(row)] == [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4)]
    assert fresh(row).page_due_at == after(now, 135)


def test_a_prompt_case_at_night_tells_the_nurse_now_and_the_others_at_seven(now: datetime) -> None:
    night = now.replace(hour=22)
    ward = make_ward(night)
    row = make_escalation(ward, night, type="LEK-EPI", level="L1")
    assert row.tier == "t2"
    advance_due(now=night)
    told = Notification.objects.filter(reference=row.reference)
    assert {one.recipient for one in told} == {ward.nurse}
    morning = (night + timedelta(days=1)).replace(hour=4, minute=0)
    assert fresh(row).origin == morning
    advance_due(now=morning)
    assert {ward.first, ward.operator} <= paged(row)


def test_a_second_prompt_report_at_night_waits_for_the_morning_too_and_a_worse_one_does_not(now: datetime) -> None:
    night = now.replace(hour=22)
    ward = make_ward(night)
    row = make_escalation(ward, night, type="LEK-EPI", level="L1")
    make_escalation(ward, after(night, 5), type="LEK-FOR", level="L2")
    advance_due(now=after(night, 6))
    assert paged(row) == set()
    make_escalation(ward, after(night, 30))
    advance_due(now=after(night, 30))
    assert ward.first in paged(row)


def test_a_plan_made_late_pages_for_nothing_that_nobody_could_have_known_of(ward: Ward, now: datetime) -> None:
    planned(ward, now - timedelta(hours=30))
    FollowUp.objects.all().delete()
    plan_follow_ups(procedure=ward.procedure, ended_at=now - timedelta(hours=30), by=ward.by_nurse, now=now)
    remind_due(now=now)
    assert Escalation.objects.count() == 0
    assert FollowUp.objects.filter(kind="observation").exists()


def test_a_tablet_that_was_offline_starts_the_steps_that_would_have_been_due(ward: Ward, now: datetime) -> None:
    fired = FiredTrigger("NT-14", Tier.T0, "a leg does not move on command")
    pressed = after(now, -12)
    row = raise_triggers(
        procedure=ward.procedure,
        triggers=[fired],
        source="run:1:2",
        occurred_at=pressed,
        exam=None,
        by=ward.by_nurse,
        now=now,
        reported_at=pressed,
    )
    assert row is not None
    advance_due(now=now)
    assert [step for _, step, _ in steps(row)] == [0, 1, 2]


def test_a_compressed_site_runs_by_the_same_ladder(now: datetime) -> None:
    ward = make_ward(now)
    ward.site.time_scale = 60
    ward.site.save()
    row = make_escalation(ward, now)
    advance_due(now=now + timedelta(seconds=5))
    assert [step for _, step, _ in steps(row)] == [0, 1]
    assert Policy(row.policy).scale == 60


def timer(ward: Ward, now: datetime, **values: Any) -> Timer:
    values = {"key": "k", "due_at": after(now, 60), "trigger": "NT-09", "unless": "legs_examined", **values}
    return set_timer(procedure=ward.procedure, by=ward.by_nurse, now=now, **values)


def test_a_timer_opens_nothing_before_its_time_and_pages_after_it(ward: Ward, now: datetime) -> None:
    timer(ward, now)
    assert fire_timers(now=after(now, 59)) == 0
    assert fire_timers(now=after(now, 60)) == 1
    row = Escalation.objects.get()
    assert (row.tier, row.triggers[0]["trigger"]) == ("t1", "NT-09")
    assert fire_timers(now=after(now, 61)) == 0


def test_a_timer_is_moved_not_doubled_and_dropped_by_its_key(ward: Ward, now: datetime) -> None:
    timer(ward, now)
    timer(ward, after(now, 1), due_at=after(now, 90))
    assert Timer.objects.get().due_at == after(now, 90)
    assert drop_timer(procedure=ward.procedure, key="k", by=ward.by_nurse, now=now)
    assert fire_timers(now=after(now, 100)) == 0


def test_an_examination_makes_the_timer_pointless(ward: Ward, now: datetime) -> None:
    timer(ward, now)
    make_baseline(ward.procedure, now)
    raise_triggers(
        procedure=ward.procedure,
        triggers=[],
        source="run:1:2",
        occurred_at=now,
        exam=NORMAL,
        by=ward.by_nurse,
        now=after(now, 5),
    )
    record_exam(
        procedure=ward.procedure,
        kind=ExamKind.OBSERVATION,
        exam=NORMAL,
        source="run:1",
        occurred_at=after(now, 5),
        by=ward.by_nurse,
        now=after(now, 5),
    )
    assert fire_timers(now=after(now, 60)) == 0
    assert Timer.objects.get().status == "dropped"


def test_retention_that_nobody_examines_becomes_an_emergency(ward: Ward, now: datetime) -> None:
    row = make_escalation(ward, now, neuro={"pvr_ml": 400})
    assert row.tier == "t2"
    fire_timers(now=after(now, 30))
    assert fresh(row).tier == "t0"


def planned(ward: Ward, now: datetime) -> None:
    ward.procedure.ended_at = now
    ward.procedure.save()
    plan_follow_ups(procedure=ward.procedure, ended_at=now, by=ward.by_nurse, now=now)


def test_late_observations_tell_the_nurse_and_then_page(ward: Ward, now: datetime) -> None:
    planned(ward, now)
    for minute in (21, 26):
        remind_due(now=after(now, minute))
    assert Notification.objects.get(kind="observation_late").recipient == ward.nurse
    remind_due(now=after(now, 76))
    row = Escalation.objects.get()
    assert (row.tier, row.triggers[0]["trigger"]) == ("t1", "NT-09")


def test_an_observation_that_was_done_pages_nobody(ward: Ward, now: datetime) -> None:
    planned(ward, now)
    for minute in range(15, 91, 15):
        record_exam(
            procedure=ward.procedure,
            kind=ExamKind.OBSERVATION,
            exam=weak_leg(5)["exam"],
            source=f"run:{minute}",
            occurred_at=after(now, minute),
            by=ward.by_nurse,
            now=after(now, minute),
        )
        remind_due(now=after(now, minute + 6))
    assert Escalation.objects.count() == 0
    assert Notification.objects.filter(kind="observation_late").count() == 0


def test_who_left_the_hospital_is_not_missed_on_the_ward(ward: Ward, now: datetime) -> None:
    planned(ward, now)
    ward.procedure.left_hospital_at = after(now, 10)
    ward.procedure.save()
    remind_due(now=after(now, 200))
    assert Escalation.objects.count() == 0
    assert not FollowUp.objects.filter(kind="observation", status="planned", closes_at__lt=after(now, 200)).exists()


def test_the_operator_is_reminded_of_a_draft_after_one_day_and_after_three_each_once(ward: Ward, now: datetime) -> None:
    draft_complication(procedure=ward.procedure, code="LEK-DIS", level="L1", by=ward.by_nurse, now=now)
    found = []
    for hours in (23, 24, 30, 72, 100):
        remind_drafts(now=now + timedelta(hours=hours))
        found.append(Notification.objects.filter(kind="draft_waiting", recipient=ward.operator).count())
    assert found == [0, 1, 1, 2, 2]
    assert deliver_due(now=now + timedelta(hours=100)) == 2


def test_every_message_can_be_written_out_in_both_languages(ward: Ward, now: datetime) -> None:
    row = make_escalation(ward, now)
    for minute in (0, 5, 10, 15, 120, 800):
        advance_due(now=after(now, minute))
    acknowledge(escalation=row, eta_minutes=5, by=ward.by(ward.first), now=after(now, 801))
    planned(ward, now)
    for minute in (30, 300, 60 * 24 * 3):
        remind_due(now=after(now, minute))
    for language in ("en", "tr"):
        Notification.objects.update(language=language, status="queued", lease_until=None, sent_at=None)
        waiting = Notification.objects.count()
        sent = 0
        while found := deliver_due(now=after(now, 60 * 24 * 4)):
            sent += found
        assert sent == waiting


def test_health_says_how_old_the_oldest_due_thing_is(ward: Ward) -> None:
    assert engine_health()["status"] == "degraded"
    beat(name="watchman", now=database_now())
    assert engine_health()["status"] == "ok"
    make_escalation(ward, database_now() - timedelta(seconds=90))
    health = engine_health()
    assert health["status"] == "down"
    assert health["oldest_due_age_s"] > 80


def test_health_sees_a_mail_server_that_refuses_every_page(ward: Ward) -> None:
    beat(name="watchman", now=database_now())
    written = database_now() - timedelta(minutes=3)
    make_escalation(ward, written)
    advance_due(now=written)
    Escalation.objects.update(next_due_at=after(written, 60))
    deliver_due(now=written)
    assert engine_health()["status"] == "ok"
    Notification.objects.update(status="queued", error="unreachable", sent_at=None, due_at=after(written, 60))
    health = engine_health()
    assert health["status"] == "down"
    assert health["oldest_due_age_s"] > 170


def off(ward: Ward, user: User, now: datetime, hours: float = 8) -> None:
    span = (now - timedelta(hours=1), now + timedelta(hours=hours))
    add_leave(site=ward.site, user=user, span=span, by=ward.by(user), now=now)


def test_a_person_on_leave_still_on_the_rota_is_not_paged(ward: Ward, now: datetime) -> None:
    off(ward, ward.first, now)
    row = make_escalation(ward, now)
    advance_due(now=after(now, 30))
    assert ward.first not in paged(row)
    assert ward.second in paged(row)


def test_leave_that_begins_during_a_case_ends_the_paging_of_that_person(ward: Ward, now: datetime) -> None:
    row = make_escalation(ward, now)
    advance_due(now=now)
    Shift.objects.all().delete()
    off(ward, ward.second, after(now, 2))
    advance_due(now=after(now, 5))
    # From the copy that the case began with: the first, the anaesthetist, and nobody who is away by now.
    assert ward.second not in paged(row)
    assert ward.anaesthetist in paged(row)


def test_an_operator_on_leave_is_not_paged(ward: Ward, now: datetime) -> None:
    off(ward, ward.operator, now)
    row = make_escalation(ward, now)
    advance_due(now=now)
    assert paged(row) == {ward.first, ward.nurse}


def test_an_override_is_paged_instead_of_the_shift_from_its_first_minute_on(ward: Ward, now: datetime) -> None:
    other = make_user(ward.site, Role.SURGEON)
    span = (after(now, 5), after(now, 60))
    by = ward.by(ward.manager, "administrator")
    add_override(site=ward.site, post="on_call_spine", rank=2, user=other, span=span, reason="", by=by, now=now)
    row = make_escalation(ward, now)
    advance_due(now=after(now, 5))
    assert other in paged(row)
    assert ward.second not in paged(row)


def test_a_case_is_not_handed_over_to_somebody_on_leave(ward: Ward, now: datetime) -> None:
    off(ward, ward.second, now)
    row = make_escalation(ward, now)
    acknowledge(escalation=row, eta_minutes=5, by=ward.by(ward.first), now=after(now, 1))
    with pytest.raises(Invalid) as refusal:
        hand_over(escalation=fresh(row), to=ward.second, by=ward.by(ward.first), now=after(now, 2))
    assert refusal.value.errors[0].code == "on_leave"
    hand_over(escalation=fresh(row), to=ward.head, by=ward.by(ward.first), now=after(now, 2))
