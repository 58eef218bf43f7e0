"""The projection is what the events say, and can be made again from them."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from checklists.models import Answer, Run
from clinic.lib.clock import database_now
from clinic.models import AuditEntry
from tests.make_checklists import answer, fill, make_case, send, tick

pytestmark = pytest.mark.django_db

COLUMNS = ("run_id", "item", "part", "level", "side", "instance", "value", "event", "heads", "is_conflict", "actor_id")


def projection() -> list[tuple[object, ...]]:
    return list(Answer.objects.order_by("run_id", "item", "part", "level", "side", "instance").values_list(*COLUMNS))


def rebuild(*options: str) -> str:
    out = io.StringIO()
    call_command("rebuild_answers", *options, stdout=out)
    return out.getvalue()


@pytest.fixture
def runs() -> dict[str, Run]:
    runs = make_case()
    for phase in ("pre", "sign_in"):
        fill(runs[phase])
    first, second = tick("SIN-ALG-01||||", "yes", parent=None), tick("SIN-ALG-01||||", "no", parent=None)
    send(runs["sign_in"], first, second)
    answer(runs["pre"], {"PRE-PAI-01|leg|||": None})
    return runs


def test_answers_are_exactly_what_their_events_lead_to(runs: dict[str, Run]) -> None:
    assert "0 answers differed" in rebuild("--check")


def test_lost_answers_come_back_exactly(runs: dict[str, Run]) -> None:
    before = projection()
    assert any(row[9] for row in before)
    Answer.objects.all().delete()
    rebuild()
    assert projection() == before
    assert AuditEntry.objects.filter(action="answers.rebuilt").count() == 2


def test_a_changed_answer_is_found_and_put_right(runs: dict[str, Run]) -> None:
    before = projection()
    Answer.objects.filter(item="PRE-PAI-01", part="rest").update(heads=[["x", 1]], value=1)
    with pytest.raises(CommandError):
        rebuild("--check")
    assert "PRE-PAI-01|rest|||" in rebuild("--run", str(runs["pre"].public_id))
    assert projection() == before


def test_a_signed_list_is_compared_and_never_written(runs: dict[str, Run]) -> None:
    run = runs["pre"]
    Answer.objects.filter(run=run, item="PRE-PAI-01", part="rest").delete()
    Run.objects.filter(pk=run.pk).update(status="signed", signed_at=database_now())
    with pytest.raises(CommandError):
        rebuild()
    assert not Answer.objects.filter(run=run, item="PRE-PAI-01", part="rest").exists()
