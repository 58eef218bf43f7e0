"""Whose tick and whose report it is, when the tablet changed hands or the service's key changed before it was sent."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.core import signing

from checklists.models import Answer, Event, Run
from clinic.access import ticket_for
from clinic.models import AuditEntry, User
from clinic.vocabulary import Role
from complications.models import Complication, Escalation
from tests.make import PIN, make_user
from tests.make_checklists import make_runs
from tests.make_complications import Ward, make_ward, weak_leg

pytestmark = pytest.mark.django_db
LogIn = Callable[[Any], Any]


@pytest.fixture
def ward() -> Ward:
    return make_ward()


@pytest.fixture
def run(ward: Ward) -> Run:
    return make_runs(ward.procedure)["pre"]


def with_ticket(ticket: str) -> dict[str, Any]:
    one = {"id": str(uuid.uuid4()), "item": "PRE-PAI-01", "part": "rest", "value": 7, "ticket": ticket}
    return {"events": [one]}


def send(client: Any, run: Run, ticket: str) -> dict[str, Any]:
    answer = client.send("POST", f"/runs/{run.public_id}/events/", with_ticket(ticket))
    found: dict[str, Any] = answer.json()["results"][0]
    return found


def confirm(client: Any, run: Run, user: User, *events: str) -> Any:
    body = {"user": user.username, "credential": {"pin": PIN}, "events": list(events)}
    return client.send("POST", f"/runs/{run.public_id}/countersignatures/", body)


def test_what_a_person_countersigns_is_kept_in_their_own_role(ward: Ward, run: Run, as_: LogIn) -> None:
    client = as_(ward.nurse)
    assert send(client, run, ticket_for(ward.operator))["code"] == "other_person"
    assert confirm(client, run, ward.operator).json()["results"][0]["outcome"] == "applied"
    counted = Event.objects.get(outcome="applied")
    assert (counted.actor, counted.role, counted.sender) == (ward.operator, "surgeon", ward.operator)


def test_after_a_change_of_the_key_a_tick_waits_for_whom_its_ticket_names(
    ward: Ward, run: Run, as_: LogIn, settings: Any
) -> None:
    ticket = ticket_for(ward.anaesthetist)
    settings.SECRET_KEY = "another " * 8
    client = as_(ward.nurse)
    held = send(client, run, ticket)
    assert (held["outcome"], held["code"]) == ("held", "unconfirmed_person")
    row = Event.objects.get()
    assert (row.actor, row.claimed, row.sender) == (None, ward.anaesthetist, ward.nurse)
    waits = client.send("GET", f"/runs/{run.public_id}/?definition=0").json()["waiting"][0]
    assert (waits["actor"], waits["claimed"]) == (None, ward.anaesthetist.username)
    # Nobody else may take it over, and the person named confirms it one by one.
    assert confirm(client, run, ward.nurse, held["id"]).json()["code"] == "nothing_held"
    assert confirm(client, run, ward.anaesthetist).json()["code"] == "nothing_held"
    assert confirm(client, run, ward.anaesthetist, held["id"]).json()["results"][0]["outcome"] == "applied"
    assert Answer.objects.get(run=run).actor == ward.anaesthetist


def test_a_key_that_is_kept_beside_the_new_one_still_proves_whose_tick_it_is(
    ward: Ward, run: Run, as_: LogIn, settings: Any
) -> None:
    ticket = ticket_for(ward.nurse)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another " * 8
    assert send(as_(ward.nurse), run, ticket)["outcome"] == "applied"


@pytest.mark.parametrize("ticket", ["forged", "{}", "a:b:c", "ë", "signed"])
def test_a_ticket_that_names_nobody_keeps_the_tick_for_whoever_says_it_was_theirs(
    ticket: str, ward: Ward, run: Run, as_: LogIn
) -> None:
    if ticket == "signed":
        ticket = signing.dumps({"user": 1}, salt="checklists.ticket")
    client = as_(ward.nurse)
    held = send(client, run, ticket)
    assert (held["outcome"], held["code"]) == ("held", "unconfirmed_person")
    assert Event.objects.get().claimed is None
    assert confirm(client, run, ward.nurse, held["id"]).json()["results"][0]["outcome"] == "applied"


def report(client: Any, ward: Ward, **values: Any) -> Any:
    body = {"id": str(uuid.uuid4()), "procedure": str(ward.procedure.public_id), "type": "NEU-COR", **values}
    return client.send("POST", "/complications/", {"level": "T12", "neuro": weak_leg(2), **body})


def test_a_report_that_waited_on_the_tablet_stays_the_persons_who_made_it(ward: Ward, as_: LogIn) -> None:
    answer = report(as_(ward.nurse), ward, ticket=ticket_for(ward.anaesthetist))
    assert answer.status_code == 201
    row = Complication.objects.get()
    assert (row.reported_by, row.sent_by, row.unconfirmed_reporter) == (ward.anaesthetist, ward.nurse, "")
    assert Escalation.objects.get().opened_by == ward.anaesthetist
    assert answer.json()["sent_by"]["user"] == ward.nurse.username
    kept = json.loads(AuditEntry.objects.get(action="complication.reported").canonical)
    assert kept["actor"] == f"user:{ward.nurse.public_id}"
    assert kept["data"]["reporter"] == f"user:{ward.anaesthetist.public_id}"


@pytest.mark.parametrize("ticket", ["forged", "", 7, ["x"], {"user": "x"}, "x" * 10_000])
def test_no_ticket_ever_refuses_a_report(ticket: Any, ward: Ward, as_: LogIn) -> None:
    assert report(as_(ward.nurse), ward, ticket=ticket).status_code == 201
    row = Complication.objects.get()
    assert (row.reported_by, row.sent_by, row.unconfirmed_reporter) == (ward.nurse, ward.nurse, "unknown")
    assert Escalation.objects.count() == 1


def test_a_report_under_a_key_that_is_gone_keeps_whom_it_names_as_unconfirmed(
    ward: Ward, as_: LogIn, settings: Any
) -> None:
    ticket = ticket_for(ward.anaesthetist)
    settings.SECRET_KEY = "another " * 8
    answer = report(as_(ward.nurse), ward, ticket=ticket)
    assert (answer.status_code, answer.json()["unconfirmed_reporter"]) == (201, ward.anaesthetist.username)
    assert Complication.objects.get().reported_by == ward.nurse


def test_a_person_of_another_site_is_never_named_by_a_ticket(ward: Ward, run: Run, as_: LogIn) -> None:
    stranger = make_user(make_ward().site, Role.NURSE)
    send(as_(ward.nurse), run, ticket_for(stranger))
    row = Event.objects.get()
    assert (row.outcome, row.actor, row.claimed) == ("held", None, None)
    report(as_(ward.nurse), ward, ticket=ticket_for(stranger))
    assert Complication.objects.get().reported_by == ward.nurse
