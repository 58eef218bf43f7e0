"""A FHIR R4 Questionnaire as the content of a draft, with a report of what could not be represented."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from checklists.rules.derived import settled
from checklists.rules.questionnaire import native, words
from checklists.rules.questionnaire.check import Fault
from checklists.rules.questionnaire.export import Note
from checklists.rules.review import READ_BY_THE_SERVICE, Content, items_of, walk
from checklists.rules.shape import shape_faults

#: Fields of an item that are read; the rest is named in the report.
_READ = frozenset(
    {
        "linkId", "text", "_text", "type", "required", "repeats", "maxLength", "answerOption", "answerValueSet", "item",
        "enableWhen", "enableBehavior", "extension", "id", "prefix",
    }
)  # fmt: skip
_EXTENSIONS = frozenset(
    {
        words.ITEM, words.MIN_VALUE, words.MAX_VALUE, words.MIN_LENGTH, words.MIN_OCCURS, words.MAX_OCCURS, words.UNIT,
        words.CONTROL,
    }
)  # fmt: skip
_LEFT_OUT = {"attachment": "a file", "reference": "a reference to another resource"}
_CHANGED = {
    "time": "A time of day is taken as text.",
    "url": "An address is taken as text.",
    "open-choice": "Only the options can be chosen; own words need an item of their own.",
    "quantity": "Taken as a number in its unit.",
}


class NotImportable(ValueError):
    """A questionnaire that is refused, with every reason."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(f"{one.place}: {one.detail}" for one in faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Imported:
    """What came in: the content of a draft, what could not be represented, and whether it was one of our own lists."""

    content: dict[str, Any]
    notes: list[Note]
    own: bool


@dataclass(slots=True)
class _Work:
    """One import under way; `links` maps linkIds to our ids, `known` the linkIds of the list that is replaced."""

    prefix: str
    source: str
    known: Mapping[str, str]
    taken: Mapping[str, str]
    notes: list[Note] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)
    rests: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    own: bool = False
    number: int = 0
    part: int = 0
    english_only: int = 0


def own_name(resource: Mapping[str, Any]) -> str:
    """Return the id of our list that a (checked) questionnaire was exported from; empty for one of somebody else."""
    rest = _read_rest(native.extension(resource, words.LIST), "Questionnaire", [])
    return str(rest.get("set", {}).get("id", ""))


def from_questionnaire(
    resource: Mapping[str, Any], *, base: Content, version: str, taken: Mapping[str, str]
) -> Imported:
    """Return a checked questionnaire as content of a draft of the list `base`.

    One that we exported comes back as it was, with what was changed in FHIR's own fields. Another one takes people, tables
    and reasons of `base`, `version`, and ids that no item has (`taken`: id → type), the ones of `base` again where a linkId
    is the same. Raise NotImportable where an extension of ours cannot be read, or belongs to another list.
    """
    faults: list[Fault] = []
    resource = with_value_sets(resource)
    rest = _read_rest(native.extension(resource, words.LIST), "Questionnaire", faults)
    work = _Work(
        prefix=base["id"].upper().replace("_", "-")[:14],
        source=f"FHIR {resource.get('url') or resource.get('title') or 'Questionnaire'}"[:200],
        known={str(item["link_id"]): str(name) for name, item in items_of(base).items() if item.get("link_id")},
        taken=taken,
        own=bool(rest),
    )
    _name(resource["item"], "", work, faults)
    if faults:
        raise NotImportable(faults)
    head = native.head_of(resource)
    if rest:
        head = _with_rest(head, rest)
        if head.get("id") != base["id"]:
            place = "Questionnaire.extension"
            raise NotImportable([Fault(place, "other_list", f"This is the list {head.get('id')}, not {base['id']}.")])
    else:
        head = _foreign_head(head, resource, base, version, work)
    items = [made for item in resource["item"] if (made := _item(item, work)) is not None]
    if not items:
        raise NotImportable([Fault("Questionnaire.item", "empty", "None of its items can be asked here.")])
    content: dict[str, Any] = {**head, "items": items if rest else [*_kept(base, items, work), *items]}
    if work.english_only:
        work.notes.append(
            Note(
                "",
                "title_tr",
                "changed",
                f"{work.english_only} texts have no Turkish: the other text stands in for it.",
            )
        )
    return Imported(content if any(shape_faults("", content)) else settled(content), work.notes, bool(rest))


