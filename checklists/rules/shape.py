"""The shape of a definition: every field with its type, so that what somebody typed or imported is refused by its place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from checklists.rules.check import BrokenDefinition
from checklists.rules.nodes import PHASES

#: Columns of the answers: an id is `ITEM` or `ITEM.part`.
ITEM_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,19}(\.[A-Za-z0-9_.-]{1,60})?\Z")
VERSION = re.compile(r"[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}\Z")
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")
FOLLOW_UP = "follow_up"
#: More than this nobody works through; it also bounds what an import may ask of the service.
MOST_ITEMS = 1000
DEEPEST = 8

Number = int | float
Words = Annotated[str, Meta(min_length=1, max_length=4000)]


class Option(msgspec.Struct, forbid_unknown_fields=True):
    """One of several answers."""

    value: Annotated[str, Meta(min_length=1, max_length=200)]
    label: Words
    label_tr: Words
    exclusive: bool = False
    system: str = ""


class Unit(msgspec.Struct, forbid_unknown_fields=True):
    """Another unit in which a number may be typed."""

    code: str
    factor: Number


class Rule(msgspec.Struct, forbid_unknown_fields=True, rename={"kind": "class"}):
    """One stop rule."""

    kind: str
    when: dict[str, Any]
    because: Words
    because_tr: Words
    never: bool = False


class Raise(msgspec.Struct, forbid_unknown_fields=True, rename={"source": "from"}):
    """What an answer sets in motion."""

    kind: str
    code: str
    when: dict[str, Any]
    note: str = ""
    source: str = ""
    plus_min: int = 0
    unless: str = ""


class Computed(msgspec.Struct, forbid_unknown_fields=True):
    """A value that the computer works out."""

    fn: str
    args: list[str]


class Item(msgspec.Struct, forbid_unknown_fields=True):
    """One item; its children are looked at one by one."""

    id: str
    title: Words
    title_tr: Words
    type: str
    required: str
    per: str
    by: Annotated[list[str], Meta(min_length=1)]
    emergency: Literal["now", "debt"]
    source: str
    evidence: str
    help: str = ""
    help_tr: str = ""
    unit: str = ""
    units: list[Unit] = []
    min: Number | None = None
    max: Number | None = None
    step: Number | None = None
    warn_low: Number | None = None
    warn_high: Number | None = None
    min_count: int | None = None
    max_count: int | None = None
    options: list[Option] = []
    repeats: str = ""
    applies: dict[str, Any] | None = None
    stop_rules: list[Rule] = []
    raises: list[Raise] = []
    computed: Computed | None = None
    feeds: str = ""
    prefill: str = ""
    na_allowed: bool = False
    attest: str = ""
    items: list[dict[str, Any]] = []
    phase: str = ""
    order: int = 0
    stop: str = ""
    stop_subtree: str = ""
    link_id: str = ""


class Reason(msgspec.Struct):
    """A coded reason."""

    value: str
    label: str
    label_tr: str


class Conventions(msgspec.Struct, forbid_unknown_fields=True):
    """Who signs, the coded reasons, and the tables that computed values read."""

    signatures: list[Literal["operator", "nurse", "watcher", "ward_nurse"]]
    reasons: dict[str, list[Reason]]
    tables: dict[str, Any]


class Head(msgspec.Struct, forbid_unknown_fields=True):
    """A definition without its items."""

    schema: Literal["checklist-definition/1"]
    id: str
    kind: Literal["phase", "follow_up"]
    phase: str
    version: str
    languages: list[Literal["en", "tr"]]
    title: Words
    title_tr: Words
    notice: str
    notice_tr: str
    conventions: Conventions
    items: Annotated[list[dict[str, Any]], Meta(min_length=1)]
    code: str = ""


_PLACE = re.compile(r"`\$\.?(.*)`")


def shape_faults(file: str, content: Any) -> Iterator[BrokenDefinition]:
    """Yield what is wrong with the shape of a definition: nothing else may look at one that has such a fault."""
    if not isinstance(content, dict):
        yield BrokenDefinition(file, "", "", "A definition is a JSON object {…}.")
        return
    fault = _convert(file, "", content, Head)
    if fault:
        yield fault
        return
    yield from _head_faults(file, content)
    count = 0
    todo = [(item, 1) for item in content["items"]]
    for item, depth in todo:
        count += 1
        if count > MOST_ITEMS or depth > DEEPEST:
            yield BrokenDefinition(file, "", "items", f"At most {MOST_ITEMS} items, nested {DEEPEST} deep, are taken.")
            return
        name = str(item.get("id", f"number {count}"))[:90]
        fault = _convert(file, name, item, Item)
        if fault:
            yield fault
            continue
        if not ITEM_ID.match(item["id"]):
            yield BrokenDefinition(
                file, name, "id", "An id is up to 20 letters, digits, - or _, then perhaps a dot and its part."
            )
        todo += [(child, depth + 1) for child in item.get("items", ())]


def _head_faults(file: str, content: Mapping[str, Any]) -> Iterator[BrokenDefinition]:
    if not NAME.match(content["id"]):
        yield BrokenDefinition(file, "", "id", "The id of a list is up to 40 small letters, digits or _.")
    if not VERSION.match(content["version"]):
        yield BrokenDefinition(file, "", "version", "A version is three numbers: 1.2.0.")
    if content["languages"] != ["en", "tr"]:
        yield BrokenDefinition(file, "", "languages", 'Both languages are needed: ["en", "tr"].')
    if content["kind"] == "phase" and not (content["id"] == content["phase"] and content["phase"] in PHASES):
        yield BrokenDefinition(file, "", "phase", f"A list of the day has id = phase, one of: {', '.join(PHASES)}.")
    if content["kind"] == FOLLOW_UP and (content["phase"] != FOLLOW_UP or not content.get("code")):
        yield BrokenDefinition(file, "", "code", 'A form has phase "follow_up" and the code of its follow-up.')


def _convert(file: str, name: str, value: Any, kind: type[msgspec.Struct]) -> BrokenDefinition | None:
    try:
        msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        said = str(error)
        place = _PLACE.search(said)
        field = place.group(1) if place else ""
        text = said.partition(" - at ")[0]
        if not field and "`" in text:
            field = text.split("`")[1]
        return BrokenDefinition(file, name, field, f"{text}. Put that right.")
    return None


def readable(value: Any) -> Any:
    """Return a definition with its fields in the order in which people write them; a database keeps them in another."""
    if isinstance(value, list):
        return [readable(one) for one in value]
    if not isinstance(value, dict):
        return value
    places = {name: place for place, name in enumerate(_ORDER)}
    names = sorted(value, key=lambda name: (places.get(name, len(places)), name))
    return {name: readable(value[name]) for name in names}


_ORDER = (
    *("schema", "id", "kind", "phase", "code", "version", "languages", "title", "title_tr", "notice", "notice_tr"),
    *("type", "item", "fact", "op", "class", "when", "because", "because_tr", "value", "label", "label_tr"),
    *(name for name in Item.__struct_fields__ if name not in {"items", "id", "title", "title_tr", "type", "phase"}),
    *("conventions", "items"),
)
