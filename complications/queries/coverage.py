"""The check of the days to come: five statements, however many days and people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from clinic.models import Membership, Site, User
from clinic.queries.rota import Rota, read_rota
from complications.queries.policy import policy_in_force
from complications.queries.recipients import Recipient, reached_by
from complications.rules import coverage as rules
from complications.rules.coverage import Colleague, Finding
from complications.rules.policy import Policy

DAYS = 14


@dataclass(frozen=True)
class Coverage:
    """What was looked at and what is wrong."""

    site: Site
    start: datetime
    end: datetime
    policy_version: int
    rota: Rota
    places: set[tuple[str, int]]
    findings: list[Finding]
    people: dict[int, User]

    @property
    def red(self) -> list[Finding]:
        """What must be mended now."""
        return [one for one in self.findings if one.red]

    @property
    def amber(self) -> list[Finding]:
        """What should be looked at."""
        return [one for one in self.findings if not one.red]

    def name(self, key: int | None) -> str:
        """Return a person's name; empty for nobody."""
        user = self.people.get(key) if key is not None else None
        return user.get_full_name() if user else ""


def check_coverage(site: Site, now: datetime, days: int = DAYS) -> Coverage:
    """Return what is wrong with the rota of the next `days`, for every pathway and tier of the policy in force."""
    end = now + timedelta(days=days)
    data, version = policy_in_force(site)
    policy = Policy(data)
    rota = read_rota(site, now, end)
    roles: dict[int, set[str]] = {}
    people = dict(rota.people)
    members = Membership.objects.filter(site=site, is_active=True, user__is_active=True).select_related("user")
    for member in members.order_by("pk"):
        roles.setdefault(member.user_id, set()).add(member.role)
        people.setdefault(member.user_id, member.user)
    contact = policy.backstop
    reached = reached_by(people.values())
    colleagues = {
        key: Colleague(
            key,
            frozenset(roles.get(key, ())),
            user.can_decompress,
            bool(reached[key]),
            _is_contact(user, contact),
        )
        for key, user in people.items()
    }
    email, phone = str(contact.get("email") or ""), str(contact.get("phone") or "")
    backstop = Recipient("backstop", str(contact.get("name", "")), email=email, phone=phone)
    checked = rules.Site(rota.plan, policy, colleagues, bool(backstop.channels()))
    found = rules.findings(checked, now, end)
    return Coverage(site, now, end, version, rota, rules.wanted_places(policy), found, people)


def _is_contact(user: User, contact: Any) -> bool:
    """Return whether the last resort outside the rota is this very person."""
    email, phone = str(contact.get("email") or "").lower(), _digits(str(contact.get("phone") or ""))
    return bool((email and user.email.lower() == email) or (phone and _digits(user.phone) == phone))


def _digits(number: str) -> str:
    return "".join(character for character in number if character.isdigit())


def coverage_body(found: Coverage) -> dict[str, Any]:
    """Return the check as the API shows it."""
    return {
        "from": found.start,
        "to": found.end,
        "policy_version": found.policy_version,
        "red": len(found.red),
        "amber": len(found.amber),
        "findings": [
            {
                "code": one.code,
                "severity": one.severity,
                "start": one.start,
                "end": one.end,
                "post": one.post or None,
                "rank": one.rank or None,
                "person": _person(found.people.get(one.person or 0)),
                "pathway": one.pathway or None,
                "step": one.step,
                "tiers": list(one.tiers),
            }
            for one in found.findings
        ],
    }


def _person(user: User | None) -> dict[str, str] | None:
    return None if user is None else {"user": user.username, "name": user.get_full_name()}
