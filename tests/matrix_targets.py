"""How the authorization test calls each route: its url arguments for a record, and a body.

Every url name that takes arguments needs an entry in `ARGUMENTS`: a function of the `Place` (one site with its people
and records) that returns the arguments of that site's record. `BODIES` gives a body where an empty one would not show
what the test asks. A record that a floor needs is made lazily by a function registered with `@record("name")`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any

from checklists.actions.drafts import next_version, open_draft
from checklists.models import Draft, Run
from checklists.queries.definitions import in_force
from clinic.actions.rota import add_leave, add_override
from clinic.actions.swaps import Part, propose_swap
from clinic.lib.clock import database_now
from clinic.models import (
    ApiToken,
    ContactPoint,
    Export,
    Leave,
    Procedure,
    Room,
    Shift,
    ShiftOverride,
    ShiftSwap,
    Site,
    User,
)
from clinic.vocabulary import Role
from complications.actions.drill_plans import set_drill_plan
from complications.actions.drills import start_drill
from complications.actions.follow_up import plan_follow_ups
from complications.models import Complication, DrillPlan, Escalation, FollowUp
from complications.vocabulary import DrillEvery, Pathway, Tier
from tests.make import (
    make_actor,
    make_contact,
    make_export,
    make_procedure,
    make_shift,
    make_site,
    make_token,
    make_user,
)
from tests.make_checklists import make_runs
from tests.make_complications import report_deficit, report_leak

Maker = Callable[["Place"], Any]
RECORDS: dict[str, Maker] = {}


def record(name: str) -> Callable[[Maker], Maker]:
    """Register how a place makes the record `name`, once, at the first time that a route needs it."""

    def register(maker: Maker) -> Maker:
        RECORDS[name] = maker
        return maker

    return register


@dataclass
class Place:
    """One site, a person of every role, and its records."""

    site: Site
    people: dict[str, User]
    made: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        if name not in self.made:
            self.made[name] = RECORDS[name](self)
        return self.made[name]

    @classmethod
    def make(cls) -> Place:
        """Make a site with a person of every role."""
        site = make_site()
        return cls(site, {str(role): make_user(site, role) for role in Role})


@record("procedure")
def _procedure(place: Place) -> Procedure:
    return make_procedure(place.site, place.people["surgeon"])


#: url name → arguments of the place's own record; routes without arguments need no line
ARGUMENTS: dict[str, Callable[[Place], dict[str, Any]]] = {}

#: url name → body of a write, where an empty one would not do
BODIES: dict[str, Callable[[Place], Any]] = {}

#: url name → query of the address, where the record is named there
QUERIES: dict[str, Callable[[Place], dict[str, str]]] = {}

#: routes whose arguments name a thing that is the same at every site
SAME_EVERYWHERE: set[str] = set()

#: routes of allauth's own views, tried by the log-in tests
NOT_OURS = ("account_", "mfa_")


@record("export")
def _export(place: Place) -> Export:
    return make_export(place.site, place.people["administrator"])


@record("room")
def _room(place: Place) -> Room:
    return place.site.rooms.get_or_create(code=f"wall-{place.site.pk}", defaults={"name": "Theatre"})[0]


ARGUMENTS["page-wall"] = lambda place: {"room": place["room"].code}
ARGUMENTS["api-export"] = ARGUMENTS["api-export-identified"] = lambda place: {"dataset": "procedures"}
ARGUMENTS["api-export-manifest"] = lambda place: {"dataset": place["export"].dataset}
QUERIES["api-export-manifest"] = lambda place: {"export": str(place["export"].public_id)}
QUERIES["api-export-identified"] = lambda place: {"reason": "the test walks every cell"}
SAME_EVERYWHERE |= {"api-export", "api-export-identified"}


@record("token")
def _token(place: Place) -> ApiToken:
    return make_token(place.site, place.people["administrator"])


ARGUMENTS["api-token-revocation"] = lambda place: {"public_id": place["token"].public_id}
BODIES["api-tokens"] = lambda place: {"name": "registry", "scopes": ["read"], "days": 1}


@record("contact")
def _contact(place: Place) -> ContactPoint:
    return make_contact(place.people["privacy_officer"], "email", "privacy@example.org")


@record("webhook")
def _webhook(place: Place) -> ContactPoint:
    now = database_now()
    return ContactPoint.objects.create(
        site=place.site, kind="webhook", address="https://hooks.example.org/", created_at=now, verified_at=now
    )


ARGUMENTS |= {
    name: lambda place: {"public_id": place["contact"].public_id}
    for name in ("page-contact", "api-contact", "api-contact-codes", "api-contact-verification", "api-contact-tests")
}
ARGUMENTS |= {
    name: lambda place: {"public_id": place["webhook"].public_id}
    for name in ("page-site-contact", "api-site-contact", "api-site-contact-tests")
}
ARGUMENTS["api-receipt"] = lambda place: {"token": "not-a-receipt"}
SAME_EVERYWHERE |= {"api-receipt"}
BODIES["api-contact-verification"] = lambda place: {"code": "000000"}


@record("run")
def _run(place: Place) -> Run:
    return make_runs(place["procedure"])["pre"]


ARGUMENTS |= {
    name: lambda place: {"public_id": place["procedure"].public_id}
    for name in ("api-procedure", "api-procedure-timeline", "api-procedure-runs")
}
ARGUMENTS |= {
    name: lambda place: {"public_id": place["run"].public_id}
    for name in (
        "api-run",
        "page-run",
        "api-run-gate",
        "api-run-events",
        "api-run-identity",
        "api-run-signatures",
        "api-run-countersignatures",
        "api-run-overrides",
        "api-run-pauses",
        "api-run-emergency",
        "api-run-amendments",
        "api-run-levels",
        "api-run-outcome",
    )
}
ARGUMENTS["api-definition"] = lambda place: {"sha256": place["run"].definition.sha256}
SAME_EVERYWHERE |= {"api-definition"}
BODIES["api-run-events"] = lambda place: {"events": []}
BODIES["api-run-pauses"] = lambda place: {"kind": "paused"}


@record("drill")
def _drill(place: Place) -> Escalation:
    administrator = make_actor(place.people["administrator"])
    drilled = {"tier": Tier.T0, "pathway": Pathway.SPINE, "announced": True, "by": administrator}
    return start_drill(site=place.site, now=database_now(), **drilled)  # type: ignore[arg-type]


ARGUMENTS |= {
    name: lambda place: {"public_id": place["drill"].public_id}
    for name in ("api-drill", "api-drill-end", "page-drill", "page-drill-end")
}


@record("plan")
def _plan(place: Place) -> DrillPlan:
    by = make_actor(place.people["administrator"])
    when = {"every": DrillEvery.MONTH, "weekday": 1, "week": 2, "begin": time(10), "end": time(15)}
    kind = {"tier": Tier.T0, "pathway": Pathway.SPINE, "announced": False}
    return set_drill_plan(site=place.site, by=by, now=database_now(), **when, **kind)  # type: ignore[arg-type]


ARGUMENTS |= {
    name: lambda place: {"public_id": place["plan"].public_id} for name in ("api-drill-plan-end", "page-drill-plan-end")
}


@record("complication")
def _complication(place: Place) -> Complication:
    return report_leak(place["procedure"], place.people["surgeon"])


@record("escalation")
def _escalation(place: Place) -> Escalation:
    return report_deficit(place["procedure"], place.people["nurse"])


ARGUMENTS |= {
    name: lambda place: {"public_id": place["complication"].public_id}
    for name in ("api-complication", "api-complication-versions")
}
ARGUMENTS |= {
    name: lambda place: {"public_id": place["escalation"].public_id}
    for name in (
        "api-escalation",
        "api-escalation-acknowledgement",
        "api-escalation-arrival",
        "api-escalation-handover",
        "api-escalation-decline",
        "api-escalation-tier",
        "api-escalation-milestones",
        "api-escalation-decision",
        "api-escalation-raised-in-error",
        "api-escalation-bedside",
    )
}
ARGUMENTS |= {
    name: lambda place: {"public_id": place["follow_up"].public_id}
    for name in ("api-follow-up", "api-follow-up-claim", "api-follow-up-closure", "api-follow-up-contact-attempts")
}
ARGUMENTS["api-procedure-contacts"] = lambda place: {"public_id": place["procedure"].public_id}
BODIES["api-escalation-acknowledgement"] = lambda place: {"eta_minutes": 10}
ARGUMENTS["page-procedure"] = lambda place: {"public_id": place["procedure"].public_id}
ARGUMENTS["page-complication"] = lambda place: {"public_id": place["complication"].public_id}
ARGUMENTS |= {
    name: lambda place: {"public_id": place["escalation"].public_id}
    for name in (
        "page-escalation",
        "page-escalation-acknowledgement",
        "page-escalation-arrival",
        "page-escalation-handover",
        "page-escalation-decline",
        "page-escalation-raise",
        "page-escalation-error",
        "page-escalation-milestone",
        "page-escalation-examination",
        "page-escalation-decision",
        "page-escalation-bedside",
    )
}
ARGUMENTS["page-answer-link"] = lambda place: {"token": "not-a-link"}
SAME_EVERYWHERE |= {"page-answer-link"}
QUERIES["page-complication-new"] = lambda place: {"procedure": str(place["procedure"].public_id)}


@record("follow_up")
def _follow_up(place: Place) -> FollowUp:
    make_runs(place["procedure"])
    now = database_now()
    plan_follow_ups(procedure=place["procedure"], ended_at=now, by=make_actor(), now=now)
    return FollowUp.objects.get(procedure=place["procedure"], code="FU-24H")


ARGUMENTS["api-follow-up-answers"] = lambda place: {"public_id": place["follow_up"].public_id}
ARGUMENTS["api-follow-up-form"] = lambda place: {"public_id": place["follow_up"].public_id}
ARGUMENTS["page-patient-called"] = lambda place: {"public_id": place["procedure"].public_id}
ARGUMENTS |= {
    name: lambda place: {"public_id": place["follow_up"].public_id}
    for name in ("page-follow-up", "page-follow-up-contact")
}


@record("shift")
def _shift(place: Place) -> Shift:
    return make_shift(place.site, place.people["surgeon"])


def _span() -> tuple[datetime, datetime]:
    now = database_now()
    return now - timedelta(hours=1), now + timedelta(hours=9)


@record("shift_override")
def _shift_override(place: Place) -> ShiftOverride:
    return add_override(
        site=place.site,
        post="on_call_spine",
        rank=1,
        user=place.people["surgeon"],
        span=_span(),
        reason="",
        by=make_actor(),
        now=database_now(),
    )


@record("leave")
def _leave(place: Place) -> Leave:
    user = place.people["nurse"]
    return add_leave(site=place.site, user=user, span=_span(), by=make_actor(user), now=database_now())


@record("swap")
def _swap(place: Place) -> ShiftSwap:
    surgeon, now = place.people["surgeon"], database_now()
    make_shift(place.site, surgeon)
    part = Part("on_call_spine", 1, (now + timedelta(hours=2), now + timedelta(hours=9)))
    asked = make_user(place.site, Role.SURGEON)
    return propose_swap(
        site=place.site, giver=surgeon, asked=asked, part=part, back=None, by=make_actor(surgeon), now=now
    )


ARGUMENTS["api-rota-shift"] = lambda place: {"public_id": place["shift"].public_id}
ARGUMENTS["api-rota-override"] = lambda place: {"public_id": place["shift_override"].public_id}
ARGUMENTS["api-rota-leave"] = lambda place: {"public_id": place["leave"].public_id}
ARGUMENTS["api-rota-swap-answer"] = lambda place: {"public_id": place["swap"].public_id}
ARGUMENTS["page-rota-shift"] = ARGUMENTS["api-rota-shift"]
ARGUMENTS["page-rota-override"] = ARGUMENTS["api-rota-override"]
ARGUMENTS["page-rota-leave"] = ARGUMENTS["api-rota-leave"]
ARGUMENTS["page-rota-swap"] = ARGUMENTS["api-rota-swap-answer"]


@record("draft")
def _draft(place: Place) -> Draft:
    """Lists are the same at every site, and one draft of a list is worked on at a time."""
    place["run"]
    known = Draft.objects.in_work().filter(name="pre").first()
    base = in_force("pre")
    assert base is not None
    by = make_actor(place.people["administrator"])
    content = {**base.content, "version": next_version("pre")}
    return known or open_draft(name="pre", content=content, base=base, note="", by=by, now=database_now())


DRAFT_ROUTES = {
    *("api-draft", "api-draft-dry-run", "api-draft-proposal", "api-draft-approval", "api-draft-return"),
    *("api-draft-discard", "page-draft", "page-draft-text"),
}
VERSION_ROUTES = {
    *("api-definition-runs", "api-definition-questionnaire", "api-definition-withdrawal", "page-definition"),
    "page-definition-withdrawal",
}
ARGUMENTS |= {name: lambda place: {"public_id": place["draft"].public_id} for name in DRAFT_ROUTES}
ARGUMENTS["page-draft-item"] = lambda place: {"public_id": place["draft"].public_id, "item": "PRE-PAI-01.rest"}
ARGUMENTS |= {name: lambda place: {"sha256": place["run"].definition.sha256} for name in VERSION_ROUTES}
ARGUMENTS["api-run-move"] = ARGUMENTS["page-run-move"] = lambda place: {"public_id": place["run"].public_id}
SAME_EVERYWHERE |= DRAFT_ROUTES | VERSION_ROUTES | {"page-draft-item"}
BODIES["page-definitions"] = lambda place: {"list": place["run"].definition.name}
