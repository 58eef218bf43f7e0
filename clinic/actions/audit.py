"""Write the audit trail: entries are gathered while an action works and appended as its last statement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db import transaction

from clinic.lib.canonical import canonical
from clinic.lib.prepared import send
from clinic.models.audit import Actor


@dataclass
class Recording:
    """The entries of one transaction, by stream."""

    by: Actor
    now: datetime
    streams: dict[str, list[str]] = field(default_factory=dict)

    def add(self, *, stream: str, action: str, subject: str, data: Mapping[str, Any], by: Actor | None = None) -> None:
        """Gather one entry.

        `stream` is `procedure:<id>`, `escalation:<id>`, `user:<id>` or `site:<id>`; `action` is `<noun>.<past
        participle>`; `subject` is `<noun>:<id>`; `data` holds what changed (old → new) as JSON values. No entry is
        written before the outermost `recording()` ends.
        """
        actor = by or self.by
        entry = {
            "action": action,
            "actor": actor.key,
            "actor_name": actor.user.get_full_name() if actor.user else actor.role,
            "role": actor.role,
            "via": actor.via,
            "device": actor.device,
            "request_id": actor.request_id,
            "at": rfc3339(self.now),
            "subject": subject,
            "data": json_value(data),
        }
        self.streams.setdefault(stream, []).append(canonical(entry).decode())


_current: ContextVar[Recording | None] = ContextVar("recording", default=None)


@contextmanager
def recording(*, by: Actor, now: datetime) -> Iterator[Recording]:
    """Open a transaction whose audit entries are appended when the outermost recording ends, streams sorted by name.

    Nested actions join it: appended inside each of them, two transactions could lock two streams in opposite orders.
    An exception rolls everything back, the entries included: no entry, no change.
    """
    outer = _current.get()
    if outer is not None:
        yield outer
        return
    trail = Recording(by=by, now=now)
    token = _current.set(trail)
    try:
        with transaction.atomic():
            yield trail
            append(trail)
    finally:
        _current.reset(token)


def append(trail: Recording) -> None:
    """Append the gathered entries: one statement for all streams, in sorted order so that writers never deadlock."""
    if not trail.streams:
        return
    names = sorted(trail.streams)
    calls: list[str] = []
    values: list[Any] = []
    for name in names:
        entries = trail.streams[name]
        # A few entries go as parameters of their own: an array would be escaped here and unescaped there.
        few = len(entries) <= 4
        array = f"ARRAY[{', '.join(['%s::text'] * len(entries))}]" if few else "%s::text[]"
        calls.append(f"audit_append(%s::text, {array})")
        values += [name, *entries] if few else [name, entries]
    send(f"SELECT {', '.join(calls)}", values)
    trail.streams.clear()


def record_alone(*, stream: str, action: str, subject: str, data: Mapping[str, Any], by: Actor, now: datetime) -> None:
    """Write one entry in a transaction of its own: a denial, or the start and end of an export."""
    with recording(by=by, now=now) as trail:
        trail.add(stream=stream, action=action, subject=subject, data=data)


def rfc3339(moment: datetime) -> str:
    """Return an aware moment as UTC text of fixed width with microseconds, so that text order is time order (RFC 3339)."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def json_value(value: Any) -> Any:
    """Return `value` in types that RFC 8785 can write: times as text, decimals as text, mappings and lists inside."""
    if isinstance(value, Mapping):
        return {str(key): json_value(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [json_value(inner) for inner in value]
    if isinstance(value, datetime):
        return rfc3339(value)
    if value is None or isinstance(value, (bool, float, str)):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)
    return str(value)
