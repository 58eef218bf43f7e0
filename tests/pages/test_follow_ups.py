"""The call list and the form of a contact."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from clinic.lib.clock import database_now
from clinic.models import Procedure, User
from complications.actions.follow_up import plan_follow_ups
from complications.models import ContactAttempt, Escalation, FollowUp
from complications.vocabulary import RedFlag
from tests.make import make_actor, make_procedure, make_user
from tests.make_checklists import make_runs
from tests.make_complications import Ward, make_ward
from tests.pages.test_pages import queries, text

pytestmark = pytest.mark.django_db
Clients = Callable[[User], Any]
QUIET = {f"FUP-RED-01.{flag.value}": "false" for flag in RedFlag}


def made(ward: Ward, days: int = 1) -> FollowUp:
    """The 24-hour contact of a procedure that ended a day ago."""
    make_runs(ward.procedure)
    ended = database_now() - timedelta(days=days)
    Procedure.objects.filter(pk=ward.procedure.pk).update(ended_at=ended)
    plan_follow_ups(procedure=ward.procedure, ended_at=ended, by=make_actor(), now=database_now())
    return FollowUp.objects.get(procedure=ward.procedure, code="FU-24H")


def test_the_call_list_shows_who_is_due_and_costs_the_same_for_many(as_: Clients) -> None:
    ward = make_ward()
    client = as_(make_user(ward.site, "follow_up_nurse"))
    made(ward)
    page = text(client, "/follow-ups/")
    assert "Due now" in page
    assert "24 hours" in page
    one = queries(client, "/follow-ups/")
    ward.procedure = make_procedure(ward.site, ward.operator)
    made(ward)
    assert queries(client, "/follow-ups/") == one


def test_a_quiet_contact_is_done_with_one_form(as_: Clients) -> None:
    ward = make_ward()
    row = made(ward)
    client = as_(make_user(ward.site, "follow_up_nurse"))
    assert "Ask every time" in text(client, f"/follow-ups/{row.public_id}/")
    answers = {**QUIET, "FUP-PAI-01": "3", "FUP-PAI-01.leg": "0", "FUP-WLK-01": "4", "FUP-WND-01": "dry"}
    answer = client.post(f"/follow-ups/{row.public_id}/", answers)
    assert answer.status_code == 302, answer.content.decode()[-3000:]
    assert FollowUp.objects.get(pk=row.pk).status == "done"
    assert not Escalation.objects.exists()


def test_a_half_filled_form_is_kept_and_says_what_is_still_to_ask(as_: Clients) -> None:
    ward = make_ward()
    row = made(ward)
    answer = as_(ward.nurse).post(f"/follow-ups/{row.public_id}/", {**QUIET, "FUP-PAI-01": "3"})
    assert answer.status_code == 400
    assert "Still to ask" in answer.content.decode()
    assert FollowUp.objects.get(pk=row.pk).status == "planned"


def test_a_red_flag_leads_to_who_is_being_paged(as_: Clients) -> None:
    ward = make_ward()
    row = made(ward)
    answers = {**QUIET, "FUP-RED-01.saddle_numbness": "true", "FUP-PAI-01": "8"}
    answer = as_(ward.nurse).post(f"/follow-ups/{row.public_id}/", answers)
    assert answer["Location"] == f"/escalations/{Escalation.objects.get().public_id}/"


def test_an_attempt_is_one_touch(as_: Clients) -> None:
    ward = make_ward()
    row = made(ward)
    as_(ward.nurse).post(f"/follow-ups/{row.public_id}/contact/", {"outcome": "no_answer"})
    assert ContactAttempt.objects.get().outcome == "no_answer"


def test_a_patient_who_calls_is_asked_the_red_flags(as_: Clients) -> None:
    ward = make_ward()
    client = as_(ward.nurse)
    address = f"/procedures/{ward.procedure.public_id}/call/"
    assert client.post(address, {"note": "back pain"}).status_code == 400
    assert client.post(address, {flag.value: "false" for flag in RedFlag}).status_code == 302
    assert not Escalation.objects.exists()
    answer = client.post(address, {"leg_weakness": "true"})
    assert answer["Location"].startswith("/escalations/")
