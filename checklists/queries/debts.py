"""What an emergency left to be done later."""

from __future__ import annotations

from datetime import datetime

from checklists.models import Amendment, Run
from checklists.queries.runs import gate_now, look_at
from checklists.rules.gates import Blocker
from checklists.rules.nodes import Key


def outstanding(run: Run, now: datetime) -> list[Blocker]:
    """Return the safety debt of a list in emergency mode that is neither answered nor, once it is signed, amended."""
    if not run.is_emergency:
        return []
    paid = {
        Key(*pieces)
        for pieces in Amendment.objects.filter(run=run).values_list("item", "part", "level", "side", "instance")
    }
    return [one for one in gate_now(run, look_at(run, now)).debt if one.key not in paid]
