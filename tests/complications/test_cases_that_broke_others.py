"""The thirteen ways in which other paging systems failed people, each as it would happen here."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg.types.range import TimestamptzRange

from clinic.actions.notification import claim_due, deliver
from clinic.celery import app
from clinic.lib.clock import database_now
from clinic.models import Notification, Shift, User
from complications.actions.engine import advance_due
from complications.actions.escalation import acknowledge, arrive, decide
from complications.actions.follow_up import plan_follow_ups
from complications.actions.reminders import fire_timers, remind_due
from complications.actions.sweeping import deliver_due
from complications.actions.timers import set_timer
from complications.models import EngineHeartbeat, Escalation, FollowUp
from tests.make import make_procedure
from tests.make_complications import Ward, make_baseline, make_escalation, make_ward
from tests.receivers import free_port
from tests.waiting import eventually


def after(now: datetime, minutes: float) -> datetime:
    return now + timedelta(minutes=minutes)


@pytest.fixture
def ward(db: None, now: datetime) -> Ward:
    return make_ward(now)


def steps(row: Escalation) -> list[int]:
    return [event.data["step"] for event in row.events.filter(kind__in=["step_paged", "step_skipped"])]


def paged(row: Escalation) -> set[User | None]:
    return {one.recipient for one in Notification.objects.filter(reference=row.reference, kind="escalation_page")}


def sent(row: Escalation) -> int:
    return Notification.objects.filter(reference=row.reference, kind="escalation_page", status="sent").count()


def make_fast_ward() -> Ward:
    """A ward whose policy minutes pass in a second, for tests with real processes."""
    ward = make_ward()
    ward.site.time_scale = 60
    ward.site.save()
    return ward


@pytest.mark.service
@pytest.mark.django_db(transaction=True)
def test_a_wait_step_goes_on_after_the_worker_was_restarted(
    start_worker: Callable[[], subprocess.Popen[bytes]],
) -> None:
    worker = start_worker()
    row = make_escalation(make_fast_ward(), database_now())
    app.send_task("complications.sweep", expires=30)
    eventually(lambda: sent(row) == 3, what="the first step leaves")
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait(10)
    assert steps(row) == [0]
    start_worker()

    def swept() -> bool:
        app.send_task("complications.sweep", expires=5)
        return steps(row)[:2] == [0, 1]

    eventually(swept, seconds=30, what="the new worker runs the step that the old one waited for")


def test_a_later_step_cuts_off_no_running_one(ward: Ward, now: datetime) -> None:
    row = make_escalation(ward, now)
    advance_due(now=now)
    waiting = set(Notification.objects.unsent().values_list("pk", flat=True))
    advance_due(now=after(now, 5))
    assert waiting < set(Notification.objects.unsent().values_list("pk", flat=True))
    assert deliver_due(now=after(now, 5)) == Notification.objects.filter(reference=row.reference).count()


def test_the_failure_of_one_recipient_stops_no_other(ward: Ward, now: datetime, settings: Any) -> None:
    settings.EMAIL_HOST = "mail.example.org"
    row = make_escalation(ward, now)
    advance_due(now=now)
    pages = Notification.objects.filter(reference=row.reference)
    pages.filter(recipient=ward.first).update(address="")
    pages.filter(recipient=ward.operator).update(kind="no_such_words")
    deliver_due(now=now)
    assert {one.recipient for one in pages.exclude(status="sent")} == {ward.first, ward.operator}
    advance_due(now=after(now, 5))
    assert steps(row) == [0, 1]


def test_a_recipient_without_any_channel_is_passed_over_in_sight_of_everybody(ward: Ward, now: datetime) -> None:
    User.objects.filter(pk__in=[ward.first.pk, ward.operator.pk, ward.nurse.pk]).update(email="", phone="")
    row = make_escalation(ward, now)
    advance_due(now=now)
    kinds = [(event.kind, event.at) for event in row.events.filter(kind__startswith="step_")]
    assert kinds == [("step_skipped", now), ("step_paged", now)]
    assert paged(row) == {ward.second, ward.anaesthetist}


def test_a_stale_timer_escalates_no_answered_case_weeks_later(ward: Ward, now: datetime) -> None:
    row = make_escalation(ward, now)
    by = ward.by(ward.first)
    acknowledge(escalation=row, eta_minutes=5, by=by, now=after(now, 1))
    arrive(escalation=row, by=by, now=after(now, 5))
    decide(escalation=row, data={"decision": "no_deficit", "reason": "normal"}, by=by, now=after(now, 9))
    before = Notification.objects.count()
    assert advance_due(now=now + timedelta(days=21)).advanced == 0
    row.refresh_from_db()
    assert (row.status, row.next_due_at, Notification.objects.count()) == ("closed", None, before)


def test_nobody_is_paged_after_the_acknowledgement(ward: Ward, now: datetime) -> None:
    row = make_escalation(ward, now)
    advance_due(now=now)
    (held,) = claim_due(now=now, limit=1)
    acknowledge(escalation=row, eta_minutes=20, by=ward.by(ward.first), now=after(now, 3))
    for minute in range(3, 20):
        advance_due(now=after(now, minute))
        claimed = Notification.objects.filter(pk__in=claim_due(now=after(now, minute), limit=100))
        assert not claimed.filter(kind="escalation_page").exists()
    assert steps(row) == [0]
    assert not deliver(key=held, now=after(now, 3)), "what a worker had in its hand is put down"


def test_who_answered_is_reminded_and_loses_the_case_when_they_do_not_come(ward: Ward, now: datetime) -> None:
    row = make_escalation(ward, now)
    advance_due(now=now)
    acknowledge(escalation=row, eta_minutes=25, by=ward.by(ward.first), now=after(now, 2))
    for minute in range(2, 33):
        advance_due(now=after(now, minute))
    notes = Notification.objects.filter(recipient=ward.first, kind="escalation_note").order_by("id")
    told = [(one.context["what"], one.context.get("clock")) for one in notes]
    assert ("clock_warned", "bedside") in told
    assert told[-1] == ("unacknowledged", None)
    assert steps(row) == [0, 1], "paging goes on where it stood"


def test_nobody_on_call_in_a_gap_goes_on_to_the_next_rank(ward: Ward, now: datetime) -> None:
    gap = TimestamptzRange(now - timedelta(days=1), now - timedelta(minutes=1))
    Shift.objects.filter(user=ward.first).update(period=gap)
    row = make_escalation(ward, now)
    advance_due(now=now)
    assert paged(row) == {ward.operator, ward.nurse}
    advance_due(now=after(now, 5))
    assert {ward.second, ward.anaesthetist} < paged(row)


def test_a_person_on_leave_who_is_still_on_the_rota_keeps_nobody_waiting(ward: Ward, now: datetime) -> None:
    User.objects.filter(pk=ward.first.pk).update(is_active=False)
    row = make_escalation(ward, now)
    advance_due(now=now)
    assert paged(row) == {ward.operator, ward.nurse}
    User.objects.filter(pk__in=[ward.operator.pk, ward.nurse.pk]).update(is_active=False)
    other = make_escalation(make_ward_with(ward, now), now)
    advance_due(now=now)
    assert paged(other) == {ward.second, ward.anaesthetist}, "a step of nobody but them is followed at once"


def make_ward_with(ward: Ward, now: datetime) -> Ward:
    """Another patient of the same ward."""
    procedure = make_procedure(ward.site, ward.operator)
    make_baseline(procedure, now)
    return replace(ward, procedure=procedure)


@pytest.mark.service
@pytest.mark.django_db(transaction=True)
def test_two_schedulers_at_once_page_every_step_once(
    watchman: Callable[..., Path], start_worker: Callable[[], subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    start_worker()
    watchman()
    # The second never reaches the broker: it does everything itself, beside the worker that the first one wakes.
    watchman(REDIS_URL=f"redis+socket://{tmp_path}/nobody.sock?virtual_host=0")
    rows = [make_escalation(make_fast_ward(), database_now()) for _ in range(3)]
    for _ in range(20):
        app.send_task("complications.sweep", expires=30)
    for row in rows:
        eventually(lambda row=row: len(steps(row)) >= 4, seconds=60, what="the whole ladder")  # type: ignore[misc]
    for row in rows:
        assert steps(row)[:4] == [0, 1, 2, 3]
        ran = Counter((event.data["round"], event.data["step"]) for event in row.events.filter(kind="step_paged"))
        assert set(ran.values()) == {1}
    assert not Notification.objects.filter(attempts__gt=1).exists()


@pytest.mark.service
@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_alive_and_consumes_nothing_is_taken_over_from(
    watchman: Callable[..., Path], start_worker: Callable[[], subprocess.Popen[bytes]]
) -> None:
    worker = start_worker()
    log = watchman()
    os.killpg(worker.pid, signal.SIGSTOP)
    row = make_escalation(make_ward(), database_now())
    eventually(lambda: sent(row) == 3, seconds=20, what="the watchman sends what the frozen worker did not take")
    assert worker.poll() is None
    eventually(lambda: "watchman_took_over" in log.read_text(), what="it says so")
    watched = EngineHeartbeat.objects.filter(name="watchman", took_over__gt=0)
    eventually(watched.exists, what="and counts it")
    os.killpg(worker.pid, signal.SIGCONT)
    app.send_task("complications.sweep", expires=30)
    eventually(lambda: EngineHeartbeat.objects.filter(name="celery").exists(), what="the worker works again")
    assert steps(row) == [0]


def test_what_fell_due_while_the_engine_was_down_is_done_late_and_never_skipped(ward: Ward, now: datetime) -> None:
    row = make_escalation(ward, now)
    set_timer(
        procedure=make_ward(now).procedure,
        key="k",
        due_at=after(now, 30),
        trigger="NT-09",
        unless="words",
        by=ward.by_nurse,
        now=now,
    )
    plan_follow_ups(procedure=ward.procedure, ended_at=now - timedelta(days=5), by=ward.by_nurse, now=now)
    visit = FollowUp.objects.filter(kind="visit", next_look_at__isnull=False).order_by("next_look_at")[0]
    assert visit.next_look_at is not None
    late = max(after(now, 90), visit.next_look_at + timedelta(hours=20))
    advance_due(now=late)
    assert steps(row) == [0, 1, 2, 3, 4]
    assert fire_timers(now=late) == 1
    while remind_due(now=late):
        pass
    assert Notification.objects.filter(reference=f"follow_up:{visit.public_id}").exists()


def test_a_message_is_marked_as_sent_only_when_it_left(ward: Ward, now: datetime, settings: Any) -> None:
    settings.DEMO, settings.EMAIL_BACKEND = False, "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    row = make_escalation(ward, now)
    advance_due(now=now)
    assert deliver_due(now=now) == 0
    pages = Notification.objects.filter(reference=row.reference)
    assert set(pages.values_list("status", "error", "sent_at")) == {("queued", "unreachable", None)}
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert deliver_due(now=now + timedelta(seconds=30)) == 3
    assert not pages.filter(sent_at=None).exists()
