"""Tell the administrators once a day what is wrong with the rota of the days to come."""

from __future__ import annotations

import logging
from datetime import datetime, time
from zoneinfo import ZoneInfo

from clinic.actions.audit import recording
from clinic.models import Actor, Notification, Site
from complications.actions.administrators import tell_administrators
from complications.queries.coverage import Coverage, check_coverage

log = logging.getLogger("complications.coverage")

SYSTEM = Actor.system("coverage")
#: The day's message is written after this time of the site: at night nobody mends a rota.
FROM = time(7)


def tell_coverage(*, now: datetime) -> int:
    """Write the day's message for each site whose rota has a red finding and return how many messages are new.

    What was told is found by query, so this may run at any interval and by several workers.
    """
    count = 0
    for site in Site.objects.order_by("pk"):
        try:
            count += _check(site, now)
        except Exception:
            # One site whose policy or zone cannot be read never keeps the others from being checked.
            log.exception("coverage_not_checked", extra={"site": site.code})
    return count


def _check(site: Site, now: datetime) -> int:
    local = now.astimezone(ZoneInfo(site.timezone))
    reference = f"coverage:{site.public_id}:{local.date().isoformat()}"
    if local.time() < FROM or Notification.objects.filter(reference=reference).exists():
        return 0
    found = check_coverage(site, now)
    return _tell(found, reference, now) if found.red else 0


def _tell(found: Coverage, reference: str, now: datetime) -> int:
    site = found.site
    with recording(by=SYSTEM, now=now) as trail:
        context = {"red": len(found.red), "path": "/rota/#check"}
        new, people = tell_administrators(
            site, kind="coverage_red", reference=reference, context=context, by=SYSTEM, now=now
        )
        if new:
            trail.add(
                stream=f"site:{site.public_id}",
                action="coverage.told",
                subject=f"site:{site.public_id}",
                data={"red": len(found.red), "codes": sorted({one.code for one in found.red}), "people": people},
            )
    return new
