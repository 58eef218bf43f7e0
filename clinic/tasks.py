"""What the ground floor does by itself: each task reads the clock and calls one action."""

from celery import shared_task
from django.conf import settings

from clinic.actions.checkpoints import write_checkpoint
from clinic.actions.exports import end_abandoned
from clinic.lib.clock import database_now
from clinic.models import Actor


@shared_task(name="clinic.end_abandoned_exports")
def end_abandoned_exports() -> int:
    """Close what a killed process left running; return how many."""
    return end_abandoned(by=Actor.system("sweep"), now=database_now())


@shared_task(name="clinic.checkpoint_audit")
def checkpoint_audit() -> int:
    """Sign the audit trail's heads; return the number of the checkpoint, 0 where nothing has grown."""
    written = write_checkpoint(directory=settings.PLACES.root / "checkpoints", now=database_now())
    return written.number if written else 0
