"""Turn what a reader asks into one SELECT over version rows, or into a sentence that says what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from clinic.exports.shape import Column, Dataset, Filter, Takes
from clinic.lib.problems import FieldError, Invalid
from clinic.lib.stream import CSV, LINES
from clinic.lib.triples import Triple


class Format(StrEnum):
    """How the lines are written."""

    CSV = "csv"
    NDJSON = "ndjson"


CONTENT_TYPES = {Format.CSV: "text/csv; charset=utf-8; header=present", Format.NDJSON: "application/x-ndjson"}
#: What every dataset understands beside its filters.
COMMON = ("format", "fields", "since", "after", "as_of", "versions", "bom", "reason")


@dataclass(frozen=True)
class Selection:
    """What one export holds.

    `since` and `after` leave out everything up to and with that triple: `since` is the as-of of the pull before,
    `after` the last row that a broken-off pull received. `as_of` repeats an earlier pull. `last` keeps only the newest
    version of each record.
    """

    dataset: Dataset
    columns: tuple[Column, ...]
    format: Format = Format.CSV
    filters: Mapping[str, Any] = field(default_factory=dict)
    since: Triple | None = None
    after: Triple | None = None
    as_of: Triple | None = None
    last: bool = False
    bom: bool = False

    def query(self, *, site_id: int, horizon: Triple) -> tuple[str, dict[str, Any]]:
        """Return the SELECT and its values for one site; `horizon` bounds what is visible from above."""
        expressions = [
            f'{column.csv() if self.format is Format.CSV else column.json()} AS "{column.name}"'
            for column in self.columns
        ]
        body, values = self.body(site_id=site_id, horizon=horizon)
        order = f"ORDER BY v.change_epoch, v.change_xid, {self.dataset.sequence}"
        select = f"SELECT {', '.join(expressions)} {body} {order}"
        if self.format is Format.NDJSON:
            select = f"SELECT row_to_json(line) FROM ({select}) AS line"  # noqa: S608 - values are parameters
        return select, values

    def count(self, *, site_id: int, horizon: Triple) -> tuple[str, dict[str, Any]]:
        """Return the query that counts the same rows."""
        body, values = self.body(site_id=site_id, horizon=horizon)
        return f"SELECT count(*) {body}", values

    def body(self, *, site_id: int, horizon: Triple) -> tuple[str, dict[str, Any]]:
        """Return FROM and WHERE with their values."""
        dataset = self.dataset
        values: dict[str, Any] = {"site": site_id, "epoch": horizon.epoch, "xid": str(horizon.xid)}
        conditions = [f"{dataset.site} = %(site)s", _below("v")]
        for name, start in (("since", self.since), ("after", self.after)):
            if start is not None:
                place = f"%({name}_epoch)s, %({name}_xid)s::xid8, %({name}_seq)s"
                conditions.append(f"(v.change_epoch, v.change_xid, {dataset.sequence}) > ({place})")
                values |= {f"{name}_epoch": start.epoch, f"{name}_xid": str(start.xid), f"{name}_seq": start.seq}
        known = {declared.name: declared for declared in dataset.filters}
        for name, value in self.filters.items():
            conditions.append(known[name].sql.format(f"%(filter_{name})s"))
            values[f"filter_{name}"] = value
        if self.last and dataset.record is not None:
            conditions.append(_newest(dataset))
        return f"FROM {dataset.source} v {dataset.joined} WHERE {' AND '.join(conditions)}", values

    @property
    def options(self) -> str:
        """COPY's options for the format."""
        return CSV if self.format is Format.CSV else LINES

    def described(self) -> dict[str, Any]:
        """Return what was asked, for the record, the audit entry and the manifest."""
        return {
            "filters": {name: _plain(value) for name, value in self.filters.items()},
            "fields": [column.name for column in self.columns],
            "since": str(self.since) if self.since else None,
            "after": str(self.after) if self.after else None,
            "versions": "last" if self.last else "all",
            "bom": self.bom,
        }


def _below(alias: str) -> str:
    return f"({alias}.change_epoch, {alias}.change_xid) < (%(epoch)s, %(xid)s::xid8)"


