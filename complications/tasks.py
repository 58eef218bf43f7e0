"""What Celery does: each task reads the clock, calls actions, and may run twice and by two workers at once."""

from __future__ import annotations

from collections.abc import Sequence

from celery import shared_task

from clinic.lib.clock import database_now
from complications.actions.clock_jumps import set_back
from complications.actions.coverage import tell_coverage
from complications.actions.heartbeat import beat
from complications.actions.swap_notices import tell_swaps
from complications.actions.sweeping import advance, deliver_due, deliver_keys, remind, sweep_plans


@shared_task(name="complications.sweep")
def sweep() -> int:
    """Advance what is due, fire timers, send what waits: the second net, run by beat every two seconds."""
    set_back(now=database_now())
    done = advance(now=database_now())
    beat(name="celery", now=database_now())
    return done


@shared_task(name="complications.advance")
def advance_these(keys: Sequence[int]) -> int:
    """Advance a batch of escalations that the watchman found due, and send their pages; the sweep says that we live."""
    return advance(now=database_now(), only=keys)


@shared_task(name="complications.deliver")
def deliver_these(keys: Sequence[int]) -> int:
    """Send a batch of messages."""
    return deliver_keys(keys, now=database_now())


@shared_task(name="complications.remind")
def remind_due() -> int:
    """Remind of follow-ups and escalate late observations."""
    done = remind(now=database_now())
    return done + deliver_due(now=database_now())


@shared_task(name="complications.sweep_plans")
def plan_unsigned() -> int:
    """Plan follow-ups for procedures whose sign out nobody signed."""
    return sweep_plans(now=database_now())


@shared_task(name="complications.check_coverage")
def check_rotas() -> int:
    """Tell the administrators of a rota with gaps, once a day."""
    return tell_coverage(now=database_now())


@shared_task(name="complications.tell_swaps")
def tell_of_swaps() -> int:
    """Write to who is asked to swap, and to who asked."""
    return tell_swaps(now=database_now())
