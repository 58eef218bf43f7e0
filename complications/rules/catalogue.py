"""The catalogue of complications, read once from `catalogue/complications.toml` and checked at start."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from complications.rules.conditions import holds
from complications.vocabulary import Pathway, Tier

FOLDER = Path(__file__).resolve().parent.parent / "catalogue"
FIELD_TYPES = ("choice", "boolean", "integer", "decimal", "text")


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a field, in both languages."""

    value: str
    label: str
    label_tr: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """What is asked for a code; numbers carry a unit (UCUM) and a range, `when` says when the field applies."""

    key: str
    type: str
    label: str
    label_tr: str
    unit: str = ""
    min: float | None = None
    max: float | None = None
    options: tuple[Option, ...] = ()
    when: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class CallsFor:
    """An escalation that a code opens by itself when `when` holds."""

    pathway: Pathway
    tier: Tier
    when: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Complication:
    """One row of the taxonomy."""

    code: str
    name: str
    name_tr: str
    group: str
    icd10cm: str
    rate: str
    site_of_leak: str
    escalation: tuple[CallsFor, ...]
    call: tuple[tuple[str, Mapping[str, Any] | None], ...]
    fields: tuple[Field, ...]

    def opens(self, facts: Mapping[str, Any]) -> dict[Pathway, Tier]:
        """Return the worst tier per pathway that this complication calls for, given `facts`."""
        worst: dict[Pathway, Tier] = {}
        for row in self.escalation:
            if holds(row.when, facts):
                worst[row.pathway] = Tier.worst(row.tier, worst.get(row.pathway, row.tier))
        return worst

    def numbers_to_call(self, facts: Mapping[str, Any]) -> list[str]:
        """Return the teams to ring (`arrest`, `stroke`): these never page."""
        return [team for team, when in self.call if holds(when, facts)]

    def check_fields(self, given: Mapping[str, Any]) -> list[tuple[str, str, str]]:
        """Return (key, code, detail) for each value of `given` that cannot be accepted; a missing one is fine."""
        known = {field.key: field for field in self.fields}
        wrong: list[tuple[str, str, str]] = []
        for key, value in given.items():
            if key not in known:
                wrong.append((key, "unknown_field", f"{self.code} asks for: {', '.join(known) or 'nothing more'}."))
            elif value is not None and (fault := _fault(known[key], value)):
                wrong.append((key, *fault))
        return wrong


def _fault(field: Field, value: Any) -> tuple[str, str] | None:
    if field.type == "boolean":
        return None if isinstance(value, bool) else ("not_a_boolean", "Send true or false.")
    if field.type == "text":
        longest = int(field.max or 500)
        good = isinstance(value, str) and len(value) <= longest
        return None if good else ("not_a_text", f"Send a text of at most {longest} characters.")
    if field.type == "choice":
        values = [option.value for option in field.options]
        return None if value in values else ("not_a_choice", f"Accepted: {', '.join(values)}.")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "not_a_number", "Send a number."
    if field.type == "integer" and not float(value).is_integer():
        return "not_a_whole_number", "Send a whole number."
    low = field.min if field.min is not None else float("-inf")
    high = field.max if field.max is not None else float("inf")
    return None if low <= value <= high else ("out_of_range", f"Accepted: {low:g} to {high:g} {field.unit}.")


def load(text: str) -> dict[str, Complication]:
    """Return the catalogue in the TOML `text` by code. Raise ValueError naming the row that is broken."""
    rows: dict[str, Complication] = {}
    for number, row in enumerate(tomllib.loads(text).get("complication", []), start=1):
        code = str(row.get("code", f"row {number}"))
        try:
            one = _row(row)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"complications.toml, {code}: {error}") from error
        if code in rows:
            raise ValueError(f"complications.toml, {code}: stands twice")
        rows[code] = one
    return rows


def _row(row: Mapping[str, Any]) -> Complication:
    fields = tuple(_field(one) for one in row["fields"])
    escalation = tuple(CallsFor(Pathway(e["pathway"]), Tier(e["tier"]), e.get("when")) for e in row["escalation"])
    for calls in escalation:
        holds(calls.when, {})
    return Complication(
        code=row["code"],
        name=row["name"],
        name_tr=row["name_tr"],
        group=row["group"],
        icd10cm=row["icd10cm"],
        rate=row["rate"],
        site_of_leak=row.get("site_of_leak", ""),
        escalation=escalation,
        call=tuple((one["team"], one.get("when")) for one in row["call"]),
        fields=fields,
    )


def _field(row: Mapping[str, Any]) -> Field:
    if row["type"] not in FIELD_TYPES:
        raise ValueError(f"field {row['key']}: unknown type {row['type']!r}")
    options = tuple(Option(o["value"], o["label"], o["label_tr"]) for o in row.get("options", []))
    if (row["type"] == "choice") != bool(options):
        raise ValueError(f"field {row['key']}: a choice, and only a choice, has options")
    rest = {key: value for key, value in row.items() if key != "options"}
    return Field(options=options, **rest)


@cache
def complications() -> dict[str, Complication]:
    """Return the catalogue that ships with the product, by code."""
    return load((FOLDER / "complications.toml").read_text(encoding="utf-8"))
