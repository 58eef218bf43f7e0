"""The audit of all open cases, and the heartbeat that leaves the house only after a clean one."""

import logging
import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from clinic.lib.clock import database_now
from clinic.models import Notification
from complications.actions.engine import advance_due
from complications.actions.heartbeat import beat
from complications.actions.sweeping import deliver_due
from complications.management.commands.watchman import Beside, Watchman, fetch
from complications.models import EngineHeartbeat, Escalation, EscalationEvent
from complications.queries.audit_open import REASONS, audit_open
from complications.queries.engine import AUDIT, CLEAN_AUDIT
from complications.rules.policy import Policy
from tests.make_complications import Ward, make_escalation, make_ward
from tests.receivers import http_server
from tests.waiting import eventually

pytestmark = pytest.mark.django_db


@pytest.fixture
def moment() -> datetime:
    """The real time: the watchman reads the clock itself."""
    return database_now()


@pytest.fixture
def ward(moment: datetime) -> Ward:
    return make_ward(moment)


@pytest.fixture
def case(ward: Ward, moment: datetime) -> Escalation:
    """An emergency whose first step has run and whose pages have left, with a living engine."""
    row = make_escalation(ward, moment)
    advance_due(now=moment)
    deliver_due(now=moment)
    beat(name="celery", now=moment)
    return Escalation.objects.get(pk=row.pk)


def test_a_case_that_stands_as_promised_is_clean(case: Escalation, moment: datetime) -> None:
    found = audit_open(moment)
    assert (found.open, found.breaches, found.clean) == (1, {}, True)


def test_a_case_that_is_looked_at_later_than_its_policy_waits_is_found(case: Escalation, moment: datetime) -> None:
    longest = Policy(case.policy).longest_wait()
    Escalation.objects.filter(pk=case.pk).update(next_due_at=moment + longest)
    assert audit_open(moment).clean
    Escalation.objects.filter(pk=case.pk).update(next_due_at=moment + longest + timedelta(seconds=1))
    assert audit_open(moment).breaches == {"unwatched": 1}


def test_what_has_been_due_for_more_than_five_seconds_is_found(case: Escalation, moment: datetime) -> None:
    # Four fifths of the five minutes to answer: the clock's warning is due, and nobody has looked for twenty seconds.
    late = moment + timedelta(minutes=4, seconds=20)
    Notification.objects.update(status="sent", sent_at=moment)
    beat(name="celery", now=late)
    assert audit_open(late).breaches == {"overdue": 1}


def test_a_case_that_the_engine_failed_at_last_is_found_although_it_is_pushed_forward(
    case: Escalation, moment: datetime
) -> None:
    Escalation.objects.filter(pk=case.pk).update(policy={"timezone": "UTC", "tiers": {}}, failures=0)
    later = moment + timedelta(minutes=6)
    advance_due(now=later)
    assert Escalation.objects.get(pk=case.pk).next_due_at == later + timedelta(minutes=1)
    Escalation.objects.filter(pk=case.pk).update(policy=case.policy)
    beat(name="celery", now=later)
    Notification.objects.update(status="sent", sent_at=later)
    assert audit_open(later).breaches == {"stuck": 1}
    advance_due(now=later + timedelta(minutes=1))
    Notification.objects.update(status="sent", sent_at=later)
    beat(name="celery", now=later + timedelta(minutes=1))
    assert audit_open(later + timedelta(minutes=1)).clean


def test_a_case_nobody_answered_without_a_next_page_is_found(case: Escalation, moment: datetime) -> None:
    Escalation.objects.filter(pk=case.pk).update(page_due_at=None)
    assert audit_open(moment).breaches == {"no_next_page": 1}


def test_a_page_that_does_not_leave_and_a_silent_engine_are_found(case: Escalation, moment: datetime) -> None:
    page = Notification.objects.filter(reference=case.reference).earliest("id")
    Notification.objects.filter(pk=page.pk).update(status="queued", error="unreachable", chain="")
    late = moment + timedelta(seconds=31)
    assert audit_open(late).breaches == {"overdue": 1, "page_late": 1, "engine_silent": 1}


def test_the_audit_costs_the_same_for_many_cases(
    case: Escalation, moment: datetime, django_assert_max_num_queries: Any
) -> None:
    for _ in range(3):
        make_escalation(make_ward(moment), moment)
    advance_due(now=moment)
    with django_assert_max_num_queries(19):
        assert audit_open(moment).open == 4


def test_the_heartbeat_leaves_after_a_clean_audit_only_and_the_log_says_why_not(
    case: Escalation, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.ALLOW_PRIVATE_ADDRESSES = True
    watchman = Watchman()
    with http_server() as outside, caplog.at_level(logging.INFO):
        settings.HEARTBEAT_URL = f"{outside.url}/ping/clinic"
        assert watchman.audit().clean
        eventually(lambda: len(outside.requests) == 1, what="the heartbeat arrives")
        assert (outside.requests[0].method, outside.requests[0].path) == ("GET", "/ping/clinic")
        Escalation.objects.filter(pk=case.pk).update(page_due_at=None)
        watchman.next_heartbeat = 0.0
        assert not watchman.audit().clean
        withheld = [one for one in caplog.records if one.message == "heartbeat_withheld"]
        assert [one.no_next_page for one in withheld] == [1]  # type: ignore[attr-defined]
        assert len(outside.requests) == 1
        Escalation.objects.filter(pk=case.pk).update(page_due_at=case.page_due_at)
        watchman.next_heartbeat = 0.0
        assert watchman.audit().clean
        eventually(lambda: len(outside.requests) == 2, what="the heartbeat arrives again")


def test_the_heartbeat_of_a_hospital_goes_by_https(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.ALLOW_PRIVATE_ADDRESSES = False
    with http_server() as outside:
        fetch(f"{outside.url}/ping")
        assert outside.requests == []
    assert "heartbeat_not_https" in caplog.text


def test_healthz_shows_the_last_audit_by_numbers_only(case: Escalation, moment: datetime) -> None:
    beat(name="watchman", now=moment)
    body = Client().get("/healthz").json()
    assert (body["status"], body["clean_audit_age_s"], body["audit_breaches"]) == ("ok", None, {})
    beat(name=AUDIT, now=moment, note="overdue=2 stuck=1")
    beat(name=CLEAN_AUDIT, now=moment)
    body = Client().get("/healthz").json()
    assert body["status"] == "degraded"
    assert body["audit_breaches"] == {"overdue": 2, "stuck": 1}
    assert body["clean_audit_age_s"] >= 0
    assert set(body["engines"]) == {"celery", "watchman"}
    assert EngineHeartbeat.objects.count() == 4
    assert set(body["audit_breaches"]) <= set(REASONS)
    assert not EscalationEvent.objects.filter(kind="engine_failed").exists()


def test_what_the_watchman_does_beside_its_looks_goes_on_after_any_fault(caplog: pytest.LogCaptureFixture) -> None:
    stopped, turns = threading.Event(), iter([KeyError("a fault"), OperationalError("the database"), None])

    def work() -> None:
        error = next(turns)
        if error is None:
            stopped.set()
            return
        raise error

    beside = Beside("round", work, every_s=0, stopped=stopped)
    beside.start()
    beside.join(10)
    assert not beside.is_alive()
    assert [one.message for one in caplog.records] == ["round_failed", "database_lost"]
