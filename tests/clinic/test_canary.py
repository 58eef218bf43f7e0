"""A canary: unique words in everything that may name a patient, then a search wherever they must not be."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core import mail
from django.db import IntegrityError, connection, transaction
from django.db.models import Model

from clinic.channels.push import payload
from clinic.exports.registry import datasets
from clinic.lib.clock import database_now
from clinic.lib.logs import JsonFormatter
from clinic.models import AuditEntry, ContactPoint, Notification
from complications.tasks import sweep
from tests.clients import ApiClient
from tests.exporting import pull, puller, settle
from tests.make import make_contact, make_site
from tests.make_checklists import publish_catalogue
from tests.make_complications import Ward, make_baseline, make_report, make_ward, weak_leg
from tests.receivers import HttpServer, http_server

pytestmark = pytest.mark.django_db(transaction=True)

BIRD = "kanarya"
PATIENT: dict[str, Any] = {
    "mrn": f"{BIRD}-mrn",
    "family_name": f"{BIRD}-family",
    "given_name": f"{BIRD}-given",
    "birth_date": "1931-07-17",
    "sex": "female",
    "phone": "+905310717931",
    "email": f"{BIRD}@example.org",
}
#: What must never be found: the word itself in any form, and the values that cannot carry it.
WORDS = (BIRD, "1931-07-17", "+905310717931")


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """Every log line of the test, as the service would write it."""
    written: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(JsonFormatter().format(record))

    handler, root = Keep(), logging.getLogger()
    before, root.level = root.level, logging.INFO
    root.addHandler(handler)
    yield written
    root.removeHandler(handler)
    root.level = before


def found(text: str) -> list[str]:
    """The words of the canary in a text."""
    return [word for word in WORDS if word in text.lower()]


def text_of(model: type[Model]) -> str:
    """Every value of every row of a table."""
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT row_to_json(one)::text FROM "{model._meta.db_table}" AS one')  # noqa: S608
        return "\n".join(row[0] for row in cursor.fetchall())


def booking(ward: Ward, **fields: Any) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()),
        "patient": PATIENT,
        "kind": "kyphoplasty",
        "indication": "osteoporotic_vcf",
        "anaesthesia": "general",
        "levels": ["T12"],
        "scheduled_at": database_now().isoformat(),
        "operator": ward.operator.username,
        **fields,
    }


def live_through(ward: Ward, client: ApiClient) -> None:
    """Book, tick in one's own words, report, page: everything that writes, with the words in it."""
    body = booking(ward)
    assert client.send("POST", "/procedures/", body).status_code == 201
    ward.procedure = ward.site.procedures.get(public_id=body["id"])
    run = ward.procedure.runs.get(phase="pre")
    now = database_now().isoformat()
    words: list[dict[str, Any]] = [
        {"item": "PRE-IDX-01", "part": "other_text", "value": f"{BIRD} other"},
        {"item": "PRE-IDX-01", "value": {"not_applicable": f"{BIRD} reason"}},
        {"item": "PRE-MDT-01", "part": "names", "value": f"{BIRD} names", "reason": f"{BIRD} why"},
        {"item": f"{BIRD}-item", "value": f"{BIRD} unknown"},
    ]
    events = [{"id": str(uuid.uuid4()), "occurred_at": now, **one} for one in words]
    assert client.send("POST", f"/runs/{run.public_id}/events/", {"events": events}).status_code == 200
    make_baseline(ward.procedure, database_now())
    neuro = {**weak_leg(2), "note": f"{BIRD} note", "concern": {"text": f"{BIRD} worry", "tier": "t1"}}
    result = make_report(
        ward,
        database_now(),
        neuro=neuro,
        narrative=f"{BIRD} told the nurse",
        fields={"text": f"{BIRD} text"},
        treatment={"note": f"{BIRD} note"},
    )
    assert result.escalation is not None
    assert sweep() > 0


@pytest.fixture
def receiver(settings: Any) -> Iterator[HttpServer]:
    """A server that takes whatever leaves over any channel but e-mail."""
    with http_server() as server:
        settings.EMAIL_HOST, settings.SMS_URL = "mail.example.org", f"{server.url}/sms"
        settings.WEBHOOK_HOSTS, settings.ALLOW_PRIVATE_ADDRESSES = ["127.0.0.1"], True
        settings.APPRISE_SCHEMES = ["json"]
        yield server


