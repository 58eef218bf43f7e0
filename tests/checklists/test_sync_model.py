"""A model of tablets that tick offline, lose answers, send twice and in between, while a list is signed.

After every step: nothing is lost, nothing is stored twice, nobody's tick becomes another's, the answers are what the events fold to,
no value that somebody had not seen disappears without a conflict, and a signed list stays as it was signed.
"""

from __future__ import annotations

import os
import uuid
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
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

from checklists.actions.rebuild import folded_answers
from checklists.actions.sync import Incoming, apply_batch
from checklists.models import Answer, Event, Quarantined, Run
from checklists.rules import fold
from checklists.rules.nodes import Key
from clinic.lib.clock import database_now
from clinic.models import User
from tests.make import make_actor, make_user
from tests.make_checklists import make_case, tick

pytestmark = pytest.mark.django_db

ITEMS: dict[str, list[Any]] = {
    "SIN-ALG-01||||": ["no", "yes", None],
    "SIN-MON-01||||": [True, False],
    "SIN-MON-01|spo2|||": [97, 91, 300],
    "SIN-CMT-01|lots.lot|||1": ["A1", "B2"],
}
VISITED: Counter[str] = Counter()


@dataclass
class Tablet:
    """One device: who holds it, what it believes stands, what waits to be sent."""

    holder: int
    waiting: list[tuple[Incoming, int]] = field(default_factory=list)
    seen: dict[str, str] = field(default_factory=dict)


class Sync(RuleBasedStateMachine):
    """Tablets, one list, and a network that forgets to answer."""

    run: Run
    people: list[User]
    tablets: list[Tablet]

    @initialize()
    def begin(self) -> None:
        runs = make_case()
        self.run = runs["sign_in"]
        self.people = [make_user(self.run.procedure.site) for _ in range(2)]
        self.tablets = [Tablet(holder=0), Tablet(holder=1), Tablet(holder=0)]
        self.made: dict[str, tuple[Incoming, int]] = {}
        self.acknowledged: dict[str, str] = {}
        self.frozen: list[Any] | None = None

    @rule(who=st.integers(0, 2), key=st.sampled_from(sorted(ITEMS)), choice=st.integers(0, 2), sees=st.booleans())
    def ticks(self, who: int, key: str, choice: int, sees: bool) -> None:  # noqa: FBT001
        tablet = self.tablets[who]
        values = ITEMS[key]
        seen = tablet.seen.get(key)
        parent = uuid.UUID(seen) if seen and sees else None
        event = replace(tick(key, values[choice % len(values)]), has_parent=sees, parent=parent)
        tablet.waiting.append((event, tablet.holder))
        tablet.seen[key] = event.id
        self.made[event.id] = (event, tablet.holder)

    @rule(who=st.integers(0, 2))
    def changes_hands(self, who: int) -> None:
        self.tablets[who].holder = 1 - self.tablets[who].holder

    @rule(who=st.integers(0, 2), answered=st.booleans(), most=st.integers(1, 5))
    def sends(self, who: int, answered: bool, most: int) -> None:  # noqa: FBT001
        tablet = self.tablets[who]
        batch = tablet.waiting[:most]
        sender = self.people[tablet.holder]
        events = [
            event if maker == tablet.holder else replace(event, actor=self.people[maker]) for event, maker in batch
        ]
        results = apply_batch(run=self.run, events=events, by=make_actor(sender), tablet=None, now=database_now())
        VISITED.update(one.outcome for one in results)
        assert [one.id for one in results] == [event.id for event in events]
        if answered:
            tablet.waiting = tablet.waiting[len(batch) :]
            self.acknowledged |= {one.id: one.outcome for one in results}

    @rule(who=st.integers(0, 2))
    def reads(self, who: int) -> None:
        rows = Answer.objects.filter(run=self.run).values_list("item", "part", "level", "side", "instance", "event")
        self.tablets[who].seen = {Key(*pieces).text(): str(event) for *pieces, event in rows}

    @precondition(lambda self: self.frozen is None)
    @rule(sure=st.sampled_from([False, False, False, True]))
    def is_signed(self, sure: bool) -> None:  # noqa: FBT001
        if sure:
            Run.objects.filter(pk=self.run.pk).update(status="signed", signed_at=database_now())
            self.frozen = self.projection()

    def projection(self) -> list[Any]:
        return list(Answer.objects.filter(run=self.run).order_by("id").values_list("id", "value", "heads", "event"))

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        if not hasattr(self, "acknowledged"):
            return
        stored = list(Event.objects.filter(run=self.run).order_by("seq"))
        assert [row.seq for row in stored] == list(range(1, len(stored) + 1))
        kept = {str(row.public_id) for row in stored}
        aside = set(Quarantined.objects.filter(run=self.run).values_list("event", flat=True))
        assert self.acknowledged.keys() <= kept | aside
        for row in stored:
            event, maker = self.made[str(row.public_id)]
            assert (row.value, row.actor) == (event.value, self.people[maker])

    @invariant()
    def answers_are_what_the_events_say(self) -> None:
        if not hasattr(self, "acknowledged"):
            return
        folded = {key: standing for key, (standing, _) in folded_answers(self.run).items()}
        for row in Answer.objects.filter(run=self.run):
            standing = folded.pop(Key(row.item, row.part, row.level, row.side, row.instance))
            assert row.heads == [[head.event, head.value] for head in standing.heads]
            assert row.is_conflict is standing.is_conflict
            assert fold.equal(row.value, standing.value)
        assert not folded

    @invariant()
    def a_signed_list_stays(self) -> None:
        if getattr(self, "frozen", None) is not None:
            assert self.projection() == self.frozen

    def teardown(self) -> None:
        """In the end every tablet reaches the network, and everything is there."""
        if not hasattr(self, "acknowledged"):
            return
        for who, tablet in enumerate(self.tablets):
            while tablet.waiting:
                self.sends(who, True, 100)
        self.nothing_is_lost_or_doubled()
        aside = set(Quarantined.objects.filter(run=self.run).values_list("event", flat=True))
        kept = {str(one) for one in Event.objects.filter(run=self.run).values_list("public_id", flat=True)}
        assert kept | aside == self.made.keys()
        assert not kept & aside


def walk(examples: int, steps: int) -> None:
    """Run the model; every outcome must have been visited, or the model has shown nothing."""
    VISITED.clear()
    run_state_machine_as_test(
        Sync,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
        ),
    )


def test_tablets_lose_nothing() -> None:
    walk(examples=25, steps=30)
    assert {"applied", "replayed", "conflict", "late", "held", "refused"} <= VISITED.keys()


@pytest.mark.faults
def test_tablets_lose_nothing_in_a_long_campaign() -> None:
    default = "2000" if os.environ.get("FAULTS") == "long" else "50"
    walk(examples=int(os.environ.get("SYNC_EXAMPLES", default)), steps=50)