def _newest(dataset: Dataset) -> str:
    """A version is the last one when no visible version of the same record comes after it."""
    record = dataset.record or ""
    later, sequence = record.replace("v.", "later."), dataset.sequence.replace("v.", "later.")
    later_one = (
        f"(later.change_epoch, later.change_xid, {sequence}) > (v.change_epoch, v.change_xid, {dataset.sequence})"
    )
    same = f"{later} = {record} AND {_below('later')}"
    return f"NOT EXISTS (SELECT 1 FROM {dataset.source} later WHERE {same} AND {later_one})"  # noqa: S608 - declared SQL


def _plain(value: Any) -> Any:
    return value if isinstance(value, (bool, list)) else str(value)


def select(dataset: Dataset, asked: Mapping[str, str], *, identified: bool) -> Selection:
    """Return the selection that the parameters `asked` describe; raise Invalid naming every parameter that is wrong."""
    errors: list[FieldError] = []
    known = {declared.name: declared for declared in dataset.filters}
    filters: dict[str, Any] = {}
    for name, text in asked.items():
        if name in known:
            _collect(errors, name, lambda name=name, text=text: filters.update({name: _value(known[name], text)}))
        elif name not in COMMON:
            names = ", ".join(sorted([*known, *COMMON]))
            errors.append(FieldError(name, "unknown_parameter", f"This dataset understands: {names}."))
    found: dict[str, Any] = {}
    for name in ("since", "after", "as_of"):
        if asked.get(name):
            _collect(errors, name, lambda name=name: found.update({name: _triple(asked[name])}))
    _collect(errors, "format", lambda: found.update(format=_format(asked.get("format") or "csv")))
    _collect(errors, "fields", lambda: found.update(columns=_columns(dataset, asked.get("fields"), identified)))
    _collect(errors, "versions", lambda: found.update(last=_choice(asked.get("versions"), "all", "last")))
    _collect(errors, "bom", lambda: found.update(bom=_choice(asked.get("bom"), "false", "true")))
    if errors:
        raise Invalid("invalid", errors[0].detail, errors)
    return Selection(dataset=dataset, filters=filters, **found)


def _collect(errors: list[FieldError], name: str, read: Any) -> None:
    try:
        read()
    except ValueError as error:
        errors.append(FieldError(name, "invalid", str(error)))


def _triple(text: str) -> Triple:
    try:
        return Triple.parse(text)
    except ValueError:
        raise ValueError("Give the change as epoch.transaction.sequence, e.g. 1.7423.0.") from None


def _format(text: str) -> Format:
    try:
        return Format(text)
    except ValueError:
        raise ValueError(f"Use one of: {', '.join(Format)}.") from None


def _choice(text: str | None, no: str, yes: str) -> bool:
    if text in {None, "", no}:
        return False
    if text == yes:
        return True
    raise ValueError(f"Use {no} or {yes}.")


def _columns(dataset: Dataset, fields: str | None, identified: bool) -> tuple[Column, ...]:  # noqa: FBT001
    known = {column.name: column for column in dataset.all_columns}
    if not fields:
        return tuple(column for column in known.values() if identified or not column.identifying)
    names = list(dict.fromkeys(name.strip() for name in fields.split(",") if name.strip()))
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"Unknown: {', '.join(unknown)[:100]}. This dataset has: {', '.join(known)}.")
    if hidden := [name for name in names if known[name].identifying and not identified]:
        raise ValueError(f"Only identified exports hold: {', '.join(hidden)}.")
    return tuple(known[name] for name in names)


def _value(declared: Filter, text: str) -> Any:
    match declared.takes:
        case Takes.WORDS:
            words = [word.strip() for word in text.split(",") if word.strip()]
            if declared.choices and (unknown := [word for word in words if word not in declared.choices]):
                raise ValueError(f"Unknown: {', '.join(unknown)[:100]}. Use one of: {', '.join(declared.choices)}.")
            return words
        case Takes.INSTANT:
            return _instant(text)
        case Takes.UUID:
            try:
                return UUID(text)
            except ValueError:
                raise ValueError("Give the id as a UUID.") from None
        case Takes.FLAG:
            return _choice(text, "false", "true")


def _instant(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("Give the time as RFC 3339, e.g. 2026-03-02T09:00:00Z.") from None
    if moment.tzinfo is None:
        raise ValueError("Give the time with its zone, e.g. 2026-03-02T09:00:00Z.")
    return moment
