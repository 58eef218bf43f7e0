"""What is known already and only wants one touch: proposals from booking, team and rota, never answers by themselves.

Levels at time out and sign out, "no leak" and the legs are never proposed: they must be looked at.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from checklists.models import Run
from checklists.rules.evaluation import Evaluation
from checklists.rules.nodes import Key
from checklists.vocabulary import Phase
from clinic.models import TeamMember
from clinic.queries.rota import read_rota
from clinic.vocabulary import Post, TeamRole

LEAD = Key("PRE-ANE-01", "lead")


def proposals_for(run: Run, evaluation: Evaluation, now: datetime) -> dict[str, Any]:
    """Return proposed values by key text, for questions of this run that nobody has answered yet."""
    if run.phase == Phase.PRE:
        found = _before(run, now)
    elif run.phase in {Phase.SIGN_IN, Phase.TIME_OUT}:
        lead = evaluation.state.answers.get(LEAD)
        found = {Key("SIN-CAP-01", "monitor"): lead} if run.phase == Phase.SIGN_IN else _at_time_out(run, lead)
    else:
        found = {}
    known = evaluation.state.answers
    return {key.text(): value for key, value in found.items() if value and known.get(key) is None}


def _before(run: Run, now: datetime) -> dict[Key, Any]:
    procedure = run.procedure
    watcher = (
        TeamMember.objects.filter(procedure=procedure, role=TeamRole.WATCHER.value)
        .values_list("user__username", flat=True)
        .first()
    )
    rota = read_rota(procedure.site, now)
    on_call = [user.username for user in rota.holders_of(Post.ON_CALL_SPINE.value, now)[:2]]
    return {
        Key("PRE-IDX-01"): procedure.indication,
        Key("PRE-LVL-01"): [row.level for row in procedure.levels.all()],
        Key("PRE-ANE-01"): procedure.anaesthesia,
        LEAD: watcher,
        Key("PRE-SUR-01", "first"): on_call[0] if on_call else None,
        Key("PRE-SUR-01", "second"): on_call[1] if len(on_call) > 1 else None,
        **{Key("PRE-PRC-01", "", row.level): procedure.kind for row in procedure.levels.all()},
    }


def _at_time_out(run: Run, lead: Any) -> dict[Key, Any]:
    return {
        Key("TOU-CNF-01", "operator"): run.procedure.operator.username,
        Key("TOU-CNF-01", "anaesthesia"): lead,
    }
