"""What a package declares so that its rows can be exported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from clinic.lib.stream import safe_in_a_spreadsheet
from clinic.vocabulary import Scope


class Kind(StrEnum):
    """The type of a column, as the manifest names it; it decides how the value is written in each format."""

    TEXT = "text"
    CODE = "code"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"
    DATE = "date"
    UUID = "uuid"
    LIST = "list"
    JSON = "json"


@dataclass(frozen=True)
class Column:
    """One column: its name in the file, and a trusted SQL expression over the dataset's tables.

    `identifying` columns (names, record numbers, phones, birth dates, free text that may name somebody) are left out
    unless the export is an identified one. `unit` is a UCUM code; `source` says where the value comes from.
    A literal `%` in `sql` is written `%%`.
    """

    name: str
    sql: str
    kind: Kind = Kind.TEXT
    unit: str = ""
    source: str = ""
    identifying: bool = False

    def csv(self) -> str:
        """Return the SQL of the value as CSV holds it: text that looks like a formula is made harmless."""
        match self.kind:
            case Kind.TEXT | Kind.CODE:
                return safe_in_a_spreadsheet(self.sql)
            case Kind.LIST:
                return safe_in_a_spreadsheet(f"array_to_string({self.sql}, '|')")
            case Kind.TIMESTAMP:
                return self._utc()
            case Kind.BOOLEAN | Kind.JSON:
                return f"({self.sql})::text"
        return self.sql

    def json(self) -> str:
        """Return the SQL of the value as JSON holds it, without loss."""
        return self._utc() if self.kind is Kind.TIMESTAMP else self.sql

    def _utc(self) -> str:
        return f"to_char(({self.sql}) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"


class Takes(StrEnum):
    """What a filter's value is."""

    WORDS = "words"  # one or more of `choices` (any word where there are none), separated by commas
    INSTANT = "instant"  # RFC 3339
    UUID = "uuid"
    FLAG = "flag"  # true or false


@dataclass(frozen=True)
class Filter:
    """One filter: its parameter, and SQL with `{}` where the value goes, e.g. `v.kind = ANY({})` for words."""

    name: str
    sql: str
    takes: Takes = Takes.WORDS
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dataset:
    """Rows that can be exported: a version table (or an append-only one) under the alias `v`, with what it joins.

    `site` is the SQL of the row's site id; an export never leaves its site. `record` is what the versions of one record
    have in common, None where rows are never changed. Only joins whose values never change keep the promise that the
    same as-of gives the same bytes. Raise `schema` whenever a column's meaning or order changes.
    """

    name: str
    label: str
    source: str
    site: str
    columns: tuple[Column, ...]
    joins: str | Callable[[], str] = ""
    filters: tuple[Filter, ...] = ()
    sequence: str = "v.pgh_id"
    record: str | None = "v.pgh_obj_id"
    schema: int = 1
    scope: Scope = Scope.EXPORTS_READ
    definitions: Callable[[], Mapping[str, str]] = field(default=dict)

    @property
    def joined(self) -> str:
        """The joins; those that upper floors have a part in are put together at the first use."""
        return self.joins if isinstance(self.joins, str) else self.joins()

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """The change triple, by which a reader resumes and pulls increments, then the declared columns."""
        return (
            Column("change_epoch", "v.change_epoch", Kind.INTEGER, source="life of the database"),
            Column(
                "change_xid", "v.change_xid::text::bigint", Kind.INTEGER, source="transaction that wrote the version"
            ),
            Column("change_seq", self.sequence, Kind.INTEGER, source="version"),
            *self.columns,
        )
