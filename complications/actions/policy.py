"""Set a site's paging policy: a new version each time, refused with the reason when somebody could be stranded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Max

from clinic.actions.audit import recording
from clinic.lib.problems import FieldError, Invalid
from clinic.models import Actor, Site
from clinic.queries.contacts import configured, ways_of_contact
from clinic.vocabulary import Channel
from complications.models import EscalationPolicy
from complications.queries.policy import who_can_operate
from complications.rules.policy import check
from complications.rules.policy_review import loops, too_few_operate


def set_policy(*, site: Site, data: Mapping[str, Any], by: Actor, now: datetime, reason: str = "") -> EscalationPolicy:
    """Add a version of the site's policy; raise Invalid naming every field that forbids it (no backstop above all).

    Also refused: a ladder that goes in a circle, and a site with fewer than two surgeons who can open the canal.
    """
    faults = policy_faults(site, data)
    if faults:
        raise Invalid("invalid", "This policy cannot be used.", [FieldError(*fault) for fault in faults])
    with recording(by=by, now=now) as trail:
        Site.objects.select_for_update(no_key=True).get(pk=site.pk)
        newest: int = EscalationPolicy.objects.filter(site=site).aggregate(newest=Max("version"))["newest"] or 0
        row = EscalationPolicy.objects.create(
            site=site, version=newest + 1, data=dict(data), reason=reason[:500], created_at=now, created_by=by.user
        )
        stream = f"site:{site.public_id}"
        trail.add(
            stream=stream,
            action="policy.set",
            subject=f"policy:{row.version}",
            data={"version": row.version, "reason": row.reason},
        )
    return row


def policy_faults(site: Site, data: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return (field, code, detail) for everything that forbids setting this policy at the site; empty = it may be set."""
    faults = check(data)
    if not faults:
        faults = [*loops(data), *too_few_operate(who_can_operate(site))]
    contact = data.get("backstop") or {}
    ways = ways_of_contact(email=str(contact.get("email") or ""), phone=str(contact.get("phone") or ""))
    ways = [way for way in ways if way.channel is not Channel.INBOX]
    leaves = configured(Channel.EMAIL) or configured(Channel.SMS)
    # Outside the demo an inbox is nobody's page, also while nothing is set up yet.
    if not faults and (not ways if leaves else not settings.DEMO and not contact.get("email")):
        sentence = (
            "Messages leave by e-mail here: give the backstop an e-mail address."
            if not configured(Channel.SMS)
            else "Messages leave by SMS here: give the backstop a telephone number."
        )
        faults = [("backstop", "no_backstop", sentence)]
    return faults
