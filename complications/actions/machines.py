"""What a site's webhooks hear of an escalation: each event once, in ids only. They are nobody who could come."""

from __future__ import annotations

from datetime import datetime

from clinic.actions.notification import Message, put_out
from clinic.queries.contacts import configured, machines_of
from clinic.vocabulary import Channel
from complications.models import Escalation, EscalationEvent
from complications.vocabulary import EventKind, Tier

#: Not told: what only the engine or the surgeon's own form is about.
UNTOLD = {EventKind.ENGINE_FAILED, EventKind.MILESTONE, EventKind.CLOCK_WARNED}


def tell_machines(row: Escalation, event: EscalationEvent, *, now: datetime) -> None:
    """Write the event for the site's webhooks, and a page for its other services; nothing where there is neither."""
    if EventKind(event.kind) in UNTOLD or not (configured(Channel.WEBHOOK) or configured(Channel.APPRISE)):
        return
    paged = event.kind == EventKind.STEP_PAGED.value
    context = {
        "site": row.site.name,
        "tier": row.tier,
        "urgency": Tier(row.tier).label,
        "reference": row.short,
        "pathway": row.pathway,
        "path": f"/escalations/{row.public_id}/",
        "call_back": row.site.first_phone[1],
        "what": event.kind,
        "seq": event.seq,
        "status": row.status,
        "post": "machine",
        **({"drill": True} if row.is_drill else {}),
    }
    messages = [
        Message(
            dedup_key=f"esc:{row.public_id}:e{event.seq}:site:{way.key}",
            # Webhooks get ids; a chat of people gets the words of a page.
            kind="escalation_event" if way.channel is Channel.WEBHOOK else "escalation_page",
            recipient=None,
            channel=way.channel,
            site=row.site,
            reference=row.reference,
            context=context,
            address=way.address,
            recipient_name=way.channel.value.capitalize(),
            contact=way.contact,
        )
        for way in machines_of(row.site)
        if paged or way.channel is Channel.WEBHOOK
    ]
    put_out(messages, now=now)
