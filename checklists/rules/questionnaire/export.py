"""A list as a FHIR R4 Questionnaire, with a report of what only our extensions carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import rfc8785

from checklists.rules.questionnaire import native, words
from checklists.rules.review import Content, items_of

#: Fields whose loss changes what somebody else's form asks; the others are our own bookkeeping.
_TELLING = {
    "applies": "The condition refers to another list or to the procedure, nests, or compares with a limit: without the extension the item is always asked.",
    "per": "Asked for each level (and side): without the extension it is asked once.",
    "type": "FHIR has no such type.",
    "repeats": "What repeats together is named in the extension.",
    "required": "Required only where its condition holds.",
    "computed": "Worked out by the service: without the extension somebody types it.",
    "stop_rules": "What stands against signing.",
    "raises": "Whom the answer calls.",
    "warn_low": "Shown as unusual below.",
    "warn_high": "Shown as unusual above.",
    "units": "Other units in which it may be typed.",
    "na_allowed": "May be answered with 'not applicable'.",
    "feeds": "A fact of the procedure.",
    "prefill": "Where a proposal comes from.",
    "by": "Who answers.",
}


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that FHIR's own fields do not carry: `extension` (kept there), `changed` or `left_out`."""

    item: str
    field: str
    how: str
    detail: str

    def as_json(self) -> dict[str, str]:
        """Return the note as the API shows it."""
        return {"item": self.item, "field": self.field, "how": self.how, "detail": self.detail}


def to_questionnaire(content: Content, *, status: str, sha256: str, date: str) -> tuple[dict[str, Any], list[Note]]:
    """Return the questionnaire and its report. `status` is FHIR's (draft, active, retired), `date` RFC 3339.

    Importing it again gives exactly this content: what FHIR's own fields would not give back stands in extensions.
    """
    items = items_of(content)
    notes: list[Note] = []
    resource: dict[str, Any] = {
        "resourceType": "Questionnaire",
        "id": f"{content['id']}-{sha256[:12]}".replace("_", "-"),
        "language": "en",
        "url": f"{words.URL}{content['id']}",
        "version": content["version"],
        "name": "".join(word.capitalize() for word in content["id"].split("_")),
        **_text("title", content["title"], content["title_tr"]),
        "status": status,
        "subjectType": ["Patient"],
        "date": date,
        "publisher": "Vertebral augmentation checklists",
        **(_text("copyright", content["notice"], content["notice_tr"]) if content["notice"] else {}),
        "item": [_item(raw, items, notes) for raw in content["items"]],
    }
    own = {name: value for name, value in content.items() if name != "items"}
    resource["extension"] = [
        _extension(words.LIST, _rest(own, native.head_of(resource))),
        {"url": words.SHA256, "valueString": sha256},
    ]
    return resource, notes


def _text(name: str, english: str, other: str) -> dict[str, Any]:
    found: dict[str, Any] = {name: english}
    if other and other != english:
        found[f"_{name}"] = {
            "extension": [
                {
                    "url": words.TRANSLATION,
                    "extension": [{"url": "lang", "valueCode": "tr"}, {"url": "content", "valueString": other}],
                }
            ]
        }
    return found


