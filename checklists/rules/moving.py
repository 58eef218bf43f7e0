"""What becomes of an open run's answers when it goes on with another version of its list.

Kept: asked there too, and the answer is one that it accepts. Unfit: asked there, but not with this answer (an option that is
gone, another type or range): to be answered again. Retired: no longer asked. New: asked there only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import rfc8785

from checklists.rules.nodes import Index, Key, build_index
from checklists.rules.values import key_fault, value_fault


@dataclass(frozen=True, slots=True)
class Plan:
    """The move of one run as it is shown to whoever signs it. `heads` are the newest events of the answers."""

    was: str
    becomes: str
    kept: tuple[tuple[Key, Any], ...]
    unfit: tuple[tuple[Key, Any, str], ...]
    retired: tuple[tuple[Key, Any], ...]
    new: tuple[str, ...]
    heads: Mapping[Key, str]

    def as_json(self) -> dict[str, Any]:
        """Return the plan as it is stored with the move: keys and ids; the answers stand in the events."""
        return {
            "was": self.was,
            "becomes": self.becomes,
            "kept": [key.text() for key, _ in self.kept],
            "unfit": [key.text() for key, _, _ in self.unfit],
            "retired": [key.text() for key, _ in self.retired],
            "new": list(self.new),
        }

    def sha256(self, run: str) -> str:
        """Return the hash that the person signs: over run, plan and every [answer key, head event]."""
        heads = sorted([key.text(), head] for key, head in self.heads.items())
        return hashlib.sha256(rfc8785.dumps({"run": run, "plan": self.as_json(), "answers": heads})).hexdigest()


def plan_move(
    *,
    was: Mapping[str, Any],
    was_sha256: str,
    becomes: Mapping[str, Any],
    becomes_sha256: str,
    answers: Iterable[tuple[Key, Any, str]],
) -> Plan:
    """Sort the answers (key, value, newest event) of a run by what becomes of them; one without a value is left out."""
    before, after = build_index([was]), build_index([becomes])
    kept: list[tuple[Key, Any]] = []
    unfit: list[tuple[Key, Any, str]] = []
    retired: list[tuple[Key, Any]] = []
    heads: dict[Key, str] = {}
    for key, value, head in sorted(answers, key=lambda one: one[0]):
        heads[key] = head
        if value is None:
            continue
        if not is_asked(after, key):
            retired.append((key, value))
        elif fault := key_fault(after, key) or value_fault(after.nodes[key.node_id], value):
            unfit.append((key, value, fault.detail))
        else:
            kept.append((key, value))
    new = tuple(node.id for node in after.nodes.values() if node.is_answerable and not _was_asked(before, node.id))
    return Plan(was_sha256, becomes_sha256, tuple(kept), tuple(unfit), tuple(retired), new, heads)


def is_asked(index: Index, key: Key) -> bool:
    """Tell whether a list asks the item of a key at all."""
    node = index.nodes.get(key.node_id)
    return node is not None and node.is_answerable


def _was_asked(index: Index, node_id: str) -> bool:
    node = index.nodes.get(node_id)
    return node is not None and node.is_answerable
