"""The promises of the engine as invariants of a random history of people, engines, clocks and edits (I1-I3, I5-I8)."""

from __future__ import annotations

import os
import uuid
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from clinic.actions.notification import claim_due
from clinic.lib.problems import Invalid, Problem
from clinic.models import Membership, Notification, Shift, Site, User
from clinic.vocabulary import Post, Role
from complications.actions.clock_jumps import set_back
from complications.actions.declining import decline
from complications.actions.engine import advance_due
from complications.actions.escalation import acknowledge, arrive, decide, hand_over, raise_in_error, record_milestone
from complications.actions.heartbeat import beat
from complications.actions.policy import set_policy
from complications.actions.raising import raise_tier
from complications.actions.reporting import raise_triggers, report_complication
from complications.actions.standing import rebuild, state_of
from complications.models import Escalation, EscalationEvent
from complications.queries.policy import who_can_operate
from complications.rules.policy import Policy, default_policy
from complications.rules.policy_review import ENOUGH_WHO_OPERATE
from complications.rules.report import Report
from complications.rules.triggers import FiredTrigger
from complications.vocabulary import EscalationStatus, Milestone, Setting, Tier
from tests.make import make_shift
from tests.make_complications import BACKSTOP, make_ward, weak_leg

pytestmark = pytest.mark.django_db
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
#: A working day, an evening before quiet hours, and the nights in which the clocks of the site change.
STARTS = [
    START,
    datetime(2026, 3, 2, 17, 30, tzinfo=UTC),
    datetime(2026, 3, 29, 0, 30, tzinfo=UTC),
    datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
]
STEPS = ("step_paged", "step_skipped")
DECISIONS: list[dict[str, Any]] = [
    {"decision": "observe", "reexam_interval_minutes": 30},
    {"decision": "image_first"},
    {"decision": "decompress", "reason": "cement"},
    {"decision": "transfer", "centre": "other"},
    {"decision": "no_deficit", "reason": "normal"},
]


