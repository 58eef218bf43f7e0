"""Merging what several tablets ticked: properties that hold for every history."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from checklists.rules import fold
from checklists.rules.fold import ABSENT, RESOLVE, Standing, Ticked
from checklists.rules.nodes import Key

KEY = Key("SIN-ALG-01")
VALUES = st.sampled_from(["yes", "no", None, ["a", "b"], ["b", "a"], True, 1])


def tick(name: str, value: Any, parent: Any = ABSENT, mode: str = "") -> Ticked:
    return Ticked(name, KEY, value, parent, mode)


def standing(*events: Ticked) -> Standing:
    return fold.fold(events)[KEY]


@st.composite
def histories(draw: st.DrawFn) -> list[Ticked]:
    """Ticks whose parents are earlier ticks, none, or not said."""
    events: list[Ticked] = []
    for number in range(draw(st.integers(1, 12))):
        parents = [ABSENT, None, *(event.id for event in events)]
        mode = RESOLVE if draw(st.booleans()) and draw(st.booleans()) else ""
        events.append(tick(f"e{number}", draw(VALUES), draw(st.sampled_from(parents)), mode))
    return events


@given(histories())
def test_the_newest_tick_always_stands(events: list[Ticked]) -> None:
    final = standing(*events)
    assert final.event == events[-1].id
    assert fold.equal(final.value, events[-1].value)


@given(histories())
def test_standing_values_differ_from_each_other(events: list[Ticked]) -> None:
    heads = standing(*events).heads
    assert not any(fold.equal(a.value, b.value) for n, a in enumerate(heads) for b in heads[n + 1 :])


@given(histories())
def test_no_value_that_nobody_saw_is_overwritten_in_silence(events: list[Ticked]) -> None:
    before = Standing()
    values: dict[str, Any] = {}
    for event in events:
        after = fold.apply(before, event, fold.parent_value(event, values))
        if event.parent is not ABSENT and event.mode != RESOLVE:
            for head in before.heads:
                kept = any(one.event == head.event for one in after.heads)
                known = head.event == event.parent or fold.equal(head.value, event.value)
                known = known or fold.equal(
                    head.value, values.get(event.parent) if isinstance(event.parent, str) else None
                )
                assert kept is not known
        before, values[event.id] = after, event.value


@given(histories())
def test_folding_one_by_one_is_folding_at_once(events: list[Ticked]) -> None:
    before = Standing()
    values: dict[str, Any] = {}
    for event in events:
        before = fold.apply(before, event, fold.parent_value(event, values))
        values[event.id] = event.value
    assert before == standing(*events)


@given(VALUES, VALUES)
def test_two_who_saw_the_same_agree_or_are_in_conflict(first: Any, second: Any) -> None:
    final = standing(tick("a", first, None), tick("b", second, None))
    # Nothing ticked and an answer taken back look the same to whoever saw none.
    assert final.is_conflict is (not fold.equal(first, second) and first is not None)


def test_one_who_decides_ends_a_conflict_that_they_saw() -> None:
    events = [tick("a", "yes", None), tick("b", "no", None)]
    assert standing(*events).is_conflict
    assert not standing(*events, tick("c", "yes", "b", RESOLVE)).is_conflict
    unseen = [*events, tick("d", ["a"], None), tick("c", "yes", "b", RESOLVE)]
    assert [head.event for head in standing(*unseen).heads] == ["d", "c"]


def test_options_in_another_order_are_the_same_answer() -> None:
    assert not standing(tick("a", ["x", "y"], None), tick("b", ["y", "x"], None)).is_conflict


def test_yes_is_not_one() -> None:
    assert standing(tick("a", True, None), tick("b", 1, None)).is_conflict
