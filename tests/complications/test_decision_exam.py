"""The examination of a decision is read as a report's would be, and a worse one raises the case."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from clinic.lib.problems import Invalid
from clinic.models import NeuroExam, Notification
from complications.actions.engine import advance_due
from complications.actions.escalation import arrive, decide
from complications.models import Escalation
from tests.make_complications import Ward, make_escalation, make_ward, weak_leg

pytestmark = pytest.mark.django_db
OBSERVE = {"decision": "observe", "reexam_interval_minutes": 60, "reason": "seen"}


def after(now: datetime, minutes: float) -> datetime:
    return now + timedelta(minutes=minutes)


@pytest.fixture
def ward(now: datetime) -> Ward:
    return make_ward(now)


@pytest.fixture
def urgent(ward: Ward, now: datetime) -> Escalation:
    row = make_escalation(ward, now, neuro=weak_leg(4))
    advance_due(now=now)
    return arrive(escalation=row, by=ward.by(ward.first), now=after(now, 10))


def settle(row: Escalation, ward: Ward, at: datetime, **data: Any) -> Escalation:
    return decide(escalation=row, data=data, by=ward.by(ward.first), now=at)


def exam(grade: int) -> dict[str, Any]:
    found: dict[str, Any] = weak_leg(grade)["exam"]
    return found


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"mrc": {"ankle_dorsiflexion_l": 9}}, "exam.mrc.ankle_dorsiflexion_l"),
        ({"mrc": {"ankle": 3}}, "exam.mrc.ankle"),
        ({"anal_tone": "tight"}, "exam.anal_tone"),
        ({"pvr_ml": -1}, "exam.pvr_ml"),
        ({"sensation": "fine"}, "exam.sensation"),
    ],
)
def test_what_cannot_be_read_is_named_and_nothing_is_kept(
    sent: dict[str, Any], field: str, urgent: Escalation, ward: Ward, now: datetime
) -> None:
    before = NeuroExam.objects.count()
    with pytest.raises(Invalid) as refused:
        settle(urgent, ward, after(now, 20), **OBSERVE, exam=sent)
    assert [one.field for one in refused.value.errors] == [field]
    assert NeuroExam.objects.count() == before
    assert Escalation.objects.get().status == "at_bedside"


def test_a_worse_examination_raises_the_case_and_the_decision_stands(
    urgent: Escalation, ward: Ward, now: datetime
) -> None:
    row = settle(urgent, ward, after(now, 20), **OBSERVE, exam=exam(2))
    assert (row.tier, row.status, row.decision, row.responsible) == ("t0", "decided", "observe", ward.first)
    assert row.origin == after(now, 20), "the clocks of the worse tier count from the examination"
    assert [event.kind for event in row.events.all()][-2:] == ["tier_raised", "decided"]
    again = {one.recipient for one in Notification.objects.filter(context__again=True)}
    assert again == {ward.second, ward.anaesthetist}


def test_the_same_examination_calls_nobody(urgent: Escalation, ward: Ward, now: datetime) -> None:
    row = settle(urgent, ward, after(now, 20), **OBSERVE, exam=exam(4))
    assert (row.tier, row.status, row.round) == ("t1", "decided", 0)
    assert not Notification.objects.filter(context__again=True).exists()


def test_a_normal_examination_without_a_baseline_is_not_a_report(now: datetime) -> None:
    ward = make_ward(now, baseline=False)
    row = make_escalation(ward, now, type="LEK-EPI", level="L1")
    advance_due(now=now)
    arrive(escalation=row, by=ward.by(ward.first), now=after(now, 10))
    assert settle(row, ward, after(now, 20), **OBSERVE, exam=exam(5)).tier == "t2"


def test_imaging_first_is_due_by_the_limit_of_the_tier_that_was_found(
    urgent: Escalation, ward: Ward, now: datetime
) -> None:
    row = settle(urgent, ward, after(now, 20), decision="image_first", exam=exam(2))
    assert row.reexamine_at == after(now, 20 + 90)


def test_deciding_anew_with_a_worse_finding_keeps_the_surgeon_who_found_it(
    urgent: Escalation, ward: Ward, now: datetime
) -> None:
    settle(urgent, ward, after(now, 20), **OBSERVE)
    row = settle(urgent, ward, after(now, 60), decision="decompress", exam=exam(1))
    assert (row.tier, row.status, row.decision, row.responsible) == ("t0", "decided", "decompress", ward.first)


def test_no_deficit_beside_an_examination_that_shows_one_is_refused(
    urgent: Escalation, ward: Ward, now: datetime
) -> None:
    with pytest.raises(Invalid) as refused:
        settle(urgent, ward, after(now, 20), decision="no_deficit", reason="fine", exam=exam(3))
    assert refused.value.errors[0].code == "contradicts_examination"
    row = settle(urgent, ward, after(now, 21), decision="no_deficit", reason="fine", exam=exam(5))
    assert row.status == "closed"
