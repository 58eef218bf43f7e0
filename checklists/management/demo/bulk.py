"""Write made-up rows by COPY: the database's own triggers add the version rows, its constraints check every one."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import psycopg
from django.db import connection


def cell(value: Any) -> str:
    """Return a value in COPY's text form (PostgreSQL manual, COPY, "Text Format")."""
    if value is None:
        return "\\N"
    if value is True:
        return "t"
    if value is False:
        return "f"
    if isinstance(value, list):
        return "{" + ",".join(value) + "}"
    text = str(value)
    return (
        text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t") if "\\" in text or "\n" in text else text
    )


class Sheet:
    """The rows of one table until they are sent."""

    def __init__(self, table: str, columns: str) -> None:
        self.table = table
        self.columns = columns.split()
        self.lines: list[str] = []

    def add(self, *values: Any) -> None:
        """Add one row, its values in the order of the columns."""
        self.lines.append("\t".join(map(cell, values)))

    def send(self) -> int:
        """Send the rows by COPY within the current transaction and return how many."""
        if not self.lines:
            return 0
        names = ", ".join(f'"{column}"' for column in self.columns)
        with raw().cursor().copy(f"COPY {self.table} ({names}) FROM STDIN") as copy:
            copy.write("\n".join(self.lines) + "\n")
        sent = len(self.lines)
        self.lines.clear()
        return sent


def raw() -> psycopg.Connection[Any]:
    """Return psycopg's own connection under Django's."""
    connection.ensure_connection()
    found: psycopg.Connection[Any] = connection.connection
    return found


def reserve_ids(table: str, count: int) -> Iterable[int]:
    """Take `count` keys from the sequence of a table's `id`, in rising order."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s) ORDER BY 1", [table, count]
        )
        return [key for (key,) in cursor.fetchall()]


def append_audit(entries: Iterable[tuple[str, list[str]]], *, at_a_time: int = 1000) -> int:
    """Append canonical entries to many streams in few statements, through the one function that may; return how many."""
    written = 0
    rows = sorted(entries)
    with connection.cursor() as cursor:
        for start in range(0, len(rows), at_a_time):
            part = rows[start : start + at_a_time]
            calls = ", ".join(["audit_append(%s, %s)"] * len(part))
            # A statement per hundred calls: PostgreSQL allows 1,664 columns and 65,535 parameters.
            cursor.execute(f"SELECT ARRAY[{calls}]", [value for row in part for value in row])
            written += sum(len(texts) for _, texts in part)
    return written


def new_uuid(random_bits: int) -> uuid.UUID:
    """Return a version 4 UUID of 128 given bits (RFC 9562, 5.4)."""
    return uuid.UUID(int=random_bits, version=4)


def stamp(moment: datetime) -> str:
    """Return a moment as COPY reads it."""
    return moment.isoformat()


def check_at_once() -> None:
    """Check foreign keys with each statement of this transaction, not at its end: a long list of waiting checks is slow."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
