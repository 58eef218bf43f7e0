"""POST /runs/{id}/events/: a batch of ticks, decoded in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.http import HttpResponse
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.views import APIView

from checklists.access import access_run_for_ticks
from checklists.actions.sync import Incoming, apply_batch
from checklists.api.shapes import BATCH, EVENT
from checklists.models import Run
from checklists.rules.nodes import Key
from checklists.rules.values import Fault
from clinic.access import Caller, Holder, holders_of
from clinic.api.permissions import caller_of
from clinic.api.schema import described
from clinic.lib.problems import Invalid

BATCH_MOST = 100
EVENT_MOST_BYTES = 20_000
BODY_MOST_BYTES = 2_200_000


class EventInput(msgspec.Struct, kw_only=True):
    """One event as a tablet sends it; unknown members are ignored, so that a newer tablet is understood."""

    id: UUID
    item: str = msgspec.field(default="")
    part: str | None = None
    level: str | None = None
    side: str | None = None
    instance: str | None = None
    value: Any = msgspec.UNSET
    parent: UUID | msgspec.UnsetType | None = msgspec.UNSET
    occurred_at: str | None = None
    reason: str | None = None
    mode: str | None = None
    ticket: str | None = None
    case_check: str | None = None
    clock: dict[str, Any] | None = None


class _Id(msgspec.Struct):
    id: str = ""


class _Batch(msgspec.Struct):
    events: list[msgspec.Raw]


_batch = msgspec.json.Decoder(_Batch)
_event = msgspec.json.Decoder(EventInput)
_id = msgspec.json.Decoder(_Id)
_encode = msgspec.json.Encoder().encode


class RawJSONParser(BaseParser):
    """Hand the body over as bytes: it is decoded once, straight into events."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """Return the body."""
        return stream.read(BODY_MOST_BYTES + 1)


class RunEventsView(APIView):
    """POST /runs/{id}/events/: store ticks; 200 whenever the batch could be read."""

    parser_classes = [RawJSONParser]

    @described("Store a batch of ticks", takes={"events": [EVENT]}, gives=BATCH)
    def post(self, request: Request, public_id: UUID) -> HttpResponse:
        """Answer `{results: [{id, outcome, code, seq, reason}], run: {id, phase, status, seq, revision}}`."""
        caller = caller_of(request)
        run, now = access_run_for_ticks(caller, public_id)
        body: Any = request.data
        events = read_batch(body if isinstance(body, bytes) else b"", caller)
        results = apply_batch(run=run, events=events, by=caller.actor(), tablet=caller.tablet, now=now)
        return HttpResponse(_encode(batch_body(run, results)), content_type="application/json")


def batch_body(run: Run, results: Sequence[Any]) -> dict[str, Any]:
    """Return the answer to a batch."""
    return {
        "results": [
            {"id": one.id, "outcome": one.outcome, "code": one.code, "seq": one.seq, "reason": one.reason}
            for one in results
        ],
        "run": {
            "id": str(run.public_id),
            "phase": run.phase,
            "status": run.status,
            "seq": run.last_seq,
            "revision": run.revision,
        },
    }


def read_batch(body: bytes, caller: Caller) -> list[Incoming]:
    """Decode a batch; an event that cannot be read is refused by itself. Raise Invalid where the batch cannot be read."""
    if len(body) > BODY_MOST_BYTES:
        raise Invalid("too_large", f"A batch holds at most {BODY_MOST_BYTES} bytes. Send fewer events at once.")
    try:
        raws = _batch.decode(body).events
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid("unreadable", "The body is not {events: […]} as JSON in UTF-8.") from error
    if len(raws) > BATCH_MOST:
        raise Invalid("too_many_events", f"At most {BATCH_MOST} events at once. Send the rest after these.")
    decoded = [_decode(bytes(raw)) for raw in raws]
    people = holders_of({one.ticket for one in decoded if isinstance(one, EventInput) and one.ticket}, caller)
    return [
        one if isinstance(one, Incoming) else _incoming(one, bytes(raw), people)
        for one, raw in zip(decoded, raws, strict=True)
    ]


def _decode(raw: bytes) -> EventInput | Incoming:
    if len(raw) > EVENT_MOST_BYTES:
        return _unreadable(raw, Fault("too_large", f"An event holds at most {EVENT_MOST_BYTES} bytes."))
    try:
        event = _event.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _unreadable(raw, Fault("unreadable", f"The event could not be read: {error}."))
    if b"\\u0000" in raw:
        return _unreadable(raw, Fault("unreadable", "The event holds a character that text cannot hold (NUL)."))
    if event.value is msgspec.UNSET or not event.item:
        return _unreadable(raw, Fault("unreadable", "An event needs id, item and value."))
    return event


def _unreadable(raw: bytes, fault: Fault) -> Incoming:
    try:
        name = _id.decode(raw).id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        name = ""
    payload = raw[:EVENT_MOST_BYTES].decode("utf-8", "replace")
    return Incoming(id=name.replace("\x00", "")[:60], payload=payload, fault=fault)


def _incoming(event: EventInput, raw: bytes, people: dict[str, Holder]) -> Incoming:
    holder = people[event.ticket] if event.ticket else Holder()
    parent = None if event.parent is msgspec.UNSET else event.parent
    return Incoming(
        id=str(event.id),
        key=Key(event.item, event.part or "", event.level or "", event.side or "", event.instance or ""),
        value=event.value,
        parent=parent if isinstance(parent, UUID) else None,
        has_parent=event.parent is not msgspec.UNSET,
        occurred_at=_instant(event.occurred_at),
        reason=(event.reason or "")[:500],
        mode=(event.mode or "")[:20],
        case_check=event.case_check or "",
        clock=event.clock,
        actor=holder.user,
        actor_unknown=bool(event.ticket) and holder.user is None,
        claimed=holder.claimed,
        payload=raw.decode("utf-8"),
    )


def _instant(text: str | None) -> datetime | None:
    """Return a time with its zone; anything else counts as no time, which is flagged and never refused."""
    try:
        instant = datetime.fromisoformat(text or "")
        return instant if instant.tzinfo is not None and 1900 < instant.year < 9000 else None
    except ValueError:
        return None