def with_value_sets(resource: Mapping[str, Any]) -> dict[str, Any]:
    """Return a questionnaire with the options of its contained value sets written out beside each item that names one."""
    sets: dict[str, list[Any]] = {}
    for one in resource.get("contained", ()):
        if one.get("resourceType") == "ValueSet" and one.get("id"):
            sets[f"#{one['id']}"] = _concepts(one)

    def walk(items: Any) -> list[dict[str, Any]]:
        found = []
        for item in items:
            made = {**item}
            if options := sets.get(str(item.get("answerValueSet"))):
                made["answerOption"] = [{"valueCoding": coding} for coding in options]
            if item.get("item"):
                made["item"] = walk(item["item"])
            found.append(made)
        return found

    return {**resource, "item": walk(resource["item"])}


def _concepts(value_set: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the codes of a contained value set that lists them; one that names a whole code system has none."""
    expansion = value_set.get("expansion")
    rows = expansion.get("contains", []) if isinstance(expansion, dict) else []
    compose = value_set.get("compose")
    for include in compose.get("include", []) if isinstance(compose, dict) and not rows else []:
        rows = [*rows, *({**one, "system": include.get("system")} for one in include.get("concept", []))]
    names = ("system", "code", "display")
    return [
        {name: one[name] for name in names if one.get(name)}
        for one in rows
        if isinstance(one, dict) and one.get("code")
    ]


def _read_rest(one: Mapping[str, Any] | None, place: str, faults: list[Fault]) -> dict[str, Any]:
    if one is None:
        return {}
    try:
        rest = json.loads(one.get("valueString", ""))
    except (ValueError, RecursionError):
        rest = None
    if (
        not isinstance(rest, dict)
        or not isinstance(rest.get("set", {}), dict)
        or not isinstance(rest.get("unset", []), list)
    ):
        faults.append(
            Fault(f"{place}.extension", "extension", f"The text of {one['url']} cannot be read. Export again.")
        )
        return {}
    return rest


def _with_rest(found: Mapping[str, Any], rest: Mapping[str, Any]) -> dict[str, Any]:
    unset = set(rest.get("unset", ()))
    return {**{name: value for name, value in found.items() if name not in unset}, **rest.get("set", {})}


def _foreign_head(
    head: dict[str, Any], resource: Mapping[str, Any], base: Content, version: str, work: _Work
) -> dict[str, Any]:
    for name in sorted(set(resource) & {"purpose", "useContext", "code", "derivedFrom", "effectivePeriod", "contact"}):
        work.notes.append(Note("", name, "left_out", "Not part of a list here."))
    own = {name: base[name] for name in ("schema", "id", "kind", "phase", "languages", "conventions")}
    code = {"code": base["code"]} if "code" in base else {}
    notice = head["notice"] or base["notice"], head["notice_tr"] or base["notice_tr"]
    return {**own, **head, **code, "version": version, "notice": notice[0], "notice_tr": notice[1]}


def _kept(base: Content, items: list[dict[str, Any]], work: _Work) -> list[dict[str, Any]]:
    """Return the items of the list in force that the service itself reads, the red flags among them: no form goes without."""
    here = {str(item["id"]) for item in walk(items)}
    found = []
    for item in base["items"]:
        read = [one for one in walk([item]) if one["id"] in READ_BY_THE_SERVICE or one.get("feeds")]
        if read and item["id"] not in here:
            found.append(dict(item))
            why = "Kept from the list in force: the service itself reads it."
            work.notes.append(Note(str(item["id"]), "", "changed", why))
    return found


def _name(items: Any, above: str, work: _Work, faults: list[Fault]) -> None:
    """Give every item that can be asked its id before conditions are read, since they refer in any direction."""
    for item in items:
        link = str(item["linkId"])
        rest = _read_rest(native.extension(item, words.ITEM), f"item {link}", faults)
        work.rests[link] = rest
        if item["type"] == "display" or item["type"] in _LEFT_OUT:
            continue
        own = rest.get("set", {}).get("id")
        if isinstance(own, str):
            work.links[link] = own
        elif rest or native.extension(item, words.ITEM) is not None or _fits(link, above):
            work.links[link] = link
        else:
            work.links[link] = _fresh(item, link, above, work)
        _name(item.get("item", ()), work.links[link], work, faults)


def _fits(link: str, above: str) -> bool:
    """Tell whether a linkId is an id as our lists have them: `PRE-PAI-01`, and below it `PRE-PAI-01.rest`."""
    first, _, part = link.partition(".")
    head = above.partition(".")[0]
    kind = first.split("-")
    shaped = len(kind) == 3 and all(kind) and kind[0].isalpha() and kind[0].isupper() and kind[2].isdigit()
    return shaped and len(first) <= 20 and len(part) <= 60 and (first == head and bool(part) if above else not part)


def _fresh(item: Mapping[str, Any], link: str, above: str, work: _Work) -> str:
    known = work.known.get(link, "")
    same_place = known.partition(".")[0] == above.partition(".")[0] if above else "." not in known
    same_type = work.taken.get(known) in {None, native.type_of(item)}
    if known and same_place and same_type and known not in work.links.values():
        return known
    while True:
        if above:
            work.part += 1
            name = f"{above.partition('.')[0]}.q{work.part}"
        else:
            work.number += 1
            name = f"{work.prefix}-{work.number:03}"
        if name not in work.taken and name not in work.links.values() and name not in work.known.values():
            return name


def _item(item: Mapping[str, Any], work: _Work) -> dict[str, Any] | None:
    link = str(item["linkId"])
    if item["type"] in _LEFT_OUT:
        work.notes.append(Note(link, "type", "left_out", f"The answer is {_LEFT_OUT[item['type']]}: not asked here."))
        for child in item.get("item", ()):
            work.notes.append(Note(str(child["linkId"]), "", "left_out", "It stands below an item that was left out."))
        return None
    if item["type"] == "display":
        if not native.is_help(item):
            work.notes.append(
                Note(link, "type", "left_out", f"A text without a question: {str(item.get('text', ''))[:200]}")
            )
        return None
    rest = work.rests[link]
    _note_options(item, link, work)
    if rest == {} and native.extension(item, words.ITEM) is None:
        _report(item, link, work)
    found: dict[str, Any] = {"id": work.links[link], **native.fields_of(item)}
    if native.turkish(item, "text") is None and not work.own:
        work.english_only += 1
    condition, lost = native.condition_of(item, work.links)
    if condition:
        found["applies"] = condition
    work.notes += [Note(link, "enableWhen", "left_out", f"{why}: the item is always asked.") for why in lost]
    found = _with_rest(found, rest)
    found["id"] = work.links[link]
    if found["id"] != link:
        found.setdefault("link_id", link)
    for name, value in (
        ("per", "procedure"), ("by", ["nurse"]), ("emergency", "now"), ("source", work.source), ("evidence", "K"),
    ):  # fmt: skip
        found.setdefault(name, value)
    children = [made for child in item.get("item", ()) if (made := _item(child, work)) is not None]
    if children:
        found["items"] = children
    elif found["type"] in {"group", "series"}:
        work.notes.append(Note(link, "item", "left_out", "Nothing below this group can be asked here."))
        return None
    return found


def _note_options(item: Mapping[str, Any], link: str, work: _Work) -> None:
    if item["type"] in {"choice", "open-choice"} and not item.get("answerOption"):
        work.notes.append(
            Note(
                link, "answerValueSet", "changed", "Its value set is not at hand: asked as text. Give it options here."
            )
        )


def _report(item: Mapping[str, Any], link: str, work: _Work) -> None:
    if item["type"] in _CHANGED:
        work.notes.append(Note(link, "type", "changed", _CHANGED[item["type"]]))
    if not item.get("text"):
        work.notes.append(Note(link, "text", "changed", "It has no text: its linkId stands in for it."))
    if item.get("answerOption") and item["type"] not in {"choice", "open-choice"}:
        work.notes.append(
            Note(link, "answerOption", "left_out", "Only a choice has options here: any value can be typed.")
        )
    for name in sorted(set(item) - _READ):
        work.notes.append(Note(link, name.lstrip("_"), "left_out", _why(name)))
    for one in item.get("extension", ()):
        if one.get("url") not in _EXTENSIONS:
            work.notes.append(Note(link, "extension", "left_out", f"The extension {one.get('url')} is not understood."))


def _why(name: str) -> str:
    if name == "initial":
        return "A value that nobody gave is no answer: proposals are confirmed here."
    return "Not part of an item here."