def give_every_way(ward: Ward, server: HttpServer) -> None:
    """Let people be reached over every channel, and the site tell a machine."""
    make_contact(ward.first, "sms", "+905550000007")
    make_contact(ward.operator, "apprise", server.url.replace("http:", "json:") + "/any")
    ContactPoint.objects.create(
        site=ward.site,
        kind="webhook",
        address=f"{server.url}/hook",
        secrets={"secret": "whsec_MDEyMzQ1Njc4OWFiY2RlZg=="},
        created_at=database_now(),
        verified_at=database_now(),
    )


def go_wrong(ward: Ward, client: ApiClient) -> list[int]:
    """Send what is refused, with the words where they do not belong."""
    answers = [
        client.send("POST", "/procedures/", booking(ward, kind=f"{BIRD}")),
        client.send("POST", "/procedures/", booking(ward, patient={**PATIENT, "birth_date": f"{BIRD}"})),
        client.send("POST", "/procedures/", booking(ward, patient={**PATIENT, "birth_date": "1932-07-17"})),
        client.send("POST", "/procedures/", booking(ward, patient={**PATIENT, "mrn": BIRD * 40})),
        client.send("POST", "/procedures/", booking(ward, patient={**PATIENT, "family_name": f"{BIRD}\x00"})),
        client.send("POST", "/patients/search/", {"mrn": PATIENT["mrn"]}),
        client.send("POST", "/patients/search/", {"mrn": [PATIENT["mrn"]]}),
        client.send("GET", f"/procedures/{BIRD}/"),
        client.send("GET", f"/patients/{BIRD}/?mrn={BIRD}"),
        client.generic("POST", "/api/v1/procedures/", f"{{{BIRD}", content_type="application/json"),
        client.generic("POST", "/api/v1/patients/search/", f"<{BIRD}/>", content_type="text/xml"),
        client.get(f"/{BIRD}/"),
    ]
    return [answer.status_code for answer in answers]


def test_no_word_of_a_patient_is_found_where_it_must_not_be(
    as_: Callable[[Any], ApiClient], lines: list[str], receiver: HttpServer
) -> None:
    publish_catalogue()
    ward = make_ward()
    client = as_(ward.nurse)
    give_every_way(ward, receiver)
    client.raise_request_exception = False
    live_through(ward, client)
    assert max(go_wrong(ward, client)) < 500
    settle()
    reader = as_(ward.manager)
    exporter = puller(ward.manager)
    for dataset in datasets():
        for kind in ("csv", "ndjson"):
            pulled = pull(exporter, dataset, format=kind)
            assert pulled.status == 200
            assert not found(pulled.body.decode()), (dataset, kind)
            manifest = reader.get(f"/api/v1/exports/{dataset}/manifest?export={pulled.headers['Export-Id']}")
            assert not found(manifest.content.decode()), dataset
    assert not found("\n".join(lines)), [line for line in lines if found(line)][:3]
    assert Notification.objects.exists()
    assert not found(text_of(Notification))
    assert mail.outbox
    assert not found("".join(f"{letter.subject} {letter.body} {letter.to}" for letter in mail.outbox))
    assert {request.path for request in receiver.requests} == {"/sms", "/hook", "/any"}
    assert not found("".join(f"{request.path} {request.headers} {request.body!r}" for request in receiver.requests))
    assert not found("".join(payload(message).decode() for message in Notification.objects.all()))
    identifiers = [str(PATIENT[name]) for name in ("mrn", "family_name", "given_name", "birth_date", "phone", "email")]
    trail = text_of(AuditEntry)
    assert not [word for word in identifiers if word in trail]


def test_the_canary_would_be_found(as_: Callable[[Any], ApiClient]) -> None:
    publish_catalogue()
    ward = make_ward()
    live_through(ward, as_(ward.nurse))
    settle()
    exporter = puller(ward.manager, "exports:read", "exports:identified", "audit:read")
    holding = {
        dataset
        for dataset in datasets()
        if found(
            pull(
                exporter, "", path=f"/api/v1/exports/{dataset}/identified", reason="the canary must sing"
            ).body.decode()
        )
    }
    assert holding >= {"procedures", "treated_levels", "complications", "events", "answers", "escalations"}


def test_a_fault_of_our_own_is_logged_without_its_values(lines: list[str]) -> None:

    site = make_site()
    try:
        with transaction.atomic():
            site.rooms.create(code=f"{BIRD}", name=BIRD)
            site.rooms.create(code=f"{BIRD}", name=BIRD)
    except IntegrityError:
        logging.getLogger("django.request").exception("Internal Server Error: %s", f"/{BIRD}/")
    assert lines
    assert not found(json.dumps(lines))
