"""The promises of the engine as invariants of a random history, and a crash at every statement (I1-I4, I7, I8)."""

from __future__ import annotations

import os
import uuid
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from clinic.actions.notification import claim_due
from clinic.lib.problems import Problem
from clinic.models import Notification, Shift, User
from complications.actions.engine import advance_due
from complications.actions.escalation import acknowledge, arrive, decide, hand_over, record_milestone
from complications.actions.policy import set_policy
from complications.actions.reporting import raise_triggers, report_complication
from complications.actions.standing import rebuild, state_of
from complications.models import Escalation, EscalationEvent
from complications.rules.policy import Policy, default_policy
from complications.rules.report import Report
from complications.rules.triggers import FiredTrigger
from complications.vocabulary import EscalationStatus, Milestone, Setting, Tier
from tests.make_complications import BACKSTOP, make_escalation, make_ward, weak_leg

pytestmark = pytest.mark.django_db
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
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
        self.now = START
        self.ward = make_ward(START)
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

    @rule(who=st.integers(0, 3))
    def somebody_leaves(self, who: int) -> None:
        User.objects.filter(pk=self.surgeons[who].pk).update(is_active=False)

    @rule()
    def the_policy_is_replaced(self) -> None:
        data = {**default_policy(), "backstop": BACKSTOP}
        for step in data["tiers"]["t0"]["steps"]:
            step["after_min"] *= 7
        data["tiers"]["t0"]["repeat"]["from_min"] = 500
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


class Crash(BaseException):
    """The process dies between two statements."""


def test_after_a_crash_at_any_statement_the_case_still_reaches_its_backstop() -> None:
    ward = make_ward(START)
    row = make_escalation(ward, START)
    crashes = 0
    for at in range(60):
        left = at

        def die(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
            nonlocal left
            if left == 0:
                raise Crash
            left -= 1
            return execute(sql, params, many, context)

        minute = at // 4
        try:
            with transaction.atomic(), connection.execute_wrapper(die):
                advance_due(now=START + timedelta(minutes=minute))
        except Crash:
            crashes += 1
    assert crashes > 20
    advance_due(now=START + timedelta(minutes=16))
    events = row.events.filter(kind__in=STEPS)
    assert [(event.data["round"], event.data["step"]) for event in events] == [(0, 0), (0, 1), (0, 2), (0, 3)]
    names = set(Notification.objects.filter(reference=row.reference).values_list("recipient_name", flat=True))
    assert BACKSTOP["name"] in names


def test_a_report_that_crashes_at_any_statement_leaves_nothing_and_can_be_sent_again() -> None:
    ward = make_ward(START)
    report = Report(public_id=uuid.uuid4(), raw_neuro=weak_leg(2))
    for at in range(200):
        left = at

        def die(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
            nonlocal left
            if left == 0:
                raise Crash
            left -= 1
            return execute(sql, params, many, context)

        try:
            with transaction.atomic(), connection.execute_wrapper(die):
                result = report_complication(report=report, procedure=ward.procedure, by=ward.by_nurse, now=START)
            break
        except Crash:
            assert Escalation.objects.count() == 0
    assert at > 10
    assert result.created
    assert Escalation.objects.get().events.count() == 1
