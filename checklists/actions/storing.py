"""The statements of a batch of ticks: lock and read, then write all of it at once; prepared once for each connection.

Rows go to PostgreSQL as one JSON text, which costs a fraction of an array for each column and gives two statements to a batch of
any size.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import msgspec

from checklists.models import Run
from checklists.rules.fold import Head, Standing
from checklists.rules.nodes import Key
from clinic.lib.prepared import fetch


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """One event as it is stored: the columns of `Event` under their names."""

    seq: int
    public_id: UUID
    item: str
    part: str
    level: str
    side: str
    instance: str
    value: Any
    parent: UUID | None
    has_parent: bool
    mode: str
    reason: str
    outcome: str
    code: str
    actor_id: int | None
    role: str
    sender_id: int | None
    claimed_id: int | None
    tablet_id: int | None
    occurred_at: datetime
    recorded_at: datetime
    clock: Any
    clock_flag: str
    content_sha256: str

    @property
    def key(self) -> Key:
        """The address of the answer that the event is about."""
        return Key(self.item, self.part, self.level, self.side, self.instance)


class Known(msgspec.Struct, array_like=True):
    """An event that is stored already: its id, run, content, place in the run, code and value."""

    id: str
    run: int
    content: str
    seq: int
    code: str
    value: Any


class Cause(Protocol):
    """What an answer keeps of the event that made it."""

    @property
    def public_id(self) -> UUID: ...
    @property
    def actor_id(self) -> int | None: ...
    @property
    def occurred_at(self) -> datetime: ...
    @property
    def recorded_at(self) -> datetime: ...


_LOCK = """
SELECT status, last_seq, revision, definition_id, moves_around FROM checklists_run WHERE id = %s::bigint FOR NO KEY UPDATE
"""

# A statement of its own after the lock: one that waited for the lock inside would read what stood before it waited.
_READ = """
SELECT (SELECT json_agg(json_build_array(item, part, level, side, instance, heads))::text FROM checklists_answer
        WHERE run_id = %s::bigint AND item = ANY(%s::text[])),
       (SELECT json_agg(json_build_array(public_id, run_id, content_sha256, seq, code, value))::text FROM checklists_event
        WHERE public_id = ANY(%s::uuid[]))
"""

_ANSWERS = """
INSERT INTO checklists_answer (run_id, item, part, level, side, instance, value, event, heads, is_conflict, actor_id,
                               occurred_at, recorded_at)
SELECT %s::bigint, sent.* FROM json_to_recordset(%s::json) AS sent (
    item text, part text, level text, side text, instance text, value jsonb, event uuid, heads jsonb, is_conflict boolean,
    actor_id bigint, occurred_at timestamptz, recorded_at timestamptz)
ON CONFLICT (run_id, item, part, level, side, instance) DO UPDATE
SET value = EXCLUDED.value, event = EXCLUDED.event, heads = EXCLUDED.heads, is_conflict = EXCLUDED.is_conflict,
    actor_id = EXCLUDED.actor_id, occurred_at = EXCLUDED.occurred_at, recorded_at = EXCLUDED.recorded_at
"""

_STORE = f"""
WITH events AS (
INSERT INTO checklists_event (run_id, seq, public_id, item, part, level, side, instance, value, parent, has_parent, mode,
                              reason, outcome, code, actor_id, role, sender_id, claimed_id, tablet_id, occurred_at,
                              recorded_at, clock, clock_flag, content_sha256)
SELECT %s::bigint, sent.* FROM json_to_recordset(%s::json) AS sent (
    seq int, public_id uuid, item text, part text, level text, side text, instance text, value jsonb, parent uuid,
    has_parent boolean, mode text, reason text, outcome text, code text, actor_id bigint, role text, sender_id bigint,
    claimed_id bigint, tablet_id bigint, occurred_at timestamptz, recorded_at timestamptz, clock jsonb, clock_flag text, content_sha256 text)
), answers AS ({_ANSWERS})
UPDATE checklists_run SET last_seq = %s::int, revision = %s::int WHERE id = %s::bigint
"""  # noqa: S608 - one constant inside another

_encode = msgspec.json.Encoder().encode
_heads = msgspec.json.Decoder(list[tuple[str, str, str, str, str, list[tuple[str, Any]]]])
_knowns = msgspec.json.Decoder(list[Known])


def lock_run(run: Run) -> None:
    """Lock the run's row to the end of the transaction, and bring `run` up to date with it."""
    [found] = fetch(_LOCK, [run.pk])
    run.status, run.last_seq, run.revision, run.definition_id, run.moves_around = found


def read_standing(
    run: Run, items: Collection[str], ids: Collection[UUID]
) -> tuple[dict[Key, Standing], dict[str, Known]]:
    """Return the standing answers of those items of a locked run, and what is stored under those event ids."""
    [(answers, events)] = fetch(_READ, [run.pk, list(items), list(ids)])
    standing = {
        Key(item, part, level, side, instance): Standing(tuple(Head(*head) for head in heads))
        for item, part, level, side, instance, heads in _rows(_heads, answers)
    }
    return standing, {one.id: one for one in _rows(_knowns, events)}


def _rows(decoder: msgspec.json.Decoder[Any], found: str | None) -> Any:
    """Return the rows of a json_agg, which is NULL where there was no row."""
    return decoder.decode(found) if found else []


def store(run: Run, events: Sequence[Stored], answers: Mapping[Key, tuple[Standing, Cause]]) -> None:
    """Write events, the answers that they changed and the run's own row in one statement; `run` follows."""
    run.last_seq, run.revision = events[-1].seq, run.revision + 1
    sent = _encode(events).decode()
    fetch(_STORE, [run.pk, sent, run.pk, _answers(answers), run.last_seq, run.revision, run.pk])


def write_answers(run: Run, answers: Mapping[Key, tuple[Standing, Cause]]) -> None:
    """Write the standing answers of a run with the event that made each, in one statement."""
    if answers:
        fetch(_ANSWERS, [run.pk, _answers(answers)])


def _answers(answers: Mapping[Key, tuple[Standing, Cause]]) -> str:
    """Return the rows of answers as JSON, keys sorted: two writers never take them in opposite orders."""
    rows = [
        {
            **key._asdict(),
            "value": standing.value,
            "event": cause.public_id,
            "heads": [[head.event, head.value] for head in standing.heads],
            "is_conflict": standing.is_conflict,
            "actor_id": cause.actor_id,
            "occurred_at": cause.occurred_at,
            "recorded_at": cause.recorded_at,
        }
        for key, (standing, cause) in sorted(answers.items())
    ]
    return _encode(rows).decode()
