"""The API of the lists as an outside program and a tablet use it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from checklists.models import Event, Quarantined, Run
from checklists.rules.catalogue import load
from clinic.lib.clock import database_now
from clinic.models import AccessEntry, Procedure, Site, User
from clinic.vocabulary import Role
from tests.clients import ApiClient
from tests.make import PIN, make_shift, make_site, make_user
from tests.make_checklists import answer, make_case, publish_catalogue

pytestmark = pytest.mark.django_db
As = Callable[[Any], ApiClient]


@pytest.fixture
def site() -> Site:
    publish_catalogue()
    return make_site()


@pytest.fixture
def nurse(site: Site) -> User:
    return make_user(site, Role.NURSE)


@pytest.fixture
def surgeon(site: Site) -> User:
    return make_user(site, Role.SURGEON)


@pytest.fixture
def runs(site: Site, surgeon: User) -> dict[str, Run]:
    return make_case(site, surgeon)


def booking(surgeon: User, **fields: Any) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()),
        "patient": {
            "mrn": "TR-0815",
            "family_name": "Kaya",
            "given_name": "Elif",
            "birth_date": "1950-05-01",
            "sex": "female",
        },
        "kind": "kyphoplasty",
        "indication": "osteoporotic_vcf",
        "anaesthesia": "general",
        "levels": ["L1", "T12"],
        "scheduled_at": database_now().isoformat(),
        "operator": surgeon.username,
        "room": "or1",
        **fields,
    }


def events(*some: dict[str, Any]) -> dict[str, Any]:
    now = database_now().isoformat()
    return {"events": [{"id": str(uuid.uuid4()), "occurred_at": now, **one} for one in some]}


def body_of(response: Any) -> Any:
    return json.loads(response.content)


def test_booking_opens_six_lists_once(as_: As, nurse: User, surgeon: User) -> None:
    client, body = as_(nurse), booking(surgeon)
    first = client.send("POST", "/procedures/", body)
    assert first.status_code == 201, first.content
    assert [run["phase"] for run in body_of(first)["runs"]] == [
        "pre",
        "sign_in",
        "time_out",
        "intra",
        "sign_out",
        "post",
    ]
    again = client.send("POST", "/procedures/", body)
    assert again.status_code == 200
    assert body_of(again)["runs"] == body_of(first)["runs"]
    other = client.send("POST", "/procedures/", {**body, "levels": ["L2"]})
    assert (other.status_code, body_of(other)["code"]) == (409, "other_content")
    assert (Procedure.objects.count(), Run.objects.count()) == (1, 6)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("levels", ["T14"]),
        ("levels", []),
        ("levels", ["T12", "T12"]),
        ("kind", "surgery"),
        ("operator", "nobody"),
        ("id", "seven"),
    ],
)
def test_a_booking_that_cannot_be_read_names_the_field(
    as_: As, nurse: User, surgeon: User, field: str, value: Any
) -> None:
    response = as_(nurse).send("POST", "/procedures/", booking(surgeon, **{field: value}))
    assert response.status_code == 400
    assert body_of(response)["errors"][0]["field"].startswith(field)
    assert Procedure.objects.count() == 0


def test_the_list_of_procedures_filters_and_pages(as_: As, nurse: User, site: Site, surgeon: User) -> None:
    for _ in range(3):
        make_case(site, surgeon)
    make_case()
    today = database_now().date().isoformat()
    client = as_(nurse)
    assert len(body_of(client.send("GET", "/procedures/"))["results"]) == 3
    listed = body_of(client.send("GET", f"/procedures/?day={today}&operator={surgeon.username}&status=booked"))
    assert listed["next"] is None
    assert client.send("GET", "/procedures/?day=yesterday").status_code == 400
    assert client.send("GET", "/procedures/?status=asleep").status_code == 400
    assert client.send("GET", "/procedures/?after=x").status_code == 400


def test_the_cost_of_the_list_does_not_grow(as_: As, nurse: User, site: Site, surgeon: User) -> None:
    client = as_(nurse)
    counts = []
    for path in ("/procedures/", "/board/"):
        for _ in range(2):
            runs = make_case(site, surgeon)
            answer(runs["pre"], {"PRE-PAI-01|rest|||": 7})
            with CaptureQueriesContext(connection) as captured:
                assert client.send("GET", path).status_code == 200
            counts.append(len(captured))
    assert counts[0] == counts[1]
    assert counts[2] == counts[3]
    assert max(counts) <= 18


def test_a_run_shows_its_list_and_everything_that_was_ticked(as_: As, nurse: User, runs: dict[str, Run]) -> None:
    client = as_(nurse)
    pre = runs["pre"]
    answer(pre, {"PRE-PAI-01|rest|||": 7, "PRE-LVL-01||||": ["T12", "L1"]}, by=nurse)
    shown = body_of(client.send("GET", f"/runs/{pre.public_id}/"))
    assert shown["definition"]["sha256"] == pre.definition.sha256
    assert shown["definition"]["content"] == load()["pre"]
    assert {one["item"]: one["value"] for one in shown["answers"]} == {"PRE-PAI-01": 7, "PRE-LVL-01": ["T12", "L1"]}
    assert shown["answers"][0]["actor"] == nurse.username
    assert shown["progress"]["answered"] == 2
    assert not shown["gate"]["open"]
    assert "patient.mrn" not in shown["facts"]
    later = body_of(client.send("GET", f"/runs/{runs['sign_in'].public_id}/?definition=0"))
    assert later["definition"]["content"] is None
    assert later["context"]["PRE-LVL-01||||"] == ["T12", "L1"]


def test_a_tablet_that_works_the_gate_out_itself_gets_none(as_: As, nurse: User, runs: dict[str, Run]) -> None:
    client = as_(nurse)
    path = f"/runs/{runs['pre'].public_id}/"
    whole, lean = client.send("GET", f"{path}?definition=0"), client.send("GET", f"{path}?definition=0&gate=0")
    assert whole["ETag"] != lean["ETag"]
    assert body_of(whole)["blockers"]
    # A ticket carries the second in which it was made.
    momentary = {"now": None, "ticket": None}
    assert {**body_of(whole), "gate": None, "blockers": None, **momentary} == {**body_of(lean), **momentary}
    listed = body_of(client.send("GET", f"/procedures/{runs['pre'].procedure.public_id}/runs/?gate=0"))["results"]
    assert [one["gate"] for one in listed] == [None] * len(runs)
    assert all(one["progress"]["required"] for one in listed)


def test_a_run_that_did_not_change_answers_304(as_: As, nurse: User, runs: dict[str, Run]) -> None:
    client = as_(nurse)
    path = f"/runs/{runs['pre'].public_id}/"
    tag = client.send("GET", path)["ETag"]
    assert client.send("GET", path, **{"If-None-Match": tag}).status_code == 304
    answer(runs["sign_in"], {"SIN-MON-01||||": True})
    assert client.send("GET", path, **{"If-None-Match": tag}).status_code == 200


def test_a_batch_answers_for_every_event(as_: As, nurse: User, runs: dict[str, Run]) -> None:
    path = reverse("api-run-events", kwargs={"public_id": runs["pre"].public_id})
    response = as_(nurse).send(
        "POST",
        path,
        {
            "events": [
                *events({"item": "PRE-PAI-01", "part": "rest", "value": 7, "parent": None, "clock": {"skew_ms": 12}})[
                    "events"
                ],
                {"id": "not-a-uuid", "item": "PRE-PAI-01", "value": 7},
                {"id": str(uuid.uuid4()), "item": "PRE-PAI-01", "part": "leg"},
                *events({"item": "PRE-RBA-01", "part": "text", "value": "a\x00b" * 10})["events"],
                *events({"item": "PRE-PAI-01", "part": "leg", "value": 99, "unknown_member": 1})["events"],
            ]
        },
    )
    assert response.status_code == 200, response.content
    body = body_of(response)
    assert [(one["outcome"], one["code"]) for one in body["results"]] == [
        ("applied", ""),
        ("refused", "unreadable"),
        ("refused", "unreadable"),
        ("refused", "unreadable"),
        ("refused", "out_of_range"),
    ]
    assert all(one["reason"] for one in body["results"][1:])
    assert (body["run"]["seq"], body["run"]["status"]) == (1, "open")
    assert Quarantined.objects.count() == 4
    assert Event.objects.get().clock == {"skew_ms": 12}


@pytest.mark.parametrize("sent", ["", "[]", "{}", '{"events": 7}', "{", '{"events": [' + ",".join(["{}"] * 101) + "]}"])
def test_a_batch_that_cannot_be_read_is_refused_whole(as_: As, nurse: User, runs: dict[str, Run], sent: str) -> None:
    path = reverse("api-run-events", kwargs={"public_id": runs["pre"].public_id})
    response = as_(nurse).post(path, sent, content_type="application/json")
    assert response.status_code == 400
    assert body_of(response)["code"] in {"unreadable", "too_many_events"}
    assert Quarantined.objects.count() == 0


def test_a_batch_nested_too_deep_to_read_is_said_to_be_so_and_the_tablet_goes_on_one_by_one(
    as_: As, nurse: User, runs: dict[str, Run]
) -> None:
    nest = "[" * 9000 + "]" * 9000
    body = f'{{"events": [{{"id": "{uuid.uuid4()}", "item": "PRE-PAI-01", "part": "rest", "value": {nest}}}]}}'
    url = reverse("api-run-events", args=[runs["pre"].public_id])
    answer = as_(nurse).post(url, body, content_type="application/json")
    assert (answer.status_code, body_of(answer)["code"]) == (400, "unreadable")


def test_a_tick_that_carries_another_persons_ticket_is_held(
    as_: As, nurse: User, site: Site, runs: dict[str, Run]
) -> None:
    colleague = make_user(site, Role.NURSE)
    run = runs["pre"]
    theirs = body_of(as_(colleague).send("GET", f"/runs/{run.public_id}/?definition=0"))["ticket"]
    client = as_(nurse)
    sent = events(
        {"item": "PRE-PAI-01", "part": "rest", "value": 7, "ticket": theirs},
        {"item": "PRE-PAI-01", "part": "leg", "value": 1, "ticket": "forged"},
    )
    results = body_of(client.send("POST", f"/runs/{run.public_id}/events/", sent))["results"]
    assert [one["outcome"] for one in results] == ["held", "held"]
    waiting = body_of(client.send("GET", f"/runs/{run.public_id}/?definition=0"))["waiting"]
    assert [(one["outcome"], one["actor"]) for one in waiting] == [("held", colleague.username), ("held", None)]
    wrong = client.send(
        "POST",
        f"/runs/{run.public_id}/countersignatures/",
        {"user": colleague.username, "credential": {"pin": "000000"}},
    )
    assert wrong.status_code == 403
    done = client.send(
        "POST", f"/runs/{run.public_id}/countersignatures/", {"user": colleague.username, "credential": {"pin": PIN}}
    )
    assert [one["outcome"] for one in body_of(done)["results"]] == ["applied"]
    after = body_of(client.send("GET", f"/runs/{run.public_id}/?definition=0"))
    assert [(one["part"], one["value"], one["actor"]) for one in after["answers"]] == [("rest", 7, colleague.username)]
    assert len(after["waiting"]) == 1


def test_the_runs_of_a_procedure_with_progress_and_gate(as_: As, nurse: User, runs: dict[str, Run]) -> None:
    before = Run.objects.order_by("id").values_list("revision", flat=True)
    listed = body_of(as_(nurse).send("GET", f"/procedures/{runs['pre'].procedure.public_id}/runs/"))["results"]
    assert [one["phase"] for one in listed] == ["pre", "sign_in", "time_out", "intra", "sign_out", "post"]
    assert all(one["progress"]["required"] > 0 and not one["gate"]["open"] for one in listed)
    assert list(before) == [0] * 6


def test_the_timeline_stands_as_it_stood(as_: As, nurse: User, runs: dict[str, Run]) -> None:
    client = as_(nurse)
    path = f"/procedures/{runs['pre'].procedure.public_id}/timeline/"
    before = database_now()
    answer(runs["pre"], {"PRE-PAI-01|rest|||": 7}, by=nurse)
    actions = [one["action"] for one in body_of(client.send("GET", path))["entries"]]
    assert actions == ["procedure.booked", "answers.recorded"]
    earlier = client.get(f"/api/v1{path}", {"at": before.isoformat()})
    assert [one["action"] for one in body_of(earlier)["entries"]] == ["procedure.booked"]
    assert client.get(f"/api/v1{path}", {"at": "noon"}).status_code == 400


def test_the_board_shows_today_and_not_other_sites(as_: As, nurse: User, runs: dict[str, Run]) -> None:
    make_case()
    client = as_(nurse)
    answered = client.send("GET", "/board/")
    (line,) = body_of(answered)["results"]
    assert line["id"] == str(runs["pre"].procedure.public_id)
    assert [run["phase"] for run in line["runs"]][:2] == ["pre", "sign_in"]
    assert client.send("GET", "/board/", **{"If-None-Match": answered["ETag"]}).status_code == 304
    assert body_of(client.send("GET", "/board/?room=or9"))["results"] == []


def test_a_published_list_may_be_kept_for_ever(as_: As, nurse: User, runs: dict[str, Run]) -> None:
    sha256 = runs["pre"].definition.sha256
    response = as_(nurse).send("GET", f"/definitions/{sha256}/")
    assert body_of(response)["id"] == "pre"
    assert "immutable" in response["Cache-Control"]
    assert as_(nurse).send("GET", "/definitions/nothing/").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/procedures/?day=9999-12-31",
        "/procedures/?operator=%00",
        "/procedures/?status=%00",
        "/board/?room=%00",
        "/definitions/%00/",
    ],
)
def test_odd_queries_are_refused_and_break_nothing(as_: As, nurse: User, path: str) -> None:
    assert as_(nurse).send("GET", path).status_code in {400, 404}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("scheduled_at", "9999-12-31T23:59:59-14:00"),
        ("scheduled_at", "0001-01-01T00:00:00+14:00"),
        ("room", "or\ud800"),
    ],
)
def test_odd_bookings_are_refused_and_break_nothing(
    as_: As, nurse: User, surgeon: User, field: str, value: str
) -> None:
    assert as_(nurse).send("POST", "/procedures/", booking(surgeon, **{field: value})).status_code == 400


def test_a_patient_of_an_impossible_age_is_a_typing_error(as_: As, nurse: User, surgeon: User) -> None:
    body = booking(surgeon)
    body["patient"]["birth_date"] = "1850-01-01"
    assert as_(nurse).send("POST", "/procedures/", body).status_code == 400


def test_odd_characters_in_an_event_are_refused_and_kept_aside(as_: As, nurse: User, runs: dict[str, Run]) -> None:
    path = reverse("api-run-events", kwargs={"public_id": runs["pre"].public_id})
    sent = events({"item": "PRE-RBA-01", "part": "text", "value": "half \ud800 a letter, and long enough"})
    response = as_(nurse).send("POST", path, sent)
    assert response.status_code in {200, 400}
    if response.status_code == 200:
        assert body_of(response)["results"][0]["outcome"] == "refused"


def test_what_is_known_is_proposed_and_never_stored(
    as_: As, nurse: User, site: Site, surgeon: User, runs: dict[str, Run]
) -> None:
    first, second = make_user(site, Role.SURGEON), make_user(site, Role.SURGEON)
    make_shift(site, first, rank=1)
    make_shift(site, second, rank=2)
    client = as_(nurse)
    shown = body_of(client.send("GET", f"/runs/{runs['pre'].public_id}/?definition=0"))
    assert shown["proposals"]["PRE-LVL-01||||"] == ["T12", "L1"]
    assert shown["proposals"]["PRE-SUR-01|first|||"] == first.username
    assert shown["proposals"]["PRE-SUR-01|second|||"] == second.username
    assert shown["answers"] == []
    answer(runs["pre"], {"PRE-LVL-01||||": ["T12"], "PRE-ANE-01|lead|||": "anna"})
    again = body_of(client.send("GET", f"/runs/{runs['pre'].public_id}/?definition=0"))
    assert "PRE-LVL-01||||" not in again["proposals"]
    time_out = body_of(client.send("GET", f"/runs/{runs['time_out'].public_id}/?definition=0"))
    assert time_out["proposals"] == {
        "TOU-CNF-01|operator|||": surgeon.username,
        "TOU-CNF-01|anaesthesia|||": "anna",
    }


def test_who_looked_at_a_patient_is_noted_once_an_hour(as_: As, nurse: User, runs: dict[str, Run]) -> None:
    client = as_(nurse)
    for path in (f"/runs/{runs['pre'].public_id}/", f"/procedures/{runs['pre'].procedure.public_id}/") * 2:
        assert client.send("GET", path).status_code == 200
    entries = AccessEntry.objects.values_list("user", "subject")
    assert set(entries) == {(nurse.pk, f"procedure:{runs['pre'].procedure.public_id}")}
    assert len(entries) <= 2
