"""Who is called and cannot come, who could come as well, and who finds a case more urgent than its rules did."""

from datetime import datetime, timedelta

import pytest

from clinic.lib.problems import Denied, Invalid, Refused
from clinic.models import Notification, User
from complications.actions.declining import decline
from complications.actions.engine import advance_due
from complications.actions.escalation import acknowledge, arrive, hand_over
from complications.actions.links import acknowledge_by_link, link_token
from complications.actions.raising import raise_tier
from complications.actions.standing import rebuild, state_of
from complications.models import AcknowledgeLink, Escalation
from complications.vocabulary import Tier
from tests.make_complications import Ward, make_escalation, make_ward

pytestmark = pytest.mark.django_db


def after(now: datetime, minutes: float) -> datetime:
    return now + timedelta(minutes=minutes)


@pytest.fixture
def ward(now: datetime) -> Ward:
    return make_ward(now)


@pytest.fixture
def paged(ward: Ward, now: datetime) -> Escalation:
    row = make_escalation(ward, now)
    advance_due(now=now)
    return row


def fresh(row: Escalation) -> Escalation:
    return Escalation.objects.get(pk=row.pk)


def steps(row: Escalation) -> list[int]:
    return [event.data["step"] for event in row.events.filter(kind__in=["step_paged", "step_skipped"])]


def told(row: Escalation, step: int, turn: int = 0) -> set[User | None]:
    part = f":{turn}:{step}:"
    return {one.recipient for one in Notification.objects.filter(reference=row.reference) if part in one.dedup_key}


def test_who_cannot_come_has_the_next_step_paged_at_once(paged: Escalation, ward: Ward, now: datetime) -> None:
    decline(escalation=paged, by=ward.by(ward.first), now=after(now, 1))
    advance_due(now=after(now, 1))
    assert steps(paged) == [0, 1]
    assert told(paged, 1) == {ward.second, ward.anaesthetist}, "who declined is not called again in this round"
    event = paged.events.get(kind="declined")
    assert (event.actor, event.data["by"]["user"]) == (ward.first, ward.first.username)


def test_a_second_touch_pages_no_further_step(paged: Escalation, ward: Ward, now: datetime) -> None:
    for second in (60, 61, 90):
        decline(escalation=paged, by=ward.by(ward.first), now=now + timedelta(seconds=second))
        advance_due(now=now + timedelta(seconds=second))
    assert steps(paged) == [0, 1]
    assert paged.events.filter(kind="declined").count() == 1


def test_the_steps_after_it_keep_their_waits_from_then_on(paged: Escalation, ward: Ward, now: datetime) -> None:
    decline(escalation=paged, by=ward.by(ward.first), now=after(now, 1))
    advance_due(now=after(now, 1))
    assert fresh(paged).page_due_at == after(now, 6)


def test_everybody_may_decline_and_the_backstop_is_called(paged: Escalation, ward: Ward, now: datetime) -> None:
    for minute, who in enumerate((ward.first, ward.second, ward.head), start=1):
        decline(escalation=paged, by=ward.by(who), now=after(now, minute))
        advance_due(now=after(now, minute))
    assert steps(paged) == [0, 1, 2, 3]
    assert told(paged, 3) == {None}


def test_in_the_next_round_everybody_is_called_again(paged: Escalation, ward: Ward, now: datetime) -> None:
    decline(escalation=paged, by=ward.by(ward.first), now=after(now, 1))
    for minute in range(1, 60):
        advance_due(now=after(now, minute))
    assert ward.first in told(paged, 4, turn=1)
    decline(escalation=paged, by=ward.by(ward.first), now=after(now, 60))
    assert paged.events.filter(kind="declined").count() == 2


def test_where_only_who_declined_is_left_they_are_called_again(ward: Ward, now: datetime) -> None:
    User.objects.exclude(pk__in=[ward.first.pk, ward.nurse.pk, ward.operator.pk]).update(email="", phone="")
    row = make_escalation(ward, now)
    advance_due(now=now)
    decline(escalation=row, by=ward.by(ward.first), now=after(now, 1))
    advance_due(now=after(now, 1))
    assert told(row, 1) == {ward.first}


def test_who_was_not_called_declines_nothing(paged: Escalation, ward: Ward, now: datetime) -> None:
    with pytest.raises(Denied) as refused:
        decline(escalation=paged, by=ward.by(ward.head), now=after(now, 1))
    assert refused.value.code == "not_paged"
    with pytest.raises(Denied):
        decline(escalation=paged, by=ward.by_nurse, now=after(now, 1))
    assert fresh(paged).page_due_at == after(now, 5)


