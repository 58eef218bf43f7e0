"""Plan follow-ups and neurological observations, remind, escalate what is missed, record contacts and answers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Q

from clinic.actions.audit import Recording, recording
from clinic.lib.problems import FieldError, Invalid
from clinic.lib.transitions import move
from clinic.models import Actor, NeuroExam, Procedure
from clinic.vocabulary import ExamKind
from complications.actions.assessment import assess
from complications.actions.drafts import draft_complication
from complications.actions.reporting import raise_triggers
from complications.models import Complication, ContactAttempt, Escalation, FollowUp
from complications.models.follow_up import OBSERVATION, VISIT
from complications.rules.follow_up import RED_FLAG_SYMPTOMS, Planned, default_plan, observations, plan, reminders
from complications.rules.report import Neuro, read_exam
from complications.rules.triggers import FiredTrigger
from complications.vocabulary import (
    FOLLOW_UP_ARROWS,
    AttemptOutcome,
    FollowUpStatus,
    RedFlag,
    Setting,
    Tier,
)

log = logging.getLogger("complications.follow_up")

OBSERVATION_CODE = "POS-NEU-01"
CANAL_CODES = ("LEK-EPI", "LEK-FOR")


def plan_follow_ups(*, procedure: Procedure, ended_at: datetime, by: Actor, now: datetime) -> int:
    """Plan the visits and the neurological observations of a procedure that ended at `ended_at`; return how many are new.

    Safe to repeat: what is open is dated again (a corrected end, a day case that leaves), what is done stays. A visit
    that no longer applies is left alone, it may have been promised. In a compressed demo site every wait is shortened.
    """
    zone = ZoneInfo(procedure.site.timezone)
    scale = max(1, procedure.site.time_scale)
    wanted: dict[tuple[str, str], tuple[str, Planned]] = {}
    for visit in plan(ended_at, zone, left_at=procedure.left_hospital_at):
        wanted[(visit.code, visit.part)] = (VISIT, _scaled(visit, ended_at, scale))
    if procedure.left_hospital_at is None:
        for number, (due, late) in enumerate(observations(ended_at, close_watch=_close_watch(procedure)), start=1):
            one = Planned(OBSERVATION_CODE, f"{number:02d}", due, due, late, "ward")
            wanted[(one.code, one.part)] = (OBSERVATION, _scaled(one, ended_at, scale))
    # A procedure that is planned late does not page for observations that nobody could have known of.
    gone = now - timedelta(hours=1) / scale
    wanted = {key: one for key, one in wanted.items() if one[0] == VISIT or one[1].closes_at >= gone}
    with recording(by=by, now=now) as trail:
        known = {(row.code, row.part): row for row in FollowUp.objects.filter(procedure=procedure)}
        fresh = [_row(procedure, kind, contact, now) for key, (kind, contact) in wanted.items() if key not in known]
        FollowUp.objects.bulk_create(fresh, ignore_conflicts=True)
        moved = [known[key] for key in wanted if key in known and _date_again(known[key], wanted[key][1])]
        if fresh or moved:
            stream = f"procedure:{procedure.public_id}"
            data = {"ended_at": ended_at, "planned": len(fresh), "moved": len(moved)}
            trail.add(stream=stream, action="follow_up.planned", subject=stream, data=data)
    return len(fresh)


def _close_watch(procedure: Procedure) -> bool:
    """After a case that paged, or a leak into canal or foramen, observations are hourly for a day."""
    leak = Complication.objects.filter(procedure=procedure, code__in=CANAL_CODES).exclude(status="not_reportable")
    paged = Escalation.objects.filter(procedure=procedure, tier__in=["t0", "t1", "t2"], pathway="spine")
    sites = {site for row in procedure.levels.all() for site in row.leak_sites}
    return bool(sites & {"epidural", "foraminal"}) or leak.exists() or paged.exclude(status="raised_in_error").exists()


def _scaled(contact: Planned, ended_at: datetime, scale: int) -> Planned:
    if scale == 1:
        return contact
    opens, target, closes = (
        ended_at + (moment - ended_at) / scale for moment in (contact.opens_at, contact.target_at, contact.closes_at)
    )
    return Planned(contact.code, contact.part, opens, target, closes, contact.channel)


def _row(procedure: Procedure, kind: str, contact: Planned, now: datetime) -> FollowUp:
    return FollowUp(
        site=procedure.site,
        procedure=procedure,
        kind=kind,
        code=contact.code,
        part=contact.part,
        channel=contact.channel,
        opens_at=contact.opens_at,
        target_at=contact.target_at,
        closes_at=contact.closes_at,
        next_look_at=looks_of(kind, contact)[0],
        planned_at=now,
    )


def looks_of(kind: str, contact: Planned | FollowUp) -> list[datetime]:
    """Return when the engine looks at a follow-up: reminders of a visit and its end, or a late observation.

    An observation is looked at when it is overdue, when the nurse in charge is told and when it pages (NT-09).
    """
    rule = default_plan()
    if kind == OBSERVATION:
        scale = contact.procedure.site.time_scale if isinstance(contact, FollowUp) else 1
        waits = (rule["neuro"]["nurse_told_min"], rule["neuro"]["page_after_min"])
        return [contact.closes_at, *(contact.target_at + timedelta(minutes=minutes) / scale for minutes in waits)]
    window = Planned("", "", contact.opens_at, contact.target_at, contact.closes_at, "")
    missed = contact.closes_at + timedelta(days=rule["missed_after_days"])
    return [*reminders(window), contact.closes_at, missed]


def _date_again(row: FollowUp, contact: Planned) -> bool:
    dates = {"opens_at": contact.opens_at, "target_at": contact.target_at, "closes_at": contact.closes_at}
    if row.status != FollowUpStatus.PLANNED.value or all(getattr(row, key) == at for key, at in dates.items()):
        return False
    FollowUp.objects.filter(pk=row.pk, status=FollowUpStatus.PLANNED.value).update(
        **dates, next_look_at=looks_of(row.kind, contact)[0], looks=0
    )
    return True


def sweep_unplanned(*, now: datetime, limit: int = 50) -> int:
    """Plan for procedures that ended, or were begun hours ago, without anybody signing the sign out; return how many."""
    late = now - timedelta(hours=4)
    ended = Q(ended_at__lte=now - timedelta(minutes=30), ended_at__gte=now - timedelta(days=3))
    begun = Q(ended_at__isnull=True, incision_at__lte=late, incision_at__gte=now - timedelta(days=2))
    rows = (
        Procedure.objects.filter(ended | begun, created_at__gte=now - timedelta(days=30))
        .filter(follow_ups__isnull=True)
        .exclude(outcome="died")
        .select_related("site")
        .order_by("pk")[:limit]
    )
    count = 0
    for procedure in rows:
        ended_at = procedure.ended_at or late
        try:
            if plan_follow_ups(procedure=procedure, ended_at=ended_at, by=Actor.system("sweep"), now=now):
                count += 1
        except Exception:
            # One that cannot be planned leaves the others their observations.
            log.exception("follow_ups_not_planned", extra={"procedure": procedure.pk})
    return count


def claim_follow_up(*, follow_up: FollowUp, by: Actor, now: datetime) -> FollowUp:
    """Take a contact onto one's own list; the last one to claim it owns it."""
    with recording(by=by, now=now) as trail:
        FollowUp.objects.filter(pk=follow_up.pk).update(owner=by.user, claimed_at=now)
        follow_up.owner, follow_up.claimed_at = by.user, now
        _audit(trail, follow_up, "follow_up.claimed", {"owner": by.key})
    return follow_up


