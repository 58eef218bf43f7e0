"""Keep who looked at which patient, and what was refused."""

from datetime import datetime

from clinic.access import Caller
from clinic.actions.audit import record_alone
from clinic.models import AccessEntry, Actor, User


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


def record_session(*, user: User, action: str, by: Actor, now: datetime) -> None:
    """Note in the person's own stream that a session was opened, closed or refused (`session.opened` …)."""
    record_alone(
        stream=f"user:{user.public_id}", action=action, subject=f"user:{user.public_id}", data={}, by=by, now=now
    )
