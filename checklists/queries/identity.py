"""Whether the patient of a list was made sure of a moment ago, in this room or on this device."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q

from checklists.models import Answer, IdentityCheck, Run
from clinic.models import Tablet, User

#: How long one look at the wristband serves all the lists of a procedure in one room.
REMEMBERED = timedelta(minutes=10)


def known_until(run: Run, *, user: User | None, tablet: Tablet | None, now: datetime) -> datetime | None:
    """Return until when nobody asks again: ten minutes after a match in the tablet's room, on this tablet, or by this person.

    A wristband that was scanned on the sign in counts in the same way; a list opened without asking, for itself only.
    """
    here = Q(by=user) if user else Q(pk__in=[])
    if tablet is not None:
        here |= Q(tablet=tablet)
        if tablet.room_id:
            here |= Q(room=tablet.room_id)
    since = now - REMEMBERED
    counts = Q(run__procedure=run.procedure_id, outcome="matched") | Q(run=run, outcome="waived")
    checks = IdentityCheck.objects.filter(here & counts)
    newest = checks.filter(occurred_at__gt=since).order_by("-occurred_at").values_list("occurred_at", flat=True).first()
    scanned = (
        Answer.objects.filter(
            run__procedure=run.procedure_id, item="SIN-IDN-01", part="", actor=user, value__matched=True
        )
        .filter(occurred_at__gt=since, occurred_at__lte=now)
        .values_list("occurred_at", flat=True)
        .first()
    )
    times = [at for at in (newest, scanned) if at]
    return min(max(times), now) + REMEMBERED if times else None
