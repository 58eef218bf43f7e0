"""Drills: the real ladder for nobody's patient, labelled everywhere, never a case, with a report of how it went."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.test import Client

from clinic.channels import push, webhook
from clinic.channels.words import text_message, words
from clinic.lib.clock import database_now
from clinic.lib.problems import Refused
from clinic.models import AuditEntry, ContactPoint, Notification
from complications.actions.drills import start_drill, stop_drill
from complications.actions.engine import advance_due
from complications.actions.escalation import acknowledge, arrive, decide, raise_in_error, record_milestone
from complications.actions.links import link_token
from complications.actions.raising import raise_tier
from complications.actions.sweeping import deliver_due
from complications.models import AcknowledgeLink, Drill, Escalation
from complications.queries.audit_open import audit_open
from complications.queries.intervals import interval_report
from complications.queries.metrics import families
from complications.rules.drill import report_lines
from complications.vocabulary import Milestone, Pathway, Tier
from tests.make import make_contact
from tests.make_complications import Ward, make_escalation, make_ward
from tests.receivers import mail_server

pytestmark = pytest.mark.django_db


@pytest.fixture
def ward(now: datetime) -> Ward:
    return make_ward(now)


@pytest.fixture
def today(db: None) -> Ward:
    """A ward that is staffed now: pages and API read the clock themselves."""
    return make_ward(database_now())


def begin(ward: Ward, now: datetime, tier: Tier = Tier.T0, **values: Any) -> Escalation:
    """A drill that the duty manager begins."""
    given: dict[str, Any] = {"pathway": Pathway.SPINE, "announced": False, **values}
    return start_drill(site=ward.site, tier=tier, by=ward.by(ward.manager, "administrator"), now=now, **given)


def run(now: datetime, *minutes: float) -> None:
    """Let the engine and the outbox work at each of these minutes."""
    for minute in minutes:
        advance_due(now=now + timedelta(minutes=minute))
        deliver_due(now=now + timedelta(minutes=minute))


def report_of(row: Escalation) -> dict[str, Any]:
    found = Drill.objects.get(escalation=row).report
    assert found is not None
    return dict(found)


def met(report: dict[str, Any]) -> dict[str, bool]:
    return {one["name"]: one["passed"] for one in report["criteria"]}


def pages(row: Escalation) -> list[tuple[Any, str]]:
    rows = Notification.objects.filter(reference=row.reference, kind="escalation_page")
    return sorted(((one.recipient_id, one.channel) for one in rows), key=str)


def test_a_drill_pages_whom_a_case_would_but_for_the_operator_it_does_not_have(ward: Ward, now: datetime) -> None:
    drill, case = begin(ward, now), make_escalation(ward, now)
    run(now, 0, 5, 10, 15)
    case_pages = [one for one in pages(case) if one[0] != ward.operator.pk]
    assert pages(drill) == case_pages
    assert drill.policy == case.policy


def test_every_message_begins_with_the_word_by_every_channel_in_both_languages(ward: Ward, now: datetime) -> None:
    ward.nurse.language = "tr"
    ward.nurse.save()
    row = begin(ward, now)
    run(now, 0, 5)
    acknowledge(escalation=row, eta_minutes=10, by=ward.by(ward.second), now=now + timedelta(minutes=6))
    messages = list(Notification.objects.filter(reference=row.reference))
    assert {one.language for one in messages} == {"en", "tr"}
    assert {"escalation_page", "escalation_note"} <= {one.kind for one in messages}
    for message in messages:
        start = "DRILL (tatbikat): " if message.language == "tr" else "DRILL: "
        subject, body = words(message)
        message.contact = ContactPoint(kind="push", address="https://push.example.org/x")
        assert subject.startswith(start)
        assert body.startswith(start)
        assert text_message(message).startswith("DRILL")
        assert json.loads(push.payload(message))["title"].startswith(start)
        assert json.loads(webhook.payload(message))["type"] == f"drill.{message.kind}"


def test_a_real_page_says_nothing_of_a_drill(ward: Ward, now: datetime) -> None:
    row = make_escalation(ward, now)
    run(now, 0)
    for message in Notification.objects.filter(reference=row.reference):
        assert "DRILL" not in "".join(words(message))
        assert json.loads(webhook.payload(message))["type"] == message.kind


def test_the_first_answer_ends_it_and_the_report_is_stored(ward: Ward, now: datetime) -> None:
    row = begin(ward, now, announced=True)
    run(now, 0)
    at = now + timedelta(minutes=3)
    acknowledge(escalation=row, eta_minutes=10, by=ward.by(ward.first), now=at)
    row.refresh_from_db()
    report = report_of(row)
    assert (row.status, row.closed_at, row.next_due_at) == ("closed", at, None)
    assert report["passed"] is True, report["criteria"]
    assert (report["ended"], report["announced"]) == ("answered", True)
    assert report["answers"][0]["name"] == ward.first.get_full_name()
    assert report["answers"][0]["after_s"] == 180
    assert {page["name"] for page in report["pages"]} == {ward.first.get_full_name(), ward.nurse.get_full_name()}
    assert all(page["reached"] and page["ways"][0]["sent_after_s"] == 0 for page in report["pages"])
    run(now, 5, 10, 60)
    assert {key for key, _ in pages(row)} == {ward.first.pk, ward.nurse.pk}
    actions = set(AuditEntry.objects.filter(stream=row.reference).values_list("action", flat=True))
    assert {"drill.started", "drill.reported", "escalation.acknowledged", "escalation.closed"} <= actions
    assert "PASSED" in report_lines(report)[-1]


def test_who_answers_after_the_tiers_minutes_does_not_pass(ward: Ward, now: datetime) -> None:
    row = begin(ward, now)
    run(now, 0, 5)
    acknowledge(escalation=row, eta_minutes=10, by=ward.by(ward.second), now=now + timedelta(minutes=6))
    report = report_of(row)
    assert report["passed"] is False
    assert [name for name, passed in met(report).items() if not passed] == ["answered_in_time"]
    asked = next(one for one in report["criteria"] if one["name"] == "answered_in_time")
    assert (asked["took_s"], asked["limit_s"]) == (360, 300)


def test_without_an_answer_it_ends_after_the_backstop_by_itself(ward: Ward, now: datetime) -> None:
    row = begin(ward, now)
    run(now, 0, 5, 10, 15)
    row.refresh_from_db()
    assert row.status == "paging"
    assert audit_open(now + timedelta(minutes=15)).breaches.keys() <= {"engine_silent"}
    run(now, 30)
    row.refresh_from_db()
    report = report_of(row)
    assert (row.status, row.round, report["ended"], report["passed"]) == ("closed", 0, "unanswered", False)
    assert [step["step"] for step in report["steps"]] == [0, 1, 2, 3]
    assert not met(report)["answered_in_time"]
    assert met(report)["no_step_skipped"]
    run(now, 45, 90)
    assert Notification.objects.filter(reference=row.reference, created_at__gt=now + timedelta(minutes=29)).count() == 0


def test_somebody_who_cannot_operate_does_not_end_it(ward: Ward, now: datetime) -> None:
    ward.first.can_decompress = False
    ward.first.save()
    row = begin(ward, now)
    run(now, 0)
    acknowledge(escalation=row, eta_minutes=0, by=ward.by(ward.first), now=now + timedelta(minutes=1))
    assert Drill.objects.get(escalation=row).report is None
    run(now, 5)
    acknowledge(escalation=row, eta_minutes=5, by=ward.by(ward.second), now=now + timedelta(minutes=6))
    assert [one["counts"] for one in report_of(row)["answers"]] == [False, True]


def test_a_step_that_reaches_nobody_and_a_late_engine_are_in_the_report(ward: Ward, now: datetime) -> None:
    for user in (ward.head, ward.manager):
        user.is_active = False
        user.save()
    row = begin(ward, now)
    run(now, 0, 6, 11, 16, 31)
    report = report_of(row)
    assert met(report) == {
        "first_page": True,
        "steps_in_time": False,
        "no_step_skipped": False,
        "everybody_reached": True,
        "no_way_failed": True,
        "answered_in_time": False,
    }
    assert next(one["who"] for one in report["criteria"] if one["name"] == "no_step_skipped") == ["3"]


def test_a_way_that_fails_is_named_with_its_failure(ward: Ward, now: datetime, settings: Any) -> None:
    settings.DEMO = False
    make_contact(ward.first, "email", "first@example.org")
    with mail_server(settings) as server:
        row = begin(ward, now)
        server.answer = "550 no such user"
        advance_due(now=now)
        deliver_due(now=now)
        server.answer = "250 OK"
        run(now, 5)
        acknowledge(escalation=row, eta_minutes=5, by=ward.by(ward.second), now=now + timedelta(minutes=6))
    report = report_of(row)
    first = [way for page in report["pages"] if page["step"] == 0 for way in page["ways"]]
    assert {way["failure"] for way in first} == {"permanent"}
    assert not met(report)["first_page"]
    assert not met(report)["no_way_failed"]
    assert not met(report)["everybody_reached"]
    assert any("email" in who for one in report["criteria"] if one["name"] == "no_way_failed" for who in one["who"])


def test_the_database_keeps_drills_and_patients_apart(ward: Ward, now: datetime) -> None:
    drill, case = begin(ward, now), make_escalation(ward, now)
    for row, changes in (
        (drill, {"procedure": ward.procedure}),
        (case, {"is_drill": True}),
        (case, {"procedure": None}),
    ):
        with pytest.raises(IntegrityError, match="escalation_drill_has_no_procedure"), transaction.atomic():
            Escalation.objects.filter(pk=row.pk).update(**changes)
    assert make_escalation(ward, now).pk == case.pk


def test_one_drill_at_a_time(ward: Ward, now: datetime) -> None:
    row = begin(ward, now)
    with pytest.raises(Refused, match="drill_running"):
        begin(ward, now)
    stop_drill(escalation=row, by=ward.by(ward.manager), now=now)
    assert report_of(row)["ended"] == "stopped"
    stop_drill(escalation=row, by=ward.by(ward.manager), now=now)
    assert begin(ward, now).pk != row.pk
    with pytest.raises(Refused, match="not_a_drill"):
        stop_drill(escalation=make_escalation(ward, now), by=ward.by(ward.manager), now=now)


def test_what_needs_a_patient_is_refused(ward: Ward, now: datetime) -> None:
    row, by = begin(ward, now), ward.by(ward.first)
    acts: list[Any] = [
        lambda: arrive(escalation=row, by=by, now=now),
        lambda: decide(escalation=row, data={"decision": "observe"}, by=by, now=now),
        lambda: record_milestone(escalation=row, kind=Milestone.IMAGING_DONE, at=None, by=by, now=now),
        lambda: raise_tier(escalation=row, tier=Tier.T0, reason="worse", by=by, now=now),
        lambda: raise_in_error(escalation=row, reason="wrong", by=by, now=now),
    ]
    for act in acts:
        with pytest.raises(Refused, match=r"^drill$"):
            act()


@pytest.mark.django_db(transaction=True)
def test_a_drill_is_no_case_in_lists_intervals_metrics_and_exports(today: Ward, as_: Any) -> None:
    now = database_now()
    case = make_escalation(today, now)
    row = begin(today, now)
    run(now, 0)
    acknowledge(escalation=row, eta_minutes=5, by=today.by(today.first), now=now)
    begin(today, now)
    drills = {str(one.public_id) for one in Escalation.objects.filter(is_drill=True)}
    assert len(drills) == 2
    client = as_(today.manager)
    for path in ("/api/v1/escalations/", "/escalations/", "/escalations/?status=all"):
        text = client.get(path).content.decode()
        assert str(case.public_id) in text
        assert not any(one in text for one in drills), path
    day = now.date()
    lines = interval_report(today.site, since=day - timedelta(days=1), until=day + timedelta(days=1))
    assert {line.cases for line in lines} == {1}
    sample = {one.name: one for one in families()}
    assert sum(one.value for one in sample["clinic_escalations_open"].samples) == 1
    answered = [one for one in sample["clinic_acknowledgement_seconds"].samples if one.name.endswith("_gcount")]
    assert sum(one.value for one in answered) == 0
    for dataset in ("escalations", "complications", "procedures"):
        answer = client.get(f"/api/v1/exports/{dataset}")
        assert answer.status_code == 200
        text = b"".join(answer.streaming_content).decode()
        assert not any(one in text for one in drills), dataset
        assert (
            str(case.public_id if dataset == "escalations" else today.procedure.public_id) in text
            or dataset == "complications"
        )
    answer = client.get("/api/v1/exports/messages")
    found = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    labelled = {(one["reference"] == f"escalation:{case.public_id}", one["drill"]) for one in found}
    assert {drill for is_case, drill in labelled if is_case} <= {"false"}
    assert {drill for is_case, drill in labelled if not is_case} == {"true"}


def test_the_link_in_the_message_answers_and_says_that_it_is_a_drill(today: Ward) -> None:
    now = database_now()
    row = begin(today, now)
    run(now, 0)
    token = link_token(AcknowledgeLink.objects.get(escalation=row, user=today.first).public_id)
    page = Client().get(f"/a/{token}/").content.decode()
    assert "DRILL" in page
    assert "There is no patient" in page
    assert Client().post(f"/a/{token}/", {"eta_minutes": "10"}).status_code == 200
    assert report_of(row)["ended"] == "answered"


def test_an_administrator_begins_one_by_page_and_a_surgeon_answers_it_there(today: Ward, as_: Any) -> None:
    administrator, surgeon, nurse = as_(today.manager), as_(today.first), as_(today.nurse)
    given = {"tier": "t0", "pathway": "spine", "announced": "1"}
    begun = Client()
    begun.force_login(today.manager, backend="django.contrib.auth.backends.ModelBackend")
    answer = begun.post("/escalations/drills/", given)
    assert answer.status_code == 302
    drill = Drill.objects.get()
    assert drill.announced is True
    path = answer["Location"]
    advance_due(now=database_now())
    assert "Stop the drill" in administrator.get(path).content.decode()
    assert "Stop the drill" not in nurse.get(path).content.decode()
    assert surgeon.get(f"/escalations/{drill.escalation.public_id}/")["Location"] == path
    doctor = Client()
    doctor.force_login(today.first, backend="django.contrib.auth.backends.ModelBackend")
    deliver_due(now=database_now())
    doctor.post(f"/escalations/{drill.escalation.public_id}/acknowledgement/", {"eta_minutes": "10"})
    page = administrator.get(path).content.decode()
    assert "Against the limits" in page
    assert "Passed" in page
    assert "Passed" in administrator.get("/escalations/drills/").content.decode()
    for act in ("examination", "decision"):
        assert doctor.get(f"/escalations/{drill.escalation.public_id}/{act}/").status_code == 409


def test_the_api_begins_answers_and_reports(today: Ward, as_: Any) -> None:
    administrator, surgeon = as_(today.manager), as_(today.first)
    answer = administrator.post("/api/v1/drills/", {"tier": "t0"}, content_type="application/json")
    assert answer.status_code == 201, answer.content
    drill = answer.json()
    assert (drill["report"], drill["escalation"]["status"]) == (None, "paging")
    again = administrator.post("/api/v1/drills/", {"tier": "t0"}, content_type="application/json")
    assert (again.status_code, again.json()["code"]) == (409, "drill_running")
    refused = administrator.post("/api/v1/drills/", {"pathway": "stroke"}, content_type="application/json")
    assert refused.json()["errors"][0]["field"] == "pathway"
    now = database_now()
    advance_due(now=now)
    deliver_due(now=now)
    path = f"/api/v1/escalations/{drill['id']}/"
    whole = surgeon.get(path).json()
    assert (whole["is_drill"], whole["patient"], whole["procedure"]) == (True, None, None)
    answered = surgeon.post(f"{path}acknowledgement/", {"eta_minutes": 5}, content_type="application/json")
    assert answered.status_code == 201, answer.content
    assert answered.json()["status"] == "closed"
    report = administrator.get(f"/api/v1/drills/{drill['id']}/").json()["report"]
    assert report["passed"] is True
    assert administrator.get("/api/v1/drills/").json()["results"][0]["passed"] is True


def test_the_command_begins_one(today: Ward, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("drill", site=today.site.code, tier="t1")
    assert "began at" in capsys.readouterr().out
    row = Escalation.objects.get(is_drill=True)
    assert (row.tier, row.opened_by) == ("t1", None)