def complete_follow_up(
    *,
    follow_up: FollowUp,
    run_public_id: UUID | None,
    red_flags: Sequence[RedFlag | str],
    by: Actor,
    now: datetime,
) -> Escalation | None:
    """Mark a contact as done by its form; any red flag acts in the same transaction. Return the escalation, if any."""
    flags = read_red_flags(red_flags)
    with recording(by=by, now=now) as trail:
        late = now > follow_up.closes_at
        move(
            follow_up,
            to=FollowUpStatus.DONE.value,
            arrows=FOLLOW_UP_ARROWS,
            noun="follow-up",
            done_at=now,
            done_by=by.user,
            run_public_id=run_public_id,
            red_flags=[flag.value for flag in flags],
            late=late,
        )
        _audit(trail, follow_up, "follow_up.completed", {"red_flags": [f.value for f in flags], "late": late})
        return act_on_red_flags(
            procedure=follow_up.procedure, flags=flags, source=f"follow_up:{follow_up.public_id}", by=by, now=now
        )


def read_red_flags(flags: Sequence[RedFlag | str]) -> list[RedFlag]:
    """Return the red flags as enums, each once; raise Invalid for a word that is none."""
    found: list[RedFlag] = []
    for flag in flags:
        try:
            one = RedFlag(flag)
        except ValueError:
            raise Invalid.field("red_flags", "not_a_choice", f"Accepted: {', '.join(RedFlag)}.") from None
        if one not in found:
            found.append(one)
    return found


