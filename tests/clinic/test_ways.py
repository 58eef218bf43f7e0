"""By which ways a person is reached: their order, what is left when something was removed, and the next way after a failure."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail

from clinic.actions.notification import LEASE, Message, by_every_way, claim_due, deliver, queue_notifications
from clinic.channels import SEND_WITHIN_S
from clinic.lib.side_by_side import side_by_side
from clinic.models import ContactPoint, Notification, Site, User
from clinic.queries.contacts import Way, ways_of, ways_of_contact
from clinic.vocabulary import Channel
from complications.actions.sweeping import AT_ONCE, deliver_due
from tests.make import make_actor, make_contact, make_site, make_user
from tests.receivers import free_port, http_server, mail_server

GAP = timedelta(seconds=30)


@pytest.fixture
def site(db: None, settings: Any) -> Site:
    settings.DEMO, settings.EMAIL_HOST, settings.SMS_URL = False, "mail.example.org", "https://sms.example.org/"
    return make_site()


@pytest.fixture
def surgeon(site: Site) -> User:
    return make_user(site, "surgeon")


def ways(user: User, since: datetime | None = None) -> list[tuple[str, str, bool]]:
    """Channel, address and trust of each way, in order."""
    found = ways_of([user], since=since)[user.pk]
    assert [way.rank for way in found] == list(range(len(found)))
    return [(way.channel.value, way.address, way.trusted) for way in found]


def test_the_persons_own_order_counts(surgeon: User) -> None:
    make_contact(surgeon, "email", "late@example.org", 1)
    make_contact(surgeon, "sms", "+905550000001", 0)
    assert ways(surgeon) == [("sms", "+905550000001", True), ("email", "late@example.org", True)]


def test_somebody_who_entered_nothing_is_reached_by_the_account(surgeon: User) -> None:
    assert ways(surgeon) == [("email", surgeon.email, True)]


def test_an_address_that_nobody_verified_counts_only_where_there_is_no_other(surgeon: User) -> None:
    make_contact(surgeon, "sms", "+905550000001", 0, verified_at=None)
    assert ways(surgeon) == [("sms", "+905550000001", False)]
    make_contact(surgeon, "email", "a@example.org", 1)
    assert ways(surgeon) == [("email", "a@example.org", True)]


def test_a_person_whose_only_address_is_disabled_cannot_be_reached(surgeon: User, now: datetime) -> None:
    make_contact(surgeon, "email", "a@example.org", disabled_at=now, disabled_reason="mailbox_refused")
    assert ways(surgeon) == []


def test_a_channel_that_is_not_set_up_is_no_way(surgeon: User, settings: Any) -> None:
    make_contact(surgeon, "sms", "+905550000001", 0)
    make_contact(surgeon, "email", "a@example.org", 1)
    settings.SMS_URL = ""
    assert ways(surgeon) == [("email", "a@example.org", True)]


def test_an_address_removed_while_a_case_runs_is_still_found_by_that_case(surgeon: User, now: datetime) -> None:
    make_contact(surgeon, "sms", "+905550000001", removed_at=now)
    before, later = now - timedelta(hours=1), now + timedelta(hours=1)
    assert ways(surgeon, since=before) == [("sms", "+905550000001", True)]
    assert ways(surgeon, since=later) == [("email", surgeon.email, True)]


def test_everybodys_ways_are_found_in_one_query(site: Site, django_assert_num_queries: Any) -> None:
    people = [make_user(site, "surgeon") for _ in range(5)]
    for person in people:
        make_contact(person, "email", person.email)
    with django_assert_num_queries(1):
        assert len(ways_of(people)) == 5


def test_the_backstop_is_reached_by_everything_it_has_at_once(site: Site) -> None:
    found = ways_of_contact(email="b@example.org", phone="+905550000009")
    assert [(way.channel, way.rank) for way in found] == [(Channel.SMS, 0), (Channel.EMAIL, 0)]


def test_in_the_demo_everything_is_read_on_the_inbox_page(surgeon: User, settings: Any) -> None:
    settings.DEMO, settings.EMAIL_HOST, settings.SMS_URL = True, "", ""
    make_contact(surgeon, "sms", "+905550000001")
    assert ways(surgeon) == [("inbox", surgeon.username, True)]


def page(site: Site, user: User, now: datetime, *, urgent: bool = True) -> None:
    """Write one message by every way of the person."""
    message = Message(
        dedup_key="k",
        kind="test",
        recipient=user,
        channel=Channel.INBOX,
        site=site,
        reference="escalation:1",
        context={"link": "secret", "site": "H"},
        urgent=urgent,
    )
    found = ways_of([user])[user.pk]
    queue_notifications(by_every_way(message, found, gap=GAP, now=now, trusted_only=["link"]), by=make_actor(), now=now)


def states() -> dict[str, str]:
    """Channel → status."""
    return dict(Notification.objects.values_list("channel", "status"))


def test_a_page_goes_on_to_the_next_way_until_somebody_answers(site: Site, surgeon: User, now: datetime) -> None:
    make_contact(surgeon, "email", "first@example.org", 0)
    make_contact(surgeon, "email", "second@example.org", 1)
    page(site, surgeon, now)
    assert deliver_due(now=now) == 1
    assert [one.to for one in mail.outbox] == [["first@example.org"]]
    assert deliver_due(now=now + GAP) == 1
    assert [one.to for one in mail.outbox] == [["first@example.org"], ["second@example.org"]]


def test_what_can_wait_goes_out_by_one_way_only(site: Site, surgeon: User, now: datetime) -> None:
    make_contact(surgeon, "email", "first@example.org", 0)
    make_contact(surgeon, "email", "second@example.org", 1)
    page(site, surgeon, now, urgent=False)
    assert deliver_due(now=now) == 1
    assert deliver_due(now=now + timedelta(days=1)) == 0
    assert sorted(Notification.objects.values_list("status", flat=True)) == ["cancelled", "sent"]


@pytest.mark.parametrize("urgent", [True, False])
def test_the_next_way_is_tried_while_the_first_one_waits_for_its_next_try(
    site: Site,
    surgeon: User,
    now: datetime,
    settings: Any,
    urgent: bool,  # noqa: FBT001
) -> None:
    make_contact(surgeon, "email", "first@example.org", 0)
    make_contact(surgeon, "sms", "+905550000001", 1)
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    with http_server() as gateway:
        settings.SMS_URL = gateway.url
        page(site, surgeon, now, urgent=urgent)
        # One sweep: the mail fails, and the text message leaves right behind it.
        assert deliver_due(now=now) == 1
    # A page is tried again on the first way all the same; for what can wait one way was enough.
    assert states() == {"email": "queued" if urgent else "cancelled", "sms": "sent"}
    first = Notification.objects.get(channel="email")
    assert (first.failure, first.due_at) == ("temporary", now + timedelta(seconds=5))


def test_a_permanent_failure_ends_its_way_and_not_the_person(
    site: Site, surgeon: User, now: datetime, settings: Any
) -> None:
    make_contact(surgeon, "email", "first@example.org", 0)
    make_contact(surgeon, "sms", "+905550000001", 1)
    with mail_server(settings) as server, http_server() as gateway:
        server.answer = "550 5.1.1 No such user"
        settings.SMS_URL = gateway.url
        page(site, surgeon, now)
        deliver_due(now=now)
    assert states() == {"email": "failed", "sms": "sent"}
    assert ways(surgeon) == [("sms", "+905550000001", True)]
    assert ContactPoint.objects.get(kind="email").disabled_reason == "mailbox_refused"


def test_the_link_that_answers_goes_to_verified_addresses_only(site: Site, surgeon: User, now: datetime) -> None:
    make_contact(surgeon, "email", "first@example.org", verified_at=None)
    page(site, surgeon, now)
    assert Notification.objects.get().context == {"site": "H"}


def test_a_provider_that_hangs_holds_up_nobody_and_ends_before_the_lease(
    site: Site, surgeon: User, now: datetime, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert LEASE.total_seconds() > 2 * SEND_WITHIN_S
    colleague = make_user(site, "surgeon")
    make_contact(surgeon, "sms", "+905550000001")
    make_contact(colleague, "email", colleague.email)
    with http_server() as gateway:
        gateway.hold = threading.Event()
        settings.SMS_URL = gateway.url
        monkeypatch.setattr("clinic.lib.outgoing.TIMEOUT_S", 0.3)
        page(site, surgeon, now)
        message = Message(
            dedup_key="other",
            kind="test",
            recipient=colleague,
            channel=Channel.EMAIL,
            site=site,
            reference="escalation:1",
            urgent=True,
        )
        queue_notifications([message], by=make_actor(), now=now)
        assert deliver_due(now=now) == 1
    assert states() == {"sms": "queued", "email": "sent"}
    assert Notification.objects.get(channel="sms").error == "timeout"
    assert AT_ONCE >= 2


def test_what_hangs_beyond_its_sockets_timeouts_is_given_up_all_the_same() -> None:
    never = threading.Event()
    try:
        first, second = side_by_side([never.wait, lambda: True], seconds=0.2)
    finally:
        never.set()
    assert isinstance(first, TimeoutError)
    assert second is True


def test_a_way_of_the_same_person_has_a_key_of_its_own() -> None:
    keys = {Way(Channel.EMAIL, contact=1).key, Way(Channel.EMAIL, contact=2).key, Way(Channel.EMAIL).key}
    assert len(keys) == 3


def test_one_message_is_delivered_once_by_whoever_comes_first(site: Site, surgeon: User, now: datetime) -> None:
    page(site, surgeon, now)
    (key,) = claim_due(now=now)
    assert deliver(key=key, now=now)
    assert deliver_due(now=now) == 0
