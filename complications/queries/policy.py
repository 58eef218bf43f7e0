"""Which paging policy is in force at a site, and its versions."""

from __future__ import annotations

from typing import Any

from clinic.models import Membership, Site
from clinic.vocabulary import Role
from complications.models import EscalationPolicy
from complications.rules.policy import check, default_policy


def policy_in_force(site: Site) -> tuple[dict[str, Any], int]:
    """Return the site's policy and its version; without one the default, with the site's phone list as backstop.

    A deficit must page even where nobody has set anything up: a broken policy row falls back to the default as well.
    """
    row = EscalationPolicy.objects.filter(site=site).order_by("-version").first()
    frame = {"timezone": site.timezone, "time_scale": site.time_scale}
    if row is not None and not check(data := {**row.data, **frame}):
        return data, row.version
    data = {**default_policy(), **frame}
    name, number = site.first_phone
    data["backstop"] = {"name": name or "Switchboard", "phone": number or "switchboard"}
    return data, 0


def who_can_operate(site: Site) -> int:
    """Return how many active surgeons of the site can open the canal."""
    rows = Membership.objects.filter(site=site, role=Role.SURGEON.value, is_active=True)
    return rows.filter(user__is_active=True, user__can_decompress=True).count()
