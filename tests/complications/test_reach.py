"""Escalations over real channels: who has no way to be reached, what is removed while a case runs, and what is shown of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail

from clinic.actions.contacts import remove_contact
from clinic.lib.clock import database_now
from clinic.models import ContactPoint, Notification, Shift
from complications.actions.engine import advance_due
from complications.actions.escalation import acknowledge
from complications.actions.links import link_token
from complications.actions.sweeping import deliver_due
from complications.models import AcknowledgeLink, Escalation
from complications.queries.engine import oldest_due
from tests.clients import ApiClient
from tests.make import make_actor, make_contact
from tests.make_complications import Ward, make_escalation, make_ward
from tests.receivers import HttpServer, free_port, http_server


@pytest.fixture
def gateway(settings: Any) -> Iterator[HttpServer]:
    with http_server() as server:
        settings.DEMO, settings.EMAIL_HOST, settings.SMS_URL = False, "mail.example.org", server.url
        yield server


@pytest.fixture
def ward(db: None, now: datetime, gateway: HttpServer) -> Ward:
    return make_ward(now)


def steps(row: Escalation) -> list[tuple[int, str]]:
    """The steps that ran and how."""
    kinds = ("step_paged", "step_skipped")
    return [(event.data["step"], event.kind[5:]) for event in row.events.filter(kind__in=kinds)]


def test_a_recipient_without_any_channel_is_passed_over_and_the_step_goes_on(ward: Ward, now: datetime) -> None:
    make_contact(ward.first, "email", "gone@example.org", disabled_at=now, disabled_reason="mailbox_refused")
    row = make_escalation(ward, now)
    advance_due(now=now)
    told = row.events.get(kind="step_paged").data["to"]
    assert {one["name"] for one in told} == {ward.operator.get_full_name(), ward.nurse.get_full_name()}


def test_a_step_whose_people_have_only_dead_addresses_is_followed_at_once(ward: Ward, now: datetime) -> None:
    for person in (ward.first, ward.operator, ward.nurse):
        make_contact(person, "sms", "+905550000001", disabled_at=now, disabled_reason="number_refused")
    row = make_escalation(ward, now)
    advance_due(now=now)
    assert steps(row) == [(0, "skipped"), (1, "paged")]


def test_an_address_that_goes_while_the_case_runs_strands_nobody(
    ward: Ward, now: datetime, gateway: HttpServer
) -> None:
    Shift.objects.exclude(user=ward.first).delete()
    ward.operator.is_active = False
    ward.operator.save()
    ward.first.email = ""
    ward.first.save()
    point = make_contact(ward.first, "sms", "+905550000007")
    row = make_escalation(ward, now)
    remove_contact(point=point, anyway=True, by=make_actor(ward.first), now=now + timedelta(seconds=1))
    advance_due(now=now + timedelta(seconds=2))
    deliver_due(now=now + timedelta(seconds=2))
    assert steps(row) == [(0, "paged")]
    assert [request.json["to"] for request in gateway.requests] == ["+905550000007"]


def test_every_way_of_a_person_is_used_in_turn_and_none_after_the_answer(
    ward: Ward, now: datetime, gateway: HttpServer
) -> None:
    make_contact(ward.first, "sms", "+905550000007", 0)
    make_contact(ward.first, "email", "first@example.org", 1)
    make_contact(ward.first, "email", "second@example.org", 2)
    row = make_escalation(ward, now)
    advance_due(now=now)
    deliver_due(now=now)
    assert len(gateway.requests) == 1
    at = now + timedelta(seconds=30)
    deliver_due(now=at)
    assert "first@example.org" in [letter.to[0] for letter in mail.outbox]
    acknowledge(escalation=row, eta_minutes=20, by=make_actor(ward.first, "surgeon"), now=at)
    deliver_due(now=at + timedelta(minutes=5))
    assert "second@example.org" not in [letter.to[0] for letter in mail.outbox]


def test_a_text_message_carries_the_link_that_answers(ward: Ward, now: datetime, gateway: HttpServer) -> None:
    make_contact(ward.first, "sms", "+905550000007")
    row = make_escalation(ward, now)
    advance_due(now=now)
    deliver_due(now=now)
    link = AcknowledgeLink.objects.get(escalation=row, user=ward.first)
    assert f"/a/{link_token(link.public_id)}/" in gateway.requests[0].json["text"]


@pytest.fixture
def hook(ward: Ward, now: datetime, gateway: HttpServer, settings: Any) -> ContactPoint:
    settings.WEBHOOK_HOSTS, settings.ALLOW_PRIVATE_ADDRESSES = ["127.0.0.1"], True
    return ContactPoint.objects.create(
        site=ward.site,
        kind="webhook",
        address=f"{gateway.url}/hook",
        secrets={"secret": "whsec_MDEyMzQ1Njc4OWFiY2RlZg=="},
        created_at=now,
        verified_at=now,
    )


def heard(gateway: HttpServer) -> list[tuple[int, str, str]]:
    """What the webhook was told: number, type and status of each event."""
    told = [request.json for request in gateway.requests if request.path == "/hook"]
    return sorted((one["data"]["seq"], one["type"], one["data"]["status"]) for one in told)


def test_a_webhook_hears_of_each_event_once_and_counts_as_nobody(
    ward: Ward, now: datetime, gateway: HttpServer, hook: ContactPoint
) -> None:
    row = make_escalation(ward, now)
    for _ in range(3):
        advance_due(now=now)
        deliver_due(now=now)
    assert heard(gateway) == [(1, "escalation.opened", "paging"), (2, "escalation.step_paged", "paging")]
    told = row.events.get(kind="step_paged").data["to"]
    assert len(told) == 3
    acknowledge(escalation=row, eta_minutes=20, by=make_actor(ward.first, "surgeon"), now=now)
    deliver_due(now=now)
    assert heard(gateway)[2:] == [(3, "escalation.acknowledged", "acknowledged")]
    body = b"".join(request.body for request in gateway.requests if request.path == "/hook").decode()
    assert row.reference in body
    assert ward.first.get_full_name() not in body


def test_an_answer_cancels_no_webhook(ward: Ward, now: datetime, gateway: HttpServer, hook: ContactPoint) -> None:
    row = make_escalation(ward, now)
    advance_due(now=now)
    acknowledge(escalation=row, eta_minutes=20, by=make_actor(ward.first, "surgeon"), now=now)
    deliver_due(now=now)
    assert [kind for _, kind, _ in heard(gateway)] == [
        "escalation.opened",
        "escalation.step_paged",
        "escalation.acknowledged",
    ]


def test_who_lost_an_address_is_told_by_what_is_left(
    ward: Ward, now: datetime, gateway: HttpServer, settings: Any
) -> None:
    make_contact(ward.first, "sms", "+905550000007", 0)
    make_contact(ward.first, "email", "first@example.org", 1)
    settings.SMS_OK_PATH, settings.SMS_BAD_NUMBER_VALUES = "status", ["unknown_number"]
    gateway.answer(200, {"status": "unknown_number"})
    make_escalation(ward, now)
    advance_due(now=now)
    deliver_due(now=now)
    told = [letter for letter in mail.outbox if "no longer" in str(letter.subject)]
    assert [(letter.to, "+905550000007" in str(letter.body)) for letter in told] == [(["first@example.org"], True)]


def test_the_page_of_the_case_says_what_became_of_each_message(
    db: None, gateway: HttpServer, settings: Any, as_: Callable[[Any], ApiClient]
) -> None:
    ward, now = make_ward(), database_now()
    make_contact(ward.first, "sms", "+905550000007", 0)
    make_contact(ward.first, "email", "first@example.org", 1)
    settings.SMS_OK_PATH, settings.SMS_BAD_NUMBER_VALUES = "status", ["unknown_number"]
    gateway.answer(200, {"status": "unknown_number"})
    row = make_escalation(ward, now)
    advance_due(now=now)
    deliver_due(now=now)
    page = as_(ward.nurse).get(f"/escalations/{row.public_id}/").content.decode()
    lines = [" ".join(re.sub(r"<[^>]+>", " ", one).split()) for one in re.findall(r"<li>(.*?)</li>", page)]
    name = ward.first.get_full_name()
    assert [line for line in lines if line.startswith(f"{name} SMS") and "number refused" in line]
    assert [line for line in lines if line.startswith(f"{name} E-mail") and re.search(r"sent \d\d:\d\d:\d\d$", line)]
    said = as_(ward.nurse).get(f"/api/v1/escalations/{row.public_id}/").json()["messages"]
    found = {(one["channel"], one["status"], one["failure"], one["error"]) for one in said if one["recipient"]}
    assert ("sms", "failed", "permanent", "number_refused") in found


def test_health_counts_a_failing_way_only_where_no_other_took_the_page(
    ward: Ward, now: datetime, gateway: HttpServer, settings: Any
) -> None:
    Shift.objects.exclude(user=ward.first).delete()
    ward.operator.is_active = False
    ward.operator.save()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    make_contact(ward.first, "email", "first@example.org", 0)
    gateway.answer(503)
    make_contact(ward.first, "sms", "+905550000007", 1)
    make_escalation(ward, now)
    advance_due(now=now)
    deliver_due(now=now)
    at = now + timedelta(seconds=1)
    assert oldest_due(at) == now
    gateway.answer(200, {})
    later = Notification.objects.get(channel="sms").due_at
    deliver_due(now=later)
    waiting = Notification.objects.get(channel="email")
    assert waiting.status == "queued"
    assert oldest_due(min(waiting.due_at, later) - timedelta(seconds=1)) is None
