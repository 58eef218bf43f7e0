"""Drills: the real ladder, rota, policy, channels and clocks for nobody's patient, and a report of how it went."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from clinic.actions.audit import Recording, json_value, recording
from clinic.actions.notification import cancel_unsent
from clinic.lib.problems import Invalid, Refused
from clinic.models import Actor, Site
from complications.actions.administrators import tell_administrators
from complications.actions.opening import wake_engine
from complications.actions.paging import send
from complications.actions.standing import change, lock, note
from complications.models import Drill, DrillPlan, Escalation
from complications.queries.drills import drill_report
from complications.queries.policy import policy_in_force
from complications.queries.recipients import freeze, reachable
from complications.rules.escalation import first_page, next_due
from complications.rules.policy import Policy
from complications.vocabulary import EscalationStatus, EventKind, Pathway, Setting, Tier


def start_drill(
    *,
    site: Site,
    tier: Tier,
    pathway: Pathway,
    announced: bool,
    by: Actor,
    now: datetime,
    plan: DrillPlan | None = None,
) -> Escalation:
    """Begin a drill at the site (by `plan`, where one says so) and return its escalation; the engine pages as it would for a case.

    It has no procedure and so no patient. Raise Refused `drill_running` while the last one has not ended, Invalid for a
    pathway that pages nobody.
    """
    if not pathway.pages:
        raise Invalid.field("pathway", "does_not_page", "This pathway pages nobody: ring its team as a drill.")
    data, version = policy_in_force(site)
    start, quiet_posts = first_page(Policy(data), tier, now, now)
    row = Escalation(
        site=site,
        is_drill=True,
        pathway=pathway.value,
        tier=tier.value,
        setting=Setting.IN_HOUSE.value,
        source="drill",
        policy=data,
        policy_version=version,
        recipients=freeze(site, None, now),
        opened_by=by.user,
        opened_at=now,
        found_at=now,
        origin=start,
        page_due_at=start,
    )
    row.next_due_at = next_due(row.standing(), now)
    with recording(by=by, now=now) as trail:
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:
            raise Refused("drill_running", "A drill is running at this site: wait for its end, or stop it.") from None
        Drill.objects.create(escalation=row, announced=announced, started_by=by.user, plan=plan)
        told = {"tier": tier.value, "pathway": pathway.value, "announced": announced, "planned": plan is not None}
        trail.add(stream=row.reference, action="drill.started", subject=row.reference, data=told, by=by)
        quiet = reachable(row, quiet_posts, now) if quiet_posts else []
        told_now = send(row, quiet, kind="escalation_quiet", key="quiet", now=now) if quiet else []
        opened = {"triggers": [], "source": "drill", "setting": row.setting, "told_now": told_now}
        note(row, EventKind.OPENED, by=by, now=now, trail=trail, data=opened)
        wake_engine()
    return row


def end_drill(row: Escalation, *, cause: str, by: Actor, now: datetime, trail: Recording) -> None:
    """Close a drill and write its report in the same transaction (`cause`: drill_answered, _unanswered, _stopped).

    What has not left is cancelled, but for the word to who began it that somebody answered.
    """
    if cause != "drill_answered":
        cancel_unsent(reference=row.reference, now=now)
    change(row, now=now, status=EscalationStatus.CLOSED)
    note(row, EventKind.CLOSED, by=by, now=now, trail=trail, data={"cause": cause})
    drill = Drill.objects.select_related("started_by", "escalation__site").get(escalation=row)
    report = json_value(drill_report(row, drill, now))
    Drill.objects.filter(pk=drill.pk).update(report=report, passed=report["passed"], reported_at=now)
    failed = [one["name"] for one in report["criteria"] if not one["passed"]]
    told = {"passed": report["passed"], "failed": failed, "cause": cause}
    trail.add(stream=row.reference, action="drill.reported", subject=row.reference, data=told, by=by)
    if not report["passed"]:
        tell_of_failure(drill, report, now=now)


def tell_of_failure(drill: Drill, report: Mapping[str, Any], *, now: datetime) -> None:
    """Tell the administrators that a planned drill was not passed; who begins one by hand sees it on its page."""
    if drill.plan_id is None:
        return
    row = drill.escalation
    failed = [one["name"] for one in report["criteria"] if not one["passed"]]
    tell_administrators(
        row.site,
        kind="drill_failed",
        reference=f"drill:{row.public_id}",
        context={"failed": len(failed), "short": row.short, "path": f"/escalations/drills/{row.public_id}/"},
        by=Actor.system("drill_plan"),
        now=now,
    )


def stop_drill(*, escalation: Escalation, by: Actor, now: datetime) -> Escalation:
    """End a drill before anybody answered; a second touch changes nothing. Raise Refused for a case."""
    with recording(by=by, now=now) as trail:
        row = lock(escalation.public_id)
        if not row.is_drill:
            raise Refused("not_a_drill", "This is a case of a patient: it ends with a surgeon's decision.")
        if EscalationStatus(row.status).is_open:
            end_drill(row, cause="drill_stopped", by=by, now=now, trail=trail)
    return row
