"""Two administrators, or a tablet and a move, at the same moment: one of them is first, and nothing stands between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from checklists.actions.drafts import approve_draft, save_draft, withdraw_definition
from checklists.actions.moving import move_run
from checklists.actions.rebuild import rebuild_run
from checklists.actions.signing import Credential
from checklists.models import Answer, Definition, Draft, DraftVersion, Event, Run, RunMove, Withdrawal
from checklists.queries.definitions import in_force
from clinic.lib.clock import database_now
from clinic.models import User
from clinic.vocabulary import Role
from tests.checklists.test_concurrency import at_once, sends
from tests.checklists.test_drafts import Office
from tests.checklists.test_moving import Case
from tests.make import PIN, make_actor, make_user
from tests.make_checklists import tick

pytestmark = pytest.mark.django_db(transaction=True)


def codes(results: list[Any]) -> list[str]:
    return sorted(getattr(one, "code", "") if isinstance(one, Exception) else "" for one in results)


def test_two_approvers_at_once_publish_once() -> None:
    office = Office()
    draft = office.propose(office.draft())
    third = make_user(office.site, Role.ADMINISTRATOR)

    def approves(person: User) -> Callable[[], Any]:
        own = Draft.objects.get(pk=draft.pk)
        return lambda: approve_draft(draft=own, number=1, by=make_actor(person), now=database_now())

    results = at_once(approves(office.approver), approves(third))
    assert codes(results) == ["", "not_proposed"]
    assert Definition.objects.filter(name="pre", version="1.1.0").count() == 1


def test_two_saves_at_once_keep_one_and_refuse_the_other() -> None:
    office = Office()
    draft = office.draft()
    content = DraftVersion.objects.get(draft=draft).content

    def saves(person: User) -> Callable[[], Any]:
        own = Draft.objects.get(pk=draft.pk)
        return lambda: save_draft(
            draft=own, content=content, number=1, note="", by=make_actor(person), now=database_now()
        )

    results = at_once(saves(office.author), saves(office.approver))
    assert codes(results) == ["", "draft_changed"]
    assert list(DraftVersion.objects.filter(draft=draft).order_by("number").values_list("number", flat=True)) == [1, 2]


def test_two_withdrawals_at_once_leave_a_version_in_force() -> None:
    office = Office()
    first = in_force("pre")
    second = office.approve(office.propose(office.draft()))
    assert first is not None

    def withdraws(row: Definition) -> Callable[[], Any]:
        by = make_actor(office.author)
        return lambda: withdraw_definition(definition=row, reason="It misleads people", by=by, now=database_now())

    assert codes(at_once(withdraws(first), withdraws(second))) == ["", "nothing_left"]
    assert Withdrawal.objects.count() == 1
    assert in_force("pre") is not None


def test_ticks_while_a_list_is_moved_are_judged_by_one_version_or_the_other() -> None:
    case = Case()
    for _ in range(3):
        plan = case.plan().sha256(str(case.run.public_id))

        def moves(case: Case = case, plan: str = plan) -> Any:
            return move_run(
                run=Run.objects.select_related("procedure").get(pk=case.run.pk),
                becomes=case.new,
                plan_sha256=plan,
                user=case.surgeon,
                credential=Credential(pin=PIN),
                by=make_actor(case.surgeon),
                tablet=None,
                now=database_now(),
            )

        before = Event.objects.filter(run=case.run).count()
        events = [tick("PRE-IDX-01|other_text|||", "Said late"), tick("PRE-NEW-01||||", 3)]
        moved, results = at_once(moves, sends(case.run, events))
        run = Run.objects.get(pk=case.run.pk)
        old_item, new_item = (one.outcome for one in results)
        if isinstance(moved, Exception):
            # The tick was first: the plan that was signed is no longer what stands there.
            assert getattr(moved, "code", "") == "content_changed"
            assert (run.definition, old_item, new_item) == (case.old, "applied", "refused")
        else:
            assert (run.definition, old_item, new_item) == (case.new, "refused", "applied")
            assert Answer.objects.get(run=run, item="PRE-IDX-01", part="other_text").value is None
            break
        assert Event.objects.filter(run=run).count() == before + 1
        assert rebuild_run(run=run, repair=False, by=make_actor(), now=database_now()) == []
    run = Run.objects.get(pk=case.run.pk)
    assert rebuild_run(run=run, repair=False, by=make_actor(), now=database_now()) == []
    assert run.last_seq == Event.objects.filter(run=run).count()
    assert RunMove.objects.filter(run=run).count() == (run.definition == case.new)
