"""What an answer sets in motion: triggers, timers and complication drafts, by the `raises` of its item.

Triggers and drafts act on every stored answer, not at the gate. A deficit must never wait for the order of ticks or for a parent
that has not arrived: the answer's own triggers fire even where its item is hidden at the moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from checklists.rules.evaluation import Evaluation
from checklists.rules.nodes import Key, Node, Scope
from checklists.rules.times import parse_instant

TRIGGER, DRAFT, TIMER = "trigger", "complication_draft", "timer"
EXAMINED = frozenset({"as_baseline", "better", "weaker"})


@dataclass(frozen=True, slots=True)
class Fired:
    """One thing set in motion: a trigger or timer (`code` NT-…) or a draft (`code` of a complication)."""

    kind: str
    code: str
    key: Key
    note: str = ""
    due_from: str = ""
    plus_min: int = 0
    unless: str = ""


def fired_by(before: Evaluation, after: Evaluation, changed: Iterable[Key]) -> list[Fired]:
    """Return what the changed answers set in motion: their own raises, and those of what depends on them that newly hold."""
    nodes = after.index.nodes
    fired: dict[tuple[str, str, Key], Fired] = {}
    touched: set[str] = set()
    for key in changed:
        node = nodes[key.node_id]
        touched |= after.index.dependents.get(node.id, frozenset())
        own = after.state.answers.get(key)
        hidden = not after.applies(node, key.scope)
        for one in _raised(after, node, key.scope, own):
            if not (hidden and one.kind == DRAFT):
                fired[one.kind, one.code, one.key] = one
    for node_id in sorted(touched):
        node = nodes[node_id]
        if not node.raw.get("raises"):
            continue
        for scope in after.scopes(node):
            held = {(one.kind, one.code) for one in _standing(before, node, scope)}
            for one in _standing(after, node, scope):
                if (one.kind, one.code) not in held or one.kind == TIMER:
                    fired.setdefault((one.kind, one.code, one.key), one)
    return list(fired.values())


def _standing(evaluation: Evaluation, node: Node, scope: Scope) -> Iterator[Fired]:
    if evaluation.applies(node, scope):
        yield from _raised(evaluation, node, scope, evaluation.value(node, scope))


def _raised(evaluation: Evaluation, node: Node, scope: Scope, own: Any) -> Iterator[Fired]:
    for raised in node.raw.get("raises", ()):
        if not evaluation.holds(raised["when"], node, scope, own=own):
            continue
        due_from = ""
        if raised["kind"] == TIMER:
            start = next(iter(evaluation.arguments(raised["from"], node, scope)), None)
            if parse_instant(start) is None:
                continue
            due_from = str(start)
        yield Fired(
            kind=raised["kind"],
            code=raised["code"],
            key=node.key(scope),
            note=raised.get("note", ""),
            due_from=due_from,
            plus_min=raised.get("plus_min", 0),
            unless=raised.get("unless", ""),
        )


def settled_timers(after: Evaluation, changed: Iterable[Key]) -> set[str]:
    """Return the codes of timers whose `unless` now holds: an examination of both legs, or urine passed."""
    codes: set[str] = set()
    for key in changed:
        value = after.state.answers.get(key)
        if key.node_id == "POS-URI-01" and value in ("voided", "catheter"):
            codes.add("NT-04b")
        name, _, part = key.node_id.partition(".")
        if part in {"leg_l", "leg_r"} and name in {"SOU-NEU-01", "POS-NEU-01"}:
            legs = (after.state.answers.get(key._replace(part=leg)) for leg in ("leg_l", "leg_r"))
            if all(leg in EXAMINED for leg in legs):
                codes.add("NT-09")
    return codes


def red_flags(answers: Mapping[Key, Any]) -> list[str]:
    """Return the parts of the red-flag set that were answered with yes."""
    return sorted(key.part for key, value in answers.items() if key.item == "FUP-RED-01" and value is True)
