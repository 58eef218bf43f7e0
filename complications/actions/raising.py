"""A person finds a case more urgent than its rules did: it may always be raised, and never lowered."""

from __future__ import annotations

from datetime import datetime

from clinic.actions.audit import recording
from clinic.lib.problems import Invalid, Refused
from clinic.models import Actor
from complications.actions.opening import Finding, open_or_join
from complications.actions.standing import lock, refuse_closed, refuse_drill
from complications.models import Escalation
from complications.rules.verdict import FiredTrigger
from complications.vocabulary import Pathway, Setting, Tier


def raise_tier(*, escalation: Escalation, tier: Tier, reason: str, by: Actor, now: datetime) -> Escalation:
    """Raise an open case to `tier`, as a worse report would: ladder and clocks begin anew, in quiet hours as well.

    Raise Refused `not_worse` for a tier that is not above the present one: a tier never falls, whoever asks.
    """
    reason = reason.strip()
    if len(reason) < 3:
        raise Invalid.field("reason", "missing", "Say in a few words what makes it more urgent.")
    with recording(by=by, now=now) as trail:
        row = lock(escalation.public_id)
        refuse_drill(row)
        refuse_closed(row)
        if not tier.worse_than(Tier(row.tier)):
            raise Refused("not_worse", f"This case is {Tier(row.tier).label} already; a tier never falls.")
        finding = Finding(
            pathway=Pathway(row.pathway),
            tier=tier,
            triggers=[FiredTrigger("NT-13", tier, reason[:300], Pathway(row.pathway))],
            setting=Setting(row.setting),
            source=row.reference,
            found_at=now,
        )
        return open_or_join(procedure=row.case, finding=finding, by=by, now=now, trail=trail)
