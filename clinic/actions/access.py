"""Keep what was refused."""

from datetime import datetime

from clinic.access import Caller
from clinic.actions.audit import record_alone


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
