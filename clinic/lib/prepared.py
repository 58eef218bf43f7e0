"""Fixed statements of the path that every tick goes: prepared once for each connection, read straight into models.

The ORM builds and PostgreSQL plans a statement anew each time, which costs more than running it. Everything that is not
this hot stays with the ORM.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar

import psycopg
from django.db import connection, models

M = TypeVar("M", bound=models.Model)


class _Cursor(psycopg.Cursor[Any]):
    """A cursor that keeps its statement, by which Django shows captured queries."""

    def _convert_query(self, query: Any, params: Any = None) -> Any:
        self._query = super()._convert_query(query, params)
        return self._query


def fetch(sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Run a statement with server-side parameters (`%s::type`) and return its rows; jsonb comes as text."""
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    with connection.wrap_database_errors:
        raw = _Cursor(connection.connection)
    # Django's own wrapper around the cursor: errors are Django's, and counted queries count these.
    with connection._prepare_cursor(raw) as cursor:  # type: ignore[attr-defined] # noqa: SLF001
        cursor.execute(sql, parameters)
        # Not `description`, which makes an object of every column.
        return cursor.fetchall() if raw.pgresult and raw.pgresult.nfields else []


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
