"""Fixed statements of the path that every tick goes: prepared once for each connection, read straight into models.

The ORM builds and PostgreSQL plans a statement anew each time, which costs more than running it. Everything that is not
this hot stays with the ORM.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache, cached_property
from typing import Any, Generic, TypeVar

import msgspec
import psycopg
from django.db import connection, models

M = TypeVar("M", bound=models.Model)


class _Cursor(psycopg.Cursor[Any]):
    """A cursor that keeps its statement, by which Django shows captured queries."""

    def _convert_query(self, query: Any, params: Any = None) -> Any:
        self._query = super()._convert_query(query, params)
        return self._query


class Sent:
    """A statement that was sent: in a pipeline its rows come when they are asked for, and may have come by then."""

    def __init__(self, raw: _Cursor) -> None:
        self._raw = raw

    def rows(self) -> list[tuple[Any, ...]]:
        """Return its rows, none for a statement that gives none."""
        with connection.wrap_database_errors:
            self._raw._fetch_pipeline()  # noqa: SLF001 - what fetchall does, before it is known whether there are rows
            # Not `description`, which makes an object of every column.
            return self._raw.fetchall() if self._raw.pgresult and self._raw.pgresult.nfields else []


def send(sql: str, parameters: Sequence[Any]) -> Sent:
    """Send a statement with server-side parameters (`%s::type`); jsonb comes as text.

    Outside of `pipelined()` it has been executed then. Inside, an error of a statement whose rows nobody asks for is
    raised by the next whose rows are, and by the commit at the latest.
    """
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    with connection.wrap_database_errors:
        raw = _Cursor(connection.connection)
    # Django's own wrapper around the cursor: errors are Django's, and counted queries count these.
    connection._prepare_cursor(raw).execute(sql, parameters)  # type: ignore[attr-defined] # noqa: SLF001
    return Sent(raw)


def fetch(sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Send a statement and return its rows."""
    return send(sql, parameters).rows()


@contextmanager
def pipelined() -> Iterator[None]:
    """Let statements go out without waiting for the one before: they run in their order, in few round trips.

    On a machine that has much to do each round trip waits for its turn, which costs more than most statements. Inside,
    the ORM works as ever, but for savepoints: after an error nothing runs until the transaction has ended.
    """
    if connection.errors_occurred:
        # The case before this one may have lost it.
        connection.close_if_unusable_or_obsolete()
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield


class Row(Generic[M]):
    """The columns of one model in a hand-written SELECT, and how they become an instance of it."""

    def __init__(self, model: type[M], alias: str) -> None:
        self.model, self.alias = model, alias

    @cached_property
    def fields(self) -> list[Any]:
        """Every column of the table, in the model's order."""
        return list(self.model._meta.concrete_fields)

    @cached_property
    def names(self) -> list[str]:
        return [field.attname for field in self.fields]

    @cached_property
    def columns(self) -> str:
        """The list for SELECT: every column under the table's alias."""
        return ", ".join(f"{self.alias}.{connection.ops.quote_name(field.column)}" for field in self.fields)

    @cached_property
    def converters(self) -> list[tuple[int, Any, Any]]:
        found = []
        for place, field in enumerate(self.fields):
            expression = field.cached_col
            for convert in [
                *connection.ops.get_db_converters(expression),
                *expression.get_db_converters(connection),
            ]:
                found.append((place, convert, expression))
        return found

    def read(self, values: Sequence[Any]) -> M:
        """Return the instance as the ORM would have loaded it."""
        row = list(values)
        for place, convert, expression in self.converters:
            row[place] = convert(row[place], expression, connection)
        return self.model.from_db(connection.alias, self.names, row)


class Joined:
    """The columns of several joined models, and how they become one instance of each."""

    def __init__(self, *rows: Row[Any]) -> None:
        self.rows = rows

    @cached_property
    def columns(self) -> str:
        """The list for SELECT: every column of every table."""
        return ", ".join(row.columns for row in self.rows)

    def read(self, values: Sequence[Any]) -> list[Any]:
        """Return one instance for each table, None where an outer join found no row."""
        found: list[Any] = []
        start = 0
        for row in self.rows:
            end = start + len(row.names)
            # A model's key is its first column.
            found.append(None if values[start] is None else row.read(values[start:end]))
            start = end
        return found


_encode = msgspec.json.Encoder().encode


class Insert(Generic[M]):
    """One INSERT for any number of rows of a model; what breaks a unique rule is left out.

    Rows go as one JSON text, so that it is one statement for any number of them. What the database fills in (keys,
    defaults of its own) is left to it.
    """

    def __init__(self, model: type[M], *, returning: Sequence[str]) -> None:
        self.model, self.returning = model, returning

    @cached_property
    def fields(self) -> list[Any]:
        """What the application writes."""
        fields = self.model._meta.concrete_fields
        return [one for one in fields if not one.primary_key and one.db_default is models.NOT_PROVIDED]

    @cached_property
    def statement(self) -> str:
        quote = connection.ops.quote_name
        names = ", ".join(quote(field.column) for field in self.fields)
        types = ", ".join(f"{quote(field.column)} {field.db_type(connection)}" for field in self.fields)
        back = ", ".join(quote(name) for name in self.returning)
        return (
            f"INSERT INTO {quote(self.model._meta.db_table)} ({names}) "  # noqa: S608 - names of our own
            f"SELECT {names} FROM json_to_recordset(%s::json) AS sent ({types}) ON CONFLICT DO NOTHING RETURNING {back}"
        )

    def write(self, rows: Sequence[M]) -> Sent:
        """Insert the rows in their order; the columns `returning` of those that are new come back."""
        sent = [{field.column: field.pre_save(row, add=True) for field in self.fields} for row in rows]
        return send(self.statement, [_encode(sent).decode()])


def update(row: models.Model, names: Sequence[str]) -> Sent:
    """Write these attributes of a row that is known to be there; nobody is told how many rows it was."""
    fields, statement = _update(type(row), tuple(names))
    values = [field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields]
    return send(statement, [*values, row.pk])


@cache
def _update(model: type[models.Model], names: tuple[str, ...]) -> tuple[list[Any], str]:
    quote = connection.ops.quote_name
    fields: list[Any] = [model._meta.get_field(name) for name in names]
    sets = ", ".join(f"{quote(field.column)} = %s::{field.db_type(connection)}" for field in fields)
    key = quote(model._meta.pk.column or "")
    return fields, f"UPDATE {quote(model._meta.db_table)} SET {sets} WHERE {key} = %s::bigint"  # noqa: S608 - names only
