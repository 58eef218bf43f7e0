"""Plain makers of the middle floor's rows: a staffed site, a baseline, reports and escalations."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from clinic.actions.procedures import record_exam
from clinic.lib.clock import database_now
from clinic.models import Actor, Procedure, Site, User
from clinic.vocabulary import ExamKind, Post, Role
from complications.actions.follow_up import plan_follow_ups
from complications.actions.policy import set_policy
from complications.actions.reporting import ReportResult, report_complication
from complications.models import Complication, Escalation, FollowUp
from complications.rules.policy import default_policy
from complications.rules.report import Report
from complications.vocabulary import LEG_MUSCLES
from tests.make import make_actor, make_procedure, make_shift, make_site, make_user

FULL_STRENGTH = {f"{muscle}_{side}": 5 for muscle in LEG_MUSCLES for side in "lr"}
NORMAL = {
    "mrc": FULL_STRENGTH,
    "perianal_sensation": "normal",
    "bladder": "normal",
    "bowel": "normal",
    "light_touch_l": "normal",
    "light_touch_r": "normal",
}
BACKSTOP = {"name": "Clinical director", "email": "director@example.org", "phone": "+90 555 000 0009"}


@dataclass
class Ward:
    """A site where every post is staffed, and a procedure of its operator."""

    site: Site
    procedure: Procedure
    operator: User
    first: User
    second: User
    nurse: User
    anaesthetist: User
    head: User
    manager: User
    physician: User

    @property
    def by_nurse(self) -> Actor:
        """The nurse as an actor."""
        return make_actor(self.nurse, "nurse")

    def by(self, user: User, role: str = "surgeon") -> Actor:
        """Anybody as an actor."""
        return make_actor(user, role)


def make_ward(at: datetime | None = None, *, baseline: bool = True, **fields: Any) -> Ward:
    """A staffed site with a policy, its backstop, and a procedure with a normal baseline."""
    site = fields.pop("site", None) or make_site()
    people = {
        "operator": make_user(site, Role.SURGEON),
        "first": make_user(site, Role.SURGEON),
        "second": make_user(site, Role.SURGEON),
        "nurse": make_user(site, Role.NURSE),
        "anaesthetist": make_user(site, Role.ANAESTHETIST),
        "head": make_user(site, Role.SURGEON),
        "manager": make_user(site, Role.ADMINISTRATOR),
        "physician": make_user(site, Role.ANAESTHETIST),
    }
    make_shift(site, people["first"], Post.ON_CALL_SPINE, 1, around=at)
    make_shift(site, people["second"], Post.ON_CALL_SPINE, 2, around=at)
    make_shift(site, people["nurse"], Post.NURSE_IN_CHARGE, around=at)
    make_shift(site, people["anaesthetist"], Post.ANAESTHETIST_ON_CALL, around=at)
    make_shift(site, people["head"], Post.HEAD_OF_DEPARTMENT, around=at)
    make_shift(site, people["manager"], Post.DUTY_MANAGER, around=at)
    make_shift(site, people["physician"], Post.MEDICAL_ON_CALL, around=at)
    procedure = make_procedure(site, people["operator"], **fields)
    ward = Ward(site=site, procedure=procedure, **people)
    moment = at or procedure.created_at
    set_policy(site=site, data={**default_policy(), "backstop": BACKSTOP}, by=make_actor(None, "admin"), now=moment)
    if baseline:
        make_baseline(procedure, moment)
    return ward


def make_baseline(procedure: Procedure, at: datetime, source: str = "run:pre", **exam: Any) -> None:
    """A baseline examination, normal where nothing else is given."""
    record_exam(
        procedure=procedure,
        kind=ExamKind.BASELINE,
        exam={**NORMAL, **exam},
        source=source,
        occurred_at=at,
        by=make_actor(),
        now=at,
    )


def weak_leg(grade: int = 4, muscle: str = "ankle_dorsiflexion_l") -> dict[str, Any]:
    """What a report sends for a leg with one weak muscle."""
    return {"exam": {"mrc": {**FULL_STRENGTH, muscle: grade}, "perianal_sensation": "normal"}}


def make_report(ward: Ward, now: datetime, by: Actor | None = None, **values: Any) -> ReportResult:
    """A report of a nurse; without a type it is a bare deficit of two grades (an emergency)."""
    neuro = values.pop("neuro", weak_leg(2) if "type" not in values else None)
    report = Report(**{"public_id": uuid.uuid4(), "raw_neuro": neuro, "detected_by": "nurse", **values})
    return report_complication(report=report, procedure=ward.procedure, by=by or ward.by_nurse, now=now)


def make_escalation(ward: Ward, now: datetime, **values: Any) -> Escalation:
    """An emergency of the spine pathway, opened by a report."""
    escalation = make_report(ward, now, **values).escalation
    assert escalation is not None
    return escalation


def report_deficit(procedure: Procedure, nurse: User, **values: Any) -> Escalation:
    """An emergency of the spine pathway at any site, staffed or not."""
    report = Report(public_id=uuid.uuid4(), raw_neuro=weak_leg(2), **values)
    result = report_complication(report=report, procedure=procedure, by=make_actor(nurse, "nurse"), now=database_now())
    assert result.escalation is not None
    return result.escalation


def report_leak(procedure: Procedure, surgeon: User, **values: Any) -> Complication:
    """A leak that calls nobody."""
    report = Report(**{"public_id": uuid.uuid4(), "type": "LEK-DIS", "level": "L1", **values})
    by = make_actor(surgeon, "surgeon")
    return report_complication(report=report, procedure=procedure, by=by, now=database_now()).complication


def plan_visits(procedure: Procedure, ended_at: datetime | None = None) -> FollowUp:
    """The plan of a procedure that has just ended; return its first visit."""
    now = database_now()
    plan_follow_ups(procedure=procedure, ended_at=ended_at or now, by=make_actor(), now=now)
    return procedure.follow_ups.filter(kind="visit").order_by("target_at")[0]
