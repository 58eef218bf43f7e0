"""An open run goes on with a newer version of its list: what is kept, what is asked again, what stays in the history."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from checklists.actions.drafts import withdraw_definition
from checklists.actions.moving import move_run, plan_for, target_of
from checklists.actions.rebuild import rebuild_run
from checklists.actions.signing import Credential, sign_phase
from checklists.models import Answer, Definition, Event, Run, RunMove
from checklists.queries.runs import content_hash, look_at
from checklists.rules.moving import Plan
from checklists.rules.nodes import Key
from clinic.lib.clock import database_now
from clinic.lib.problems import Denied, Refused
from clinic.models import AuditEntry, User
from clinic.vocabulary import Role
from tests.checklists.test_drafts import Office, item
from tests.make import PIN, make_actor, make_user
from tests.make_checklists import answer, fill, make_case, send, tick

pytestmark = pytest.mark.django_db


class Case(Office):
    """A run on the old version with answers, and a newer version in force."""

    def __init__(self) -> None:
        super().__init__()
        self.surgeon: User = make_user(self.site, Role.SURGEON)
        self.nurse: User = make_user(self.site, Role.NURSE)
        self.runs = make_case(self.site, self.surgeon)
        self.run = self.runs["pre"]
        self.old: Definition = self.run.definition
        answer(
            self.run,
            {"PRE-PAI-01|rest|||": 3, "PRE-PAI-01|movement|||": 8, "PRE-LVL-01||||": ["T12", "L1"]},
            by=self.nurse,
        )
        self.retired = self.retire()
        self.new = self.approve(self.propose(self.draft(self.change)))

    def retire(self) -> Key:
        """An answer of an item that the new version no longer asks."""
        answer(self.run, {"PRE-IDX-01|other_text|||": "A reason in words"}, by=self.nurse)
        return Key("PRE-IDX-01", "other_text")

    def change(self, content: dict[str, Any]) -> None:
        parent = item(content, "PRE-IDX-01")
        parent["items"] = [one for one in parent["items"] if one["id"] != "PRE-IDX-01.other_text"]
        new = {**copy.deepcopy(item(content, "PRE-PAI-01.rest")), "id": "PRE-NEW-01"}
        new.pop("raises", None)
        content["items"].append(new)
        item(content, "PRE-PAI-01.movement")["max"] = 5

    def plan(self) -> Plan:
        return plan_for(self.run, self.new)

    def move(self, user: User | None = None, pin: str = PIN, sha256: str = "") -> RunMove:
        user = user or self.surgeon
        return move_run(
            run=self.run,
            becomes=self.new,
            plan_sha256=sha256 or self.plan().sha256(str(self.run.public_id)),
            user=user,
            credential=Credential(pin=pin),
            by=make_actor(user),
            tablet=None,
            now=database_now(),
        )


@pytest.fixture
def case() -> Case:
    return Case()


def test_the_plan_shows_what_is_kept_asked_again_retired_and_new(case: Case) -> None:
    plan = case.plan()
    assert [key.text() for key, _ in plan.kept] == ["PRE-LVL-01||||", "PRE-PAI-01|rest|||"]
    assert [(key.text(), value) for key, value, _ in plan.unfit] == [("PRE-PAI-01|movement|||", 8)]
    assert [key for key, _ in plan.retired] == [case.retired]
    assert plan.new == ("PRE-NEW-01",)


def test_a_moved_run_keeps_its_answers_and_the_history_of_those_it_loses(case: Case) -> None:
    assert target_of(case.run) == case.new
    before = Event.objects.filter(run=case.run).count()
    row = case.move()
    run = Run.objects.get(pk=case.run.pk)
    assert (run.definition, row.user, row.credential, row.last_seq) == (case.new, case.surgeon, "pin", run.last_seq)
    values = {Key(a.item, a.part).node_id: a.value for a in Answer.objects.filter(run=run)}
    assert values["PRE-PAI-01.rest"] == 3
    assert (values["PRE-PAI-01.movement"], values[case.retired.node_id]) == (None, None)
    taken = Event.objects.filter(run=run, seq__gt=before).order_by("seq")
    assert [(one.value, one.actor, one.reason) for one in taken] == [(None, case.surgeon, "Moved to version 1.1.0")] * 2
    assert Event.objects.filter(run=run, value="A reason in words").exists()
    assert rebuild_run(run=run, repair=False, by=make_actor(), now=database_now()) == []
    entry = AuditEntry.objects.get(action="run.moved")
    assert case.new.sha256 in entry.canonical
    assert "A reason in words" not in entry.canonical
    assert target_of(run) is None


def test_what_is_new_can_be_ticked_and_what_is_retired_cannot(case: Case) -> None:
    look_at(case.run, database_now())
    stale = Run.objects.get(pk=case.run.pk)
    sibling = Run.objects.get(pk=case.runs["sign_in"].pk)
    look_at(sibling, database_now())
    case.move()
    results = send(stale, tick("PRE-NEW-01||||", 4), tick("PRE-IDX-01|other_text|||", "again"), by=case.nurse)
    assert [one.outcome for one in results] == ["applied", "refused"]
    assert results[1].code == "unknown_item"
    fresh = look_at(Run.objects.get(pk=sibling.pk), database_now())
    assert "PRE-NEW-01" in fresh.index.nodes
    assert "PRE-IDX-01.other_text" not in fresh.index.nodes


def test_the_move_is_signed_over_what_was_shown_by_somebody_who_signs_the_list(case: Case) -> None:
    shown = case.plan().sha256(str(case.run.public_id))
    with pytest.raises(Denied, match="not_this_role"):
        case.move(case.nurse)
    with pytest.raises(Denied, match="credential_wrong"):
        case.move(pin="000000")
    answer(case.run, {"PRE-PAI-01|rest|||": 4}, by=case.nurse)
    with pytest.raises(Refused, match="content_changed"):
        case.move(sha256=shown)
    case.move()


def test_a_signed_run_keeps_its_version(case: Case) -> None:
    Run.objects.filter(pk=case.run.pk).update(status="signed", signed_at=database_now())
    with pytest.raises(Refused, match="phase_signed"):
        case.move()


def test_nobody_signs_the_old_list_after_the_move(case: Case) -> None:
    shown = content_hash(case.run, case.old.sha256, "en")
    stale = Run.objects.select_related("procedure").get(pk=case.run.pk)
    case.move()
    with pytest.raises(Refused, match="content_changed"):
        sign_phase(
            run=stale,
            user=case.surgeon,
            role="operator",
            credential=Credential(pin=PIN),
            content_sha256=shown,
            witnessed_by=None,
            by=make_actor(case.surgeon),
            tablet=None,
            now=database_now(),
        )


def test_the_database_moves_a_run_only_along_a_signed_move(case: Case) -> None:
    rows = Run.objects.filter(pk=case.run.pk)
    with pytest.raises(DatabaseError, match="keeps its definition"), transaction.atomic():
        rows.update(definition=case.new)
    case.move()
    with pytest.raises(DatabaseError, match="keeps its definition"), transaction.atomic():
        rows.update(definition=case.old)
    move = RunMove.objects.get()
    with pytest.raises(DatabaseError), transaction.atomic():
        RunMove.objects.filter(pk=move.pk).update(plan={})


def test_a_run_on_a_withdrawn_version_moves_back_to_the_one_in_force(case: Case) -> None:
    case.move()
    withdraw_definition(
        definition=case.new, reason="The wording misleads", by=make_actor(case.author), now=database_now()
    )
    run = Run.objects.get(pk=case.run.pk)
    assert target_of(run) == case.old
    case.run, case.new = run, case.old
    case.move()
    assert Run.objects.get(pk=run.pk).definition == case.old
    fill(Run.objects.select_related("procedure").get(pk=run.pk), by=case.nurse)
