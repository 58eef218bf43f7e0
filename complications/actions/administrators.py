"""A word to the administrators of a site, by every way in which they are reached."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from clinic.actions.notification import Message, queue_notifications
from clinic.models import Actor, Membership, Site, User
from clinic.vocabulary import Role
from complications.queries.recipients import reached_by


def administrators(site: Site) -> list[User]:
    """Return the active administrators of a site."""
    rows = Membership.objects.filter(
        site=site, role=Role.ADMINISTRATOR.value, is_active=True, user__is_active=True
    ).select_related("user")
    return [row.user for row in rows.order_by("user_id")]


def tell_administrators(
    site: Site, *, kind: str, reference: str, context: Mapping[str, Any], by: Actor, now: datetime
) -> tuple[int, int]:
    """Write to each of them, once for each reference; return how many messages are new, and to how many people.

    Call it inside a `recording()`: the audit entry is the caller's.
    """
    people = administrators(site)
    reached = reached_by(people)
    messages = [
        Message(
            dedup_key=f"{reference}:user:{user.pk}:{channel.value}",
            kind=kind,
            recipient=user,
            channel=channel,
            site=site,
            reference=reference,
            context={"site": site.name, **context},
        )
        for user in people
        for channel in reached[user.pk]
    ]
    return queue_notifications(messages, by=by, now=now), len(people)
