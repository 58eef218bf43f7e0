"""What a surgeon writes at the bedside without a network: kept once, told late, and nothing of it lost."""

from __future__ import annotations

import threading
import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from clinic.lib.clock import database_now
from clinic.lib.problems import Invalid, Refused
from clinic.models import AuditEntry, NeuroExam
from complications.actions.bedside import record_bedside
from complications.actions.engine import advance_due
from complications.actions.escalation import acknowledge, arrive, decide
from complications.models import BedsideEntry, Escalation
from complications.rules.bedside import Written
from complications.vocabulary import Milestone
from tests.make_complications import FULL_STRENGTH, Ward, make_escalation, make_ward, weak_leg

pytestmark = pytest.mark.django_db
OBSERVE = {"decision": "observe", "reexam_interval_minutes": 60, "reason": "strength came back"}
DECOMPRESS = {"decision": "decompress", "reason": "cement in the canal"}


def after(now: datetime, minutes: float) -> datetime:
    return now + timedelta(minutes=minutes)


@pytest.fixture
def ward(now: datetime) -> Ward:
    return make_ward(now)


@pytest.fixture
def row(ward: Ward, now: datetime) -> Escalation:
    made = make_escalation(ward, now, neuro=weak_leg(4))
    advance_due(now=now)
    return made


def write(row: Escalation, ward: Ward, made: datetime, at: datetime, who: Any = None, **parts: Any) -> BedsideEntry:
    """What a phone sends at `at` that was written at `made`, by clocks that agree."""
    given = {"public_id": uuid.uuid4(), "made_at": made, "sent_at": at, **parts}
    return record_bedside(escalation=row, written=Written(**given), by=ward.by(who or ward.first), now=at)[0]


def fresh(row: Escalation) -> Escalation:
    return Escalation.objects.get(pk=row.pk)


def exam(grade: int) -> dict[str, Any]:
    return {"mrc": {**FULL_STRENGTH, "ankle_dorsiflexion_l": grade}, "perianal_sensation": "normal"}


def test_a_form_that_was_written_without_a_network_arrives_whole(row: Escalation, ward: Ward, now: datetime) -> None:
    made, sent = after(now, 12), after(now, 40)
    entry = write(
        row,
        ward,
        made,
        sent,
        arrived_at=after(now, 8),
        exam=exam(3),
        stones={Milestone.IMAGING_REQUESTED: after(now, 10)},
        imaging={"finding": "cement", "level": "T12", "canal_percent": 30.0},
        decision=DECOMPRESS,
    )
    assert set(entry.outcome["parts"].values()) == {"stored"}
    case = fresh(row)
    assert (case.status, case.decision, case.responsible) == ("decided", "decompress", ward.first)
    assert case.first_arrived_at == after(now, 8)
    assert case.decided_at == made
    assert case.milestones["imaging_requested"] == after(now, 10).isoformat()
    found = NeuroExam.objects.filter(procedure=ward.procedure, kind="review").get()
    assert (found.occurred_at, found.recorded_at) == (made, sent)
    assert case.decision_data["imaging"]["canal_percent"] == 30.0
    assert (entry.made_at, entry.received_at) == (made, sent)
    # What was decided at the bedside is in the trail with the phone's time, once.
    assert AuditEntry.objects.filter(stream=row.reference, action="bedside.recorded").count() == 1


def test_the_same_form_again_is_one_decision(row: Escalation, ward: Ward, now: datetime) -> None:
    arrive(escalation=row, by=ward.by(ward.first), now=after(now, 5))
    written = Written(public_id=uuid.uuid4(), made_at=after(now, 6), exam=exam(4), decision=OBSERVE)
    by = ward.by(ward.first)
    first, new = record_bedside(escalation=row, written=written, by=by, now=after(now, 7))
    events = row.events.count()
    again, known = record_bedside(escalation=row, written=written, by=by, now=after(now, 30))
    assert (new, known) == (True, False)
    assert again == first
    assert row.events.count() == events
    assert NeuroExam.objects.filter(procedure=ward.procedure, kind="review").count() == 1
    other = Written(public_id=written.public_id, made_at=after(now, 6), decision=DECOMPRESS)
    with pytest.raises(Refused, match="id_taken"):
        record_bedside(escalation=row, written=other, by=by, now=after(now, 31))


