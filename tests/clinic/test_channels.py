"""How a message leaves by SMS, Web Push, webhook and Apprise: real servers on loopback take it, and answer as they like."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import struct
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from clinic.actions.notification import Message, queue_notifications
from clinic.channels.receipts import read_receipt
from clinic.channels.webhook import signature
from clinic.channels.words import text_message
from clinic.lib.gsm import ONE_MESSAGE, fold, septets
from clinic.lib.outgoing import MOST_BYTES, NotAllowed, check_url, is_public, send_request
from clinic.lib.vapid import application_server_key
from clinic.models import ContactPoint, Notification, Site, User
from clinic.vocabulary import Channel
from complications.actions.links import link_token
from complications.actions.sweeping import deliver_due
from tests.make import make_actor, make_contact, make_site, make_user
from tests.receivers import HttpServer, http_server

CASE = "7c0ffee0-1111-4222-8333-444455556666"
PAGE = {
    "site": "Şişli Etfal Eğitim ve Araştırma Hastanesi",
    "tier": "t0",
    "urgency": "Emergency",
    "pathway": "spine",
    "reference": "7C0FFE",
    "path": f"/escalations/{CASE}/",
    "call_back": "+90 555 000 0001",
}


@pytest.fixture
def site(db: None, settings: Any) -> Site:
    settings.DEMO, settings.BASE_URL = False, "https://paging.hospital.example.org"
    return make_site()


@pytest.fixture
def surgeon(site: Site) -> User:
    return make_user(site, "surgeon")


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with http_server() as one:
        yield one


def page(site: Site, now: datetime, channel: Channel, **fields: Any) -> Notification:
    """Write one page, deliver it, and return it as it then stands."""
    values: dict[str, Any] = {"kind": "escalation_page", "context": {**PAGE, "link": CASE}, "urgent": True, **fields}
    key = f"k{Notification.objects.count()}"
    message = Message(
        dedup_key=key,
        recipient=values.pop("recipient", None),
        channel=channel,
        site=site,
        reference=f"escalation:{CASE}",
        **values,
    )
    queue_notifications([message], by=make_actor(), now=now)
    deliver_due(now=now)
    return Notification.objects.get(dedup_key=key)


# -- SMS ----------------------------------------------------------------------------------------------------------------
@pytest.fixture
def gateway(server: HttpServer, settings: Any) -> HttpServer:
    settings.SMS_URL = f"{server.url}/send"
    return server


def text(site: Site, now: datetime, **fields: Any) -> Notification:
    """Page by text message."""
    return page(site, now, Channel.SMS, address="+90 555 000 0002", **fields)


def test_a_text_message_says_how_urgent_where_and_whom_to_call_in_one_message(
    site: Site, now: datetime, gateway: HttpServer
) -> None:
    row = text(site, now)
    assert row.status == "sent"
    (request,) = gateway.requests
    sent = request.json
    assert sent["to"] == "+905550000002"
    said = sent["text"]
    assert said.startswith("EMERGENCY spine, Sisli Etfal")
    assert "7C0FFE" in said
    assert f"https://paging.hospital.example.org/a/{link_token(CASE)}/" in said
    assert said.endswith("Call: +90 555 000 0001")
    assert septets(said) <= ONE_MESSAGE


@pytest.mark.parametrize("language", ["en", "tr"])
@pytest.mark.parametrize("name", ["H", "Hospital", "Ş" * 100, "[{€}]" * 20])
def test_no_name_of_a_site_makes_a_text_message_longer_than_one(
    site: Site, now: datetime, gateway: HttpServer, name: str, language: str
) -> None:
    row = text(site, now, context={**PAGE, "link": CASE, "site": name})
    row.language = language
    said = text_message(row)
    assert septets(said) <= ONE_MESSAGE
    assert said == fold(said)
    assert link_token(CASE) in said
    assert "+90 555 000 0001" in said


def test_letters_are_folded_and_places_counted_as_networks_do() -> None:
    assert fold("Çığ Şişe İğne öğüt – “€”") == 'Çig Sise Igne ögüt - "€"'
    assert fold("日本") == "??"
    assert (septets("a€["), septets("abc")) == (5, 3)


@pytest.mark.parametrize("style", ["json", "form", "query"])
def test_the_request_is_as_the_environment_describes_it(
    site: Site, now: datetime, gateway: HttpServer, settings: Any, style: str
) -> None:
    settings.SMS_FORMAT, settings.SMS_METHOD = style, "GET" if style == "query" else "POST"
    settings.SMS_FIELDS = {"msisdn": "{digits}", "body": "{text}", "ref": "{id}", "dlr": "{receipt}", "from": "CLINIC"}
    settings.SMS_HEADERS = {"Authorization": "Bearer gateway-key"}
    settings.SMS_ID_PATH = "messages.0.id"
    gateway.answer(200, {"messages": [{"id": 4711}]})
    row = text(site, now)
    assert (row.status, row.provider_id) == ("sent", "4711")
    (request,) = gateway.requests
    assert request.headers["authorization"] == "Bearer gateway-key"
    if style == "json":
        given = request.json
    else:
        query = request.body.decode() if style == "form" else urlsplit(request.path).query
        given = {name: values[0] for name, values in parse_qs(query).items()}
    assert given["msisdn"] == "905550000002"
    assert given["ref"] == str(row.public_id)
    assert given["dlr"].startswith("https://paging.hospital.example.org/api/v1/messages/receipts/")
    assert given["from"] == "CLINIC"


@pytest.mark.parametrize(
    ("status", "body", "headers", "expected"),
    [
        (200, {"status": "ok"}, {}, ("sent", "", "")),
        (200, {"status": "invalid_number"}, {}, ("failed", "permanent", "number_refused")),
        (200, {"status": "mystery"}, {}, ("queued", "unknown", "rejected")),
        (200, b"<html>", {}, ("queued", "unknown", "rejected")),
        (400, {}, {}, ("failed", "permanent", "rejected")),
        (401, {}, {}, ("queued", "refused", "credentials")),
        (403, {}, {}, ("queued", "refused", "credentials")),
        (429, {}, {"Retry_After": "120"}, ("queued", "throttled", "throttled")),
        (302, {}, {"Location": "http://127.0.0.1:1/"}, ("failed", "permanent", "rejected")),
        (503, {}, {}, ("queued", "temporary", "unreachable")),
    ],
)
def test_what_a_gateway_answers_decides_what_follows(
    site: Site,
    surgeon: User,
    now: datetime,
    gateway: HttpServer,
    settings: Any,
    status: int,
    body: Any,
    headers: dict[str, str],
    expected: tuple[str, str, str],
) -> None:
    settings.SMS_OK_PATH, settings.SMS_BAD_NUMBER_VALUES = "status", ["invalid_number"]
    point = make_contact(surgeon, "sms", "+905550000002")
    gateway.answer(status, body, **headers)
    row = text(site, now, contact=point.pk)
    assert (row.status, row.failure, row.error) == expected
    point.refresh_from_db()
    assert point.disabled_reason == ("number_refused" if expected[2] == "number_refused" else "")
    if expected[1] == "throttled":
        assert row.due_at == now + timedelta(seconds=120)
    elif expected[0] == "queued":
        assert row.due_at == now + timedelta(seconds=5)


# -- Web Push -----------------------------------------------------------------------------------------------------------
def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def opened(body: bytes, private: ec.EllipticCurvePrivateKey, auth: bytes) -> bytes:
    """Decrypt as a browser does, by RFC 8291 section 4 and RFC 8188 section 2."""
    salt, length, rest = body[:16], struct.unpack("!IB", body[16:21]), body[21:]
    sender, sealed = rest[: length[1]], rest[length[1] :]
    assert len(sealed) <= length[0]
    mine = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    shared = private.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender))
    key = HKDF(hashes.SHA256(), 32, auth, b"WebPush: info\0" + mine + sender).derive(shared)
    content = HKDF(hashes.SHA256(), 16, salt, b"Content-Encoding: aes128gcm\0").derive(key)
    nonce = HKDF(hashes.SHA256(), 12, salt, b"Content-Encoding: nonce\0").derive(key)
    padded = AESGCM(content).decrypt(nonce, sealed, None)
    return padded.rstrip(b"\0").removesuffix(b"\x02")


def test_the_reading_of_a_push_is_right_by_the_standards_own_example() -> None:
    # RFC 8291, appendix A
    private = ec.derive_private_key(
        int.from_bytes(unb64("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"), "big"), ec.SECP256R1()
    )
    body = unb64(
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6"
        "cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )
    assert opened(body, private, unb64("BTBZMqHH6r4Tts7J_aSIgg")) == b"When I grow up, I want to be a watermelon"


class Phone:
    """A browser with a subscription at the push service."""

    def __init__(self, service: HttpServer) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.auth = b"sixteen bytes 16"
        self.endpoint = f"{service.url}/push/4711"

    @property
    def keys(self) -> dict[str, str]:
        """As the browser hands them out."""
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return {"p256dh": b64(point), "auth": b64(self.auth)}


@pytest.fixture
def phone(server: HttpServer, settings: Any) -> Phone:
    settings.VAPID_PRIVATE_KEY, settings.VAPID_SUBJECT = b64(bytes(range(1, 33))), "paging@example.org"
    settings.PUSH_HOSTS, settings.ALLOW_PRIVATE_ADDRESSES = ["127.0.0.1"], True
    server.answer(201, b"", Location="/message/1")
    return Phone(server)


def push(site: Site, user: User, phone: Phone, now: datetime, **fields: Any) -> Notification:
    """Page the phone."""
    point, _ = ContactPoint.objects.get_or_create(
        user=user,
        kind="push",
        address=phone.endpoint,
        defaults={"secrets": phone.keys, "created_at": now, "verified_at": now, "label": "Phone"},
    )
    return page(site, now, Channel.PUSH, contact=point.pk, address="Phone", recipient=user, **fields)


def test_a_push_can_be_read_by_that_phone_only_and_holds_no_patient(
    site: Site, surgeon: User, now: datetime, server: HttpServer, phone: Phone
) -> None:
    row = push(site, surgeon, phone, now)
    assert (row.status, row.provider_id) == ("sent", "/message/1")
    (request,) = server.requests
    assert request.path == "/push/4711"
    assert b"7C0FFE" not in request.body
    said = json.loads(opened(request.body, phone.key, phone.auth))
    assert said["title"] == "EMERGENCY spine, Şişli Etfal Eğitim ve Araştırma Hastanesi: 7C0FFE"
    assert said["path"] == PAGE["path"]
    assert said["answer"] == f"/a/{link_token(CASE)}/"
    assert (said["call"], said["urgent"]) == ("+90 555 000 0001", True)
    assert read_receipt(said["receipt"].split("/")[-2]) == row.public_id
    assert set(said) == {"title", "call", "tag", "path", "answer", "urgent", "language", "receipt", "words"}


def test_a_push_is_signed_with_the_key_to_which_the_phone_subscribed(
    site: Site, surgeon: User, now: datetime, server: HttpServer, phone: Phone, settings: Any
) -> None:
    push(site, surgeon, phone, now)
    scheme, _, rest = server.requests[0].headers["authorization"].partition(" ")
    parts = dict(one.strip().split("=", 1) for one in rest.split(","))
    assert scheme == "vapid"
    assert parts["k"] == application_server_key(settings.VAPID_PRIVATE_KEY)
    head, claims, mark = parts["t"].split(".")
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), unb64(parts["k"]))
    raw = unb64(mark)
    found = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key.verify(found, f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
    said = json.loads(unb64(claims))
    assert said["sub"] == "mailto:paging@example.org"
    assert said["aud"].startswith("http://127.0.0.1")
    assert said["exp"] - time.time() <= 24 * 3600


@pytest.mark.parametrize(
    ("tier", "urgent", "urgency", "ttl"),
    [
        ("t0", True, "high", 900),
        ("t1", True, "high", 2700),
        ("t2", True, "normal", 14400),
        ("t0", False, "normal", 43200),
    ],
)
def test_how_long_a_push_is_kept_and_how_urgent_it_is_follow_the_tier(
    site: Site,
    surgeon: User,
    now: datetime,
    server: HttpServer,
    phone: Phone,
    tier: str,
    urgent: bool,  # noqa: FBT001
    urgency: str,
    ttl: int,
) -> None:
    push(site, surgeon, phone, now, urgent=urgent, context={**PAGE, "tier": tier})
    headers = server.requests[0].headers
    assert (headers["urgency"], headers["ttl"], headers["content-encoding"]) == (urgency, str(ttl), "aes128gcm")
    assert len(headers["topic"]) <= 32


@pytest.mark.parametrize(
    ("status", "expected", "disabled"),
    [
        (404, ("failed", "permanent", "gone"), True),
        (410, ("failed", "permanent", "gone"), True),
        (413, ("failed", "permanent", "rejected"), False),
        (401, ("queued", "refused", "credentials"), False),
        (429, ("queued", "throttled", "throttled"), False),
        (500, ("queued", "temporary", "unreachable"), False),
    ],
)
def test_a_phone_that_is_no_more_is_taken_out_of_use(
    site: Site,
    surgeon: User,
    now: datetime,
    server: HttpServer,
    phone: Phone,
    status: int,
    expected: tuple[str, str, str],
    disabled: bool,  # noqa: FBT001
) -> None:
    server.answer(status)
    row = push(site, surgeon, phone, now)
    assert (row.status, row.failure, row.error) == expected
    assert (ContactPoint.objects.get().disabled_reason == "gone") is disabled


# -- webhook ------------------------------------------------------------------------------------------------------------
SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


@pytest.fixture
def hook(site: Site, now: datetime, server: HttpServer, settings: Any) -> ContactPoint:
    settings.WEBHOOK_HOSTS, settings.ALLOW_PRIVATE_ADDRESSES = ["127.0.0.1"], True
    return ContactPoint.objects.create(
        site=site,
        kind="webhook",
        address=f"{server.url}/hook",
        secrets={"secret": SECRET},
        created_at=now,
        verified_at=now,
    )


def test_a_webhook_is_signed_as_standard_webhooks_says_and_a_repeat_has_the_same_id(
    site: Site, now: datetime, server: HttpServer, hook: ContactPoint
) -> None:
    server.answers = [(503, {}, b""), (204, {}, b"")]
    row = page(site, now, Channel.WEBHOOK, contact=hook.pk)
    assert (row.status, row.failure) == ("queued", "temporary")
    deliver_due(now=row.due_at)
    row.refresh_from_db()
    assert row.status == "sent"
    first, second = server.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == f"msg_{row.public_id.hex}"
    for request in (first, second):
        assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 300
        signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
        mark = hmac.new(b"0123456789abcdef0123456789abcdef", signed, hashlib.sha256).digest()
        assert request.headers["webhook-signature"] == "v1," + base64.b64encode(mark).decode()
    said = second.json
    assert (said["type"], said["data"]["short"], said["data"]["tier"]) == ("escalation_page", "7C0FFE", "t0")
    assert set(said["data"]) == {
        "reference", "short", "site", "urgency", "tier", "pathway", "status", "seq", "url"
    }  # fmt: skip


def test_the_signature_is_that_of_the_specifications_own_example() -> None:
    mark = signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert mark == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_receiver_that_is_gone_is_taken_out_of_use(
    site: Site, now: datetime, server: HttpServer, hook: ContactPoint
) -> None:
    server.answer(410)
    row = page(site, now, Channel.WEBHOOK, contact=hook.pk)
    hook.refresh_from_db()
    assert (row.status, row.error, hook.disabled_reason) == ("failed", "gone", "gone")


def test_a_webhook_never_reaches_into_the_house(
    site: Site, now: datetime, server: HttpServer, hook: ContactPoint, settings: Any
) -> None:
    settings.ALLOW_PRIVATE_ADDRESSES = False
    row = page(site, now, Channel.WEBHOOK, contact=hook.pk)
    assert (row.status, row.error) == ("failed", "not_allowed")
    assert server.requests == []


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://hooks.example.org/x", "not_https"),
        ("https://evil.example.com/x", "host_not_listed"),
        ("https://hooks.example.org.evil.com/", "host_not_listed"),
        ("https://evilhooks.example.org/", "host_not_listed"),
        ("https://evil.com/hooks.example.org", "host_not_listed"),
        ("https://evil.com#hooks.example.org", "host_not_listed"),
        ("https://evil.com?hooks.example.org", "host_not_listed"),
        ("https://evil.com\\@hooks.example.org/", "not_a_url"),
        ("https://a:b@hooks.example.org/", "not_a_url"),
        ("https://hooks.example.org@evil.com/", "not_a_url"),
        ("https://127.0.0.1/", "host_not_listed"),
        ("gopher://hooks.example.org/", "not_a_url"),
        ("file:///etc/passwd", "not_a_url"),
        ("ftp://hooks.example.org/", "not_a_url"),
        ("//hooks.example.org/", "not_a_url"),
        ("https:///x", "not_a_url"),
        ("https://hooks.example.org:99999/", "not_a_url"),
        ("https://[::1", "not_a_url"),
        ("", "not_a_url"),
    ],
)
def test_an_address_outside_the_list_is_not_called(url: str, code: str) -> None:
    with pytest.raises(NotAllowed) as refused:
        check_url(url, hosts=["hooks.example.org"], private=False)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "localhost",
        "0.0.0.0",  # noqa: S104 - refused
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "[::1]",
        "[::]",
        "[fd00::1]",
        "[fe80::1]",
        "[ff02::1]",
        "[2001:db8::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:7f00:1::]",
        "[2002:c0a8:101::]",
    ],
)
def test_an_address_inside_the_house_is_refused_as_it_resolves(host: str) -> None:
    with pytest.raises(NotAllowed) as refused:
        send_request(f"https://{host}/", hosts=None, private=False)
    assert refused.value.code == "private_address"


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_an_address_of_the_public_internet_is_not_mistaken_for_one_inside(address: str) -> None:
    assert is_public(address)


def test_a_redirect_is_never_followed(server: HttpServer) -> None:
    server.answer(302, b"", Location=f"{server.url}/inside")
    answer = send_request(f"{server.url}/hook", body=b"x", private=True)
    assert answer.status == 302
    assert [request.path for request in server.requests] == ["/hook"]


def test_a_long_answer_is_read_no_further_than_needed(server: HttpServer) -> None:
    server.answer(200, b"x" * (MOST_BYTES * 4))
    assert len(send_request(server.url, private=True).body) == MOST_BYTES


# -- Apprise ------------------------------------------------------------------------------------------------------------
def test_another_service_gets_the_short_words_and_its_failures_are_unknown(
    site: Site, surgeon: User, now: datetime, server: HttpServer, settings: Any
) -> None:
    settings.APPRISE_SCHEMES = ["json"]
    point = make_contact(surgeon, "apprise", server.url.replace("http://", "json://") + "/any")
    row = page(site, now, Channel.APPRISE, contact=point.pk, recipient=surgeon)
    assert row.status == "sent"
    said = server.requests[0].json
    assert said["title"].startswith("EMERGENCY spine")
    assert link_token(CASE) in said["message"]
    assert "+90 555 000 0001" in said["message"]
    server.answer(500)
    row = page(site, now, Channel.APPRISE, contact=point.pk, recipient=surgeon)
    assert (row.status, row.failure, row.error) == ("queued", "unknown", "unknown")


def test_a_kind_of_service_that_the_operator_did_not_list_is_not_called(
    site: Site, surgeon: User, now: datetime, server: HttpServer, settings: Any
) -> None:
    settings.APPRISE_SCHEMES = ["tgram"]
    point = make_contact(surgeon, "apprise", server.url.replace("http://", "json://"))
    row = page(site, now, Channel.APPRISE, contact=point.pk, recipient=surgeon)
    assert (row.status, row.error) == ("failed", "not_allowed")
    assert server.requests == []