def act_on_red_flags(
    *,
    procedure: Procedure,
    flags: Sequence[RedFlag],
    source: str,
    by: Actor,
    now: datetime,
    in_house: bool = False,
) -> Escalation | None:
    """Do what a yes to a red flag asks for: page the spine pathway, draft an embolism. Return the escalation, if any."""
    symptoms = frozenset(RED_FLAG_SYMPTOMS[flag] for flag in flags if flag in RED_FLAG_SYMPTOMS)
    triggers: list[FiredTrigger] = []
    if symptoms:
        verdict = assess(procedure, Neuro(symptoms=symptoms), now=now, is_report=True, by_patient=True)
        triggers += verdict.triggers
    if RedFlag.FEVER_OR_WOUND in flags:
        worst = any(one.tier is Tier.T0 for one in triggers)
        tier = Tier.T0 if worst else Tier.T2
        triggers.append(FiredTrigger("NT-11a" if worst else "NT-11b", tier, "fever or wound discharge is reported"))
    if RedFlag.CHEST_OR_BREATH in flags:
        words = "Chest pain or breathlessness reported: emergency medical advice given?"
        draft_complication(procedure=procedure, code="EMB-PCS", level="", note=words, source=source, by=by, now=now)
    if not triggers:
        return None
    return raise_triggers(
        procedure=procedure,
        triggers=triggers,
        source=source,
        occurred_at=now,
        exam=None,
        by=by,
        now=now,
        setting=Setting.IN_HOUSE if in_house else Setting.AT_HOME,
        by_person=True,
    )


def record_contact(
    *,
    procedure: Procedure,
    follow_up: FollowUp | None,
    channel: str,
    outcome: AttemptOutcome,
    note: str,
    red_flags: Sequence[RedFlag | str],
    by: Actor,
    now: datetime,
) -> tuple[ContactAttempt, Escalation | None]:
    """Record an attempt to reach the patient, or a call that the patient made; red flags act at once."""
    flags = read_red_flags(red_flags)
    with recording(by=by, now=now) as trail:
        attempt = ContactAttempt.objects.create(
            procedure=procedure,
            follow_up=follow_up,
            channel=channel[:10],
            outcome=outcome.value,
            note=note[:1000],
            red_flags=[flag.value for flag in flags],
            at=now,
            by=by.user,
        )
        stream = f"procedure:{procedure.public_id}"
        data = {"channel": channel, "outcome": outcome.value, "red_flags": [flag.value for flag in flags]}
        trail.add(stream=stream, action="contact.recorded", subject=f"contact:{attempt.public_id}", data=data)
        source = f"follow_up:{follow_up.public_id}" if follow_up else f"follow_up:contact:{attempt.public_id}"
        escalation = act_on_red_flags(procedure=procedure, flags=flags, source=source, by=by, now=now)
    return attempt, escalation


def end_follow_up(*, follow_up: FollowUp, to: FollowUpStatus, reason: str, by: Actor, now: datetime) -> FollowUp:
    """Cancel a contact, or declare the patient lost: that needs a reason and at least three attempts."""
    if len(reason.strip()) < 3:
        raise Invalid.field("reason", "missing", "Say why.")
    if to is FollowUpStatus.LOST and follow_up.attempts.count() < 3:
        wrong = FieldError("status", "too_few_attempts", "Record three attempts, one of them with the carer, first.")
        raise Invalid("invalid", "Nobody is lost after fewer than three attempts.", [wrong])
    with recording(by=by, now=now) as trail:
        move(follow_up, to=to.value, arrows=FOLLOW_UP_ARROWS, noun="follow-up", reason=reason.strip())
        _audit(trail, follow_up, f"follow_up.{to.value}", {"reason": reason.strip()})
    return follow_up


def complete_observations(*, procedure: Procedure, now: datetime) -> int:
    """Mark the observations as done that an examination has answered; return how many.

    One in which nothing could be tested, or only pain and saturation were written down, answers none.
    """
    exams = NeuroExam.objects.filter(procedure=procedure).exclude(kind=ExamKind.BASELINE.value)
    times = sorted(at for at, exam in exams.values_list("occurred_at", "exam") if read_exam(exam).tested)
    done = 0
    for row in FollowUp.objects.planned().filter(procedure=procedure, kind=OBSERVATION, target_at__lte=now):
        before = (row.closes_at - row.target_at) * 2
        if any(row.target_at - before <= at for at in times):
            done += FollowUp.objects.filter(pk=row.pk, status=FollowUpStatus.PLANNED.value).update(
                status=FollowUpStatus.DONE.value, done_at=now
            )
    return done


def _audit(trail: Recording, row: FollowUp, action: str, data: dict[str, Any]) -> None:
    stream = f"procedure:{row.procedure.public_id}"
    trail.add(stream=stream, action=action, subject=f"follow_up:{row.public_id}", data={"code": row.code, **data})
