"""A person stands by the ticks that were sent in their name under somebody else's session."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from checklists.actions.signing import Credential
from checklists.actions.sync import Incoming, Result, apply_batch
from checklists.models import Event, Run
from checklists.queries.runs import countersigned_id
from checklists.rules.nodes import Key
from checklists.vocabulary import EventOutcome
from clinic.actions.credentials import check_credential
from clinic.lib.problems import Refused
from clinic.models import Actor, Membership, Tablet, User


def countersign_held(
    *,
    run: Run,
    user: User,
    credential: Credential,
    events: Collection[UUID] = (),
    by: Actor,
    tablet: Tablet | None,
    now: datetime,
) -> list[Result]:
    """Let a person's held ticks count: each is sent again under an id of its own, with their credential and role.

    A tick of which nobody proved that it is theirs counts for whom its ticket names, or where it names nobody for the
    person who says so, and only where its id is in `events`: it is looked at one by one. Raise Refused `nothing_held`.
    """
    check_credential(user=user, pin=credential.pin, password=credential.password, by=by, now=now)
    unproven = Q(actor=None, public_id__in=events) & (Q(claimed=None) | Q(claimed=user))
    rows = Event.objects.filter(Q(actor=user) | unproven, run=run, outcome=EventOutcome.HELD).order_by("seq")
    held = [
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
    if not held:
        raise Refused("nothing_held", f"Nothing waits for {user.get_full_name()} on this list.")
    roles = Membership.objects.filter(user=user, site_id=run.procedure.site_id, is_active=True)
    own = replace(by, user=user, role=",".join(sorted(roles.values_list("role", flat=True))))
    return apply_batch(run=run, events=held, by=own, tablet=tablet, now=now)
