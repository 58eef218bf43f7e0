"""Opening a list asks who the patient is, and keeps the answer without what was typed."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from checklists.models import IdentityCheck, Run
from checklists.queries.identity import known_until
from checklists.rules.identity import compare
from clinic.lib.clock import database_now
from clinic.models import AuditEntry, Site, Tablet, User
from clinic.vocabulary import Role
from complications.models import Complication
from tests.make import make_site, make_user
from tests.make_checklists import answer, make_case

pytestmark = pytest.mark.django_db
LogIn = Callable[[Any], Any]


@pytest.fixture
def site() -> Site:
    return make_site()


@pytest.fixture
def nurse(site: Site) -> User:
    return make_user(site, Role.NURSE)


@pytest.fixture
def runs(site: Site) -> dict[str, Run]:
    return make_case(site)


def check(client: Any, run: Run, **said: Any) -> Any:
    return client.send("POST", f"/runs/{run.public_id}/identity/", {"id": str(uuid.uuid4()), **said})


def test_signs_and_spaces_of_a_record_number_do_not_count() -> None:
    found = compare(
        {"mrn": "mrn 4471-902", "birth_date": date(1948, 3, 15)},
        family="Yılmaz",
        given="Ayşe",
        birth_date=date(1948, 3, 14),
        mrn="MRN4471902",
    )
    assert found == {"mrn": True, "birth_date": False}


def test_two_identifiers_open_all_lists_of_the_case_for_ten_minutes(
    as_: LogIn, nurse: User, runs: dict[str, Run]
) -> None:
    client, patient = as_(nurse), runs["pre"].procedure.patient
    assert client.send("GET", f"/runs/{runs['sign_in'].public_id}/?definition=0").json()["identity_until"] is None
    done = check(client, runs["sign_in"], name=patient.display_name, birth_date=str(patient.birth_date))
    assert done.status_code == 201, done.content
    assert done.json()["until"] is not None
    other = client.send("GET", f"/runs/{runs['time_out'].public_id}/?definition=0").json()
    assert other["identity_until"] is not None
    now = database_now()
    assert known_until(runs["time_out"], user=nurse, tablet=None, now=now + timedelta(minutes=9)) is not None
    assert known_until(runs["time_out"], user=nurse, tablet=None, now=now + timedelta(minutes=11)) is None
    row = IdentityCheck.objects.get()
    assert (row.outcome, row.identifiers, row.differing) == ("matched", ["birth_date", "name"], [])


@pytest.mark.parametrize("wrong", ["name", "birth_date", "mrn"])
def test_another_patient_is_a_clear_stop_and_the_near_miss_is_kept_without_what_was_typed(
    wrong: str, as_: LogIn, nurse: User, runs: dict[str, Run]
) -> None:
    client, patient = as_(nurse), runs["pre"].procedure.patient
    right = {"name": patient.display_name, "birth_date": str(patient.birth_date), "mrn": patient.mrn}
    others = {"name": "Zqxgarnet Wolfram", "birth_date": "1951-07-09", "mrn": "ZQX000777"}
    stopped = check(client, runs["time_out"], **{**right, wrong: others[wrong]})
    assert (stopped.status_code, stopped.json()["code"]) == (409, "identity_mismatch")
    assert [one["field"] for one in stopped.json()["errors"]] == [wrong]
    row = IdentityCheck.objects.get()
    assert (row.outcome, row.differing, row.by) == ("mismatched", [wrong], nurse)
    entry = AuditEntry.objects.get(action="identity.mismatched")
    assert others[wrong] not in entry.canonical
    assert known_until(runs["time_out"], user=nurse, tablet=None, now=database_now()) is None
    assert Complication.objects.count() == 0
    check(client, runs["time_out"], **{**right, wrong: others[wrong]}, other_patient=True)
    assert (Complication.objects.get().code, Complication.objects.get().status) == ("NRM-NEA", "draft")


def test_one_identifier_is_not_enough(as_: LogIn, nurse: User, runs: dict[str, Run]) -> None:
    refused = check(as_(nurse), runs["pre"], mrn=runs["pre"].procedure.patient.mrn)
    assert (refused.status_code, refused.json()["code"]) == (400, "two_identifiers")
    assert check(as_(nurse), runs["pre"], birth_date="soon", name="x y").status_code == 400
    assert IdentityCheck.objects.count() == 0


def test_who_cannot_be_asked_opens_this_list_only_and_the_reason_is_kept(
    as_: LogIn, nurse: User, runs: dict[str, Run]
) -> None:
    client = as_(nurse)
    assert check(client, runs["sign_in"], reason="emergency").json()["outcome"] == "waived"
    now = database_now()
    assert known_until(runs["sign_in"], user=nurse, tablet=None, now=now) is not None
    assert known_until(runs["time_out"], user=nurse, tablet=None, now=now) is None
    assert check(client, runs["sign_in"], reason="in a hurry").status_code == 400


def test_a_match_carries_to_whoever_works_in_that_room_and_to_no_other(site: Site, runs: dict[str, Run]) -> None:
    now = database_now()
    room = site.rooms.get()
    here, beside = (Tablet.objects.create(site=site, name=n, room=room, enrolled_at=now) for n in ("one", "two"))
    away = Tablet.objects.create(site=site, name="ward", enrolled_at=now)
    IdentityCheck.objects.create(
        public_id=uuid.uuid4(),
        run=runs["sign_in"],
        outcome="matched",
        tablet=here,
        room=room,
        occurred_at=now,
        recorded_at=now,
    )
    stranger = make_user(site, Role.NURSE)
    assert known_until(runs["time_out"], user=stranger, tablet=beside, now=now) is not None
    assert known_until(runs["time_out"], user=stranger, tablet=away, now=now) is None
    assert known_until(make_case(site)["time_out"], user=stranger, tablet=here, now=now) is None


def test_the_wristband_of_the_sign_in_carries_to_the_time_out(nurse: User, runs: dict[str, Run]) -> None:
    answer(runs["sign_in"], {"SIN-IDN-01||||": runs["sign_in"].procedure.patient.mrn}, by=nurse)
    assert known_until(runs["time_out"], user=nurse, tablet=None, now=database_now()) is not None
    answer(runs["sign_in"], {"SIN-IDN-01||||": "SOMEBODY-ELSE"}, by=nurse)
    assert known_until(runs["time_out"], user=nurse, tablet=None, now=database_now()) is None


def test_what_a_tablet_compared_without_a_network_is_kept_when_it_is_heard_of(
    as_: LogIn, nurse: User, runs: dict[str, Run]
) -> None:
    client, earlier = as_(nurse), database_now() - timedelta(minutes=3)
    said = {"compared": {"name": True, "birth_date": True}, "occurred_at": earlier.isoformat(), "id": str(uuid.uuid4())}
    assert check(client, runs["intra"], **said).status_code == 201
    assert check(client, runs["intra"], **said).status_code == 201
    row = IdentityCheck.objects.get()
    assert (row.outcome, row.on_tablet, row.occurred_at) == ("matched", True, earlier)
    missed = check(client, runs["intra"], compared={"name": True, "birth_date": False})
    # The tablet has shown the stop already: its word is a receipt, and kept.
    assert (missed.status_code, missed.json()["outcome"]) == (201, "mismatched")
    assert check(client, runs["intra"], compared={"shoe_size": True, "name": True}).status_code == 400


def test_an_id_stands_for_one_check_of_one_list(as_: LogIn, nurse: User, runs: dict[str, Run]) -> None:
    client, patient = as_(nurse), runs["pre"].procedure.patient
    said = {"id": str(uuid.uuid4()), "name": patient.display_name, "mrn": patient.mrn}
    assert [check(client, runs[phase], **said).status_code for phase in ("pre", "pre", "intra")] == [201, 201, 409]
    assert IdentityCheck.objects.count() == 1


def test_no_check_is_ever_changed(runs: dict[str, Run]) -> None:
    now = database_now()
    row = IdentityCheck.objects.create(
        public_id=uuid.uuid4(), run=runs["pre"], outcome="mismatched", occurred_at=now, recorded_at=now
    )
    row.outcome = "matched"
    with pytest.raises(DatabaseError), transaction.atomic():
        row.save()
