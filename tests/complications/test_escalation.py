"""The state machine by its actions: every arrow, every non-arrow, and who may walk it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from clinic.lib.problems import Denied, Invalid, Refused
from clinic.lib.transitions import move
from clinic.models import Notification
from clinic.vocabulary import Role
from complications.actions.engine import advance_due
from complications.actions.escalation import (
    acknowledge,
    arrive,
    decide,
    hand_over,
    raise_in_error,
    record_milestone,
)
from complications.actions.standing import rebuild, state_of
from complications.models import Escalation
from complications.vocabulary import ESCALATION_ARROWS, Decision, EscalationStatus, Milestone, Setting
from tests.make import make_site, make_user
from tests.make_complications import Ward, make_escalation, make_report, make_ward, weak_leg

pytestmark = pytest.mark.django_db
S = EscalationStatus


def after(now: datetime, minutes: float) -> datetime:
    return now + timedelta(minutes=minutes)


@pytest.fixture
def ward(now: datetime) -> Ward:
    return make_ward(now)


@pytest.fixture
def escalation(ward: Ward, now: datetime) -> Escalation:
    return make_escalation(ward, now)


def fresh(row: Escalation) -> Escalation:
    return Escalation.objects.get(pk=row.pk)


def take(row: Escalation, ward: Ward, at: datetime, eta: int = 10) -> Escalation:
    return acknowledge(escalation=row, eta_minutes=eta, by=ward.by(ward.first), now=at)


def at_bedside(row: Escalation, ward: Ward, now: datetime) -> Escalation:
    take(row, ward, after(now, 2))
    return arrive(escalation=row, by=ward.by(ward.first), now=after(now, 12))


def decided(row: Escalation, ward: Ward, now: datetime, decision: Decision, **data: Any) -> Escalation:
    at_bedside(row, ward, now)
    data = {"decision": decision.value, "reason": "seen", "centre": "University hospital", **data}
    return decide(escalation=row, data=data, by=ward.by(ward.first), now=after(now, 20))


NEXT_EXAM = {"reexam_interval_minutes": 60}
REACH: dict[EscalationStatus, Callable[[Escalation, Ward, datetime], Any]] = {
    S.PAGING: lambda row, ward, now: row,
    S.ACKNOWLEDGED: lambda row, ward, now: take(row, ward, after(now, 2)),
    S.AT_BEDSIDE: at_bedside,
    S.DECIDED: lambda row, ward, now: decided(row, ward, now, Decision.OBSERVE, **NEXT_EXAM),
    S.CLOSED: lambda row, ward, now: decided(row, ward, now, Decision.NO_DEFICIT),
    S.TRANSFERRED: lambda row, ward, now: decided(row, ward, now, Decision.TRANSFER, accepted_by="Dr A"),
    S.RAISED_IN_ERROR: lambda row, ward, now: raise_in_error(
        escalation=row, reason="wrong patient", by=ward.by(ward.first), now=after(now, 2)
    ),
}


@pytest.mark.parametrize("status", list(S))
def test_every_state_is_reached_by_its_acts(status: S, escalation: Escalation, ward: Ward, now: datetime) -> None:
    REACH[status](escalation, ward, now)
    row = fresh(escalation)
    assert row.status == status.value
    assert (row.next_due_at is not None, row.closed_at is None) == (status.is_open, status.is_open)


@pytest.mark.parametrize("to", list(S))
@pytest.mark.parametrize("was", list(S))
def test_only_the_arrows_of_the_table_lead_on(was: S, to: S, escalation: Escalation, ward: Ward, now: datetime) -> None:
    REACH[was](escalation, ward, now)
    row = fresh(escalation)
    closing = {} if to.is_open else {"closed_at": now}
    kept: dict[str, Any] = {"responsible": ward.first, "decision": row.decision or "observe", **closing}
    if to.value in ESCALATION_ARROWS[was.value]:
        move(row, to=to.value, arrows=ESCALATION_ARROWS, noun="escalation", **kept)
        assert fresh(row).status == to.value
        return
    with pytest.raises(Refused) as refused:
        move(row, to=to.value, arrows=ESCALATION_ARROWS, noun="escalation", **kept)
    assert refused.value.code == "no_such_arrow"
    assert fresh(row).status == was.value


@pytest.mark.parametrize("status", [S.CLOSED, S.TRANSFERRED, S.RAISED_IN_ERROR])
def test_a_closed_case_answers_every_act_with_a_refusal(
    status: S, escalation: Escalation, ward: Ward, now: datetime
) -> None:
    REACH[status](escalation, ward, now)
    by, late = ward.by(ward.first), after(now, 60)
    acts: list[Callable[[], Any]] = [
        lambda: acknowledge(escalation=escalation, eta_minutes=5, by=by, now=late),
        lambda: arrive(escalation=escalation, by=by, now=late),
        lambda: hand_over(escalation=escalation, to=ward.second, by=by, now=late),
        lambda: record_milestone(escalation=escalation, kind=Milestone.IMAGING_DONE, at=None, by=by, now=late),
        lambda: decide(escalation=escalation, data={"decision": "no_deficit", "reason": "x"}, by=by, now=late),
        lambda: raise_in_error(escalation=escalation, reason="wrong", by=by, now=late),
    ]
    for act in acts:
        with pytest.raises(Refused) as refused:
            act()
        assert refused.value.code == "closed"


def test_a_stale_row_is_overtaken_and_changes_nothing(escalation: Escalation, ward: Ward, now: datetime) -> None:
    stale = fresh(escalation)
    take(escalation, ward, after(now, 1))
    with pytest.raises(Refused) as refused:
        move(stale, to="raised_in_error", arrows=ESCALATION_ARROWS, noun="escalation", closed_at=now)
    assert refused.value.code == "overtaken"


def test_the_second_answer_hears_who_was_first(escalation: Escalation, ward: Ward, now: datetime) -> None:
    take(escalation, ward, after(now, 2))
    with pytest.raises(Refused) as refused:
        acknowledge(escalation=escalation, eta_minutes=5, by=ward.by(ward.second), now=after(now, 3))
    assert ward.first.get_full_name() in refused.value.detail


def test_answering_twice_moves_the_expected_time(escalation: Escalation, ward: Ward, now: datetime) -> None:
    take(escalation, ward, after(now, 2), eta=10)
    row = take(escalation, ward, after(now, 5), eta=20)
    assert (row.acknowledged_at, row.eta_at) == (after(now, 2), after(now, 25))


def test_a_nurses_answer_is_an_event_and_no_acknowledgement(escalation: Escalation, ward: Ward, now: datetime) -> None:
    with pytest.raises(Denied):
        acknowledge(escalation=escalation, eta_minutes=5, by=ward.by_nurse, now=after(now, 1))
    assert fresh(escalation).status == "paging"
    assert [event.kind for event in escalation.events.all()] == ["opened", "backstop_answered"]


def test_a_surgeon_of_another_site_cannot_answer(escalation: Escalation, ward: Ward, now: datetime) -> None:
    stranger = make_user(make_site(), Role.SURGEON)
    with pytest.raises(Denied):
        acknowledge(escalation=escalation, eta_minutes=5, by=ward.by(stranger), now=after(now, 1))


@pytest.mark.parametrize("eta", [-1, 1441])
def test_a_senseless_time_of_arrival_is_refused(eta: int, escalation: Escalation, ward: Ward, now: datetime) -> None:
    with pytest.raises(Invalid):
        take(escalation, ward, after(now, 1), eta=eta)


def test_an_acknowledgement_cancels_what_was_not_sent(escalation: Escalation, ward: Ward, now: datetime) -> None:
    advance_due(now=now)
    assert Notification.objects.unsent().filter(kind="escalation_page").count() == 3
    take(escalation, ward, after(now, 1))
    assert Notification.objects.unsent().filter(kind="escalation_page").count() == 0


def test_who_cannot_operate_is_accepted_and_the_first_rank_goes_on_being_paged(
    escalation: Escalation, ward: Ward, now: datetime
) -> None:
    radiologist = make_user(ward.site, Role.SURGEON, can_decompress=False)
    advance_due(now=now)
    row = acknowledge(escalation=escalation, eta_minutes=5, by=ward.by(radiologist), now=after(now, 1))
    assert (row.status, row.cannot_operate) == ("acknowledged", True)
    advance_due(now=after(now, 5))
    paged = escalation.events.filter(kind="step_paged").last()
    assert paged is not None
    assert {one["post"] for one in paged.data["to"]} == {"on_call_rank_1", "on_call_rank_2"}
    assert take(escalation, ward, after(now, 6)).responsible == ward.first


def test_no_arrival_takes_the_responsibility_back_and_paging_resumes_where_it_stood(
    escalation: Escalation, ward: Ward, now: datetime
) -> None:
    advance_due(now=now)
    take(escalation, ward, after(now, 3), eta=10)
    advance_due(now=after(now, 18))
    row = fresh(escalation)
    assert (row.status, row.responsible_id) == ("paging", None)
    steps = [(e.data["round"], e.data["step"]) for e in escalation.events.filter(kind="step_paged")]
    assert steps == [(0, 0), (0, 1)]


def test_a_surgeon_who_comes_keeps_the_case(escalation: Escalation, ward: Ward, now: datetime) -> None:
    take(escalation, ward, after(now, 3), eta=10)
    arrive(escalation=escalation, by=ward.by(ward.first), now=after(now, 13))
    advance_due(now=after(now, 60))
    assert fresh(escalation).status == "at_bedside"


def test_the_ward_may_record_the_arrival(escalation: Escalation, ward: Ward, now: datetime) -> None:
    take(escalation, ward, after(now, 3))
    row = arrive(escalation=escalation, by=ward.by_nurse, now=after(now, 14), at=after(now, 12))
    assert (row.status, row.responsible, row.arrived_at) == ("at_bedside", ward.first, after(now, 12))


def test_the_arrival_of_somebody_who_never_answered_is_an_answer(
    escalation: Escalation, ward: Ward, now: datetime
) -> None:
    row = arrive(escalation=escalation, surgeon=ward.second, by=ward.by_nurse, now=after(now, 4))
    assert (row.status, row.responsible) == ("at_bedside", ward.second)


def test_an_arrival_without_anybody_names_what_is_missing(escalation: Escalation, ward: Ward, now: datetime) -> None:
    with pytest.raises(Invalid) as refused:
        arrive(escalation=escalation, by=ward.by_nurse, now=after(now, 4))
    assert refused.value.errors[0].field == "surgeon"
    with pytest.raises(Invalid):
        arrive(escalation=escalation, surgeon=ward.nurse, by=ward.by_nurse, now=after(now, 4))


def test_until_the_next_one_accepts_the_first_stays_responsible(
    escalation: Escalation, ward: Ward, now: datetime
) -> None:
    at_bedside(escalation, ward, now)
    hand_over(escalation=escalation, to=ward.second, by=ward.by(ward.first), now=after(now, 15))
    assert fresh(escalation).responsible == ward.first
    row = acknowledge(escalation=escalation, eta_minutes=10, by=ward.by(ward.second), now=after(now, 17))
    assert (row.status, row.responsible, row.hand_over_to) == ("acknowledged", ward.second, None)


def test_a_hand_over_that_nobody_answers_ends_with_the_first_and_tells_the_next_level(
    escalation: Escalation, ward: Ward, now: datetime
) -> None:
    at_bedside(escalation, ward, now)
    hand_over(escalation=escalation, to=ward.second, by=ward.by(ward.first), now=after(now, 15))
    advance_due(now=after(now, 20))
    row = fresh(escalation)
    assert (row.responsible, row.hand_over_to, row.status) == (ward.first, None, "at_bedside")
    kinds = [event.kind for event in row.events.all()]
    assert "hand_over_unanswered" in kinds


@pytest.mark.parametrize("who", ["nurse", "first"])
def test_a_hand_over_goes_to_another_surgeon(who: str, escalation: Escalation, ward: Ward, now: datetime) -> None:
    take(escalation, ward, after(now, 2))
    with pytest.raises(Invalid):
        hand_over(escalation=escalation, to=getattr(ward, who), by=ward.by(ward.first), now=after(now, 3))


def test_only_the_responsible_hands_over(escalation: Escalation, ward: Ward, now: datetime) -> None:
    with pytest.raises(Refused):
        hand_over(escalation=escalation, to=ward.second, by=ward.by(ward.first), now=after(now, 1))
    take(escalation, ward, after(now, 2))
    with pytest.raises(Refused):
        hand_over(escalation=escalation, to=ward.first, by=ward.by(ward.second), now=after(now, 3))


def test_a_decision_needs_somebody_at_the_bedside(escalation: Escalation, ward: Ward, now: datetime) -> None:
    data = {"decision": "no_deficit", "reason": "x"}
    for ready in (lambda: None, lambda: take(escalation, ward, after(now, 1))):
        ready()
        with pytest.raises(Refused) as refused:
            decide(escalation=escalation, data=data, by=ward.by(ward.first), now=after(now, 2))
        assert refused.value.code == "not_at_bedside"


def test_a_routine_review_is_decided_from_afar(ward: Ward, now: datetime) -> None:
    row = make_report(ward, now, type="LEK-VEP", level="T12").escalation
    assert row is not None
    acknowledge(escalation=row, eta_minutes=60, by=ward.by(ward.operator), now=after(now, 1))
    data = {"decision": "no_deficit", "reason": "seen on the pictures"}
    assert decide(escalation=row, data=data, by=ward.by(ward.operator), now=after(now, 2)).status == "closed"


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"decision": "observe"}, "next_exam_at"),
        ({"decision": "observe", "next_exam_at": "2020-01-01T00:00:00Z"}, "next_exam_at"),
        ({"decision": "transfer"}, "centre"),
        ({"decision": "no_deficit"}, "reason"),
        ({"decision": "wait"}, "decision"),
        ({"decision": "treated", "reason": "x"}, "decision"),
        ({"decision": "decompress", "theatre_booked_at": "soon"}, "theatre_booked_at"),
        ({"decision": "decompress", "reazon": "x"}, "reazon"),
        ({"decision": "decompress", "inr": "high"}, "inr"),
    ],
)
def test_a_decision_says_what_it_lacks(
    data: dict[str, Any], field: str, escalation: Escalation, ward: Ward, now: datetime
) -> None:
    at_bedside(escalation, ward, now)
    with pytest.raises(Invalid) as refused:
        decide(escalation=escalation, data=data, by=ward.by(ward.first), now=after(now, 20))
    assert field in [error.field for error in refused.value.errors]
    assert fresh(escalation).status == "at_bedside"


@pytest.mark.parametrize(
    "decision",
    [Decision.DECOMPRESS, Decision.DECOMPRESS_AND_STABILISE, Decision.EVACUATE_HAEMATOMA, Decision.DRAIN_ABSCESS],
)
def test_an_operation_stays_open_until_theatre_starts(
    decision: Decision, escalation: Escalation, ward: Ward, now: datetime
) -> None:
    row = decided(escalation, ward, now, decision)
    assert row.status == "decided"
    record_milestone(escalation=row, kind=Milestone.IN_THEATRE, at=None, by=ward.by_nurse, now=after(now, 90))
    assert fresh(escalation).status == "closed"
    record_milestone(escalation=row, kind=Milestone.INCISION, at=None, by=ward.by_nurse, now=after(now, 100))
    assert fresh(escalation).milestones["incision"]


def test_a_transfer_closes_when_it_is_accepted(escalation: Escalation, ward: Ward, now: datetime) -> None:
    assert decided(escalation, ward, now, Decision.TRANSFER).status == "decided"
    record_milestone(
        escalation=escalation, kind=Milestone.TRANSFER_ACCEPTED, at=None, by=ward.by_nurse, now=after(now, 40)
    )
    assert fresh(escalation).status == "transferred"


def test_imaging_first_is_due_by_the_imaging_limit(escalation: Escalation, ward: Ward, now: datetime) -> None:
    row = decided(escalation, ward, now, Decision.IMAGE_FIRST)
    assert row.reexamine_at == after(now, 110)


def test_an_observation_that_nobody_repeats_pages_again(escalation: Escalation, ward: Ward, now: datetime) -> None:
    decided(escalation, ward, now, Decision.OBSERVE, **NEXT_EXAM)
    advance_due(now=after(now, 80))
    assert "reexamination_due" in [event.kind for event in escalation.events.all()]
    assert fresh(escalation).status == "decided"
    advance_due(now=after(now, 91))
    assert fresh(escalation).status == "paging"


def test_a_decision_may_change_after_the_next_examination(escalation: Escalation, ward: Ward, now: datetime) -> None:
    decided(escalation, ward, now, Decision.OBSERVE, **NEXT_EXAM)
    data = {"decision": "decompress", "reason": "worse"}
    row = decide(escalation=escalation, data=data, by=ward.by(ward.first), now=after(now, 80))
    assert (row.status, row.decision, row.reexamine_at) == ("decided", "decompress", None)


def test_a_worse_finding_under_observation_pages_again(escalation: Escalation, ward: Ward, now: datetime) -> None:
    decided(escalation, ward, now, Decision.OBSERVE, **NEXT_EXAM)
    make_report(ward, after(now, 40), neuro=weak_leg(0))
    row = fresh(escalation)
    assert (row.status, row.round, row.responsible_id, row.decision) == ("paging", 1, None, "")


def test_a_raise_voids_the_acknowledgement_and_takes_the_clocks_of_the_worse_report(ward: Ward, now: datetime) -> None:
    row = make_escalation(ward, now, neuro=weak_leg(4))
    take(row, ward, after(now, 5))
    make_report(ward, after(now, 20), neuro=weak_leg(1))
    again = fresh(row)
    assert (again.status, again.tier, again.origin, again.step) == ("paging", "t0", after(now, 20), 0)


def test_a_raise_at_the_bedside_keeps_the_surgeon_and_tells_the_second_and_the_anaesthetist(
    ward: Ward, now: datetime
) -> None:
    row = make_escalation(ward, now, neuro=weak_leg(4))
    at_bedside(row, ward, now)
    make_report(ward, after(now, 20), neuro=weak_leg(1))
    again = fresh(row)
    assert (again.status, again.responsible, again.origin) == ("at_bedside", ward.first, after(now, 20))
    told = Notification.objects.filter(context__again=True).values_list("recipient_id", flat=True)
    assert set(told) == {ward.second.pk, ward.anaesthetist.pk}


def test_a_milestone_of_the_future_is_refused(escalation: Escalation, ward: Ward, now: datetime) -> None:
    with pytest.raises(Invalid):
        record_milestone(
            escalation=escalation, kind=Milestone.IMAGING_DONE, at=after(now, 60), by=ward.by_nurse, now=now
        )


def test_at_home_the_case_stays_with_a_surgeon_who_does_everything_right(ward: Ward, now: datetime) -> None:
    row = make_escalation(ward, now, setting=Setting.AT_HOME)
    take(row, ward, after(now, 4), eta=30)
    record_milestone(escalation=row, kind=Milestone.CALLED_BACK, at=None, by=ward.by_nurse, now=after(now, 8))
    advance_due(now=after(now, 100))
    assert fresh(row).status == "acknowledged"
    record_milestone(escalation=row, kind=Milestone.PATIENT_ARRIVED, at=None, by=ward.by_nurse, now=after(now, 101))
    advance_due(now=after(now, 130))
    assert fresh(row).status == "acknowledged"
    advance_due(now=after(now, 137))
    assert fresh(row).status == "paging"


def test_a_patient_who_does_not_arrive_in_time_pages_the_next_step(ward: Ward, now: datetime) -> None:
    row = make_escalation(ward, now, setting=Setting.AT_HOME)
    advance_due(now=now)
    take(row, ward, after(now, 4), eta=30)
    advance_due(now=after(now, 121))
    breached = [e.data["clock"] for e in row.events.filter(kind="clock_breached")]
    assert {"call_back", "patient_arrived"} <= set(breached)
    told = Notification.objects.filter(context__clock="patient_arrived", context__what="clock_breached")
    assert ward.second.pk in set(told.values_list("recipient_id", flat=True))


def test_only_a_surgeon_withdraws_and_says_why(escalation: Escalation, ward: Ward, now: datetime) -> None:
    with pytest.raises(Denied):
        raise_in_error(escalation=escalation, reason="wrong patient", by=ward.by_nurse, now=now)
    with pytest.raises(Invalid):
        raise_in_error(escalation=escalation, reason=" ", by=ward.by(ward.first), now=now)


def test_a_closed_case_does_not_swallow_the_next_finding(escalation: Escalation, ward: Ward, now: datetime) -> None:
    decided(escalation, ward, now, Decision.NO_DEFICIT)
    row = make_report(ward, after(now, 300)).escalation
    assert row is not None
    assert (row.pk != escalation.pk, row.status) == (True, "paging")


def test_an_anaesthetist_takes_a_medical_case_and_treats_it(ward: Ward, now: datetime) -> None:
    row = make_report(ward, now, type="EMB-PCS").escalation
    assert row is not None
    by = ward.by(ward.physician, "anaesthetist")
    acknowledge(escalation=row, eta_minutes=5, by=by, now=after(now, 1))
    arrive(escalation=row, by=by, now=after(now, 5))
    assert (
        decide(escalation=row, data={"decision": "treated", "reason": "heparin"}, by=by, now=after(now, 9)).status
        == "closed"
    )


@pytest.mark.parametrize("status", list(S))
def test_the_state_can_be_rebuilt_from_the_events(status: S, escalation: Escalation, ward: Ward, now: datetime) -> None:
    advance_due(now=now)
    REACH[status](escalation, ward, now)
    row = Escalation.objects.select_related("responsible").get(pk=escalation.pk)
    events = list(row.events.all())
    assert rebuild(events) == state_of(row)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert all(event.actor_name and event.at for event in events)
