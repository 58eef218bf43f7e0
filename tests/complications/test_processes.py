"""Real connections and real processes: two engines at once, races for one answer, a worker, a watchman alone."""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction

from clinic.actions.notification import claim_due
from clinic.celery import app
from clinic.lib.clock import database_now
from clinic.lib.problems import Refused
from clinic.models import Notification
from complications.actions.engine import advance_due
from complications.actions.escalation import acknowledge
from complications.actions.reporting import report_complication
from complications.actions.sweeping import deliver_due
from complications.models import Complication, EngineHeartbeat, Escalation, EscalationEvent
from complications.rules.report import Report
from tests.make_complications import make_escalation, make_ward, weak_leg
from tests.waiting import eventually

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Do everything at the same moment, each with a connection of its own; return results or exceptions."""
    gate = threading.Barrier(len(acts))
    found: list[Any] = [None] * len(acts)

    def run(index: int, act: Callable[[], Any]) -> None:
        try:
            gate.wait(10)
            found[index] = act()
        except Exception as error:
            found[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(index, act)) for index, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return found


def test_four_engines_at_once_run_every_step_once_and_write_every_message_once() -> None:
    now = database_now()
    rows = [make_escalation(make_ward(now), now) for _ in range(6)]
    for minute in (0, 5, 10, 15):
        moment = now + timedelta(minutes=minute)
        found = at_once(*[partial(advance_due, now=moment) for _ in range(4)])
        assert not [one for one in found if isinstance(one, Exception) or one.failed]
        advance_due(now=moment)
    for row in rows:
        steps = row.events.filter(kind="step_paged").values_list("data__step", flat=True)
        assert list(steps) == [0, 1, 2, 3]
        keys = Notification.objects.filter(reference=row.reference).values_list("dedup_key", flat=True)
        assert len(keys) == len(set(keys))


def test_two_deliverers_at_once_send_every_message_once() -> None:
    now = database_now()
    for _ in range(4):
        make_escalation(make_ward(now), now)
    advance_due(now=now)
    waiting = Notification.objects.unsent().count()
    sent = at_once(*[lambda: deliver_due(now=now) for _ in range(3)])
    assert sum(sent) == waiting
    assert Notification.objects.filter(status="sent", attempts=1).count() == waiting


def test_of_two_surgeons_who_answer_at_the_same_moment_one_is_first_and_the_other_hears_who() -> None:
    now = database_now()
    ward = make_ward(now)
    row = make_escalation(ward, now)

    def answer(surgeon: Any) -> Any:
        return acknowledge(escalation=row, eta_minutes=10, by=ward.by(surgeon), now=now)

    found = at_once(lambda: answer(ward.first), lambda: answer(ward.second))
    refused = [one for one in found if isinstance(one, Refused)]
    assert [one.code for one in refused] == ["already_answered"]
    owner = Escalation.objects.get(pk=row.pk).responsible
    assert owner is not None
    assert owner.get_full_name() in refused[0].detail
    assert row.events.filter(kind="acknowledged").count() == 1


def test_reports_that_arrive_together_open_one_case() -> None:
    now = database_now()
    ward = make_ward(now)

    def tell() -> Any:
        report = Report(public_id=uuid.uuid4(), raw_neuro=weak_leg(2))
        return report_complication(report=report, procedure=ward.procedure, by=ward.by_nurse, now=now)

    found = at_once(*[tell] * 4)
    assert not [one for one in found if isinstance(one, Exception)]
    assert Escalation.objects.count() == 1
    assert Complication.objects.count() == 4
    assert sorted(EscalationEvent.objects.values_list("kind", flat=True)) == ["joined"] * 3 + ["opened"]


def test_one_report_that_is_sent_four_times_at_once_is_one_report() -> None:
    now = database_now()
    ward = make_ward(now)
    report = Report(public_id=uuid.uuid4(), raw_neuro=weak_leg(2))

    def tell() -> Any:
        return report_complication(report=report, procedure=ward.procedure, by=ward.by_nurse, now=now)

    found = at_once(*[tell] * 4)
    assert sorted(one.created for one in found) == [False, False, False, True]
    assert (Complication.objects.count(), Escalation.objects.count()) == (1, 1)


def test_an_answer_and_the_engine_at_the_same_moment_leave_no_page_after_the_answer() -> None:
    for _ in range(5):
        now = database_now()
        ward = make_ward(now)
        row = make_escalation(ward, now)
        answer = partial(acknowledge, escalation=row, eta_minutes=10, by=ward.by(ward.first), now=now)
        at_once(answer, partial(advance_due, now=now))
        advance_due(now=now + timedelta(seconds=1))
        kinds = list(row.events.values_list("kind", flat=True))
        assert "step_paged" not in kinds[kinds.index("acknowledged") :]
        assert not Notification.objects.unsent().filter(reference=row.reference, kind="escalation_page").exists()


def test_a_row_that_somebody_holds_is_skipped_and_found_again() -> None:
    now = database_now()
    held = make_escalation(make_ward(now), now)
    free = make_escalation(make_ward(now), now)
    holds, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            Escalation.objects.select_for_update().get(pk=held.pk)
            holds.set()
            done.wait(20)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    holds.wait(10)
    swept = advance_due(now=now)
    done.set()
    holder.join(10)
    assert (swept.advanced, swept.failed) == (1, 0)
    assert free.events.filter(kind="step_paged").exists()
    assert advance_due(now=now).advanced == 1
    assert held.events.filter(kind="step_paged").exists()


def sent(row: Escalation) -> int:
    """How many pages of this case have left."""
    return Notification.objects.filter(reference=row.reference, kind="escalation_page", status="sent").count()


@pytest.mark.service
def test_a_real_worker_runs_the_step_and_sends_its_pages(celery_worker: Path) -> None:
    now = database_now()
    row = make_escalation(make_ward(now), now)
    app.send_task("complications.sweep", expires=30)
    eventually(lambda: sent(row) == 3, what="the worker sends three pages")
    eventually(lambda: EngineHeartbeat.objects.filter(name="celery").exists(), what="it says that it lives")
    assert "complications.sweep" in celery_worker.read_text()


@pytest.mark.service
def test_a_report_wakes_the_watchman_who_wakes_celery(celery_worker: Path, watchman: Callable[..., Path]) -> None:
    log = watchman()
    now = database_now()
    row = make_escalation(make_ward(now), now)
    eventually(lambda: sent(row) == 3, seconds=10, what="the pages leave")
    assert "complications.advance" in celery_worker.read_text()
    assert "watchman_took_over" not in log.read_text()


@pytest.mark.service
def test_the_watchman_pages_alone_when_the_broker_is_gone_and_says_so(
    watchman: Callable[..., Path], tmp_path: Path
) -> None:
    log = watchman(REDIS_URL=f"redis+socket://{tmp_path}/nobody.sock?virtual_host=0")
    now = database_now()
    row = make_escalation(make_ward(now), now)
    eventually(lambda: sent(row) == 3, seconds=20, what="the watchman sends the pages itself")
    assert (database_now() - now).total_seconds() < 20
    eventually(lambda: "watchman_took_over" in log.read_text(), what="it says so")
    watched = EngineHeartbeat.objects.filter(name="watchman", took_over__gt=0)
    eventually(watched.exists, what="and counts it")


@pytest.mark.service
def test_a_frozen_broker_delays_nothing(watchman: Callable[..., Path]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        watchman(REDIS_URL=f"redis://127.0.0.1:{frozen.getsockname()[1]}/0")
        now = database_now()
        row = make_escalation(make_ward(now), now)
        eventually(lambda: sent(row) == 3, seconds=20, what="the watchman sends the pages itself")


@pytest.mark.service
def test_a_worker_that_consumes_nothing_is_taken_over_from(watchman: Callable[..., Path]) -> None:
    watchman()
    now = database_now()
    row = make_escalation(make_ward(now), now)
    eventually(lambda: sent(row) == 3, seconds=20, what="the watchman sends what no worker took")


@pytest.mark.service
def test_a_watchman_that_is_killed_finds_everything_when_it_comes_back(
    watchman: Callable[..., Path], tmp_path: Path
) -> None:
    now = database_now() - timedelta(minutes=6)
    row = make_escalation(make_ward(now), now)
    watchman(REDIS_URL=f"redis+socket://{tmp_path}/nobody.sock?virtual_host=0")
    eventually(lambda: sent(row) == 6, seconds=20, what="both steps that fell due meanwhile")


@pytest.mark.service
def test_a_page_that_a_killed_worker_held_leaves_within_half_a_minute(
    watchman: Callable[..., Path], tmp_path: Path
) -> None:
    now = database_now()
    row = make_escalation(make_ward(now), now)
    advance_due(now=now)
    # This process is the worker that dies with three pages in its hand.
    assert len(claim_due(now=database_now(), limit=10)) == 3
    watchman(REDIS_URL=f"redis+socket://{tmp_path}/nobody.sock?virtual_host=0")
    eventually(lambda: sent(row) == 3, seconds=30, what="the watchman sends them when their lease has ended")
    assert set(Notification.objects.filter(reference=row.reference).values_list("attempts", flat=True)) == {2}
