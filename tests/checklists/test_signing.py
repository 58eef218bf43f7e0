"""Signing a list: who may, over what, and what locks it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from checklists.models import Answer, Run, Signature
from checklists.queries.runs import content_hash
from clinic.models import AuditEntry, Procedure, Site, User
from clinic.vocabulary import Role
from tests.clients import ApiClient
from tests.make import PASSWORD, PIN, make_site, make_user
from tests.make_checklists import answer, fill, make_case, pass_lists, send, tick

pytestmark = pytest.mark.django_db
As = Callable[[Any], ApiClient]


class Team:
    """The people of one case, and its lists."""

    def __init__(self, anaesthesia: str = "general") -> None:
        self.site: Site = make_site()
        self.nurse = make_user(self.site, Role.NURSE)
        self.nurse2 = make_user(self.site, Role.NURSE)
        self.surgeon = make_user(self.site, Role.SURGEON)
        self.surgeon2 = make_user(self.site, Role.SURGEON)
        self.anaesthetist = make_user(self.site, Role.ANAESTHETIST)
        self.runs = make_case(self.site, self.surgeon, anaesthesia=anaesthesia)
        self.client: Any = ApiClient()
        self.client.force_login(self.nurse, backend="django.contrib.auth.backends.ModelBackend")

    def content(self, phase: str) -> str:
        run = self.runs[phase]
        return content_hash(run, run.definition.sha256, "en")

    def sign(self, phase: str, user: User, role: str, **fields: Any) -> Any:
        body = {
            "user": user.username,
            "role": role,
            "credential": {"pin": PIN},
            "content_sha256": self.content(phase),
            **fields,
        }
        return self.client.send("POST", f"/runs/{self.runs[phase].public_id}/signatures/", body)

    def status(self, phase: str) -> str:
        return str(Run.objects.get(pk=self.runs[phase].pk).status)


@pytest.fixture
def team() -> Team:
    return Team()


def code_of(response: Any) -> str:
    return str(json.loads(response.content)["code"])


def test_an_honest_team_opens_every_gate_and_signs_every_list(team: Team) -> None:
    parts = {
        "pre": [(team.surgeon, "operator")],
        "sign_in": [(team.nurse, "nurse"), (team.anaesthetist, "watcher")],
        "time_out": [(team.nurse, "nurse"), (team.anaesthetist, "watcher"), (team.surgeon, "operator")],
        "intra": [(team.nurse, "nurse"), (team.surgeon, "operator")],
        "sign_out": [(team.nurse, "nurse"), (team.anaesthetist, "watcher"), (team.surgeon, "operator")],
        "post": [(team.nurse2, "ward_nurse")],
    }
    for phase, signers in parts.items():
        fill(team.runs[phase], by=team.nurse)
        for user, role in signers:
            assert team.status(phase) == "open"
            response = team.sign(phase, user, role)
            assert response.status_code == 201, response.content
        assert team.status(phase) == "signed"
    procedure = team.runs["pre"].procedure
    procedure.refresh_from_db()
    assert (procedure.status, procedure.outcome) == ("completed", "completed")
    assert procedure.ended_at is not None
    assert AuditEntry.objects.filter(action="run.signed").count() == 6


def test_a_closed_gate_names_every_point_and_signs_nothing(team: Team) -> None:
    response = team.sign("pre", team.surgeon, "operator")
    assert (response.status_code, code_of(response)) == (409, "gate_closed")
    errors = {one["field"]: one["code"] for one in json.loads(response.content)["errors"]}
    assert errors["PRE-LVL-01||||"] == "hard"
    assert Signature.objects.count() == 0


def test_what_changed_since_it_was_shown_cannot_be_signed(team: Team) -> None:
    fill(team.runs["pre"])
    shown = team.content("pre")
    answer(team.runs["pre"], {"PRE-PAI-01|rest|||": 3})
    response = team.sign("pre", team.surgeon, "operator", content_sha256=shown)
    assert (response.status_code, code_of(response)) == (409, "content_changed")


def test_a_change_makes_earlier_signatures_void(team: Team) -> None:
    pass_lists(team.runs, before="sign_in")
    fill(team.runs["sign_in"])
    assert team.sign("sign_in", team.nurse, "nurse").status_code == 201
    answer(team.runs["sign_in"], {"SIN-MON-01|spo2|||": 97})
    assert team.sign("sign_in", team.anaesthetist, "watcher").status_code == 201
    assert team.status("sign_in") == "open"
    assert team.sign("sign_in", team.nurse, "nurse").status_code == 201
    assert team.status("sign_in") == "signed"


def test_everybody_signs_with_their_own_credential_and_in_their_own_part(team: Team) -> None:
    answer(team.runs["pre"], {"PRE-ANE-01|lead|||": team.nurse.username})
    pass_lists(team.runs, before="sign_in")
    fill(team.runs["sign_in"])
    wrong = team.sign("sign_in", team.nurse, "nurse", credential={"pin": "000000"})
    assert (wrong.status_code, code_of(wrong)) == (403, "credential_wrong")
    assert team.sign("sign_in", team.nurse, "nurse", credential={"password": PASSWORD}).status_code == 201
    assert code_of(team.sign("sign_in", team.nurse2, "nurse")) == "already_signed"
    assert code_of(team.sign("sign_in", team.surgeon, "watcher")) == "not_this_part"
    assert code_of(team.sign("sign_in", team.surgeon, "operator")) == "invalid"
    assert code_of(team.sign("sign_in", make_user(make_site()), "nurse")) == "unknown_user"
    assert code_of(team.sign("sign_in", team.nurse, "watcher")) == "one_part_each"


def test_only_the_named_operator_signs_as_operator(team: Team) -> None:
    fill(team.runs["pre"])
    assert code_of(team.sign("pre", team.surgeon2, "operator")) == "not_this_part"
    assert team.sign("pre", team.surgeon, "operator").status_code == 201


def test_with_local_anaesthesia_the_nurse_who_watches_signs() -> None:
    team = Team(anaesthesia="local")
    answer(team.runs["pre"], {"PRE-ANE-01|lead|||": team.nurse2.username, "PRE-ANE-01||||": "local"})
    pass_lists(team.runs, before="sign_in")
    fill(team.runs["sign_in"])
    assert team.sign("sign_in", team.nurse, "nurse").status_code == 201
    assert team.sign("sign_in", team.nurse2, "watcher").status_code == 201
    assert team.status("sign_in") == "signed"


def test_a_scrubbed_operator_is_witnessed_and_signs_later(team: Team) -> None:
    fill(team.runs["pre"])
    own = team.sign("pre", team.surgeon, "operator", witnessed_by=team.surgeon.username)
    assert code_of(own) == "invalid"
    witnessed = team.sign("pre", team.surgeon, "operator", witnessed_by=team.nurse.username)
    assert witnessed.status_code == 201, witnessed.content
    assert json.loads(witnessed.content)["countersigned"] is False
    assert team.status("pre") == "signed"
    own = team.sign("pre", team.surgeon, "operator")
    assert own.status_code == 201, own.content
    first, second = Signature.objects.order_by("id")
    assert (first.witnessed_by, second.countersigns) == (team.nurse, first)
    assert code_of(team.sign("pre", team.surgeon, "operator")) == "phase_signed"


def test_a_signed_list_takes_amendments_only(team: Team) -> None:
    fill(team.runs["pre"])
    run = team.runs["pre"]
    body = {
        "id": str(uuid.uuid4()),
        "item": "PRE-PAI-01",
        "part": "rest",
        "value": 4,
        "reason": "The nurse had typed another patient's pain.",
        "user": team.nurse.username,
        "credential": {"pin": PIN},
    }
    path = f"/runs/{run.public_id}/amendments/"
    assert code_of(team.client.send("POST", path, body)) == "not_signed"
    team.sign("pre", team.surgeon, "operator")
    (late,) = send(run, tick("PRE-PAI-01|rest|||", 4))
    amended = team.client.send("POST", path, {**body, "event": late.id})
    assert amended.status_code == 201, amended.content
    assert team.client.send("POST", path, {**body, "event": late.id}).status_code == 201
    assert code_of(team.client.send("POST", path, {**body, "value": 5})) == "other_content"
    assert code_of(team.client.send("POST", path, {**body, "id": str(uuid.uuid4()), "value": 44})) == "invalid"
    shown = json.loads(team.client.send("GET", f"/runs/{run.public_id}/").content)
    assert [(one["after"], one["by"]) for one in shown["amendments"]] == [(4, team.nurse.username)]
    assert shown["waiting"] == []
    assert Answer.objects.get(run=run, item="PRE-PAI-01", part="rest").value != 4


def override(team: Team, item: str, *people: tuple[User, str], phase: str = "pre", **fields: Any) -> Any:
    body = {
        "item": item,
        "reason": "benefit_outweighs",
        "text": "The pain is unbearable and the risk was discussed.",
        "people": [{"user": user.username, "role": role, "credential": {"pin": PIN}} for user, role in people],
        **fields,
    }
    return team.client.send("POST", f"/runs/{team.runs[phase].public_id}/overrides/", body)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE checklists_answer SET value = '9' WHERE run_id = %s",
        "DELETE FROM checklists_answer WHERE run_id = %s",
        "UPDATE checklists_answer SET run_id = (SELECT max(id) FROM checklists_run) WHERE run_id = %s",
        "UPDATE checklists_answer SET run_id = %s WHERE run_id <> %s",
        "INSERT INTO checklists_answer (run_id, item, part, level, side, instance, value, event, heads, is_conflict, "
        "occurred_at, recorded_at) SELECT run_id, 'PRE-NEW-01', '', '', '', '', value, event, heads, false, now(), now() "
        "FROM checklists_answer WHERE run_id = %s LIMIT 1",
        "INSERT INTO checklists_answer (run_id, item, part, level, side, instance, value, event, heads, is_conflict, "
        "occurred_at, recorded_at) SELECT run_id, item, part, level, side, instance, '9', event, heads, false, now(), now() "
        "FROM checklists_answer WHERE run_id = %s ON CONFLICT (run_id, item, part, level, side, instance) "
        "DO UPDATE SET value = excluded.value",
    ],
)
def test_the_database_itself_keeps_the_answers_of_a_signed_list(team: Team, change: str) -> None:
    run = team.runs["pre"]
    fill(run)
    answer(team.runs["sign_in"], {"SIN-MON-01|spo2|||": 97})
    team.sign("pre", team.surgeon, "operator")
    assert team.status("pre") == "signed"
    before = list(Answer.objects.order_by("pk").values())
    with pytest.raises(IntegrityError, match="locked"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change, [run.pk] * change.count("%s"))
    assert list(Answer.objects.order_by("pk").values()) == before


def test_two_people_of_two_roles_let_a_stop_pass(team: Team) -> None:
    fill(team.runs["pre"])
    answer(team.runs["pre"], {"PRE-COA-01||||": 2.5})
    assert code_of(team.sign("pre", team.surgeon, "operator")) == "gate_closed"
    operator, nurse = (team.surgeon, "operator"), (team.nurse, "nurse")
    assert code_of(override(team, "PRE-COA-01", operator)) == "invalid"
    assert code_of(override(team, "PRE-COA-01", nurse, (team.nurse2, "nurse"))) == "invalid"
    assert code_of(override(team, "PRE-COA-01", operator, (team.surgeon, "surgeon"))) == "invalid"
    assert code_of(override(team, "PRE-COA-01", (team.surgeon2, "operator"), nurse)) == "not_this_role"
    assert code_of(override(team, "PRE-COA-01", operator, nurse, text="because")) == "invalid"
    assert code_of(override(team, "PRE-COA-01", operator, nurse, reason="whim")) == "invalid"
    assert code_of(override(team, "PRE-PAI-01", operator, nurse)) == "not_overridable"
    assert override(team, "PRE-COA-01", operator, nurse).status_code == 201
    assert team.sign("pre", team.surgeon, "operator").status_code == 201


def test_a_list_is_signed_after_the_one_before_it(team: Team) -> None:
    fill(team.runs["pre"])
    fill(team.runs["sign_in"])
    refused = team.sign("sign_in", team.nurse, "nurse")
    assert code_of(refused) == "gate_closed"
    assert [one["field"] for one in refused.json()["errors"]] == ["LIST|pre|||"]
    path = f"/runs/{team.runs['sign_in'].public_id}/"
    (blocker,) = (one for one in team.client.send("GET", f"{path}gate/").json()["blockers"] if one["item"] == "LIST")
    assert (blocker["kind"], blocker["run"]) == ("overridable", str(team.runs["pre"].public_id))
    assert blocker["who"] == ["operator"]
    assert "Before" in blocker["reason"]
    assert team.sign("pre", team.surgeon, "operator").status_code == 201
    assert team.sign("sign_in", team.nurse, "nurse").status_code == 201


def test_two_people_let_a_list_be_signed_before_the_one_it_follows(team: Team) -> None:
    fill(team.runs["sign_in"])
    people = [(team.anaesthetist, "anaesthetist"), (team.nurse, "nurse")]
    assert override(team, "LIST", *people, phase="sign_in", part="pre").status_code == 201
    assert team.sign("sign_in", team.nurse, "nurse").status_code == 201


@pytest.mark.parametrize("phase", ["pre", "sign_in"])
def test_an_emergency_waits_for_no_other_list(phase: str, team: Team) -> None:
    fill(team.runs["sign_in"])
    assert team.client.send("POST", f"/runs/{team.runs[phase].public_id}/emergency/").status_code == 201
    gate = team.client.send("GET", f"/runs/{team.runs['sign_in'].public_id}/gate/").json()
    assert [one["item"] for one in gate["debt"] if one["item"] == "LIST"] == ["LIST"]
    assert team.sign("sign_in", team.nurse, "nurse").status_code == 201


def test_a_case_that_was_given_up_is_signed_without_the_lists_it_never_came_to(team: Team) -> None:
    Procedure.objects.filter(pk=team.runs["pre"].procedure_id).update(outcome="abandoned")
    gate = team.client.send("GET", f"/runs/{team.runs['sign_out'].public_id}/gate/").json()
    assert [one["kind"] for one in gate["blockers"] if one["item"] == "LIST"] == ["warning"]


def test_a_name_that_is_nobodys_here_is_kept_and_warned_of(team: Team) -> None:
    run = team.runs["pre"]
    stranger, radiologist = make_user(make_site(), Role.SURGEON), make_user(team.site, Role.SURGEON)
    User.objects.filter(pk=radiologist.pk).update(can_decompress=False)

    def said(name: str) -> list[tuple[str, str]]:
        (result,) = answer(run, {"PRE-SUR-01|first|||": name})
        assert result.outcome == "applied"
        shown = team.client.send("GET", f"/runs/{run.public_id}/?definition=0").json()["beside"]
        return [(one["kind"], one["code"]) for one in shown if one["part"] == "first"]

    assert said("whoever it was") == said(stranger.username) == [("warning", "unknown_person")]
    assert said(radiologist.username) == said(team.nurse.username) == [("warning", "cannot_operate")]
    assert said(team.surgeon2.username) == []


def test_nobody_overrides_a_hard_stop(team: Team) -> None:
    fill(team.runs["pre"])
    answer(team.runs["pre"], {"PRE-INF-01||||": "systemic"})
    response = override(team, "PRE-INF-01", (team.surgeon, "operator"), (team.anaesthetist, "anaesthetist"))
    assert (response.status_code, code_of(response)) == (409, "not_overridable")


def test_a_conflict_closes_the_gate_until_one_person_decides(team: Team) -> None:
    fill(team.runs["sign_in"])
    head = str(Answer.objects.get(run=team.runs["sign_in"], item="SIN-ALG-01", part="").event)
    first, second = (tick("SIN-ALG-01||||", value, has_parent=True, parent=None) for value in ("yes", "no"))
    assert head
    send(team.runs["sign_in"], first, second)
    response = team.sign("sign_in", team.nurse, "nurse")
    assert code_of(response) == "gate_closed"
    gate = json.loads(team.client.send("GET", f"/runs/{team.runs['sign_in'].public_id}/gate/").content)
    assert [(one["item"], one["code"]) for one in gate["blockers"] if one["kind"] == "hard"] == [
        ("SIN-ALG-01", "conflict")
    ]


def test_pausing_and_going_on(team: Team) -> None:
    path = f"/runs/{team.runs['time_out'].public_id}/pauses/"
    assert code_of(team.client.send("POST", path, {"kind": "resumed"})) == "no_such_arrow"
    assert team.client.send("POST", path, {"kind": "paused", "reason": "equipment"}).status_code == 201
    assert code_of(team.client.send("POST", path, {"kind": "paused"})) == "no_such_arrow"
    resumed = team.client.send("POST", path, {"kind": "resumed"})
    assert json.loads(resumed.content)["ask_again"] is False


def test_an_emergency_shortens_the_list_and_never_lets_the_wrong_patient_pass(team: Team) -> None:
    run = team.runs["sign_in"]
    path = f"/runs/{run.public_id}/"
    answer(run, {"SIN-IDN-01||||": "SOMEBODY-ELSE"})
    before = json.loads(team.client.send("GET", f"{path}gate/").content)
    assert team.client.send("POST", f"{path}emergency/").status_code == 201
    after = json.loads(team.client.send("GET", f"{path}gate/").content)
    assert len(after["blockers"]) < len(before["blockers"])
    assert after["debt"]
    assert [one["item"] for one in after["blockers"] if one["kind"] == "hard"] == ["SIN-IDN-01"]


def test_a_level_that_is_not_treated_is_not_asked(team: Team) -> None:
    run = team.runs["intra"]
    path = f"/runs/{run.public_id}/"

    def asked() -> set[str]:
        gate = json.loads(team.client.send("GET", f"{path}gate/").content)
        return {one["level"] for one in gate["blockers"] if one["item"] == "INT-LEK-01"}

    assert asked() == {"T12", "L1"}
    decided = {"level": "L1", "treat": False, "reason": "The balloon would not pass."}
    assert team.client.send("POST", f"{path}levels/", decided).status_code == 201
    assert asked() == {"T12"}
    answer(team.runs["intra"], {"INT-LEK-01||T12||": ["none"]})
    assert run.procedure.levels.get(level="L1").status == "not_treated"
    assert team.client.send("POST", f"{path}levels/", {**decided, "treat": True}).status_code == 201
    assert asked() == {"L1"}
    assert code_of(team.client.send("POST", f"{path}levels/", {**decided, "level": "L5"})) == "invalid"
