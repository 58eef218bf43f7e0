"""Ask a draft's rules about cases that are over: which would it have stopped, and at which item?"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from checklists.rules.evaluation import Evaluation, State
from checklists.rules.gates import HARD, OVERRIDABLE, Blocker, Gate, gate_of
from checklists.rules.nodes import Key, build_index

_STOPS = (HARD, OVERRIDABLE)


def stopped_anew(
    *,
    around: Sequence[Mapping[str, Any]],
    draft: Mapping[str, Any],
    state: State,
    phase: str,
    emergency: bool,
    overrides: Collection[Key],
) -> list[Blocker]:
    """Return the stops that the draft adds to those of the case's own version, at the answers that the case has.

    `around` are the definitions of the case, the one of `phase` among them; overrides that were given count for both.
    """
    own = _gate(around, state, phase, emergency=emergency, overrides=overrides)
    others = [one for one in around if one["phase"] != phase]
    drafted = _gate([*others, draft], state, phase, emergency=emergency, overrides=overrides)
    before = {one.key for one in own.blockers if one.kind in _STOPS}
    return [one for one in drafted.blockers if one.kind in _STOPS and one.key not in before]


def _gate(
    definitions: Sequence[Mapping[str, Any]],
    state: State,
    phase: str,
    *,
    emergency: bool,
    overrides: Collection[Key],
) -> Gate:
    return gate_of(Evaluation(build_index(definitions), state), phase, emergency=emergency, overrides=overrides)
