"""Tell the two people of a swap: that one is asked, and what the other answered."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q

from clinic.actions.notification import Message, queue_notifications
from clinic.models import Actor, Notification, ShiftSwap
from clinic.vocabulary import SwapStatus
from complications.queries.recipients import reached_by

SYSTEM = Actor.system("rota")
#: What was answered longer ago was told, or nobody could be reached.
LOOKED_BACK = timedelta(days=2)
ANSWERED = (SwapStatus.ACCEPTED.value, SwapStatus.DECLINED.value)


def tell_swaps(*, now: datetime) -> int:
    """Write to who is asked and to who proposed, once each, and return how many messages are new.

    What was told is found by query, so this may run at any interval and by several workers.
    """
    rows = ShiftSwap.objects.filter(
        Q(status=SwapStatus.PROPOSED.value, period__endswith__gt=now)
        | Q(status__in=ANSWERED, answered_at__gt=now - LOOKED_BACK)
    )
    swaps = list(rows.select_related("site", "proposed_by", "asked").order_by("pk"))
    told = set(
        Notification.objects.filter(reference__in=[_reference(row) for row in swaps]).values_list("reference", "kind")
    )
    waiting = [row for row in swaps if (_reference(row), _kind(row)) not in told]
    reached = reached_by([row.asked if _kind(row) == "swap_asked" else row.proposed_by for row in waiting])
    messages = []
    for row in waiting:
        user = row.asked if _kind(row) == "swap_asked" else row.proposed_by
        other = row.proposed_by if user == row.asked else row.asked
        messages += [
            Message(
                dedup_key=f"{_reference(row)}:{_kind(row)}:user:{user.pk}:{channel.value}",
                kind=_kind(row),
                recipient=user,
                channel=channel,
                site=row.site,
                reference=_reference(row),
                context={
                    "site": row.site.name,
                    "name": other.get_full_name(),
                    "accepted": row.status == SwapStatus.ACCEPTED.value,
                    "path": "/rota/",
                },
            )
            for channel in reached[user.pk]
            if user.is_active
        ]
    return queue_notifications(messages, by=SYSTEM, now=now)


def _reference(row: ShiftSwap) -> str:
    return f"swap:{row.public_id}"


def _kind(row: ShiftSwap) -> str:
    return "swap_asked" if row.status == SwapStatus.PROPOSED.value else "swap_answered"
