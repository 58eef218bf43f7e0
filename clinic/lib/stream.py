"""Stream the result of a query at the speed of COPY, with memory that stays flat at any size."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import psycopg
import zstandard
from django.db import connection

from clinic.lib.triples import Triple

#: Rows are joined to pieces of this many bytes before they are handed on: a third of the work of handing on each row.
CHUNK = 256 * 1024
#: So many exports run at once, over all processes; each holds a thread, a connection and the disk.
SLOTS = 2
#: First number of the advisory locks that the slots are.
LOCK_SPACE = 0x45585054
#: First number of the locks by which a running export says that somebody is still sending it.
SENDING = 0x45585053

CSV = "(FORMAT csv, HEADER true, ENCODING 'UTF8')"
# JSON text holds no raw control character, so with these two as quote and separator COPY hands each line on as it is.
LINES = "(FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02', ENCODING 'UTF8')"

#: What a spreadsheet takes for the beginning of a formula, with the full-width forms (OWASP, CSV injection).
FORMULA_STARTS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"

# Version rows lie in the order of their index, but the planner takes "below the horizon" for one row and sorts them all:
# with sorting made the last resort the first byte leaves at once (0.3 % of the whole time instead of 84 %).
_SESSION = """
    SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET TimeZone = 'UTC'; SET jit = off;
    SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'iso_8601'; SET extra_float_digits = 1; SET bytea_output = 'hex';
    SET work_mem = '32MB'; SET client_connection_check_interval = '1s'; SET enable_sort = off
"""


class Encoder(Protocol):
    """Compresses a stream piece by piece."""

    name: str

    def feed(self, data: bytes) -> bytes:
        """Return what is ready after `data`, perhaps nothing."""

    def end(self) -> bytes:
        """Return the rest."""


class Identity:
    """Leaves the bytes as they are."""

    name = ""

    def feed(self, data: bytes) -> bytes:
        """Return `data`."""
        return data

    def end(self) -> bytes:
        """Return nothing."""
        return b""


class Zstd:
    """Zstandard at level 1: less time and fewer bytes than gzip."""

    name = "zstd"

    def __init__(self) -> None:
        self._stream = zstandard.ZstdCompressor(level=1).compressobj()

    def feed(self, data: bytes) -> bytes:
        """Return the next compressed bytes."""
        return self._stream.compress(data)

    def end(self) -> bytes:
        """Return the last frame's end."""
        return self._stream.flush()


class Gzip:
    """Gzip at level 1, for readers without Zstandard."""

    name = "gzip"

    def __init__(self) -> None:
        self._stream = zlib.compressobj(1, zlib.DEFLATED, 31)

    def feed(self, data: bytes) -> bytes:
        """Return the next compressed bytes."""
        return self._stream.compress(data)

    def end(self) -> bytes:
        """Return the trailer."""
        return self._stream.flush()


def encoder(accept_encoding: str) -> Encoder:
    """Return the best encoder that the reader accepts (RFC 9110 section 12.5.3); `q=0` refuses one."""
    accepted = set()
    for part in accept_encoding.lower().split(","):
        name, _, weight = part.partition(";")
        if weight.strip().removeprefix("q=").strip("0. ") or not weight.strip():
            accepted.add(name.strip())
    if "zstd" in accepted:
        return Zstd()
    return Gzip() if "gzip" in accepted else Identity()


def safe_in_a_spreadsheet(expression: str) -> str:
    """Return SQL that puts a quote before a text that a spreadsheet would take for a formula."""
    starts = "".join(f"\\{ord(char):04X}" for char in FORMULA_STARTS)
    value = f"({expression})"
    looks_like_one = f"{value} <> '' AND strpos(U&'{starts}', left({value}, 1)) > 0"
    return f"CASE WHEN {looks_like_one} THEN '''' || {value} ELSE {value} END"


class Busy(Exception):
    """As many exports as are allowed are running."""


def is_being_sent(number: int) -> bool:
    """Return whether some process holds the export of this number; call it inside a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [SENDING, number % 2**31])
        return not cursor.fetchone()[0]


class Reader:
    """A connection of its own for one export: a slot, and a snapshot that sees what `as_of` says."""

    def __init__(self, name: str, *, slot: bool = True) -> None:
        """Connect as the service does. Raise Busy when every slot is taken; a dead process's slot is free at once."""
        parameters = {**connection.get_connection_params(), "application_name": name}
        self.connection: psycopg.Connection[Any] = connection.get_new_connection(parameters)
        try:
            self.connection.autocommit = True
            for setting in _SESSION.split(";"):
                self.connection.execute(setting.encode())
            if slot and not self._take_slot():
                raise Busy
            self.connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            self.horizon = self._horizon()
        except BaseException:
            self.close()
            raise

    def _take_slot(self) -> bool:
        return any(self._one("SELECT pg_try_advisory_lock(%s, %s)", [LOCK_SPACE, number])[0] for number in range(SLOTS))

    def hold(self, number: int) -> None:
        """Say, for as long as this connection lives, that the export of this number is being sent."""
        self._one("SELECT pg_advisory_lock(%s, %s)", [SENDING, number % 2**31])

    def _horizon(self) -> Triple:
        """What is visible lies below this: no transaction under it can still commit, so it means the same for ever."""
        epoch, xid = self._one("SELECT clinic_change_epoch(), pg_snapshot_xmin(pg_current_snapshot())::text")
        return Triple(epoch, int(xid), 0)

    def _one(self, statement: str, values: Any = None) -> Any:
        return self.connection.execute(statement.encode(), values).fetchone()

    def one(self, statement: str, values: Mapping[str, Any]) -> Any:
        """Return the single row of a query in the snapshot."""
        return self._one(statement, values)

    def copy(self, query: str, values: Mapping[str, Any], *, options: str) -> Iterator[tuple[bytes, int]]:
        """Yield (bytes, rows in them) of `COPY (query) TO STDOUT WITH options`, in pieces of about CHUNK bytes.

        A header counts as a row here. Closing the generator early cancels the statement on the server.
        """
        with (
            self.connection.cursor() as cursor,
            cursor.copy(f"COPY ({query}) TO STDOUT WITH {options}", values) as rows,
        ):
            parts: list[bytes | bytearray | memoryview] = []
            size = 0
            for row in rows:
                parts.append(row)
                size += len(row)
                if size >= CHUNK:
                    yield b"".join(parts), len(parts)
                    parts, size = [], 0
            if parts:
                yield b"".join(parts), len(parts)

    def close(self) -> None:
        """Give back the slot and the connection; a statement still running is cancelled first. Safe to repeat."""
        if self.connection.closed:
            return
        if self.connection.info.transaction_status is psycopg.pq.TransactionStatus.ACTIVE:
            self.connection.cancel_safe(timeout=2)
        self.connection.close()
