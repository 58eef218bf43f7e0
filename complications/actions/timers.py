"""Triggers that fire when nothing is heard: the patient who cannot be examined, the bladder that is not emptied."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q, Value
from django.db.models.functions import Least

from clinic.actions.audit import recording
from clinic.models import Actor, NeuroExam, Procedure
from complications.models import Timer
from complications.models.engine import DROPPED, FIRED, PENDING
from complications.rules.report import Exam, read_exam


def set_timer(
    *,
    procedure: Procedure,
    key: str,
    due_at: datetime,
    trigger: str,
    unless: str,
    by: Actor,
    now: datetime,
    reason: str = "",
    never_later: bool = False,
) -> Timer:
    """Set the timer `key` of a procedure, or move the one that is pending; it fires `trigger` at `due_at`.

    With `never_later` one that is pending keeps its time where that is earlier: hour after hour "cannot be examined"
    must not put off the call that the first of them began.

    `unless` names what makes it pointless: `legs_examined`, `legs_and_saddle_examined`, or words for the reader, in
    which case whoever set it drops it.
    """
    with recording(by=by, now=now) as trail:
        moved = Timer.objects.filter(procedure=procedure, key=key, status=PENDING).update(
            due_at=Least("due_at", Value(due_at)) if never_later else due_at,
            trigger=trigger,
            unless=unless[:300],
            reason=reason[:300],
        )
        if not moved:
            Timer.objects.bulk_create(
                [
                    Timer(
                        procedure=procedure,
                        key=key,
                        trigger=trigger,
                        reason=reason[:300],
                        due_at=due_at,
                        unless=unless[:300],
                        set_at=now,
                        set_by=by.user,
                    )
                ],
                ignore_conflicts=True,
            )
        data = {"key": key, "trigger": trigger, "due_at": due_at, "unless": unless}
        stream = f"procedure:{procedure.public_id}"
        trail.add(stream=stream, action="timer.set", subject=stream, data=data)
        return Timer.objects.get(procedure=procedure, key=key, status=PENDING)


def drop_timer(*, procedure: Procedure, key: str, by: Actor, now: datetime) -> bool:
    """Drop the pending timer `key`; return whether there was one."""
    with recording(by=by, now=now) as trail:
        dropped = Timer.objects.filter(procedure=procedure, key=key, status=PENDING).update(
            status=DROPPED, ended_at=now
        )
        if dropped:
            stream = f"procedure:{procedure.public_id}"
            trail.add(stream=stream, action="timer.dropped", subject=stream, data={"key": key})
    return bool(dropped)


def is_pointless(timer: Timer) -> bool:
    """Return whether what the timer waits for was recorded since it was set."""
    if timer.unless not in ("legs_examined", "legs_and_saddle_examined"):
        return False
    since = Q(recorded_at__gt=timer.set_at) | Q(occurred_at__gt=timer.set_at)
    exams: list[Exam] = [
        read_exam(row.exam)
        for row in NeuroExam.objects.filter(since, procedure=timer.procedure).exclude(kind="baseline")
    ]
    if timer.unless == "legs_examined":
        return any(exam.legs_known or exam.legs_move is not None for exam in exams)
    return any(exam.legs_known and exam.saddle_known for exam in exams)


def end_timer(*, timer: Timer, fired: bool, now: datetime) -> bool:
    """Mark a pending timer as fired or dropped; return False when somebody else did."""
    status = FIRED if fired else DROPPED
    return bool(Timer.objects.filter(pk=timer.pk, status=PENDING).update(status=status, ended_at=now))
