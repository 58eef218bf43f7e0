"""Administrators write lists: forms, text, files, approval; what was typed stays where it is refused."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from checklists.models import Definition, Draft, DraftVersion, Run, Withdrawal
from checklists.pages.draft_form import read_item, typed_from
from checklists.queries.questionnaires import questionnaire_of
from checklists.rules.condition_text import condition_text, read_condition
from checklists.rules.review import items_of, walk
from clinic.models import User
from clinic.vocabulary import Role
from tests.checklists.test_drafts import Office, signed_case
from tests.checklists.test_moving import Case
from tests.make import PASSWORD, PIN, make_user
from tests.make_checklists import catalogue, make_case

pytestmark = pytest.mark.django_db
Clients = Callable[[User], Any]


@pytest.fixture
def office() -> Office:
    return Office()


def text(response: Any) -> str:
    return html.unescape(response.content.decode())


def form_of(draft: Draft, item: str, **typed: str) -> dict[str, str]:
    """What a browser sends for an item's form, some fields typed over."""
    content = DraftVersion.objects.get(draft=draft, number=draft.number).content
    return {**typed_from(items_of(content)[item]), "number": str(draft.number), "act": "save", **typed}


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_the_form_of_every_item_gives_the_item_back(name: str) -> None:
    for item in walk(catalogue()[name]["items"]):
        made, faults = read_item(typed_from(item), item)
        assert faults == []
        assert made == {field: value for field, value in item.items() if field not in _DERIVED}
        for rule in [item.get("applies"), *(one["when"] for one in item.get("stop_rules", ()))]:
            assert read_condition(*condition_text(rule)) == rule


_DERIVED = {"phase", "order", "stop", "stop_subtree"}


def test_a_list_is_changed_tried_proposed_and_published_by_two_people(as_: Clients, office: Office) -> None:
    surgeon = make_user(office.site, Role.SURGEON)
    for _ in range(2):
        signed_case(office.site, surgeon)
    author, approver = as_(office.author), as_(office.approver)
    page = author.post("/definitions/", {"list": "pre"}, follow=True)
    assert "1.1.0" in text(page)
    draft = Draft.objects.get()
    where = f"/definitions/drafts/{draft.public_id}/"
    typed = form_of(draft, "PRE-PAI-01.rest", title="Pain lying still, 0 to 10", max="9,0")
    rules = {
        "stop_rules.7.class": "H1", "stop_rules.7.joint": "all", "stop_rules.7.when": "this >= 0",
        "stop_rules.7.because": "Said", "stop_rules.7.because_tr": "Söylendi",
    }  # fmt: skip
    answer = author.post(f"{where}items/PRE-PAI-01.rest/", {**typed, **rules})
    assert answer.status_code == 302, text(answer)
    draft.refresh_from_db()
    item = items_of(DraftVersion.objects.get(draft=draft, number=2).content)["PRE-PAI-01.rest"]
    assert (item["title"], item["max"], item["stop"]) == ("Pain lying still, 0 to 10", 9.0, "H1")
    page = text(author.get(f"{where}?cases=50"))
    assert "Would have stopped 2 of the last 2" in page
    assert "Pain lying still, 0 to 10" in page
    author.post(where, {"act": "propose", "number": "2"})
    refused = author.post(where, {"act": "approve", "number": "2"})
    assert "Another administrator must approve it" in text(refused)
    assert "Approve and publish" not in text(author.get(where))
    assert "Approve and publish" in text(approver.get(where))
    page = text(approver.post(where, {"act": "approve", "number": "2"}, follow=True))
    assert "Published" in page
    assert "in force" in page
    assert make_case(office.site)["pre"].definition.version == "1.1.0"


def test_what_was_typed_stays_in_the_form_where_it_is_refused(as_: Clients, office: Office) -> None:
    draft = office.draft()
    where = f"/definitions/drafts/{draft.public_id}/items/PRE-PAI-01.rest/"
    typed = form_of(draft, "PRE-PAI-01.rest", title="Half typed", max="ten", applies="PRE-PAI-01 bigger 7", rest="{")
    page = text(as_(office.author).post(where, typed))
    for words in (
        "Half typed",
        'value="ten"',
        "PRE-PAI-01 bigger 7",
        "Give a number.",
        "Line 1 is no comparison",
        "line 1",
    ):
        assert words in page
    assert Draft.objects.get().number == 1


def test_what_somebody_else_saved_meanwhile_is_said_and_the_typing_kept(as_: Clients, office: Office) -> None:
    draft = office.draft()
    where = f"/definitions/drafts/{draft.public_id}/items/PRE-PAI-01.rest/"
    mine = form_of(draft, "PRE-PAI-01.rest", title="Mine")
    as_(office.approver).post(where, form_of(draft, "PRE-PAI-01.rest", title="Theirs"))
    page = text(as_(office.author).post(where, mine))
    assert "Somebody saved this draft since you read it" in page
    assert "Mine" in page
    assert 'name="number" value="2"' in page


def test_a_draft_with_faults_is_saved_says_them_and_is_not_put_up(as_: Clients, office: Office) -> None:
    draft = office.draft()
    client, where = as_(office.author), f"/definitions/drafts/{draft.public_id}/"
    typed = form_of(draft, "PRE-PAI-01.rest", applies="PRE-NOT-99 exists yes")
    page = text(client.post(f"{where}items/PRE-PAI-01.rest/", typed, follow=True))
    assert "PRE-NOT-99, which is on no list" in page
    assert "1 point stands against publishing" in text(client.get(where))
    page = text(client.post(where, {"act": "propose", "number": "2"}))
    assert "PRE-NOT-99" in page
    assert Draft.objects.get().status == "open"


