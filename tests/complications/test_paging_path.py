"""The way of a page from due to its channel: few statements, nobody waits behind somebody else's page."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from clinic.actions.notification import claim_due
from clinic.celery import app
from clinic.lib.clock import database_now
from clinic.lib.prepared import fetch, pipelined, send, update
from clinic.models import Notification, Site
from complications.actions.engine import advance_due
from complications.actions.standing import lock_due
from complications.actions.sweeping import advance, deliver_due
from complications.models import Escalation, EscalationEvent
from complications.queries.engine import look
from complications.tasks import advance_these
from tests.make import make_contact, make_site
from tests.make_complications import make_escalation, make_ward
from tests.receivers import http_server
from tests.waiting import eventually

pytestmark = pytest.mark.django_db(transaction=True)

#: Of a case that is due, with its pages; a statement more is a round trip more for every page.
ADVANCE = 14
MARK = 1


def sent(row: Escalation) -> int:
    """How many pages of this case have left."""
    return Notification.objects.filter(reference=row.reference, status="sent").count()


def test_a_step_and_its_pages_cost_the_same_statements_for_any_number_of_people(
    django_assert_num_queries: Any, settings: Any
) -> None:
    now = database_now()
    row = make_escalation(make_ward(now), now)
    settings.DEMO, settings.EMAIL_HOST = True, "mail.example.org"
    crowded = make_ward(now)
    for person in (crowded.first, crowded.operator, crowded.nurse):
        for place in range(3):
            make_contact(person, "email", f"{person.username}-{place}@example.org", place)
    many = make_escalation(crowded, now)
    settings.EMAIL_HOST = ""
    with django_assert_num_queries(ADVANCE + MARK):
        advance(now=now, only=[row.pk])
    with django_assert_num_queries(ADVANCE + MARK):
        advance(now=now, only=[many.pk])
    assert (sent(row), sent(many)) == (3, 3)


def test_the_task_reads_the_clock_and_does_nothing_else_beside_it(django_assert_num_queries: Any) -> None:
    now = database_now()
    row = make_escalation(make_ward(now), now)
    with django_assert_num_queries(1 + ADVANCE + MARK):
        advance_these([row.pk])
    assert sent(row) == 3


def test_a_delivery_costs_a_lease_and_an_outcome(django_assert_num_queries: Any) -> None:
    now = database_now()
    rows = [make_escalation(make_ward(now), now) for _ in range(2)]
    advance_due(now=now)
    with django_assert_num_queries(2):
        assert deliver_due(now=now) == 6
    assert [sent(row) for row in rows] == [3, 3]


def test_a_look_costs_one_statement_and_finds_what_is_due_and_what_comes_next(django_assert_num_queries: Any) -> None:
    now = database_now()
    late, later = (make_escalation(make_ward(now), now) for _ in range(2))
    Escalation.objects.filter(pk=late.pk).update(next_due_at=now - timedelta(seconds=3))
    Escalation.objects.filter(pk=later.pk).update(next_due_at=now + timedelta(minutes=3))
    with django_assert_num_queries(1):
        seen = look()
    assert seen.due == {late.pk: now - timedelta(seconds=3)}
    # The visits of the follow-up are rows of the engine as well; the case comes before them.
    assert seen.next_at == now + timedelta(minutes=3)
    assert seen.idle_s is not None
    assert 0 < seen.idle_s <= 180


def test_pages_of_the_first_case_have_left_before_the_second_is_advanced() -> None:
    now = database_now()
    first, second = (make_escalation(make_ward(now), now) for _ in range(2))
    with CaptureQueriesContext(connection) as seen:
        advance(now=now, only=[first.pk, second.pk])
    texts = [one["sql"] for one in seen.captured_queries]
    marks = [place for place, text in enumerate(texts) if "provider_id = left_.provider_id" in text]
    steps = [place for place, text in enumerate(texts) if "INSERT INTO complications_escalationevent" in text]
    assert steps[0] < marks[0] < steps[1] < marks[1]
    assert (sent(first), sent(second)) == (3, 3)


def test_a_provider_that_hangs_holds_up_no_case(settings: Any) -> None:
    now = database_now()
    with http_server() as gateway:
        settings.DEMO, settings.EMAIL_HOST, settings.SMS_URL = False, "mail.example.org", gateway.url
        gateway.hold = threading.Event()
        wards = [make_ward(now) for _ in range(2)]
        for ward in wards:
            make_contact(ward.first, "sms", "+905550000007")
        rows = [make_escalation(ward, now) for ward in wards]

        def go() -> None:
            advance(now=now, only=[row.pk for row in rows])
            connection.close()

        worker = threading.Thread(target=go)
        worker.start()
        paged = EscalationEvent.objects.filter(kind="step_paged")
        eventually(lambda: paged.count() == 2, seconds=9, what="both cases are advanced while the gateway hangs")
        eventually(lambda: len(gateway.requests) == 2, seconds=9, what="and both texts are on their way")
        gateway.hold.set()
        worker.join(30)
    assert [sent(row) for row in rows] == [3, 3]


def test_what_an_engine_holds_belongs_to_nobody_else_and_leaves_when_its_lease_has_ended() -> None:
    now = database_now()
    row = make_escalation(make_ward(now), now)

    class Dead:
        """A worker that dies between the commit and the first page."""

        def is_ready(self) -> bool:
            return True

        def send(self, messages: Any) -> None:
            raise SystemExit(9)

    with pytest.raises(SystemExit):
        advance_due(now=now, only=[row.pk], sender=Dead())
    rows = Notification.objects.filter(reference=row.reference)
    assert set(rows.values_list("status", "attempts")) == {("leased", 1)}
    assert claim_due(now=now + timedelta(seconds=23)) == []
    assert deliver_due(now=now + timedelta(seconds=24)) == 3
    assert set(rows.values_list("status", "attempts")) == {("sent", 2)}


def test_a_way_for_later_stays_in_the_outbox(settings: Any) -> None:
    now = database_now()
    with http_server() as gateway:
        settings.DEMO, settings.EMAIL_HOST, settings.SMS_URL = False, "mail.example.org", gateway.url
        ward = make_ward(now)
        make_contact(ward.first, "sms", "+905550000007", 0)
        make_contact(ward.first, "email", "first@example.org", 1)
        row = make_escalation(ward, now)
        advance(now=now, only=[row.pk])
    ways = Notification.objects.filter(reference=row.reference, recipient=ward.first).order_by("rank")
    assert list(ways.values_list("channel", "status")) == [("sms", "sent"), ("email", "queued")]


def test_a_case_that_is_locked_is_what_the_orm_loads_with_its_people() -> None:
    now = database_now()
    ward = make_ward(now)
    row = make_escalation(ward, now)
    Escalation.objects.filter(pk=row.pk).update(hand_over_to=ward.second, hand_over_due_at=now, told=["bedside:warned"])
    with transaction.atomic():
        read = lock_due(row.pk, now)
    assert read is not None
    loaded = Escalation.objects.get(pk=row.pk)
    names = [field.attname for field in Escalation._meta.concrete_fields]
    assert [getattr(read, name) for name in names] == [getattr(loaded, name) for name in names]
    assert (read.site, read.procedure, read.case.operator) == (ward.site, ward.procedure, ward.operator)
    assert (read.responsible, read.hand_over_to, read.opened_by) == (None, ward.second, ward.nurse)
    assert read.last_seq == 1


# --- statements in a pipeline


def test_in_a_pipeline_an_error_is_raised_by_the_commit_at_the_latest_and_nothing_stays() -> None:
    site = make_site()
    insert = "INSERT INTO clinic_room (site_id, code, name) VALUES (%s::bigint, %s::text, '')"

    def twice() -> None:
        with pipelined(), transaction.atomic():
            send(insert, [site.pk, "X9"])
            send(insert, [site.pk, "X9"])

    with pytest.raises(IntegrityError):
        twice()
    assert not site.rooms.filter(code="X9").exists()
    assert fetch("SELECT 1", []) == [(1,)]


def test_in_a_pipeline_the_orm_counts_and_reads_what_was_sent_before() -> None:
    site = make_site()
    with pipelined(), transaction.atomic():
        site.name = "Changed"
        update(site, ["name"])
        assert Site.objects.filter(pk=site.pk, name="Changed").update(name="Again") == 1
        assert Site.objects.filter(pk=site.pk, name="Changed").update(name="Never") == 0
        assert Site.objects.get(pk=site.pk).name == "Again"
    site.refresh_from_db()
    assert site.name == "Again"


# --- the worker's connection


def backends() -> dict[int, Any]:
    """The server's processes for everybody else in this test's database, with when each began."""
    return dict(
        fetch(
            "SELECT pid, backend_start FROM pg_stat_activity WHERE datname = current_database() AND usename = current_user "
            "AND pid <> pg_backend_pid()",
            [],
        )
    )


@pytest.mark.service
def test_a_worker_keeps_its_connection_from_task_to_task_and_replaces_one_that_was_lost(celery_worker: Path) -> None:
    def swept(number: int) -> Callable[[], bool]:
        return lambda: celery_worker.read_text().count("complications.sweep[") >= 2 * number

    app.send_task("complications.sweep", expires=30)
    eventually(swept(1), what="the first sweep")
    eventually(lambda: len(backends()) == 1, what="its connection stays")
    kept = backends()
    now = database_now()
    row = make_escalation(make_ward(now), now)
    fetch("SELECT pg_terminate_backend(pid, 5000) FROM unnest(%s::int[]) pid", [list(kept)])
    app.send_task("complications.sweep", expires=30)
    eventually(lambda: sent(row) == 3, what="the next task works on another")
    assert not set(kept) & set(backends())