@pytest.mark.django_db(transaction=True)
def test_two_tabs_that_send_at_once_store_one_form() -> None:
    now = database_now()
    ward = make_ward(now)
    row = make_escalation(ward, now, neuro=weak_leg(4))
    arrive(escalation=row, by=ward.by(ward.first), now=now)
    written = Written(public_id=uuid.uuid4(), made_at=now, exam=exam(4), decision=OBSERVE)
    outcomes: list[bool] = []
    start = threading.Barrier(4)

    def send() -> None:
        start.wait()
        try:
            outcomes.append(
                record_bedside(escalation=row, written=written, by=ward.by(ward.first), now=database_now())[1]
            )
        finally:
            connection.close()

    tabs = [threading.Thread(target=send) for _ in range(4)]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join()
    assert sorted(outcomes) == [False, False, False, True]
    assert row.events.filter(kind="decided").count() == 1
    assert NeuroExam.objects.filter(procedure=ward.procedure, kind="review").count() == 1


def test_a_decision_that_somebody_else_made_meanwhile_stands_and_both_are_kept(
    row: Escalation, ward: Ward, now: datetime
) -> None:
    acknowledge(escalation=row, eta_minutes=5, by=ward.by(ward.second), now=after(now, 5))
    arrive(escalation=row, by=ward.by(ward.second), now=after(now, 9))
    decide(escalation=row, data=OBSERVE, by=ward.by(ward.second), now=after(now, 15))
    entry = write(row, ward, after(now, 12), after(now, 40), exam=exam(4), decision=DECOMPRESS)
    assert entry.outcome["parts"] == {"decision": "not_in_force", "examination": "stored"}
    assert entry.outcome["in_force"]["by"]["user"] == ward.second.username
    assert entry.outcome["in_force"]["decision"] == "observe"
    case = fresh(row)
    assert (case.decision, case.responsible) == ("observe", ward.second)
    kept = row.events.get(kind="decision_not_in_force")
    assert (kept.data["decision"], kept.data["reason"]) == ("decompress", "cement in the canal")
    assert entry.data["decision"] == DECOMPRESS
    assert NeuroExam.objects.filter(procedure=ward.procedure, kind="review").count() == 1
    # With the other one in sight the surgeon may set theirs.
    mine = write(row, ward, after(now, 42), after(now, 42), decision=DECOMPRESS, saw=case.decided_at)
    assert mine.outcome["parts"] == {"decision": "stored"}
    assert fresh(row).decision == "decompress"


def test_a_second_form_of_the_same_surgeon_knows_of_the_first(row: Escalation, ward: Ward, now: datetime) -> None:
    sent = after(now, 60)
    write(row, ward, after(now, 10), sent, arrived_at=after(now, 9), decision=OBSERVE)
    second = write(row, ward, after(now, 30), sent, exam=exam(3), decision=DECOMPRESS)
    assert second.outcome["parts"] == {"decision": "stored", "examination": "stored"}
    assert fresh(row).decision == "decompress"


def test_a_worse_examination_is_never_kept_back_by_its_decision(row: Escalation, ward: Ward, now: datetime) -> None:
    # Nobody is at the bedside by the record, so the decision is refused; the leg that does not move pages all the same.
    assert row.tier == "t1"
    entry = write(row, ward, after(now, 10), after(now, 12), exam=exam(0), decision=OBSERVE)
    assert entry.outcome["parts"] == {"decision": "refused", "examination": "stored"}
    assert [one["code"] for one in entry.outcome["errors"]] == ["not_at_bedside"]
    case = fresh(row)
    assert (case.tier, case.status) == ("t0", "paging")
    decided = AuditEntry.objects.filter(stream=row.reference, action="escalation.decided")
    assert not decided.exists()


def test_no_deficit_beside_a_deficit_keeps_the_examination_and_not_the_decision(
    row: Escalation, ward: Ward, now: datetime
) -> None:
    arrive(escalation=row, by=ward.by(ward.first), now=after(now, 5))
    said = {"decision": "no_deficit", "reason": "all well"}
    entry = write(row, ward, after(now, 6), after(now, 7), exam=exam(2), decision=said)
    assert entry.outcome["parts"] == {"decision": "refused", "examination": "stored"}
    assert entry.outcome["errors"][0]["field"] == "decision"
    assert fresh(row).decision == ""


def test_a_decision_alone_that_lacks_something_is_refused_and_not_stored(
    row: Escalation, ward: Ward, now: datetime
) -> None:
    arrive(escalation=row, by=ward.by(ward.first), now=after(now, 5))
    with pytest.raises(Invalid) as refused:
        write(row, ward, after(now, 6), after(now, 6), decision={"decision": "transfer", "reason": "no theatre"})
    assert [one.field for one in refused.value.errors] == ["centre"]
    assert not BedsideEntry.objects.exists()