class Cases(RuleBasedStateMachine):
    """One site, one patient, a random sequence of what people, the clock and the engine do."""

    def __init__(self) -> None:
        super().__init__()
        self.outer = transaction.atomic()
        self.outer.__enter__()

    @initialize(start=st.sampled_from(STARTS))
    def the_day_begins(self, start: datetime) -> None:
        self.now = start
        self.ward = make_ward(start)
        Site.objects.filter(pk=self.ward.site.pk).update(timezone="Europe/Berlin")
        self.ward.site.refresh_from_db()
        self.surgeons = [self.ward.first, self.ward.second, self.ward.operator, self.ward.head]

    def teardown(self) -> None:
        """Leave nothing behind for the next history."""
        transaction.set_rollback(True)
        self.outer.__exit__(None, None, None)

    def cases(self) -> list[Escalation]:
        """All escalations of this history."""
        return list(Escalation.objects.select_related("responsible").order_by("pk"))

    def any_case(self, pick: int) -> Escalation | None:
        """One of them, None before the first."""
        rows = self.cases()
        return rows[pick % len(rows)] if rows else None

    def attempt(self, act: Any) -> None:
        """Do something that may be refused: a refusal must leave everything as it was."""
        before = EscalationEvent.objects.count()
        try:
            act()
        except Problem as problem:
            if problem.code not in ("not_a_surgeon", "already_answered"):
                assert EscalationEvent.objects.count() == before

    @rule(grade=st.integers(0, 4), home=st.booleans())
    def somebody_reports(self, grade: int, home: bool) -> None:  # noqa: FBT001
        setting = Setting.AT_HOME if home else None
        report = Report(public_id=uuid.uuid4(), raw_neuro=weak_leg(grade), setting=setting)
        report_complication(report=report, procedure=self.ward.procedure, by=self.ward.by_nurse, now=self.now)

    @rule(tier=st.sampled_from([Tier.T0, Tier.T1, Tier.T2]), late=st.sampled_from([0, 0, 9, 50]))
    def a_tick_raises(self, tier: Tier, late: int) -> None:
        pressed = self.now - timedelta(minutes=late)
        raise_triggers(
            procedure=self.ward.procedure,
            triggers=[FiredTrigger("NT-08a", tier, "leg pain")],
            source="run:1:2",
            occurred_at=pressed,
            reported_at=pressed,
            exam=None,
            by=self.ward.by_nurse,
            now=self.now,
        )

    @rule(minutes=st.sampled_from([0, 1, 3, 5, 11, 31, 200]))
    def time_passes_and_the_engine_looks(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        assert advance_due(now=self.now).failed == 0

    @rule(late=st.sampled_from([0, 1, 3]))
    def two_engines_look(self, late: int) -> None:
        for moment in (self.now, self.now - timedelta(seconds=late), self.now):
            assert advance_due(now=moment).failed == 0

    @rule(hours=st.sampled_from([-1, 1]))
    def the_clock_jumps(self, hours: int) -> None:
        beat(name="celery", now=self.now)
        self.now += timedelta(hours=hours)
        assert set_back(now=self.now) == max(timedelta(0), timedelta(hours=-hours))

    @rule()
    def nobody_answers_until_the_backstop_was_called(self) -> None:
        began = self.now
        for _ in range(200):
            waiting = [row for row in self.cases() if row.status == EscalationStatus.PAGING.value]
            called = {
                row.pk
                for row in waiting
                if row.events.filter(kind="step_paged", at__gte=began, data__posts__contains="backstop").exists()
            }
            moments = [row.next_due_at for row in waiting if row.pk not in called and row.next_due_at is not None]
            if not moments:
                break
            self.now = max(self.now, min(moments))
            assert advance_due(now=self.now).failed == 0
        else:
            raise AssertionError("a case never reached its backstop")

    @rule(minutes=st.sampled_from([1, 7, 90]))
    def the_engine_is_down(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(pick=st.integers(0, 9), who=st.integers(0, 3), eta=st.sampled_from([0, 10, 60]))
    def a_surgeon_answers(self, pick: int, who: int, eta: int) -> None:
        row = self.any_case(pick)
        if row is not None:
            by = self.ward.by(self.surgeons[who])
            self.attempt(lambda: acknowledge(escalation=row, eta_minutes=eta, by=by, now=self.now))

    @rule(pick=st.integers(0, 9), who=st.integers(0, 3))
    def a_surgeon_cannot_come(self, pick: int, who: int) -> None:
        row = self.any_case(pick)
        if row is not None:
            by = self.ward.by(self.surgeons[who])
            self.attempt(lambda: decline(escalation=row, by=by, now=self.now))

    @rule(pick=st.integers(0, 9), tier=st.sampled_from([Tier.T0, Tier.T1]))
    def somebody_raises(self, pick: int, tier: Tier) -> None:
        row = self.any_case(pick)
        if row is not None:
            by = self.ward.by_nurse
            self.attempt(lambda: raise_tier(escalation=row, tier=tier, reason="worse", by=by, now=self.now))

    @rule(pick=st.integers(0, 9), who=st.integers(0, 3))
    def a_surgeon_withdraws(self, pick: int, who: int) -> None:
        row = self.any_case(pick)
        if row is not None:
            by = self.ward.by(self.surgeons[who])
            self.attempt(lambda: raise_in_error(escalation=row, reason="wrong patient", by=by, now=self.now))

    @rule(pick=st.integers(0, 9), who=st.integers(0, 3))
    def a_surgeon_arrives(self, pick: int, who: int) -> None:
        row = self.any_case(pick)
        if row is not None:
            by = self.ward.by(self.surgeons[who])
            self.attempt(lambda: arrive(escalation=row, by=by, now=self.now))

    @rule(pick=st.integers(0, 9), who=st.integers(0, 3), to=st.integers(0, 3))
    def a_surgeon_hands_over(self, pick: int, who: int, to: int) -> None:
        row = self.any_case(pick)
        if row is not None:
            by, other = self.ward.by(self.surgeons[who]), self.surgeons[to]
            self.attempt(lambda: hand_over(escalation=row, to=other, by=by, now=self.now))

    @rule(pick=st.integers(0, 9), data=st.sampled_from(DECISIONS))
    def a_surgeon_decides(self, pick: int, data: dict[str, Any]) -> None:
        row = self.any_case(pick)
        if row is not None:
            by = self.ward.by(self.surgeons[0])
            self.attempt(lambda: decide(escalation=row, data=data, by=by, now=self.now))

    @rule(pick=st.integers(0, 9), kind=st.sampled_from(list(Milestone)))
    def a_time_is_recorded(self, pick: int, kind: Milestone) -> None:
        row = self.any_case(pick)
        if row is not None:
            by = self.ward.by_nurse
            self.attempt(lambda: record_milestone(escalation=row, kind=kind, at=None, by=by, now=self.now))

    @rule()
    def messages_are_claimed(self) -> None:
        claimed = claim_due(now=self.now, limit=1000)
        waiting = {row.reference for row in self.cases() if row.standing().pages}
        for message in Notification.objects.filter(pk__in=claimed, kind="escalation_page"):
            asked = message.context.get("what") == "hand_over" or message.context.get("again")
            told_next = ":e" in message.dedup_key
            assert asked or told_next or message.reference in waiting, "a page went out after the answer"

    @precondition(lambda self: Shift.objects.exists())
    @rule()
    def the_rota_is_emptied(self) -> None:
        Shift.objects.all().delete()

    @rule(who=st.integers(0, 3), rank=st.sampled_from([1, 2]))
    def the_rota_is_edited(self, who: int, rank: int) -> None:
        Shift.objects.filter(post=Post.ON_CALL_SPINE.value, rank=rank).delete()
        make_shift(self.ward.site, self.surgeons[who], Post.ON_CALL_SPINE, rank, around=self.now)

    @rule(who=st.integers(0, 3))
    def somebody_loses_their_address(self, who: int) -> None:
        User.objects.filter(pk=self.surgeons[who].pk).update(email="", phone="")

    @rule(who=st.integers(0, 3))
    def somebody_stops_being_a_surgeon(self, who: int) -> None:
        Membership.objects.filter(user=self.surgeons[who]).update(role=Role.NURSE.value)

    @rule(zone=st.sampled_from(["Europe/Berlin", "Asia/Kolkata", "UTC"]))
    def the_site_is_edited(self, zone: str) -> None:
        Site.objects.filter(pk=self.ward.site.pk).update(timezone=zone, phone_list=[])

    @rule(who=st.integers(0, 3))
    def somebody_leaves(self, who: int) -> None:
        User.objects.filter(pk=self.surgeons[who].pk).update(is_active=False)

    @rule()
    def the_policy_is_replaced(self) -> None:
        data = {**default_policy(), "backstop": BACKSTOP}
        for step in data["tiers"]["t0"]["steps"]:
            step["after_min"] *= 7
        data["tiers"]["t0"]["repeat"]["from_min"] = 500
        # With one surgeon left there is nobody to page after that one: no policy is taken, the old one holds.
        too_few = who_can_operate(self.ward.site) < ENOUGH_WHO_OPERATE
        with pytest.raises(Invalid) if too_few else nullcontext():
            set_policy(site=self.ward.site, data=data, by=self.ward.by_nurse, now=self.now)

    @invariant()
    def everything_open_is_looked_at_before_the_longest_wait(self) -> None:
        for row in self.cases():
            is_open = EscalationStatus(row.status).is_open
            assert is_open == (row.next_due_at is not None)
            if row.next_due_at is not None:
                assert row.next_due_at <= self.now + Policy(row.policy).longest_wait()

    @invariant()
    def there_is_one_open_case_per_pathway(self) -> None:
        keys = [row.pathway for row in self.cases() if EscalationStatus(row.status).is_open]
        assert len(keys) == len(set(keys))

    @invariant()
    def no_step_runs_twice_in_a_round(self) -> None:
        for row in self.cases():
            ran = [(e.data["round"], e.data["step"]) for e in row.events.filter(kind__in=STEPS)]
            assert len(ran) == len(set(ran))

    @invariant()
    def a_step_that_reaches_nobody_is_followed_at_once(self) -> None:
        for row in self.cases():
            events = list(row.events.filter(kind__in=STEPS))
            for event, following in zip_longest(events, events[1:]):
                ladder = Policy(row.policy).ladder(Tier(event.data["state"]["tier"]), row.standing().pathway)
                if event.kind == "step_skipped" and event.data["step"] < len(ladder.steps):
                    held = event.data["state"]["status"] == "acknowledged"
                    assert held or (following is not None and following.at == event.at)

    @invariant()
    def the_state_can_be_rebuilt_from_the_events(self) -> None:
        for row in self.cases():
            events = list(row.events.all())
            assert rebuild(events) == state_of(row)
            assert [event.seq for event in events] == list(range(1, len(events) + 1))


def test_the_promises_hold_through_any_history() -> None:
    run_state_machine_as_test(
        Cases,
        settings=settings(
            max_examples=200 if os.environ.get("FAULTS") == "long" else 8,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
