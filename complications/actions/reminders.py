"""What falls due without anybody asking: reminders, late observations, missed visits, timers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.models import QuerySet

from clinic.actions.audit import Recording, recording
from clinic.actions.notification import Message, by_every_way, queue_notifications
from clinic.models import Actor, Membership, User
from clinic.queries.contacts import ways_of
from clinic.queries.rota import read_rota
from clinic.vocabulary import Channel, Post, Role
from complications.actions.follow_up import complete_observations, looks_of
from complications.actions.reporting import raise_triggers
from complications.actions.timers import end_timer, is_pointless
from complications.models import Complication, FollowUp, Timer
from complications.models.follow_up import OBSERVATION
from complications.rules.follow_up import quiet_shift
from complications.rules.triggers import FiredTrigger
from complications.vocabulary import FOLLOW_UP_ARROWS, ComplicationStatus, FollowUpStatus, Pathway, Setting, Tier

log = logging.getLogger("complications.reminders")

SYSTEM = Actor.system("reminders")
RETRY = timedelta(minutes=1)
#: How long a person's next way waits for the one before it to leave.
GAP = timedelta(minutes=10)
DRAFT_REMINDERS_H = (24, 72)
DRAFTS_LOOKED_BACK = timedelta(days=14)
#: What a timer fires, where the trigger itself does not say: tier and words.
TIMED = {
    "NT-04a": (Tier.T0, "retention, and legs and saddle were not examined in time"),
    "NT-04b": (Tier.T2, "no urine for six hours"),
    "NT-09": (Tier.T1, "could not be examined for more than an hour"),
}


def fire_timers(*, now: datetime, limit: int = 100) -> int:
    """Fire the timers whose time has come, each in a transaction of its own; return how many fired."""
    fired = 0
    for key in list(Timer.objects.due(now).order_by("due_at", "id").values_list("pk", flat=True)[:limit]):
        try:
            fired += _fire(key, now)
        except OperationalError as error:
            # Somebody holds a row, or the database is going away: still due, and found again within seconds.
            log.warning("timer_held", extra={"timer": key, "error": type(error).__name__})
        except Exception as error:
            log.exception("timer_not_fired", extra={"timer": key, "error": type(error).__name__})
            _later(Timer.objects.filter(pk=key), due_at=now + RETRY)
    return fired


def _later(rows: QuerySet[Any], **changes: Any) -> None:
    """Look at a broken row again in a minute; if not even that can be written, the others still have their turn."""
    try:
        with transaction.atomic():
            rows.update(**changes)
    except DatabaseError:
        log.exception("not_put_off", extra={"table": rows.model._meta.db_table})


def _fire(key: int, now: datetime) -> bool:
    with recording(by=SYSTEM, now=now):
        _short_locks()
        timer = (
            Timer.objects.due(now)
            .select_for_update(of=("self",), skip_locked=True)
            .select_related("procedure__site", "procedure__operator")
            .filter(pk=key)
            .first()
        )
        if timer is None:
            return False
        if is_pointless(timer):
            end_timer(timer=timer, fired=False, now=now)
            return False
        tier, words = TIMED.get(timer.trigger, (Tier.T1, timer.reason or "not heard of in time"))
        raise_triggers(
            procedure=timer.procedure,
            triggers=[FiredTrigger(timer.trigger, tier, timer.reason or words)],
            source=f"timer:{timer.key}",
            occurred_at=timer.due_at,
            exam=None,
            by=SYSTEM,
            now=now,
        )
        end_timer(timer=timer, fired=True, now=now)
    return True


def remind_due(*, now: datetime, limit: int = 200) -> int:
    """Remind, tell and escalate what is due among the follow-ups; return how many were looked at.

    What fell due during an outage is sent late and marked late, never skipped: each look is one planned moment, and a
    moment is used up only by the transaction that writes its message.
    """
    looked = 0
    for key in list(FollowUp.objects.due(now).order_by("next_look_at", "id").values_list("pk", flat=True)[:limit]):
        try:
            looked += _look(key, now)
        except OperationalError as error:
            log.warning("follow_up_held", extra={"follow_up": key, "error": type(error).__name__})
        except Exception as error:
            log.exception("follow_up_not_looked_at", extra={"follow_up": key, "error": type(error).__name__})
            _later(FollowUp.objects.filter(pk=key), next_look_at=now + RETRY)
    return looked


def _short_locks() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '1s'")


def _look(key: int, now: datetime) -> bool:
    with recording(by=SYSTEM, now=now) as trail:
        _short_locks()
        row = (
            FollowUp.objects.due(now)
            .select_for_update(of=("self",), skip_locked=True, no_key=True)
            .select_related("procedure__site", "procedure__operator", "site", "owner")
            .filter(pk=key)
            .first()
        )
        if row is None:
            return False
        if row.kind == OBSERVATION:
            complete_observations(procedure=row.procedure, now=now)
            row.refresh_from_db(fields=["status"])
            if row.status == FollowUpStatus.PLANNED.value:
                _late_observation(row, now, trail)
        else:
            _visit(row, now, trail)
    return True


def _next_look(row: FollowUp, looks: int) -> datetime | None:
    moments = sorted(looks_of(row.kind, row))
    return moments[looks] if looks < len(moments) else None


def _late_observation(row: FollowUp, now: datetime, trail: Recording) -> None:
    """Overdue: shown. After ten minutes the nurse in charge is told, after sixty it pages (NT-09, E8)."""
    if row.procedure.left_hospital_at is not None:
        _end(row, FollowUpStatus.CANCELLED, "left the hospital", now, trail)
        return
    looks = row.looks + 1
    if looks == 2:
        people = read_rota(row.site, now).holders_of(Post.NURSE_IN_CHARGE.value, now)
        _message(row, people, "observation_late", f"look{looks}", now, urgent=True)
    if looks >= 3:
        raise_triggers(
            procedure=row.procedure,
            triggers=[FiredTrigger("NT-09", Tier.T1, "no neurological observation for more than an hour")],
            source=f"timer:{row.code}:{row.part}",
            occurred_at=row.target_at,
            exam=None,
            by=SYSTEM,
            now=now,
            setting=Setting.IN_HOUSE,
        )
        _end(row, FollowUpStatus.MISSED, "not done within an hour", now, trail)
        return
    FollowUp.objects.filter(pk=row.pk).update(looks=looks, next_look_at=_next_look(row, looks), late=True)


def _visit(row: FollowUp, now: datetime, trail: Recording) -> None:
    moments = sorted(looks_of(row.kind, row))
    looks = row.looks + 1
    if looks >= len(moments):
        _missed(row, now, trail)
        return
    planned = moments[row.looks]
    due = quiet_shift(planned, ZoneInfo(row.site.timezone)) if row.site.time_scale == 1 else planned
    if due > now:
        FollowUp.objects.filter(pk=row.pk).update(next_look_at=due)
        return
    last = looks == len(moments) - 1
    late = now > row.closes_at
    people = _people_for(row, now)
    kind = "follow_up_overdue" if last else "follow_up_reminder"
    _message(row, people, kind, f"look{looks}", now, urgent=False, late=late)
    changes = {"looks": looks, "next_look_at": _next_look(row, looks), "late": row.late or late}
    FollowUp.objects.filter(pk=row.pk).update(**changes)
    data = {"code": row.code, "kind": kind, "planned_at": planned, "late": late, "people": len(people)}
    stream = f"procedure:{row.procedure.public_id}"
    trail.add(stream=stream, action="follow_up.reminded", subject=f"follow_up:{row.public_id}", data=data)
    if last and row.code in ("FU-24H", "FU-8H"):
        _unreached(row, now)


def _unreached(row: FollowUp, now: datetime) -> None:
    """Nobody was reached in the first day after three attempts and the carer: the operator, not the spine on call (E8)."""
    if row.attempts.count() < 3:
        return
    raise_triggers(
        procedure=row.procedure,
        triggers=[FiredTrigger(row.code, Tier.T2, "not reached after the procedure", Pathway.OPERATOR)],
        source=f"follow_up:{row.public_id}",
        occurred_at=row.closes_at,
        exam=None,
        by=SYSTEM,
        now=now,
        setting=Setting.AT_HOME,
    )


def _missed(row: FollowUp, now: datetime, trail: Recording) -> None:
    _end(row, FollowUpStatus.MISSED, "window closed", now, trail)


def _end(row: FollowUp, to: FollowUpStatus, reason: str, now: datetime, trail: Recording) -> None:
    changed = FollowUp.objects.filter(pk=row.pk, status=FollowUpStatus.PLANNED.value).update(
        status=to.value, reason=reason, next_look_at=None
    )
    assert to.value in FOLLOW_UP_ARROWS[FollowUpStatus.PLANNED.value]  # noqa: S101
    if changed:
        stream = f"procedure:{row.procedure.public_id}"
        data = {"code": row.code, "part": row.part, "reason": reason}
        trail.add(stream=stream, action=f"follow_up.{to.value}", subject=f"follow_up:{row.public_id}", data=data)


def remind_drafts(*, now: datetime) -> int:
    """Remind the operator of drafts that nobody confirmed or rejected, after 24 and after 72 hours; return how many.

    The key of the message makes each reminder one reminder, however often this runs and however late.
    """
    count = 0
    for hours in DRAFT_REMINDERS_H:
        rows = Complication.objects.filter(
            status=ComplicationStatus.DRAFT.value,
            recorded_at__lte=now - timedelta(hours=hours),
            recorded_at__gt=now - timedelta(hours=hours) - DRAFTS_LOOKED_BACK,
        ).select_related("site", "procedure__operator")
        waiting = [row for row in rows if row.procedure.operator.is_active]
        ways = ways_of([row.procedure.operator for row in waiting])
        messages = [
            one
            for row in waiting
            for one in by_every_way(
                Message(
                    dedup_key=f"draft:{row.public_id}:{hours}h:user:{row.procedure.operator_id}",
                    kind="draft_waiting",
                    recipient=row.procedure.operator,
                    channel=Channel.INBOX,
                    site=row.site,
                    reference=f"complication:{row.public_id}",
                    context={
                        "site": row.site.name,
                        "hours": hours,
                        "path": f"/complications/{row.public_id}/",
                        "reference": row.public_id.hex[:6].upper(),
                    },
                ),
                ways[row.procedure.operator_id],
                gap=GAP,
                now=now,
            )
        ]
        count += queue_notifications(messages, by=SYSTEM, now=now)
    return count


def _people_for(row: FollowUp, now: datetime) -> list[User]:
    """Return the owner, for a contact on the ward the nurse in charge, else the follow-up nurses."""
    if row.owner is not None and row.owner.is_active:
        return [row.owner]
    if row.channel == "ward":
        found = read_rota(row.site, now).holders_of(Post.NURSE_IN_CHARGE.value, now)
        if found:
            return found
    return _follow_up_nurses(row)


def _follow_up_nurses(row: FollowUp) -> list[User]:
    members = Membership.objects.filter(
        site=row.site, role=Role.FOLLOW_UP_NURSE.value, is_active=True, user__is_active=True
    )
    return [member.user for member in members.select_related("user").order_by("user_id")]


def _message(
    row: FollowUp, people: Sequence[User], kind: str, key: str, now: datetime, *, urgent: bool, late: bool = False
) -> None:
    context = {
        "site": row.site.name,
        "code": row.code,
        "late": late,
        "path": f"/follow-ups/?id={row.public_id}",
        "reference": row.public_id.hex[:6].upper(),
    }
    ways = ways_of(people)
    messages = [
        one
        for user in people
        for one in by_every_way(
            Message(
                dedup_key=f"fu:{row.public_id}:{key}:user:{user.pk}",
                kind=kind,
                recipient=user,
                channel=Channel.INBOX,
                site=row.site,
                reference=f"follow_up:{row.public_id}",
                context=context,
                urgent=urgent,
            ),
            ways[user.pk],
            gap=GAP,
            now=now,
        )
    ]
    queue_notifications(messages, by=SYSTEM, now=now)
