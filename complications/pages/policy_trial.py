"""A policy that is being typed, tried before it is set: who would be paged when by it, beside the one in force."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from clinic.access import Caller, access_colleague
from clinic.lib.clock import database_now
from clinic.lib.problems import FieldError, Invalid, Problem
from clinic.models import User
from clinic.pages.rota import local_text, read_local
from clinic.vocabulary import Role
from complications.actions.policy import policy_faults
from complications.pages.policy_form import Fault
from complications.queries.simulation import Simulation, simulate
from complications.rules.policy import check
from complications.vocabulary import Pathway, Setting, Tier

PATHWAYS = [pathway for pathway in Pathway if pathway.pages]


class Trial:
    """What the form says of an imagined report, and what both policies would do with it. Nothing is written or sent."""

    def __init__(self, caller: Caller, post: Mapping[str, Any]) -> None:
        self.caller = caller
        self.asked = bool(post.get("try"))
        self.zone = ZoneInfo(caller.place.timezone)
        self.given: dict[str, str] = {
            "at": str(post.get("try.at") or local_text(database_now(), self.zone)),
            "tier": str(post.get("try.tier") or Tier.T0.value),
            "pathway": str(post.get("try.pathway") or Pathway.SPINE.value),
            "setting": str(post.get("try.setting") or Setting.IN_HOUSE.value),
            "operator": str(post.get("try.operator") or ""),
        }
        self.typed: Simulation | None = None
        self.in_force: Simulation | None = None
        self.tiers, self.pathways, self.settings = list(Tier), PATHWAYS, list(Setting)

    @property
    def surgeons(self) -> Any:
        """Who could have operated."""
        rows = User.objects.filter(
            memberships__site=self.caller.place, memberships__role=Role.SURGEON.value, memberships__is_active=True
        )
        return rows.filter(is_active=True).order_by("full_name")

    def play(self, data: Mapping[str, Any], wrong: list[Fault]) -> Problem | None:
        """Play the report by what is typed, where it can be played; return what would forbid setting it, if anything."""
        unreadable = wrong or check(data)
        faults = [FieldError(*one) for one in unreadable or policy_faults(self.caller.place, data)]
        if not unreadable:
            try:
                report = self._report()
            except Problem as problem:
                return problem
            self.typed = simulate(site=self.caller.place, draft=data, **report)
            self.in_force = simulate(site=self.caller.place, **report)
        return Invalid("invalid", _("This policy cannot be used."), faults) if faults else None

    def _report(self) -> dict[str, Any]:
        for name, kind in (("tier", Tier), ("pathway", Pathway), ("setting", Setting)):
            if self.given[name] not in set(kind) or self.given[name] == Pathway.STROKE.value:
                raise Invalid.field(f"try.{name}", "not_a_choice", _("Choose one of those that are shown."))
        return {
            "at": read_local(self.given["at"], "try.at", self.zone),
            "tier": Tier(self.given["tier"]),
            "pathway": Pathway(self.given["pathway"]),
            "setting": Setting(self.given["setting"]),
            "operator": access_colleague(self.caller, self.given["operator"]) if self.given["operator"] else None,
        }
