"""Drills by a plan: set and ended by an administrator, begun by the engine when their row is due, missed in sight of everybody."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, time, timedelta
from random import SystemRandom

from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import Q

from clinic.actions.audit import Recording, json_value, recording
from clinic.lib.problems import FieldError, Invalid, Refused
from clinic.models import Actor, Notification, Site
from complications.actions.administrators import tell_administrators
from complications.actions.drills import start_drill, tell_of_failure
from complications.models import Drill, DrillPlan, Escalation
from complications.queries.drills import drill_report
from complications.rules.drill_plan import Plan, Window, windows
from complications.vocabulary import DrillEvery, DrillMiss, EscalationStatus, Pathway, Tier

log = logging.getLogger("complications.drills")

SYSTEM = Actor.system("drill_plan")
#: How long a drill waits for a case that needs the same people, or for another drill.
POSTPONE = timedelta(minutes=15)
#: A window shorter than this could be missed by one restart of the service.
SHORTEST = timedelta(minutes=30)
#: For how long a receipt may still enter a report.
RECEIPTS = timedelta(days=7)
NEEDS_PEOPLE = (EscalationStatus.PAGING.value, EscalationStatus.ACKNOWLEDGED.value, EscalationStatus.AT_BEDSIDE.value)


def set_drill_plan(
    *,
    site: Site,
    tier: Tier,
    pathway: Pathway,
    every: DrillEvery,
    weekday: int,
    week: int,
    begin: time,
    end: time,
    announced: bool,
    by: Actor,
    now: datetime,
) -> DrillPlan:
    """Let drills of this kind begin by themselves at the site; the first in the next window that opens.

    Raise Invalid for a pathway that pages nobody or a window under half an hour, Refused where such a plan runs already.
    """
    faults: list[FieldError] = []
    if not pathway.pages:
        faults.append(FieldError("pathway", "does_not_page", "This pathway pages nobody: ring its team as a drill."))
    if not 0 <= weekday <= 6:
        faults.append(FieldError("weekday", "out_of_range", "Name a day of the week, 0 for Monday to 6 for Sunday."))
    if not 1 <= week <= 5:
        faults.append(FieldError("week", "out_of_range", "Name a week of the month, 1 to 4, or 5 for the last."))
    if faults:
        raise Invalid("invalid", faults[0].detail, faults)
    window = next(windows(Plan(every, weekday, week, begin, end, site.timezone), now))
    if window.closes - window.opens < SHORTEST:
        raise Invalid.field("end", "too_short", "Leave at least half an hour between the first and the last minute.")
    with recording(by=by, now=now) as trail:
        plan = DrillPlan(
            site=site,
            tier=tier.value,
            pathway=pathway.value,
            announced=announced,
            every=every.value,
            weekday=weekday,
            week=week,
            begin=begin,
            end=end,
            next_at=_drawn(window),
            closes_at=window.closes,
            created_at=now,
            created_by=by.user,
        )
        try:
            with transaction.atomic():
                plan.save(force_insert=True)
        except IntegrityError:
            raise Refused("plan_exists", "Such a plan runs already at this site: end it first.") from None
        rule = {"tier": tier.value, "pathway": pathway.value, "every": every.value, "weekday": weekday, "week": week}
        rule |= {"begin": f"{begin:%H:%M}", "end": f"{end:%H:%M}", "announced": announced}
        _trail(trail, plan, "drill_plan.set", rule)
    return plan


def end_drill_plan(*, plan: DrillPlan, by: Actor, now: datetime) -> DrillPlan:
    """End a plan: no further drill begins by it. A second touch changes nothing; a drill that runs goes on."""
    with recording(by=by, now=now) as trail:
        row = DrillPlan.objects.select_for_update(no_key=True).get(pk=plan.pk)
        if row.ended_at is None:
            row.ended_at = now
            DrillPlan.objects.filter(pk=row.pk).update(ended_at=now)
            _trail(trail, row, "drill_plan.ended", {})
    return row


def start_planned(*, now: datetime) -> int:
    """Begin the drills whose time has come, each in one transaction with the time of the next; return how many rows moved.

    Whoever runs it: a plan that another engine holds is skipped, and found moved on afterwards. A drill waits while a case
    of the site needs the same people or another drill runs; what did not begin in its window is missed, never late.
    """
    moved = 0
    for key in list(DrillPlan.objects.due(now).order_by("next_at", "pk").values_list("pk", flat=True)[:20]):
        try:
            moved += _begin(key, now)
        except DatabaseError as error:
            log.warning("drill_plan_held", extra={"plan": key, "error": type(error).__name__})
        except Exception:
            # A policy or zone that cannot be read: looked at again, and missed in sight of everybody when its window ends.
            log.exception("drill_not_begun", extra={"plan": key})
            moved += _put_off(key, DrillMiss.FAILED, now)
    return moved


def _begin(key: int, now: datetime) -> int:
    with recording(by=SYSTEM, now=now) as trail:
        plan = _held(key, now)
        if plan is None:
            return 0
        if now >= plan.closes_at:
            _miss(plan, DrillMiss.NO_ENGINE, now, trail)
        elif Escalation.objects.at_site(plan.site).cases().filter(status__in=NEEDS_PEOPLE).exists():
            _wait(plan, DrillMiss.CASE_OPEN, now, trail)
        elif Escalation.objects.at_site(plan.site).open().filter(is_drill=True).exists():
            _wait(plan, DrillMiss.DRILL_RUNNING, now, trail)
        else:
            tier, pathway = Tier(plan.tier), Pathway(plan.pathway)
            start_drill(
                site=plan.site, tier=tier, pathway=pathway, announced=plan.announced, plan=plan, by=SYSTEM, now=now
            )
            _next(plan, now)
    return 1


def _put_off(key: int, why: DrillMiss, now: datetime) -> int:
    with recording(by=SYSTEM, now=now) as trail:
        plan = _held(key, now)
        if plan is None:
            return 0
        if now >= plan.closes_at:
            _miss(plan, why, now, trail)
        else:
            _wait(plan, why, now, trail)
    return 1


def _held(key: int, now: datetime) -> DrillPlan | None:
    """Lock the plan where it is still due, and read it with its site once the lock is held."""
    rows = DrillPlan.objects.due(now).filter(pk=key).select_for_update(no_key=True, skip_locked=True)
    return DrillPlan.objects.select_related("site").get(pk=key) if rows.values_list("pk").first() else None


def _wait(plan: DrillPlan, why: DrillMiss, now: datetime, trail: Recording) -> None:
    later = now + POSTPONE
    if later < plan.closes_at:
        DrillPlan.objects.filter(pk=plan.pk).update(next_at=later)
    else:
        _miss(plan, why, now, trail)


def _miss(plan: DrillPlan, why: DrillMiss, now: datetime, trail: Recording) -> None:
    """Keep that a drill did not begin, tell the administrators, and go on with the next window."""
    was = plan.next_at
    DrillPlan.objects.filter(pk=plan.pk).update(missed_at=now, missed_why=why.value)
    _next(plan, now)
    told, people = tell_administrators(
        plan.site,
        kind="drill_missed",
        reference=f"drill_plan:{plan.public_id}:{was:%Y-%m-%d}",
        context={"why": why.value, "path": "/escalations/drills/"},
        by=SYSTEM,
        now=now,
    )
    _trail(trail, plan, "drill.missed", {"why": why.value, "planned_at": was, "messages": told, "people": people})


def _next(plan: DrillPlan, now: datetime) -> None:
    window = next(windows(plan.rule, max(now, plan.closes_at - timedelta(seconds=1))))
    DrillPlan.objects.filter(pk=plan.pk).update(next_at=_drawn(window), closes_at=window.closes)


def _drawn(window: Window) -> datetime:
    # Whoever could compute it could wait for it.
    return window.moment(SystemRandom().random())


def _trail(trail: Recording, plan: DrillPlan, action: str, data: Mapping[str, object]) -> None:
    subject = f"drill_plan:{plan.public_id}"
    trail.add(stream=f"site:{plan.site.public_id}", action=action, subject=subject, data=data)


def amend_reports(*, now: datetime) -> int:
    """Write what became known of a drill's messages after its end into its report; return how many reports changed.

    A receipt comes minutes later, a page that was on its way as the answer came may still fail. The criteria are judged
    anew; a drill that is no longer passed is told as a failed one.
    """
    rows = Drill.objects.filter(reported_at__gte=now - RECEIPTS).select_related("escalation__site", "started_by")
    return sum(_amend(drill, now) for drill in _with_news(list(rows)))


def _with_news(drills: Iterable[Drill]) -> list[Drill]:
    by_reference = {drill.escalation.reference: drill for drill in drills}
    since = min(
        (drill.amended_at or drill.reported_at for drill in by_reference.values() if drill.reported_at), default=None
    )
    if since is None:
        return []
    late = Q(delivered_at__gt=since) | Q(failed_at__gt=since) | Q(sent_at__gt=since)
    news = Notification.objects.filter(late, reference__in=by_reference).values_list(
        "reference", "delivered_at", "failed_at", "sent_at"
    )
    found: dict[str, Drill] = {}
    for reference, *moments in news:
        drill = by_reference[reference]
        known = drill.amended_at or drill.reported_at
        if known is not None and any(moment is not None and moment > known for moment in moments):
            found[reference] = drill
    return list(found.values())


def _amend(drill: Drill, now: datetime) -> int:
    with recording(by=SYSTEM, now=now) as trail:
        locked = Drill.objects.select_for_update(no_key=True, of=("self",)).filter(pk=drill.pk, report__isnull=False)
        if not locked.values_list("pk").first():
            return 0
        row = drill.escalation
        report = json_value({**drill_report(row, drill, row.closed_at or now), "amended_at": now})
        Drill.objects.filter(pk=drill.pk).update(report=report, passed=report["passed"], amended_at=now)
        told = {"passed": report["passed"], "was": drill.passed}
        trail.add(stream=row.reference, action="drill.amended", subject=row.reference, data=told)
        if drill.passed and not report["passed"]:
            tell_of_failure(drill, report, now=now)
    return 1
