"""What stands between a phase and its signature.

A gate never stops a tick; it is looked at when people sign. Missing or contradictory data fails closed. Classes: H0 no override
(H1 in emergency mode unless `never`), H1 two-person override, S shown and confirmed by signing. The strongest rule of an item counts.
What no item of the list says (the list before is not signed, a long pause) comes in from outside as `beside`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from checklists.rules.evaluation import Evaluation
from checklists.rules.nodes import Key, Node, Scope

HARD, OVERRIDABLE, WARNING = "hard", "overridable", "warning"
_KIND = {"H0": HARD, "H1": OVERRIDABLE, "S": WARNING}
_STRENGTH = {HARD: 0, OVERRIDABLE: 1, WARNING: 2}
NOT_ANSWERED = ("Not answered", "Yanıtlanmadı")
DIFFERENT = ("Two different answers: one person must decide", "İki farklı yanıt: bir kişi karar vermeli")


@dataclass(frozen=True, slots=True)
class Blocker:
    """One reason why a phase cannot be signed (or, as a warning, what signing confirms).

    `run` is the list where it is put right, empty = this one; `owed` makes it safety debt whatever this list's mode.
    """

    key: Key
    kind: str
    code: str
    reason: str
    reason_tr: str
    who: tuple[str, ...]
    never: bool = False
    run: str = ""
    owed: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the blocker as the API shows it."""
        return {
            "item": self.key.item,
            "part": self.key.part or None,
            "level": self.key.level or None,
            "side": self.key.side or None,
            "instance": self.key.instance or None,
            "kind": self.kind,
            "code": self.code,
            "reason": self.reason,
            "reason_tr": self.reason_tr,
            "who": list(self.who),
            "never": self.never,
            "run": self.run or None,
            "owed": self.owed,
        }


@dataclass(frozen=True, slots=True)
class Gate:
    """The state of a phase's exit gate."""

    blockers: tuple[Blocker, ...]
    overridden: tuple[Blocker, ...] = ()
    debt: tuple[Blocker, ...] = ()

    @property
    def is_open(self) -> bool:
        return all(blocker.kind == WARNING for blocker in self.blockers)

    def as_json(self) -> dict[str, Any]:
        """Return the gate as the API shows it: `{open, blockers, overridden, debt}`."""
        return {
            "open": self.is_open,
            "blockers": [blocker.as_json() for blocker in self.blockers],
            "overridden": [blocker.as_json() for blocker in self.overridden],
            "debt": [blocker.as_json() for blocker in self.debt],
        }


def gate_of(
    evaluation: Evaluation,
    phase: str,
    *,
    emergency: bool = False,
    overrides: Collection[Key] = frozenset(),
    beside: Sequence[Blocker] = (),
) -> Gate:
    """Return the gate of a phase. In emergency mode what is not part of the short list becomes safety debt."""
    blockers: list[Blocker] = []
    overridden: list[Blocker] = []
    debt: list[Blocker] = []
    for one in beside:
        if one.owed or (emergency and not one.never and one.kind != WARNING):
            debt.append(one)
        elif one.key in overrides and one.kind == OVERRIDABLE:
            overridden.append(one)
        else:
            blockers.append(one)
    for node in evaluation.index.of_phase(phase):
        for scope in evaluation.scopes(node):
            blocker = blocker_at(evaluation, node, scope, emergency=emergency)
            if blocker is None:
                continue
            if emergency and node.raw.get("emergency") == "debt" and not blocker.never:
                debt.append(blocker)
            elif blocker.key in overrides and blocker.kind == OVERRIDABLE:
                overridden.append(blocker)
            else:
                blockers.append(blocker)
    blockers.sort(key=lambda blocker: _STRENGTH[blocker.kind])
    return Gate(tuple(blockers), tuple(overridden), tuple(debt))


def blocker_at(evaluation: Evaluation, node: Node, scope: Scope, *, emergency: bool = False) -> Blocker | None:
    """Return the strongest reason of one item at one place, or None."""
    if not evaluation.applies(node, scope):
        return None
    key = node.key(scope)
    who = tuple(node.raw.get("by", ()))
    if key in evaluation.state.conflicts:
        return Blocker(key, HARD, "conflict", *DIFFERENT, who)
    firing = [
        (_kind(rule, emergency=emergency), rule)
        for rule in node.raw.get("stop_rules", ())
        if evaluation.holds(rule["when"], node, scope)
    ]
    if firing:
        kind, rule = min(firing, key=lambda one: _STRENGTH[one[0]])
        code = "unanswered" if rule["when"] == {"op": "exists", "value": False} else "rule"
        never = bool(rule.get("never")) and kind == HARD
        return Blocker(key, kind, code, rule["because"], rule["because_tr"], who, never)
    if _is_due(node) and not evaluation.answered(node, scope):
        return Blocker(key, WARNING, "unanswered", *NOT_ANSWERED, who)
    return None


def _is_due(node: Node) -> bool:
    return node.is_answerable and node.raw["required"] != "optional"


def _kind(rule: Mapping[str, Any], *, emergency: bool) -> str:
    kind = _KIND[rule["class"]]
    return OVERRIDABLE if kind == HARD and emergency and not rule.get("never") else kind


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a phase is: answers that are asked for now, and how many of them are there."""

    answered: int
    required: int

    def as_json(self) -> dict[str, int]:
        """Return `{answered, required}`."""
        return {"answered": self.answered, "required": self.required}


def progress_of(evaluation: Evaluation, phase: str) -> Progress:
    """Count the required answers of a phase and those that are given."""
    answered = required = 0
    for node, scope in _due(evaluation, phase):
        required += 1
        answered += evaluation.answered(node, scope)
    return Progress(answered, required)


def _due(evaluation: Evaluation, phase: str) -> Iterator[tuple[Node, Scope]]:
    for node in evaluation.index.of_phase(phase):
        if _is_due(node):
            for scope in evaluation.scopes(node):
                if evaluation.applies(node, scope):
                    yield node, scope
