"""One's own contact points: added, verified by a code that went there, ordered, tested, removed; and what a site sees of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import ProgrammingError, transaction
from django.db.utils import IntegrityError

from clinic.actions.people import add_person
from clinic.channels.receipts import receipt_path
from clinic.lib.clock import database_now
from clinic.models import AuditEntry, ContactPoint, Notification, ShiftOverride, Site, User
from clinic.queries.coverage import coverage
from clinic.vocabulary import Role
from complications.actions.sweeping import deliver_due
from tests.clients import ApiClient
from tests.make import make_actor, make_contact, make_shift, make_site, make_user

As = Callable[[Any], ApiClient]
KEYS = {
    # the subscription of RFC 8291, appendix A
    "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
    "auth": "BTBZMqHH6r4Tts7J_aSIgg",
}
ENDPOINT = "https://fcm.googleapis.com/fcm/send/abc"


@pytest.fixture
def site(db: None, settings: Any) -> Site:
    settings.EMAIL_HOST = "mail.example.org"
    return make_site()


@pytest.fixture
def surgeon(site: Site) -> User:
    return make_user(site, "surgeon")


def call(client: ApiClient, method: str, path: str, body: Any = None) -> Any:
    """Send, and return the answer."""
    return client.send(method, path, body)


def add(client: ApiClient, kind: str = "email", address: str = "me@example.org", **more: Any) -> Any:
    """Add a point and return the answer."""
    return call(client, "POST", "/me/contacts/", {"kind": kind, "address": address, **more})


def sent_code() -> str:
    """The code of the newest mail."""
    deliver_due(now=database_now())
    found = re.search(r"\b(\d{3} \d{3})\b", str(mail.outbox[-1].body))
    assert found
    return found.group(1)


def test_an_address_counts_once_its_code_came_back(as_: As, surgeon: User) -> None:
    client = as_(surgeon)
    point = add(client).json()
    assert (point["verified_at"], point["position"]) == (None, 0)
    assert call(client, "POST", f"/me/contacts/{point['id']}/codes/", {}).status_code == 201
    code = sent_code()
    assert mail.outbox[-1].to == ["me@example.org"]
    wrong = call(client, "POST", f"/me/contacts/{point['id']}/verification/", {"code": "1"})
    assert (wrong.status_code, wrong.json()["errors"][0]["code"]) == (400, "wrong_code")
    done = call(client, "POST", f"/me/contacts/{point['id']}/verification/", {"code": code})
    assert done.status_code == 201
    assert done.json()["verified_at"]
    assert done.json()["tested_at"]
    stored = "".join(f"{row.context}{row.kind}" for row in Notification.objects.all())
    assert code.replace(" ", "") not in stored.replace(" ", "")
    again = call(client, "POST", f"/me/contacts/{point['id']}/verification/", {"code": code})
    assert again.json()["code"] == "code_expired"


def test_a_code_ends_after_fifteen_minutes_or_five_tries(as_: As, surgeon: User) -> None:
    client = as_(surgeon)
    path = f"/me/contacts/{add(client).json()['id']}"
    call(client, "POST", f"{path}/codes/", {})
    code = sent_code()
    ContactPoint.objects.update(code_issued_at=database_now() - timedelta(minutes=16))
    assert call(client, "POST", f"{path}/verification/", {"code": code}).json()["code"] == "code_expired"
    ContactPoint.objects.update(code_issued_at=database_now(), code_tries=0)
    codes = [call(client, "POST", f"{path}/verification/", {"code": "000"}).json()["code"] for _ in range(6)]
    assert codes == ["invalid"] * 5 + ["too_many_tries"]


def test_one_code_at_a_time(as_: As, surgeon: User) -> None:
    client = as_(surgeon)
    path = f"/me/contacts/{add(client).json()['id']}/codes/"
    call(client, "POST", path, {})
    soon = call(client, "POST", path, {})
    assert (soon.status_code, soon.json()["code"]) == (429, "too_soon")
    assert 1 <= int(soon["Retry-After"]) <= 21


@pytest.mark.parametrize(
    ("kind", "address", "code"),
    [
        ("email", "nobody", "not_an_email"),
        ("sms", "0555 000", "not_a_number"),
        ("sms", "+90 555 CALL ME", "not_a_number"),
        ("push", "https://internal.example.org/x", "host_not_listed"),
        ("push", "http://fcm.googleapis.com/x", "not_https"),
        ("push", "https://user:secret@fcm.googleapis.com/x", "not_a_url"),
        ("push", "file:///etc/passwd", "not_a_url"),
    ],
)
def test_what_is_no_address_is_refused_with_what_to_write(
    as_: As, surgeon: User, kind: str, address: str, code: str
) -> None:
    answer = add(as_(surgeon), kind, address, keys=KEYS)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, code)
    assert ContactPoint.objects.count() == 0


@pytest.mark.parametrize("keys", [{}, {"p256dh": "AAAA", "auth": "AAAA"}, {**KEYS, "auth": "AA"}])
def test_a_subscription_without_its_keys_is_refused(as_: As, surgeon: User, keys: dict[str, str]) -> None:
    answer = add(as_(surgeon), "push", ENDPOINT, keys=keys)
    assert answer.json()["errors"][0]["code"] == "not_a_subscription"


def test_the_same_address_again_is_the_same_point(as_: As, surgeon: User) -> None:
    client = as_(surgeon)
    assert add(client, "sms", "+90 555 000 00 01").json()["id"] == add(client, "sms", "0090-555-0000001").json()["id"]
    assert ContactPoint.objects.get().address == "+905550000001"


def test_a_phone_pages_only_who_subscribed_it_last(as_: As, site: Site, surgeon: User) -> None:
    colleague = make_user(site, "surgeon")
    first = add(as_(surgeon), "push", ENDPOINT, keys=KEYS).json()
    add(as_(colleague), "push", ENDPOINT, keys=KEYS)
    assert call(as_(surgeon), "GET", "/me/contacts/").json()["results"] == []
    assert ContactPoint.objects.get(public_id=first["id"]).removed_at is not None
    assert "AQAB" not in str(call(as_(colleague), "GET", "/me/contacts/").json())


def test_the_database_lets_one_phone_belong_to_one_person(site: Site, surgeon: User) -> None:
    make_contact(surgeon, "push", ENDPOINT)
    with pytest.raises(IntegrityError, match="contact_point_one_person_per_phone"):
        make_contact(make_user(site, "surgeon"), "push", ENDPOINT)


def test_an_answer_shows_neither_endpoint_nor_keys(as_: As, surgeon: User) -> None:
    client = as_(surgeon)
    added = add(client, "push", ENDPOINT, keys=KEYS, label="My phone")
    body = added.content.decode() + call(client, "GET", "/me/contacts/").content.decode()
    assert "fcm.googleapis" not in body
    assert KEYS["auth"] not in body
    assert "My phone" in body


def test_the_order_is_the_persons_own(as_: As, surgeon: User) -> None:
    client = as_(surgeon)
    ids = [add(client, "email", f"{name}@example.org").json()["id"] for name in "abc"]
    answer = call(client, "POST", "/me/contacts/order/", {"ids": [ids[2], ids[0], ids[1]]})
    assert [one["address"][0] for one in answer.json()["results"]] == ["c", "a", "b"]
    assert call(client, "POST", "/me/contacts/order/", {"ids": ids[:2]}).status_code == 400


def test_the_last_verified_address_of_somebody_on_call_goes_only_on_purpose(as_: As, site: Site, surgeon: User) -> None:
    client = as_(surgeon)
    point = make_contact(surgeon, "email", "me@example.org")
    make_contact(surgeon, "sms", "+905550000001", 1, verified_at=None)
    now = database_now()
    # Not by a shift of their own: somebody's place was taken over.
    ShiftOverride.objects.create(
        site=site,
        post="on_call_spine",
        user=surgeon,
        period=(now + timedelta(days=3), now + timedelta(days=4)),
        created_at=now,
    )
    refused = call(client, "DELETE", f"/me/contacts/{point.public_id}/")
    assert (refused.status_code, refused.json()["code"]) == (409, "last_while_on_call")
    assert call(client, "DELETE", f"/me/contacts/{point.public_id}/?anyway=1").status_code == 204
    assert call(client, "DELETE", f"/me/contacts/{point.public_id}/").status_code == 404


def test_nobody_touches_another_persons_points(as_: As, site: Site, surgeon: User) -> None:
    point = make_contact(surgeon, "email", "me@example.org")
    other = as_(make_user(site, "administrator"))
    assert call(other, "DELETE", f"/me/contacts/{point.public_id}/").status_code == 404
    assert call(other, "POST", f"/me/contacts/{point.public_id}/tests/", {}).status_code == 404


def test_the_time_of_the_last_test_is_kept_when_it_left(as_: As, surgeon: User) -> None:
    client = as_(surgeon)
    point = make_contact(surgeon, "email", "me@example.org")
    assert call(client, "POST", f"/me/contacts/{point.public_id}/tests/", {}).json()["tested_at"] is None
    deliver_due(now=database_now())
    assert mail.outbox[-1].to == ["me@example.org"]
    assert call(client, "GET", "/me/contacts/").json()["results"][0]["tested_at"]


def test_a_channel_that_is_not_set_up_says_so_and_the_demo_shows_the_code(
    as_: As, surgeon: User, settings: Any
) -> None:
    client = as_(surgeon)
    path = f"/me/contacts/{add(client, 'sms', '+905550000001').json()['id']}/codes/"
    settings.DEMO = False
    assert call(client, "POST", path, {}).json()["code"] == "not_set_up"
    settings.DEMO = True
    assert call(client, "POST", path, {}).status_code == 201
    deliver_due(now=database_now())
    row = Notification.objects.get()
    assert (row.channel, row.status, row.address) == ("inbox", "sent", "+905550000001")
    assert re.search(r"your code is \d{3} \d{3}", client.get("/inbox/").content.decode())


def test_the_trail_names_kind_and_point_and_never_the_address(as_: As, surgeon: User) -> None:
    client = as_(surgeon)
    point = add(client, "email", "secret.place@example.org").json()
    call(client, "DELETE", f"/me/contacts/{point['id']}/")
    entries = AuditEntry.objects.filter(action__startswith="contact_point.")
    assert [entry.action for entry in entries.order_by("id")] == ["contact_point.added", "contact_point.removed"]
    assert "secret.place" not in "".join(entry.canonical for entry in AuditEntry.objects.all())


def test_the_site_sees_whom_no_page_would_reach(
    site: Site, surgeon: User, settings: Any, django_assert_num_queries: Any
) -> None:
    settings.DEMO = False
    now = database_now()
    well = make_user(site, "anaesthetist")
    make_contact(well, "email", "a@example.org", 0, tested_at=now)
    make_contact(well, "email", "b@example.org", 1, tested_at=now)
    nobody = make_user(site, "nurse", email="")
    make_shift(site, nobody, "nurse_in_charge")
    make_contact(surgeon, "email", "s@example.org", disabled_at=now, disabled_reason="gone")
    stranger = make_user(site, "nurse")
    with django_assert_num_queries(6):
        rows = coverage(site, now)
    found = {row.user: row.wrong for row in rows}
    assert found == {
        well: [],
        nobody: ["unreachable"],
        surgeon: ["unreachable", "disabled"],
    }
    assert stranger not in found
    assert [row.user for row in rows][:1] == [nobody]


def receipt(client: ApiClient, row: Notification, said: dict[str, str], *, form: bool = False) -> int:
    """Send a receipt as a gateway does, without a log-in."""
    if form:
        return client.post(receipt_path(row), said).status_code
    return client.post(receipt_path(row), said, content_type="application/json").status_code


def arrived(row: Notification) -> datetime | None:
    """When the message arrived, as the database has it."""
    return Notification.objects.get(pk=row.pk).delivered_at


@pytest.mark.parametrize("form", [False, True])
def test_a_receipt_says_that_a_text_arrived(
    client: ApiClient,
    site: Site,
    surgeon: User,
    settings: Any,
    form: bool,  # noqa: FBT001
) -> None:
    row = make_sent(site, surgeon)
    assert receipt(client, row, {"status": "enroute"}, form=form) == 200
    assert arrived(row) is None
    assert receipt(client, row, {"status": "DELIVRD"}, form=form) == 200
    first = arrived(row)
    assert first
    receipt(client, row, {"status": "failed"}, form=form)
    row.refresh_from_db()
    assert (row.status, row.delivered_at) == ("sent", first)


def test_a_receipt_that_a_text_never_arrived_brings_the_next_way_forward(
    client: ApiClient, site: Site, surgeon: User
) -> None:
    row = make_sent(site, surgeon, chain="c")
    later = row.created_at + timedelta(hours=1)
    behind = make_sent(site, surgeon, chain="c", rank=1, status="queued", sent_at=None, due_at=later, attempts=0)
    assert receipt(client, row, {"status": "undelivered"}) == 200
    row.refresh_from_db()
    behind.refresh_from_db()
    assert (row.status, row.failure, row.error) == ("failed", "permanent", "not_delivered")
    assert behind.due_at < later


def test_a_receipt_without_its_signature_changes_nothing(client: ApiClient, site: Site, surgeon: User) -> None:
    row = make_sent(site, surgeon)
    path = receipt_path(row)
    forged = path[:-2] + ("A" if path[-2] != "A" else "B") + "/"
    assert client.post(forged, {"status": "delivered"}, content_type="application/json").status_code == 404
    missing = client.post(path, {"word": "delivered"}, content_type="application/json")
    assert (missing.status_code, missing.json()["errors"][0]["field"]) == (400, "status")
    row.refresh_from_db()
    assert row.delivered_at is None


def make_sent(site: Site, user: User, **fields: Any) -> Notification:
    """A text message that left."""
    now = database_now()
    values = {"status": "sent", "sent_at": now, "attempts": 1, "due_at": now, **fields}
    return Notification.objects.create(
        dedup_key=f"k{Notification.objects.count()}",
        kind="test",
        channel="sms",
        site=site,
        recipient=user,
        address="+905550000001",
        reference="escalation:1",
        created_at=now,
        **values,
    )


def test_a_webhook_shows_its_key_once_and_only_where_its_host_is_listed(
    as_: As, site: Site, surgeon: User, settings: Any
) -> None:
    manager = as_(make_user(site, "administrator"))
    wanted = {"kind": "webhook", "address": "https://hooks.example.org/paging", "label": "Switchboard"}
    off = call(manager, "POST", "/contacts/", wanted)
    assert (off.status_code, off.json()["errors"][0]["code"]) == (400, "host_not_listed")
    settings.WEBHOOK_HOSTS = ["hooks.example.org"]
    added = call(manager, "POST", "/contacts/", wanted).json()
    assert added["secret"].startswith("whsec_")
    listed = call(manager, "GET", "/contacts/")
    assert [one["id"] for one in listed.json()["results"]] == [added["id"]]
    assert added["secret"] not in listed.content.decode()
    assert call(manager, "POST", "/contacts/", wanted).json()["code"] == "known"
    elsewhere = as_(make_user(make_site(), "administrator"))
    assert call(elsewhere, "DELETE", f"/contacts/{added['id']}/").status_code == 404
    assert call(as_(surgeon), "GET", "/contacts/").status_code == 403
    assert call(manager, "DELETE", f"/contacts/{added['id']}/").status_code == 204
    assert call(manager, "GET", "/contacts/").json()["results"] == []


def test_another_service_of_a_person_is_entered_by_an_administrator_only(
    as_: As, site: Site, surgeon: User, settings: Any
) -> None:
    settings.APPRISE_SCHEMES = ["tgram"]
    manager = as_(make_user(site, "administrator"))
    wanted = {"kind": "apprise", "address": "tgram://token/chat", "label": "Telegram", "user": surgeon.username}
    assert add(as_(surgeon), "apprise", "tgram://token/chat").status_code == 400
    added = call(manager, "POST", "/contacts/", wanted)
    assert added.status_code == 201
    assert "token" not in added.content.decode()
    mine = call(as_(surgeon), "GET", "/me/contacts/").json()["results"]
    assert [(one["kind"], one["address"]) for one in mine] == [("apprise", "Telegram")]
    refused = call(manager, "POST", "/contacts/", {**wanted, "address": "json://127.0.0.1/"})
    assert refused.json()["errors"][0]["code"] == "not_allowed"
    stranger = make_user(make_site(), "surgeon")
    assert call(manager, "POST", "/contacts/", {**wanted, "user": stranger.username}).status_code == 404


def test_the_database_keeps_an_address_as_it_was_entered(surgeon: User) -> None:
    point = make_contact(surgeon, "email", "me@example.org")
    with pytest.raises(ProgrammingError, match="Cannot update"), transaction.atomic():
        ContactPoint.objects.filter(pk=point.pk).update(address="other@example.org")
    with pytest.raises(ProgrammingError, match="Cannot delete"), transaction.atomic():
        point.delete()


def test_whoever_is_added_gets_their_addresses_as_contact_points(site: Site) -> None:
    now = database_now()
    person, _ = add_person(
        username="new",
        full_name="New",
        site=site,
        roles=[Role.SURGEON],
        email="new@example.org",
        phone="0090 555 000 00 09",
        by=make_actor(),
        now=now,
    )
    found = ContactPoint.objects.filter(user=person).order_by("position")
    assert [(one.kind, one.address, one.verified_at) for one in found] == [
        ("email", "new@example.org", now),
        ("sms", "+905550000009", None),
    ]
