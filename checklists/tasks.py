"""What Celery does for the lists: each task reads the clock, calls one action, and may run twice and by two workers."""

from __future__ import annotations

from celery import shared_task

from checklists.actions.ending import sweep_unsigned
from checklists.actions.reminding import remind_debts, remind_waiting
from clinic.lib.clock import database_now


@shared_task(name="checklists.sweep_unsigned")
def plan_what_nobody_signed() -> int:
    """Plan the follow-up of procedures whose sign out was forgotten."""
    return sweep_unsigned(now=database_now())


@shared_task(name="checklists.remind")
def remind_of_what_waits() -> int:
    """Remind of safety debt that is due, and of what nobody has countersigned for a day."""
    now = database_now()
    return remind_debts(now=now) + remind_waiting(now=now)
