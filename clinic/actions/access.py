"""Keep who looked at which patient, and what was refused."""

from datetime import datetime

from clinic.access import Caller
from clinic.actions.audit import record_alone
from clinic.models import AccessEntry


def record_denial(caller: Caller, view_name: str, code: str, now: datetime) -> None:
    """Write a denial into the caller's own site stream, in a transaction of its own."""
    stream = f"site:{caller.site.public_id}" if caller.site else f"user:{caller.person.public_id}"
    record_alone(
        stream=stream,
        action="access.denied",
        subject=f"route:{view_name}",
        data={"code": code},
        by=caller.actor(),
        now=now,
    )


def record_read(caller: Caller, subject: str, now: datetime) -> None:
    """Note that somebody looked at an identified record: one row for each person, record and hour, outside the chains.

    It is the only thing that a GET writes.
    """
    AccessEntry.objects.bulk_create(
        [
            AccessEntry(
                user=caller.person,
                subject=subject,
                hour=now.replace(minute=0, second=0, microsecond=0),
                device=str(caller.tablet.public_id) if caller.tablet else "",
            )
        ],
        ignore_conflicts=True,
    )