def test_what_arrives_after_the_end_is_kept_and_its_examination_counts(
    row: Escalation, ward: Ward, now: datetime
) -> None:
    arrive(escalation=row, by=ward.by(ward.second), now=after(now, 5))
    closed = {"decision": "no_deficit", "reason": "as before"}
    decide(escalation=row, data=closed, by=ward.by(ward.second), now=after(now, 6))
    entry = write(row, ward, after(now, 5), after(now, 50), arrived_at=after(now, 4), exam=exam(2), decision=OBSERVE)
    assert entry.outcome["parts"] == {"arrival": "refused", "decision": "not_in_force", "examination": "stored"}
    assert entry.outcome["in_force"]["status"] == "closed"
    # A new finding after the end opens a new case, as any other would.
    assert Escalation.objects.filter(procedure=ward.procedure).open().exclude(pk=row.pk).count() == 1


@pytest.mark.parametrize("wrong", [timedelta(hours=-3), timedelta(minutes=17), timedelta(days=40)])
def test_a_phone_whose_clock_is_wrong_tells_the_right_time(
    row: Escalation, ward: Ward, now: datetime, wrong: timedelta
) -> None:
    made, sent = after(now, 10), after(now, 45)
    given: dict[str, Any] = {"arrived_at": after(now, 9) + wrong, "decision": OBSERVE}
    written = Written(public_id=uuid.uuid4(), made_at=made + wrong, sent_at=sent + wrong, **given)
    entry, _ = record_bedside(escalation=row, written=written, by=ward.by(ward.first), now=sent)
    assert entry.occurred_at == made
    assert entry.made_at == made + wrong
    case = fresh(row)
    assert (case.first_arrived_at, case.decided_at) == (after(now, 9), made)
    # Sixty minutes from when it was said, not from when it was heard.
    assert case.reexamine_at == after(made, 60)


def test_an_examination_that_was_due_before_it_was_heard_of_is_due_at_once(
    row: Escalation, ward: Ward, now: datetime
) -> None:
    write(row, ward, after(now, 10), after(now, 100), arrived_at=after(now, 9), decision=OBSERVE)
    due = fresh(row).next_due_at
    assert due is not None
    assert due <= after(now, 100)


def test_a_nurse_examines_and_does_not_decide(row: Escalation, ward: Ward, now: datetime) -> None:
    entry = write(row, ward, after(now, 5), after(now, 6), ward.nurse, exam=exam(4), decision=OBSERVE)
    assert entry.outcome["parts"] == {"decision": "refused", "examination": "stored"}
    arrived = write(row, ward, after(now, 5), after(now, 6), ward.nurse, arrived_at=after(now, 5), exam=exam(4))
    assert arrived.outcome["parts"] == {"arrival": "refused", "examination": "stored"}
    assert fresh(row).status == "paging"


def test_the_form_over_the_api_and_who_may_send_it(as_: Any, row: Escalation, ward: Ward) -> None:
    client: Any = as_(ward.first)
    path = f"/escalations/{row.public_id}/bedside/"
    known = client.send("GET", path).json()
    assert known["form"]["was"]["ankle_dorsiflexion_l"] == "5"
    assert known["you"]["user"] == ward.first.username
    assert known["may_decide"] is True
    at = database_now().isoformat()
    body = {"id": str(uuid.uuid4()), "made_at": at, "sent_at": at, "ticket": known["you"]["ticket"], "arrived_at": at}
    body |= {"exam": exam(4), "decision": OBSERVE, "imaging": {"finding": "none"}}
    # Written by one, sent from the log-in of another: refused, and nothing is stored in the wrong name.
    other = as_(ward.second).send("POST", path, body)
    assert (other.status_code, other.json()["code"]) == (403, "other_person")
    assert not BedsideEntry.objects.exists()
    stored = client.send("POST", path, body)
    assert stored.status_code == 201, stored.json()
    assert set(stored.json()["outcome"]["parts"].values()) == {"stored"}
    again = client.send("POST", path, {**body, "sent_at": database_now().isoformat()})
    assert again.status_code == 200
    assert [one["id"] for one in client.send("GET", path).json()["entries"]] == [body["id"]]
    wrong = client.send("POST", path, {**body, "id": str(uuid.uuid4()), "imaging": {"canal_percent": 140}})
    assert wrong.status_code == 400
    assert wrong.json()["errors"][0]["field"] == "imaging.canal_percent"


def test_a_decision_needs_more_than_a_pin(as_: Any, row: Escalation, ward: Ward) -> None:
    client: Any = as_(ward.first)
    session = client.session
    session["via"] = "pin"
    session.save()
    body = {"id": str(uuid.uuid4()), "made_at": database_now().isoformat(), "decision": OBSERVE}
    refused = client.send("POST", f"/escalations/{row.public_id}/bedside/", body)
    assert (refused.status_code, refused.json()["code"]) == (403, "step_up")
    examined = client.send(
        "POST", f"/escalations/{row.public_id}/bedside/", {**body, "decision": None, "exam": exam(4)}
    )
    assert examined.status_code == 201