def test_the_text_of_a_draft_is_edited_and_stays_where_it_is_no_json(as_: Clients, office: Office) -> None:
    draft = office.draft()
    client, where = as_(office.author), f"/definitions/drafts/{draft.public_id}/text/"
    page = text(client.post(where, {"text": '{"id": "pre", ', "number": "1"}))
    assert "This is not JSON" in page
    assert '{"id": "pre", ' in page
    content = DraftVersion.objects.get(draft=draft).content
    assert client.post(where, {"text": json.dumps({**content, "title": "Anew"}), "number": "1"}).status_code == 302
    assert DraftVersion.objects.get(draft=draft, number=2).content["title"] == "Anew"
    client.post(where, {"text": json.dumps({"id": "pre", "items": 5}), "number": "2"})
    assert "points stand against" in text(
        client.get(f"/definitions/drafts/{draft.public_id}/")
    ) or "point stands" in text(client.get(f"/definitions/drafts/{draft.public_id}/"))
    assert client.get(f"/definitions/drafts/{draft.public_id}/items/PRE-PAI-01.rest/").status_code == 302


def test_items_are_added_moved_and_taken_out(as_: Clients, office: Office) -> None:
    draft = office.draft()
    client, where = as_(office.author), f"/definitions/drafts/{draft.public_id}/items/"

    def act(item: str, act: str, **more: str) -> list[str]:
        draft.refresh_from_db()
        client.post(f"{where}{item}/", {"act": act, "number": str(draft.number), **more})
        draft.refresh_from_db()
        content = DraftVersion.objects.get(draft=draft, number=draft.number).content
        return [str(one["id"]) for one in walk(content["items"])]

    before = act("PRE-PAI-01", "down")
    assert before.index("PRE-PAI-01") > before.index("PRE-LVL-01")
    after = act("PRE-PAI-01", "add_below", new_id="PRE-PAI-01.coughing", new_type="boolean")
    assert "PRE-PAI-01.coughing" in after
    assert "PRE-PAI-01.coughing" not in act("PRE-PAI-01.coughing", "remove")
    number = draft.number
    assert "Give the new item an id" in text(
        client.post(f"{where}PRE-PAI-01/", {"act": "add_after", "number": str(number), "new_id": "PRE-LVL-01"})
    )


def test_a_questionnaire_comes_in_by_file_and_a_broken_one_stays_in_the_form(as_: Clients, office: Office) -> None:
    client = as_(office.author)
    row = Definition.objects.get(name="fu_2h")
    resource, _ = questionnaire_of(row)
    resource["item"][0]["text"] = "Asked otherwise"
    broken = json.dumps({**resource, "status": "bad!"})
    page = text(client.post("/definitions/import/", {"text": broken}))
    assert "Questionnaire.status" in page
    assert "bad!" in page
    assert "This is not JSON" in text(client.post("/definitions/import/", {"text": "{"}))
    file = SimpleUploadedFile("q.json", json.dumps(resource).encode())
    page = text(client.post("/definitions/import/", {"file": file}, follow=True))
    assert "Asked otherwise" in page
    draft = Draft.objects.get(name="fu_2h")
    assert draft.base == row
    where = f"/api/v1/definitions/{row.sha256}/questionnaire/"
    assert where in text(client.get(f"/definitions/{row.sha256}/"))
    exported = client.get(where)
    assert exported["Content-Type"] == "application/fhir+json"
    assert json.loads(exported.content)["version"] == "1.0.0"


def test_a_bad_version_is_withdrawn_with_the_lists_that_use_it(as_: Clients, office: Office) -> None:
    bad = office.approve(office.propose(office.draft()))
    make_case(office.site)
    client = as_(office.author)
    page = text(client.post(f"/definitions/{bad.sha256}/withdrawal/", {"reason": "short"}, follow=True))
    assert "at least 10 characters" in page
    page = text(client.post(f"/definitions/{bad.sha256}/withdrawal/", {"reason": "It misleads people"}, follow=True))
    assert "1 open list still uses it" in page
    assert "It misleads people" in page
    assert f"/runs/{Run.objects.get(phase='pre').public_id}/move/" in page
    assert Withdrawal.objects.get().withdrawn_by == office.author
    assert "withdrawn" in text(client.get("/definitions/"))


def test_the_list_of_lists_asks_the_same_few_questions_however_many_there_are(
    as_: Clients, office: Office, django_assert_max_num_queries: Any
) -> None:
    client = as_(office.author)
    make_case(office.site)
    client.get("/definitions/")
    with django_assert_max_num_queries(14):
        page = text(client.get("/definitions/"))
    assert page.count("in force<") == 17
    assert text(as_(make_user(office.site, Role.AUDITOR)).get("/definitions/")).count("New draft") == 0


def test_an_open_list_is_moved_by_who_signs_it(as_: Clients) -> None:
    case = Case()
    client, where = as_(case.surgeon), f"/runs/{case.run.public_id}/move/"
    page = text(client.get(where))
    for words in ("from version 1.0.1 to 1.1.0", "1 answer must be given again", "1 new question", "A reason in words"):
        assert words in page
    assert "Somebody who signs a part" in text(as_(case.nurse).get(where))
    plan = case.plan().sha256(str(case.run.public_id))
    assert "The PIN or password is not right" in text(client.post(where, {"plan_sha256": plan, "pin": "1"}))
    assert "Read the plan again" in text(client.post(where, {"plan_sha256": "0" * 64, "pin": PIN}))
    assert "goes on with version 1.1.0" in text(
        client.post(where, {"plan_sha256": plan, "password": PASSWORD}, follow=True)
    )
    assert "on the version in force" in text(client.get(where))
