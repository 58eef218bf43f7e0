"""A person stands by the ticks that were sent in their name under somebody else's session."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from checklists.actions.signing import Credential
from checklists.actions.sync import Incoming, Result, apply_batch
from checklists.models import Event, Run
from checklists.queries.runs import countersigned_id
from checklists.rules.nodes import Key
from checklists.vocabulary import EventOutcome
from clinic.actions.credentials import check_credential
from clinic.lib.problems import Refused
from clinic.models import Actor, Tablet, User


def countersign_held(
    *, run: Run, user: User, credential: Credential, by: Actor, tablet: Tablet | None, now: datetime
) -> list[Result]:
    """Let a person's held ticks count: each is sent again under an id of its own, with their credential.

    A held tick whose actor could not be read may be claimed by nobody and stays held. Raise Refused `nothing_held`.
    """
    check_credential(user=user, pin=credential.pin, password=credential.password, by=by, now=now)
    rows = Event.objects.filter(run=run, outcome=EventOutcome.HELD, actor=user).order_by("seq")
    events = [
        Incoming(
            id=str(countersigned_id(row.public_id)),
            key=Key(row.item, row.part, row.level, row.side, row.instance),
            value=row.value,
            parent=row.parent,
            has_parent=row.has_parent,
            occurred_at=row.occurred_at,
            reason=row.reason,
            mode=row.mode,
            clock=row.clock,
        )
        for row in rows
    ]
    if not events:
        raise Refused("nothing_held", f"Nothing waits for {user.get_full_name()} on this list.")
    return apply_batch(run=run, events=events, by=replace(by, user=user), tablet=tablet, now=now)
