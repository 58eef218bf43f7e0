"""The statements of the outbox: lease and read, then mark what left; each of them one statement and one commit.

Rows that are waited for are locked in the order of their keys, by everybody who takes several: two who meet on the same
messages never wait for each other in a ring.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache

import msgspec

from clinic.lib.prepared import Insert, Joined, Row, Sent, fetch
from clinic.models import ContactPoint, Notification, Site, User
from clinic.vocabulary import NotificationStatus

#: The kind of a test message: one that left is kept at its contact point as the time of its latest test.
TEST = "contact_test"

_MESSAGE = Joined(Row(Notification, "one"), Row(Site, "site"), Row(User, "person"), Row(ContactPoint, "point"))
_WRITE = Insert(Notification, returning=("id", "dedup_key"))

QUEUED, LEASED, SENT, CANCELLED = (
    status.value
    for status in (
        NotificationStatus.QUEUED,
        NotificationStatus.LEASED,
        NotificationStatus.SENT,
        NotificationStatus.CANCELLED,
    )
)


def write(rows: Sequence[Notification]) -> Sent:
    """Write messages; one whose dedup_key is known adds nothing. Key and dedup_key of each new one come back."""
    return _WRITE.write(rows)


@cache
def _lease(which: str) -> str:
    # The states are written out, as the partial indexes name them.
    return f"""
WITH due AS MATERIALIZED (
    SELECT id FROM clinic_notification
    WHERE {which} AND ((status = '{QUEUED}' AND due_at <= %s::timestamptz)
                       OR (status = '{LEASED}' AND lease_until <= %s::timestamptz))
    ORDER BY urgent DESC, due_at, id LIMIT %s::bigint FOR UPDATE SKIP LOCKED
), one AS (
    UPDATE clinic_notification leased
    SET status = '{LEASED}', lease_until = %s::timestamptz, attempts = leased.attempts + 1
    FROM due WHERE leased.id = due.id RETURNING leased.*
)
SELECT {_MESSAGE.columns} FROM one {_JOINS} ORDER BY one.urgent DESC, one.due_at, one.id
"""  # noqa: S608 - constants of our own


_JOINS = """
JOIN clinic_site site ON site.id = one.site_id
LEFT JOIN clinic_user person ON person.id = one.recipient_id
LEFT JOIN clinic_contactpoint point ON point.id = one.contact_id
"""


def lease(*, now: datetime, lasts: timedelta, limit: int, only: Sequence[int] | None = None) -> list[Notification]:
    """Lease due messages (of the keys `only`) to the caller and return them, urgent ones first.

    Rows that others hold are skipped.
    """
    which = "TRUE" if only is None else "id = ANY(%s::bigint[])"
    first = [] if only is None else [list(only)]
    return [_read(row) for row in fetch(_lease(which), [*first, now, now, limit, now + lasts])]


@cache
def _leased() -> str:
    return f"""
SELECT {_MESSAGE.columns} FROM clinic_notification one {_JOINS}
WHERE one.id = ANY(%s::bigint[]) AND one.status = '{LEASED}' ORDER BY one.urgent DESC, one.due_at, one.id
"""  # noqa: S608 - constants of our own


def leased(keys: Sequence[int]) -> list[Notification]:
    """Return the messages of these keys that are leased, with what sending needs, urgent ones first."""
    return [_read(row) for row in fetch(_leased(), [list(keys)])]


def _read(values: Sequence[object]) -> Notification:
    message: Notification
    message, message.site, message.recipient, message.contact = _MESSAGE.read(values)
    return message


# One way is enough for what can wait; a page goes on until somebody answers.
_MARK = f"""
WITH left_ AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%s::json) AS sent (id bigint, attempts int, provider_id text)
), held AS MATERIALIZED (
    SELECT id FROM clinic_notification WHERE id = ANY(%s::bigint[]) OR (chain <> '' AND chain = ANY(%s::text[]))
    ORDER BY id FOR NO KEY UPDATE
), marked AS (
    UPDATE clinic_notification one
    SET status = '{SENT}', lease_until = NULL, sent_at = %s::timestamptz, provider_id = left_.provider_id, error = '',
        failure = ''
    FROM left_ JOIN held USING (id)
    WHERE one.id = left_.id AND one.attempts = left_.attempts AND one.status IN ('{LEASED}', '{CANCELLED}')
    RETURNING one.id, one.urgent, one.chain, one.kind, one.contact_id
), enough AS (
    UPDATE clinic_notification other SET status = '{CANCELLED}' FROM marked
    WHERE NOT marked.urgent AND marked.chain <> '' AND other.chain = marked.chain AND other.status = '{QUEUED}'
), tested AS (
    UPDATE clinic_contactpoint point SET tested_at = %s::timestamptz FROM marked
    WHERE marked.kind = '{TEST}' AND point.id = marked.contact_id
)
SELECT id FROM marked
"""  # noqa: S608 - constants of our own


def mark_sent(sent: Sequence[tuple[Notification, str]], *, now: datetime) -> int:
    """Mark messages, each with its provider's id, as sent; return how many were ours to mark.

    Also where somebody answered meanwhile: it left, and says so.
    """
    rows = [{"id": one.pk, "attempts": one.attempts, "provider_id": provider_id} for one, provider_id in sent]
    chains = sorted({one.chain for one, _ in sent if one.chain and not one.urgent})
    keys = [one.pk for one, _ in sent]
    return len(fetch(_MARK, [msgspec.json.encode(rows).decode(), keys, chains, now, now]))
