"""Two tablets at once, over real connections: exactly once, in order, and nothing slips into a signed list."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from checklists.actions.rebuild import folded_answers
from checklists.actions.signing import Credential, sign_phase
from checklists.actions.sync import apply_batch
from checklists.models import Answer, Event, Run
from checklists.queries.runs import content_hash
from clinic.lib.clock import database_now
from clinic.lib.problems import Refused
from clinic.vocabulary import Role
from complications.models import Complication, Escalation
from tests.make import PIN, make_actor, make_site, make_user
from tests.make_checklists import fill, make_case, make_runs, pass_lists, tick
from tests.make_complications import make_ward

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*jobs: Callable[[], Any]) -> list[Any]:
    """Run jobs in threads of their own connection that start together; return what they gave or raised."""
    gate = threading.Barrier(len(jobs))
    results: list[Any] = [None] * len(jobs)

    def work(place: int, job: Callable[[], Any]) -> None:
        try:
            gate.wait()
            results[place] = job()
        except Exception as error:
            results[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=pair) for pair in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def sends(run: Run, events: list[Any]) -> Callable[[], Any]:
    def job() -> Any:
        own = Run.objects.select_related("procedure__patient", "procedure__site").get(pk=run.pk)
        return apply_batch(run=own, events=events, by=make_actor(), tablet=None, now=database_now())

    return job


def test_two_tablets_that_send_one_batch_at_once_store_it_once() -> None:
    run = make_case()["pre"]
    batch = [tick("PRE-PAI-01|rest|||", value, parent=None) for value in (3, 3, 3)]
    batch += [tick(f"PRE-IMG-05||{level}||", 30) for level in ("T10", "T11", "T12", "L1")]
    results = at_once(*[sends(run, batch)] * 4)
    outcomes = sorted([one.outcome for one in some] for some in results)
    assert outcomes == [["applied"] * 7, *[["replayed"] * 7] * 3]
    assert sorted(Event.objects.values_list("seq", flat=True)) == list(range(1, 8))
    assert Answer.objects.count() == 5


def test_many_tablets_that_tick_one_item_lose_nothing() -> None:
    run = make_case()["sign_in"]
    batches = [[tick("SIN-ALG-01||||", value, parent=None)] for value in ("yes", "no") * 4]
    results = at_once(*(sends(run, batch) for batch in batches))
    assert [some[0].outcome for some in results].count("conflict") >= 1
    assert Event.objects.count() == 8
    row = Answer.objects.get(run=run)
    assert row.is_conflict
    assert {value for _, value in row.heads} == {"yes", "no"}
    folded = folded_answers(run)
    assert [[head.event, head.value] for head in folded[next(iter(folded))][0].heads] == row.heads


def test_a_tick_while_the_list_is_signed_is_in_the_signature_or_late() -> None:
    for _ in range(3):
        site = make_site()
        surgeon, nurse = make_user(site, Role.SURGEON), make_user(site, Role.NURSE)
        run = make_case(site, surgeon)["pre"]
        fill(run)
        content = content_hash(run, run.definition.sha256, "en")
        event = tick("PRE-PAI-01|rest|||", 9)

        def sign(run: Run = run, content: str = content, surgeon: Any = surgeon, nurse: Any = nurse) -> Any:
            own = Run.objects.select_related("procedure__patient", "procedure__site").get(pk=run.pk)
            return sign_phase(
                run=own,
                user=surgeon,
                role="operator",
                credential=Credential(pin=PIN),
                content_sha256=content,
                witnessed_by=None,
                by=make_actor(nurse),
                tablet=None,
                now=database_now(),
            )

        signed, ticked = at_once(sign, sends(run, [event]))
        run.refresh_from_db()
        value = Answer.objects.get(run=run, item="PRE-PAI-01", part="rest").value
        if isinstance(signed, Refused):
            assert (signed.code, ticked[0].outcome, run.status, value) == ("content_changed", "applied", "open", 9)
        else:
            assert (signed.content_sha256, ticked[0].outcome, run.status) == (content, "late", "signed")
            assert value != 9
            assert content_hash(run, run.definition.sha256, "en") == content


def test_two_people_who_sign_at_once_lock_the_list_once() -> None:
    site = make_site()
    surgeon, nurse, anaesthetist = (make_user(site, role) for role in (Role.SURGEON, Role.NURSE, Role.ANAESTHETIST))
    runs = make_case(site, surgeon)
    pass_lists(runs, before="sign_in")
    run = runs["sign_in"]
    fill(run)
    content = content_hash(run, run.definition.sha256, "en")

    def signs(user: Any, role: str) -> Callable[[], Any]:
        def job() -> Any:
            own = Run.objects.select_related("procedure__patient", "procedure__site").get(pk=run.pk)
            return sign_phase(
                run=own,
                user=user,
                role=role,
                credential=Credential(pin=PIN),
                content_sha256=content,
                witnessed_by=None,
                by=make_actor(nurse),
                tablet=None,
                now=database_now(),
            )

        return job

    results = at_once(signs(nurse, "nurse"), signs(anaesthetist, "watcher"))
    assert not [one for one in results if isinstance(one, Exception)]
    run.refresh_from_db()
    assert run.status == "signed"


def test_lists_of_one_procedure_that_page_at_once_share_one_escalation() -> None:
    ward = make_ward()
    runs = make_runs(ward.procedure)
    ended_at = database_now().isoformat()
    batches = {
        "pre": [tick("PRE-LVL-01||||", ["T12", "L1"]), tick("PRE-IDX-01||||", "metastasis")],
        "intra": [tick("INT-NEU-01||T12||", "does_not_move"), tick("INT-LEK-01||T12||", ["epidural"])],
        "sign_out": [tick("SOU-CNT-01|ended_at|||", ended_at), tick("SOU-IMG-01|leak|T12||", ["epidural"])],
        "post": [tick("POS-NEU-01|saddle|||1", "worse"), tick("POS-URI-01|new_incontinence|||", True)],
    }
    results = at_once(*(sends(runs[phase], batch) for phase, batch in batches.items()))
    assert [[one.outcome for one in some] for some in results] == [["applied"] * 2] * 4
    escalation = Escalation.objects.get()
    assert escalation.tier == "t0"
    assert {one["trigger"] for one in escalation.triggers} >= {"NT-03", "NT-04a", "NT-14"}
    assert Complication.objects.filter(code="LEK-EPI", level="T12").count() == 1
    ward.procedure.refresh_from_db()
    assert (ward.procedure.indication, ward.procedure.ended_at is not None) == ("metastasis", True)
