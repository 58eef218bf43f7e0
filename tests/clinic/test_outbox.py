"""The outbox: one row per message, leased delivery, nothing lost and nothing sent to two people by two workers."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection

from clinic.actions.notification import LEASE, Message, cancel_unsent, claim_due, deliver, queue_notifications
from clinic.models import Notification, Site, User
from clinic.vocabulary import Channel
from tests.make import make_actor, make_contact, make_site, make_user
from tests.receivers import free_port, mail_server


@pytest.fixture
def site(db: None) -> Site:
    return make_site()


@pytest.fixture
def surgeon(site: Site) -> User:
    return make_user(site, "surgeon")


def queue(site: Site, user: User | None, now: datetime, key: str = "k1", **fields: Any) -> None:
    values = {"kind": "test", "channel": Channel.EMAIL, "reference": "escalation:1", "context": {}, **fields}
    queue_notifications([Message(dedup_key=key, recipient=user, site=site, **values)], by=make_actor(), now=now)


def test_the_same_cause_step_recipient_and_channel_is_one_message(site: Site, surgeon: User, now: datetime) -> None:
    queue(site, surgeon, now)
    queue(site, surgeon, now)
    assert Notification.objects.count() == 1


def test_a_claimed_message_is_sent_once_and_keeps_its_id(site: Site, surgeon: User, now: datetime) -> None:
    queue(site, surgeon, now)
    (key,) = claim_due(now=now)
    assert claim_due(now=now) == []
    assert deliver(key=key, now=now)
    assert not deliver(key=key, now=now)
    (sent,) = mail.outbox
    row = Notification.objects.get()
    assert sent.extra_headers["Message-ID"] == row.provider_id
    assert (row.status, row.sent_at, row.attempts) == ("sent", now, 1)


def test_a_worker_that_died_after_claiming_leaves_the_message_due_again(
    site: Site, surgeon: User, now: datetime
) -> None:
    queue(site, surgeon, now)
    claim_due(now=now)
    later = now + LEASE
    assert claim_due(now=later - timedelta(seconds=1)) == []
    (key,) = claim_due(now=later)
    assert deliver(key=key, now=later)
    assert Notification.objects.get().attempts == 2


def test_a_temporary_failure_waits_and_is_tried_again_until_it_fails_loudly(
    site: Site, surgeon: User, now: datetime, settings: Any
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    queue(site, surgeon, now)
    tries = 0
    while (row := Notification.objects.get()).status == "queued":
        (key,) = claim_due(now=row.due_at)
        assert not deliver(key=key, now=row.due_at)
        tries += 1
    assert (row.status, row.error, row.failure, tries) == ("failed", "unreachable", "temporary", 7)


def test_a_recipient_without_an_address_fails_at_once_and_stops_nobody_else(
    site: Site, surgeon: User, now: datetime
) -> None:
    nobody = make_user(site, "surgeon", email="")
    queue(site, nobody, now, "k1")
    queue(site, surgeon, now, "k2")
    for key in claim_due(now=now):
        deliver(key=key, now=now)
    assert dict(Notification.objects.values_list("dedup_key", "status")) == {"k1": "failed", "k2": "sent"}
    assert Notification.objects.get(dedup_key="k1").error == "no_address"


def test_cancelling_leaves_what_was_sent_and_stops_what_was_not(site: Site, surgeon: User, now: datetime) -> None:
    queue(site, surgeon, now, "k1")
    for key in claim_due(now=now):
        deliver(key=key, now=now)
    queue(site, surgeon, now, "k2")
    assert cancel_unsent(reference="escalation:1", now=now) == 1
    assert claim_due(now=now + timedelta(days=1)) == []


def test_what_a_dead_worker_held_is_not_sent_after_the_answer(site: Site, surgeon: User, now: datetime) -> None:
    queue(site, surgeon, now)
    claim_due(now=now)
    assert cancel_unsent(reference="escalation:1", now=now) == 1
    assert claim_due(now=now + LEASE) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("after", "left", "status"), [("451 later", False, "cancelled"), ("250 OK", True, "sent")])
def test_a_page_that_is_on_its_way_while_somebody_answers_says_what_became_of_it(
    settings: Any,
    after: str,
    left: bool,  # noqa: FBT001
    status: str,
) -> None:
    site = make_site()
    surgeon = make_user(site, "surgeon")
    now = surgeon.created_at
    with mail_server(settings) as server:
        queue(site, surgeon, now)
        server.after, server.meanwhile = after, lambda: cancel_unsent(reference="escalation:1", now=now)
        (key,) = claim_due(now=now)
        assert deliver(key=key, now=now) is left
    assert Notification.objects.get().status == status


def test_a_message_that_cannot_be_written_fails_loudly_and_is_not_claimed_for_ever(
    site: Site, surgeon: User, now: datetime
) -> None:
    queue(site, surgeon, now, kind="no_such_words")
    tries = 0
    while (row := Notification.objects.get()).status == "queued" and tries < 20:
        (key,) = claim_due(now=row.due_at)
        assert not deliver(key=key, now=row.due_at)
        tries += 1
    assert (row.status, row.error, tries) == ("failed", "unknown", 7)


@pytest.mark.parametrize(
    ("answer", "status", "error", "failure", "disabled"),
    [
        ("450 Greylisted, try again in 300 s", "queued", "rejected", "temporary", False),
        ("550 5.1.1 No such user here", "failed", "mailbox_refused", "permanent", True),
        ("550 5.7.1 Refused by policy", "failed", "mailbox_refused", "permanent", False),
        ("552 5.2.2 Mailbox full", "failed", "rejected", "permanent", False),
    ],
)
def test_what_the_mail_server_says_decides_what_follows(
    site: Site,
    surgeon: User,
    now: datetime,
    settings: Any,
    answer: str,
    status: str,
    error: str,
    failure: str,
    disabled: bool,  # noqa: FBT001
) -> None:
    point = make_contact(surgeon, "email", surgeon.email)
    with mail_server(settings) as server:
        server.answer = answer
        queue(site, surgeon, now, contact=point.pk)
        (key,) = claim_due(now=now)
        assert not deliver(key=key, now=now)
        assert server.mails == []
    row = Notification.objects.get(dedup_key="k1")
    assert (row.status, row.error, row.failure, row.failed_at) == (status, error, failure, now)
    point.refresh_from_db()
    assert (point.disabled_at is not None) is disabled
    assert point.disabled_reason == (error if disabled else "")


def test_a_mail_leaves_by_smtp_with_the_id_of_its_row(site: Site, surgeon: User, now: datetime, settings: Any) -> None:
    with mail_server(settings) as server:
        queue(site, surgeon, now)
        (key,) = claim_due(now=now)
        assert deliver(key=key, now=now)
    row = Notification.objects.get()
    assert row.provider_id in server.mails[0]
    assert f"To: {surgeon.email}" in server.mails[0]


def test_a_deleted_address_does_not_strand_the_message(site: Site, surgeon: User, now: datetime) -> None:
    queue(site, surgeon, now)
    User.objects.filter(pk=surgeon.pk).update(email="")
    (key,) = claim_due(now=now)
    assert deliver(key=key, now=now)
    assert mail.outbox[0].to == [surgeon.email]


@pytest.mark.django_db(transaction=True)
def test_two_workers_never_claim_the_same_message() -> None:
    site = make_site()
    user = make_user(site, "surgeon")
    now = user.created_at
    for number in range(60):
        queue(site, user, now, f"k{number}")
    claimed: list[int] = []
    start = threading.Barrier(4)

    def work() -> None:
        try:
            start.wait()
            while keys := claim_due(now=now, limit=7):
                claimed.extend(keys)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == len(set(claimed)) == 60