def test_after_somebody_answered_a_decline_hears_who(paged: Escalation, ward: Ward, now: datetime) -> None:
    acknowledge(escalation=paged, eta_minutes=10, by=ward.by(ward.operator), now=after(now, 1))
    with pytest.raises(Refused) as refused:
        decline(escalation=paged, by=ward.by(ward.first), now=after(now, 2))
    assert ward.operator.get_full_name() in refused.value.detail


def test_who_answered_and_cannot_come_after_all_gives_it_back(paged: Escalation, ward: Ward, now: datetime) -> None:
    acknowledge(escalation=paged, eta_minutes=10, by=ward.by(ward.first), now=after(now, 1))
    decline(escalation=paged, by=ward.by(ward.first), now=after(now, 3))
    row = fresh(paged)
    assert (row.status, row.responsible) == ("paging", None)
    advance_due(now=after(now, 3))
    assert told(paged, 1) == {ward.second, ward.anaesthetist}
    assert rebuild(list(row.events.all())) == state_of(fresh(paged))


def test_at_the_bedside_nobody_gives_back_without_a_successor(paged: Escalation, ward: Ward, now: datetime) -> None:
    arrive(escalation=paged, by=ward.by(ward.first), now=after(now, 5))
    with pytest.raises(Refused):
        decline(escalation=paged, by=ward.by(ward.first), now=after(now, 6))
    assert fresh(paged).responsible == ward.first


def test_a_hand_over_that_is_declined_calls_the_next_level_at_once(
    paged: Escalation, ward: Ward, now: datetime
) -> None:
    arrive(escalation=paged, by=ward.by(ward.first), now=after(now, 5))
    hand_over(escalation=paged, to=ward.second, by=ward.by(ward.first), now=after(now, 6))
    for second in (0, 1):
        decline(escalation=paged, by=ward.by(ward.second), now=after(now, 7) + timedelta(seconds=second))
    row = fresh(paged)
    assert (row.status, row.responsible, row.hand_over_to) == ("at_bedside", ward.first, None)
    assert paged.events.filter(kind="declined").count() == 1
    called = Notification.objects.filter(reference=paged.reference, dedup_key__contains=":next:")
    assert {one.recipient for one in called} == {ward.anaesthetist}


def test_who_could_come_as_well_is_kept_once_and_still_hears_who_was_first(
    paged: Escalation, ward: Ward, now: datetime
) -> None:
    acknowledge(escalation=paged, eta_minutes=10, by=ward.by(ward.first), now=after(now, 1))
    for minute in (2, 3):
        with pytest.raises(Refused) as refused:
            acknowledge(escalation=paged, eta_minutes=20, by=ward.by(ward.second), now=after(now, minute))
    assert ward.first.get_full_name() in refused.value.detail
    event = paged.events.get(kind="also_answered")
    assert (event.actor, event.data["eta_minutes"]) == (ward.second, 20)
    assert fresh(paged).responsible == ward.first


def test_a_second_answer_by_a_link_is_kept_and_the_link_stays_good(
    paged: Escalation, ward: Ward, now: datetime
) -> None:
    acknowledge(escalation=paged, eta_minutes=10, by=ward.by(ward.first), now=after(now, 1))
    link = AcknowledgeLink.objects.get(user=ward.operator)
    with pytest.raises(Refused):
        acknowledge_by_link(token=link_token(link.public_id), eta_minutes=5, now=after(now, 2))
    assert paged.events.filter(kind="also_answered", actor=ward.operator).exists()
    link.refresh_from_db()
    assert link.used_at is None


def test_a_person_raises_a_case_and_paging_begins_anew_also_at_night(now: datetime) -> None:
    night = now.replace(hour=22)
    ward = make_ward(night)
    row = make_escalation(ward, night, type="LEK-EPI", level="L1")
    raised = raise_tier(escalation=row, tier=Tier.T1, reason="worse leg", by=ward.by_nurse, now=after(night, 10))
    assert (raised.tier, raised.origin, raised.page_due_at) == ("t1", after(night, 10), after(night, 10))
    advance_due(now=after(night, 10))
    assert ward.first in told(row, 0, turn=1)


@pytest.mark.parametrize("tier", [Tier.T0, Tier.T1, Tier.T3])
def test_a_tier_never_falls_whoever_asks(tier: Tier, paged: Escalation, ward: Ward, now: datetime) -> None:
    with pytest.raises(Refused) as refused:
        raise_tier(escalation=paged, tier=tier, reason="calmer now", by=ward.by(ward.head), now=after(now, 1))
    assert refused.value.code == "not_worse"
    assert fresh(paged).tier == "t0"


def test_a_raise_says_why(now: datetime) -> None:
    ward = make_ward(now)
    row = make_escalation(ward, now, type="LEK-EPI", level="L1")
    with pytest.raises(Invalid):
        raise_tier(escalation=row, tier=Tier.T0, reason=" ", by=ward.by_nurse, now=now)
