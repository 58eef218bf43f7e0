"""What becomes of a tick: every outcome, and that nothing is lost, doubled or overwritten in silence."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from checklists.models import Answer, Event, Quarantined, Run
from checklists.rules.case import case_check
from clinic.lib.clock import database_now
from clinic.models import AuditEntry
from clinic.vocabulary import Role
from tests.make import make_site, make_user
from tests.make_checklists import answer, make_case, send, tick

pytestmark = pytest.mark.django_db


@pytest.fixture
def runs() -> dict[str, Run]:
    return make_case(levels=["T12", "L1"])


def value_at(run: Run, item: str, part: str = "", level: str = "", side: str = "", instance: str = "") -> object:
    row = Answer.objects.filter(run=run, item=item, part=part, level=level, side=side, instance=instance).first()
    return row and row.value


def test_a_tick_is_applied_and_numbered(runs: dict[str, Run]) -> None:
    first, second = send(runs["pre"], tick("PRE-PAI-01|rest|||", 7), tick("PRE-PAI-01|movement|||", 9))
    assert [(one.outcome, one.seq) for one in (first, second)] == [("applied", 1), ("applied", 2)]
    assert value_at(runs["pre"], "PRE-PAI-01", "rest") == 7
    assert runs["pre"].last_seq == 2


def test_the_same_tick_sent_again_adds_nothing(runs: dict[str, Run]) -> None:
    event = tick("PRE-PAI-01|rest|||", 7)
    send(runs["pre"], event)
    (again,) = send(runs["pre"], event)
    assert (again.outcome, again.seq) == ("replayed", 1)
    assert Event.objects.count() == 1


def test_a_tick_twice_in_one_batch_is_stored_once(runs: dict[str, Run]) -> None:
    event = tick("PRE-PAI-01|rest|||", 7)
    assert [one.outcome for one in send(runs["pre"], event, event)] == ["applied", "replayed"]


def test_other_content_under_one_id_is_refused_and_kept_aside(runs: dict[str, Run]) -> None:
    event = tick("PRE-PAI-01|rest|||", 7)
    send(runs["pre"], event)
    (other,) = send(runs["pre"], replace(event, value=8))
    assert (other.outcome, other.code) == ("refused", "other_content")
    assert value_at(runs["pre"], "PRE-PAI-01", "rest") == 7
    assert Quarantined.objects.get().event == event.id


def test_an_id_of_another_run_is_refused(runs: dict[str, Run]) -> None:
    event = tick("PRE-PAI-01|rest|||", 7)
    send(runs["pre"], event)
    (other,) = send(make_case()["pre"], event)
    assert (other.outcome, other.code) == ("refused", "other_content")


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("PRE-XXX-01||||", True, "unknown_item"),
        ("SIN-MON-01||||", True, "unknown_item"),
        ("PRE-PAI-01|rest|||", "seven", "wrong_type"),
        ("PRE-PAI-01|rest|||", 11, "out_of_range"),
        ("PRE-COA-02||||", {"value": 5, "unit": "g"}, "wrong_unit"),
        ("PRE-LVL-01||||", {"not_applicable": "does_not_apply"}, "na_not_allowed"),
        ("PRE-IMG-03||||", "intact", "wrong_level"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_a_code_and_the_rest_is_stored(
    runs: dict[str, Run], key: str, value: object, code: str
) -> None:
    bad, good = send(runs["pre"], tick(key, value), tick("PRE-PAI-01|rest|||", 7))
    assert (bad.outcome, bad.code, bad.seq) == ("refused", code, None)
    assert bad.reason
    assert good.outcome == "applied"
    assert Quarantined.objects.get().code == code


def test_a_tick_of_another_case_is_refused_and_not_misfiled(runs: dict[str, Run]) -> None:
    other = make_case()["pre"]
    mixed_up = tick("PRE-PAI-01|rest|||", 7, case_check=case_check(runs["pre"].procedure.public_id))
    assert send(other, mixed_up)[0].code == "wrong_case"
    assert send(runs["pre"], mixed_up)[0].outcome == "applied"


def test_two_people_who_saw_the_same_and_differ_are_in_conflict_until_one_decides(runs: dict[str, Run]) -> None:
    run = runs["sign_in"]
    first = tick("SIN-ALG-01||||", "no", parent=None)
    second = tick("SIN-ALG-01||||", "yes", parent=None)
    assert [one.outcome for one in send(run, first, second)] == ["applied", "conflict"]
    row = Answer.objects.get(run=run)
    assert row.is_conflict
    assert [value for _, value in row.heads] == ["no", "yes"]
    decided = tick("SIN-ALG-01||||", "no", parent=second, mode="resolve")
    assert send(run, decided)[0].outcome == "applied"
    assert not Answer.objects.get(run=run).is_conflict


def test_two_people_who_tick_the_same_agree(runs: dict[str, Run]) -> None:
    first, second = (tick("SIN-ALG-01||||", "no", parent=None) for _ in range(2))
    assert [one.outcome for one in send(runs["sign_in"], first, second)] == ["applied", "applied"]
    third = tick("SIN-ALG-01||||", "yes", parent=first)
    assert send(runs["sign_in"], third)[0].outcome == "applied"


def test_a_tick_after_the_signature_is_late_and_changes_nothing(runs: dict[str, Run]) -> None:
    run = runs["pre"]
    answer(run, {"PRE-PAI-01|rest|||": 7})
    Run.objects.filter(pk=run.pk).update(status="signed", signed_at=database_now())
    (late,) = send(run, tick("PRE-PAI-01|rest|||", 3))
    assert (late.outcome, late.code) == ("late", "phase_signed")
    assert value_at(run, "PRE-PAI-01", "rest") == 7
    assert Event.objects.get(outcome="late").value == 3


def test_a_tick_of_another_person_is_held_for_them(runs: dict[str, Run]) -> None:
    site = runs["pre"].procedure.site
    mine, theirs = make_user(site), make_user(site)
    (held,) = send(runs["pre"], tick("PRE-PAI-01|rest|||", 7, actor=theirs), by=mine)
    assert held.outcome == "held"
    row = Event.objects.get()
    assert (row.actor, row.sender) == (theirs, mine)
    assert value_at(runs["pre"], "PRE-PAI-01", "rest") is None


def test_an_implausible_time_is_flagged_and_never_refused(runs: dict[str, Run]) -> None:
    now = database_now()
    send(
        runs["pre"],
        tick("PRE-PAI-01|rest|||", 7, at=now + timedelta(days=2)),
        tick("PRE-PAI-01|leg|||", 2, at=now - timedelta(days=90)),
        tick("PRE-PAI-01|movement|||", 2),
    )
    assert list(Event.objects.order_by("seq").values_list("clock_flag", flat=True)) == ["in_the_future", "long_ago", ""]


def test_the_wristband_number_is_never_stored(runs: dict[str, Run]) -> None:
    mrn = runs["pre"].procedure.patient.mrn
    answer(runs["sign_in"], {"SIN-IDN-01||||": f" {mrn.lower()} "})
    assert value_at(runs["sign_in"], "SIN-IDN-01") == {"matched": True, "method": "scan"}
    answer(runs["sign_in"], {"SIN-IDN-01||||": "ANOTHER1"})
    assert value_at(runs["sign_in"], "SIN-IDN-01") == {"matched": False, "method": "scan"}


def test_events_and_signed_answers_are_kept_by_the_database(runs: dict[str, Run]) -> None:
    run = runs["pre"]
    answer(run, {"PRE-PAI-01|rest|||": 7})
    for statement in ("UPDATE checklists_event SET value = '1'", "DELETE FROM checklists_event"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    Run.objects.filter(pk=run.pk).update(status="signed", signed_at=database_now())
    with pytest.raises(DatabaseError), transaction.atomic():
        Answer.objects.filter(run=run).update(value=1)
    with pytest.raises(DatabaseError), transaction.atomic():
        Run.objects.filter(pk=run.pk).update(status="open", signed_at=None)


def test_a_batch_of_ten_ticks_costs_few_statements(runs: dict[str, Run]) -> None:
    site = runs["pre"].procedure.site
    nurse = make_user(site, Role.NURSE)
    answer(runs["pre"], {"PRE-PAI-01|rest|||": 1})
    keys = [f"PRE-IMG-05||{level}||" for level in ("T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5")]
    events = [tick(key, 10) for key in (*keys, "PRE-PAI-01|leg|||", "PRE-ANE-01|weight_kg|||")]
    with CaptureQueriesContext(
        connection,
    ) as captured:
        send(runs["pre"], *events, by=nurse)
    statements = [query["sql"] for query in captured]
    assert len(statements) <= 11, "\n".join(statement[:100] for statement in statements)


def test_what_was_ticked_reaches_the_audit_trail(runs: dict[str, Run]) -> None:
    event = tick("PRE-PAI-01|rest|||", 7)
    send(runs["pre"], event)
    entry = AuditEntry.objects.get(action="answers.recorded")
    assert entry.stream == f"procedure:{runs['pre'].procedure.public_id}"
    assert event.id in entry.canonical


def test_facts_reach_the_procedure_and_its_levels(runs: dict[str, Run]) -> None:
    answer(runs["pre"], {"PRE-IDX-01||||": "metastasis", "PRE-PAI-01|rest|||": 6, "PRE-ANE-01||||": "local"})
    answer(runs["time_out"], {"TOU-SUR-01|sides|T12||": "both", "TOU-SUR-01|sides|L1||": "left"})
    answer(
        runs["intra"],
        {
            "INT-NED-01|incision_at|||": "2026-03-02T08:40:00Z",
            "INT-CMT-01|lot|||1": "LOT7",
            "INT-CMT-05||T12|left|": 1.5,
            "INT-CMT-05||T12|right|": 2.0,
            "INT-CMT-05||L1|left|": 3.0,
            "INT-LEK-01||T12||": ["epidural"],
        },
    )
    procedure = runs["pre"].procedure
    procedure.refresh_from_db()
    assert (procedure.indication, procedure.anaesthesia, procedure.baseline_nrs_rest) == ("metastasis", "local", 6)
    assert (float(procedure.cement_ml or 0), procedure.status) == (6.5, "in_progress")
    assert procedure.incision_at is not None
    top = procedure.levels.get(level="T12")
    assert (float(top.cement_ml or 0), top.cement_lot, top.leak_sites, top.sides) == (3.5, "LOT7", ["epidural"], "both")


def test_examinations_reach_the_ground_floor(runs: dict[str, Run]) -> None:
    answer(runs["pre"], {"PRE-NEU-01|leg_l|||": "full", "PRE-NEU-01|leg_r|||": "full"})
    one = str(uuid.uuid4())
    answer(runs["post"], {f"POS-NEU-01|leg_l|||{one}": "weaker", f"POS-NEU-01|ankle_dorsiflexion_l|||{one}": "2"})
    procedure = runs["pre"].procedure
    baseline = procedure.neuro_exams.get(kind="baseline")
    assert baseline.exam == {"leg_l": "full", "leg_r": "full"}
    seen = procedure.neuro_exams.get(kind="observation")
    assert (seen.source, seen.exam["mrc"]) == (f"run:{runs['post'].public_id}:{one}", {"ankle_dorsiflexion_l": 2})


def test_another_sites_case_stays_apart() -> None:
    runs = make_case(site=make_site())
    assert Run.objects.filter(procedure=runs["pre"].procedure).count() == 6


def test_a_number_of_any_size_is_refused_alone_and_holds_back_no_other_tick(runs: dict[str, Run]) -> None:
    huge, good = send(runs["pre"], tick("PRE-PAI-01|rest|||", 10**400), tick("PRE-PAI-01|movement|||", 9))
    assert (huge.outcome, huge.code, good.outcome) == ("refused", "out_of_range", "applied")


def test_a_mistyped_year_is_refused_before_anything_is_counted_from_it(runs: dict[str, Run]) -> None:
    said = send(runs["sign_out"], tick("SOU-CNT-01|ended_at|||", "9999-12-31T23:59:59Z"))
    said += send(runs["sign_out"], tick("SOU-CNT-01|ended_at|||", "0026-11-22T10:00:00Z"))
    assert [(one.outcome, one.code) for one in said] == [("refused", "wrong_type")] * 2
