"""Set a site's paging policy: a new version each time, refused with the reason when somebody could be stranded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import Max

from clinic.actions.audit import recording
from clinic.lib.problems import FieldError, Invalid
from clinic.models import Actor, Site
from clinic.queries.contacts import configured, ways_of_contact
from clinic.vocabulary import Channel
from complications.models import EscalationPolicy
from complications.rules.policy import check


def set_policy(*, site: Site, data: Mapping[str, Any], by: Actor, now: datetime) -> EscalationPolicy:
    """Add a version of the site's policy; raise Invalid naming every field that forbids it (no backstop above all)."""
    faults = check(data)
    contact = data.get("backstop") or {}
    ways = ways_of_contact(email=str(contact.get("email") or ""), phone=str(contact.get("phone") or ""))
    ways = [way for way in ways if way.channel is not Channel.INBOX]
    if not faults and not ways and (configured(Channel.EMAIL) or configured(Channel.SMS)):
        sentence = (
            "Messages leave by e-mail here: give the backstop an e-mail address."
            if not configured(Channel.SMS)
            else "Messages leave by SMS here: give the backstop a telephone number."
        )
        faults = [("backstop", "no_backstop", sentence)]
    if faults:
        raise Invalid("invalid", "This policy cannot be used.", [FieldError(*fault) for fault in faults])
    with recording(by=by, now=now) as trail:
        Site.objects.select_for_update(no_key=True).get(pk=site.pk)
        newest: int = EscalationPolicy.objects.filter(site=site).aggregate(newest=Max("version"))["newest"] or 0
        row = EscalationPolicy.objects.create(
            site=site, version=newest + 1, data=dict(data), created_at=now, created_by=by.user
        )
        stream = f"site:{site.public_id}"
        trail.add(stream=stream, action="policy.set", subject=f"policy:{row.version}", data={"version": row.version})
    return row
