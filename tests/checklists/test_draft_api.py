"""Drafts, versions, questionnaires and moves for outside programs: each refusal names the field and the remedy."""

from __future__ import annotations

import json
from typing import Any

import pytest

from checklists.models import Definition, Draft
from checklists.queries.questionnaires import questionnaire_of
from clinic.models import User
from clinic.vocabulary import Role
from tests.checklists.test_drafts import Office
from tests.checklists.test_moving import Case
from tests.clients import ApiClient
from tests.make import PIN, make_user
from tests.make_checklists import make_case

pytestmark = pytest.mark.django_db


@pytest.fixture
def office() -> Office:
    return Office()


def client_of(user: User) -> Any:
    client: Any = ApiClient()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def body(response: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(response.content)
    return found


def test_a_draft_goes_from_the_version_in_force_to_the_next_one(office: Office) -> None:
    author, approver = client_of(office.author), client_of(office.approver)
    draft = body(author.send("POST", "/definition-drafts/", {"list": "pre"}))
    where = f"/definition-drafts/{draft['id']}/"
    content = {**draft["content"], "title": "Before, anew"}
    saved = author.send("PUT", where, {"number": 1, "content": content})
    assert saved.status_code == 200, saved.content
    assert {"item": "", "kind": "field", "field": "title", "was": "Before the day", "now": "Before, anew"}.keys() == (
        body(saved)["changes"][0].keys()
    )
    assert author.send("POST", f"{where}proposal/", {"number": 2}).status_code == 201
    own = author.send("POST", f"{where}approval/", {"number": 2})
    assert (own.status_code, body(own)["code"]) == (403, "own_draft")
    done = body(approver.send("POST", f"{where}approval/", {"number": 2}))
    assert done["status"] == "published"
    rows = body(author.get("/api/v1/definitions/"))["results"]
    assert [row["version"] for row in rows if row["id"] == "pre"] == ["1.1.0", "1.0.1"]
    assert author.get(f"/api/v1/definitions/{done['definition']}/runs/").status_code == 200


@pytest.mark.parametrize(
    ("sent", "code", "field"),
    [
        ({"number": 1}, "invalid", "content"),
        ({"number": "1", "content": {}}, "invalid", "number"),
        ({"number": 1, "content": {"id": "post"}}, "invalid", "id"),
        ({"number": 7, "content": {"id": "pre"}}, "draft_changed", None),
    ],
)
def test_what_cannot_be_saved_is_refused_by_field(
    office: Office, sent: dict[str, Any], code: str, field: str | None
) -> None:
    draft = office.draft()
    answer = client_of(office.author).send("PUT", f"/definition-drafts/{draft.public_id}/", sent)
    assert answer["Content-Type"] == "application/problem+json"
    assert body(answer)["code"] == code
    assert [one["field"] for one in body(answer)["errors"]] == ([field] if field else [])


def test_a_draft_with_faults_is_refused_with_all_of_them(office: Office) -> None:
    draft = office.draft(lambda content: content["items"][0].update(title="", type="riddle"))
    answer = client_of(office.author).send("POST", f"/definition-drafts/{draft.public_id}/proposal/", {"number": 1})
    assert (answer.status_code, body(answer)["code"]) == (400, "broken_definition")
    assert body(answer)["errors"][0]["field"].startswith("PRE-IDX-01")
    tried = client_of(office.author).get(f"/api/v1/definition-drafts/{draft.public_id}/dry-run/")
    assert body(tried)["code"] == "broken_definition"


@pytest.mark.parametrize(
    ("raw", "code"),
    [("{", "unreadable"), ("[" * 5000, "unreadable"), ('{"questionnaire": 5}', "invalid"), ("[]", "unreadable"),
     ('{"questionnaire": {"resourceType": "Patient"}}', "not_importable"),
     ('{"questionnaire": {"resourceType": "Questionnaire", "status": "draft", "item": [{"linkId": "a", "type": "date", '
      '"enableWhen": [{"question": "b", "operator": "exists", "answerBoolean": true}]}]}}', "not_importable")],
)  # fmt: skip
def test_a_malformed_questionnaire_is_refused_cleanly(office: Office, raw: str, code: str) -> None:
    answer = client_of(office.author).post("/api/v1/questionnaires/", data=raw, content_type="application/json")
    assert (answer.status_code, body(answer)["code"]) == (400, code)
    assert Draft.objects.count() == 0


def test_a_questionnaire_goes_out_and_comes_in_as_a_draft_with_a_report(office: Office) -> None:
    client = client_of(office.author)
    row = Definition.objects.get(name="fu_2h")
    resource = body(client.get(f"/api/v1/definitions/{row.sha256}/questionnaire/"))
    assert resource == json.loads(json.dumps(questionnaire_of(row)[0]))
    notes = body(client.get(f"/api/v1/definitions/{row.sha256}/questionnaire/?report=1"))["notes"]
    assert {one["how"] for one in notes} == {"extension"}
    resource["item"][0]["text"] = "Other words"
    made = body(client.send("POST", "/questionnaires/", {"questionnaire": resource}))
    assert made["draft"]["list"] == "fu_2h"
    assert made["notes"] == []
    assert [one["field"] for one in made["draft"]["changes"]] == ["title"]
    foreign = {
        "resourceType": "Questionnaire",
        "status": "active",
        "item": [
            {"linkId": "1", "type": "boolean", "text": "Well?"},
            {"linkId": "2", "type": "attachment", "text": "X"},
        ],
    }
    refused = client.send("POST", "/questionnaires/", {"questionnaire": foreign})
    assert body(refused)["errors"][0]["field"] == "list"
    made = body(client.send("POST", "/questionnaires/", {"questionnaire": foreign, "list": "fu_6w"}))
    assert {"item": "2", "field": "type", "how": "left_out"}.items() <= made["draft"]["report"][0].items()


def test_a_withdrawal_answers_every_list_on_the_version(office: Office) -> None:
    row = office.approve(office.propose(office.draft()))
    run = make_case(office.site)["pre"]
    client = client_of(office.author)
    short = client.send("POST", f"/definitions/{row.sha256}/withdrawal/", {"reason": "bad"})
    assert body(short)["errors"][0]["code"] == "too_short"
    done = body(client.send("POST", f"/definitions/{row.sha256}/withdrawal/", {"reason": "It misleads people"}))
    assert [one["id"] for one in done["runs"]] == [str(run.public_id)]
    shown = body(client_of(make_user(office.site, Role.NURSE)).get(f"/api/v1/runs/{run.public_id}/"))
    assert shown["definition"]["withdrawn"] == "It misleads people"


def test_a_run_is_moved_over_the_plan_that_was_read() -> None:
    case = Case()
    client, where = client_of(case.nurse), f"/runs/{case.run.public_id}/move/"
    plan = body(client.get(f"/api/v1{where}"))["plan"]
    assert [one["key"] for one in plan["retired"]] == [case.retired.text()]
    sent = {
        "user": case.surgeon.username,
        "credential": {"pin": PIN},
        "definition": plan["definition"]["sha256"],
        "plan_sha256": plan["plan_sha256"],
    }
    stale = client.send("POST", where, {**sent, "plan_sha256": "0" * 64})
    assert (stale.status_code, body(stale)["code"]) == (409, "content_changed")
    done = client.send("POST", where, sent)
    assert done.status_code == 201, done.content
    assert body(client.get(f"/api/v1/runs/{case.run.public_id}/"))["definition"]["version"] == "1.1.0"
    assert body(client.get(f"/api/v1{where}"))["plan"] is None
    assert body(client.send("POST", where, sent))["code"] == "not_in_force"