def _rest(raw: Mapping[str, Any], understood: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a reader of FHIR's own fields would not know: `set` to these values, `unset` what is not there."""
    rest: dict[str, Any] = {
        "set": {name: value for name, value in raw.items() if (name not in understood or understood[name] != value)},
        "unset": sorted(name for name in understood if name not in raw),
    }
    return {name: value for name, value in rest.items() if value}


def _extension(url: str, value: Any) -> dict[str, Any]:
    return {"url": url, "valueString": rfc8785.dumps(value).decode()}


def _item(raw: Mapping[str, Any], items: Mapping[str, Mapping[str, Any]], notes: list[Note]) -> dict[str, Any]:
    kind = raw["type"]
    link = str(raw.get("link_id") or raw["id"])
    item: dict[str, Any] = {"linkId": link, **_text("text", raw["title"], raw["title_tr"]), "type": words.TYPES[kind]}
    conditions = _enable_when(raw.get("applies"), items)
    if conditions:
        item |= conditions
    if raw["required"] != "optional":
        item["required"] = True
    if kind == "multi_choice" or raw.get("repeats"):
        item["repeats"] = True
    extensions = list(_extensions(raw))
    if kind == "text" and isinstance(raw.get("max"), int):
        item["maxLength"] = raw["max"]
    if raw.get("options") and item["type"] == "choice":
        item["answerOption"] = [_option(one) for one in raw["options"]]
    children = [_item(child, items, notes) for child in raw.get("items", ())]
    if raw.get("help"):
        control = {"coding": [{"system": words.CONTROLS, "code": "help", "display": "Help-Button"}]}
        children.insert(
            0,
            {
                "linkId": link + words.HELP,
                "extension": [{"url": words.CONTROL, "valueCodeableConcept": control}],
                **_text("text", raw["help"], raw.get("help_tr", "")),
                "type": "display",
            },
        )
    if children:
        item["item"] = children
    if extensions:
        item["extension"] = extensions
    understood = native.fields_of(item) | {"id": link}
    if conditions:
        understood["applies"] = native.condition_of(item, {_link(one): one["id"] for one in items.values()})[0]
    own = {name: value for name, value in raw.items() if name != "items" and name not in words.DERIVED}
    rest = _rest(own, understood)
    if rest:
        item["extension"] = [*extensions, _extension(words.ITEM, rest)]
    notes += [
        Note(str(raw["id"]), name, "extension", _TELLING[name])
        for name in rest.get("set", ())
        if name in _TELLING and not (name == "per" and raw["per"] == "procedure")
    ]
    return item


def _link(item: Mapping[str, Any]) -> str:
    return str(item.get("link_id") or item["id"])


def _extensions(raw: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    kind = raw["type"]
    if kind in {"integer", "decimal"}:
        for name, url in (("min", words.MIN_VALUE), ("max", words.MAX_VALUE)):
            if name in raw:
                whole = kind == "integer" and isinstance(raw[name], int)
                found.append({"url": url, "valueInteger" if whole else "valueDecimal": raw[name]})
        if raw.get("unit"):
            system = {} if raw["unit"] in words.NOT_UCUM else {"system": words.UCUM}
            coding = {**system, "code": raw["unit"], "display": raw["unit"]}
            found.append({"url": words.UNIT, "valueCoding": coding})
    if kind == "text" and isinstance(raw.get("min"), int):
        found.append({"url": words.MIN_LENGTH, "valueInteger": raw["min"]})
    if kind == "multi_choice":
        for name, url in (("min_count", words.MIN_OCCURS), ("max_count", words.MAX_OCCURS)):
            if name in raw:
                found.append({"url": url, "valueInteger": raw[name]})
    return found


def _option(option: Mapping[str, Any]) -> dict[str, Any]:
    coding = {
        "system": option.get("system") or words.OPTION,
        "code": option["value"],
        **_text("display", option["label"], option["label_tr"]),
    }
    found: dict[str, Any] = {"valueCoding": coding}
    if option.get("exclusive"):
        found["extension"] = [{"url": words.EXCLUSIVE, "valueBoolean": True}]
    return found


def _enable_when(condition: Any, items: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return enableWhen (and enableBehavior), or None where FHIR's own fields cannot say this condition."""
    if not condition:
        return None
    joint = next((name for name in ("all", "any") if name in condition), "")
    leaves = [_leaf(one, items) for one in (condition[joint] if joint else [condition])]
    if any(leaf is None for leaf in leaves):
        return None
    return {"enableWhen": leaves, **({"enableBehavior": joint} if joint else {})}


_ANSWERS: dict[str, tuple[tuple[type, ...], str]] = {
    "boolean": ((bool,), "answerBoolean"),
    "integer": ((int,), "answerInteger"),
    "decimal": ((int, float), "answerDecimal"),
    "date": ((str,), "answerDate"),
    "datetime": ((str,), "answerDateTime"),
    "text": ((str,), "answerString"),
    "scan": ((str,), "answerString"),
    "user_ref": ((str,), "answerString"),
}


def _leaf(leaf: Mapping[str, Any], items: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
    target = items.get(str(leaf.get("item")))
    if target is None or set(leaf) != {"item", "op", "value"} or target["type"] in {"group", "series"}:
        return None
    found = {"question": _link(target), "operator": leaf["op"]}
    value = leaf["value"]
    if leaf["op"] == "exists":
        return {**found, "answerBoolean": value} if isinstance(value, bool) else None
    if target["type"] in {"choice", "multi_choice", "coded"}:
        option = next((one for one in target.get("options", ()) if one["value"] == value), None)
        system = (option or {}).get("system") or words.OPTION
        return {**found, "answerCoding": {"system": system, "code": value}} if option else None
    kinds, name = _ANSWERS[target["type"]]
    if not isinstance(value, kinds) or (isinstance(value, bool) and name != "answerBoolean"):
        return None
    return {**found, name: value}
