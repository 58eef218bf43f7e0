"""Whether the people whom a list names are there: a warning at the gate, never a reason to lose the answer."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from checklists.rules.evaluation import Evaluation
from checklists.rules.gates import WARNING, Blocker
from checklists.rules.nodes import Key, Node

#: Whom the team would call for an open canal while the patient still lies there (corrections, E2).
RESCUE = frozenset({"PRE-SUR-01.first"})
_UNKNOWN = ("Nobody who works here has this user name", "Burada bu kullanıcı adıyla çalışan kimse yok")
_CANNOT = ("This person cannot open the canal", "Bu kişi kanalı açamaz")


def named(evaluation: Evaluation, phase: str) -> list[tuple[Node, Key, str]]:
    """Return the answers of a phase that name a person, as far as they count now."""
    found = []
    for node in evaluation.index.of_phase(phase):
        if node.type == "user_ref":
            for scope in evaluation.scopes(node):
                value = evaluation.value(node, scope) if evaluation.applies(node, scope) else None
                if isinstance(value, str):
                    found.append((node, node.key(scope), value))
    return found


def strangers(names: Collection[tuple[Node, Key, str]], staff: Mapping[str, bool]) -> list[Blocker]:
    """Return a warning for each name that is nobody's here, or cannot do what it is named for.

    `staff` tells of each user name of the site whether that person can open the canal.
    """
    found = []
    for node, key, name in names:
        unknown = name not in staff
        if unknown or (node.id in RESCUE and not staff[name]):
            words, code = (_UNKNOWN, "unknown_person") if unknown else (_CANNOT, "cannot_operate")
            found.append(Blocker(key, WARNING, code, *words, tuple(node.raw.get("by", ()))))
    return found
