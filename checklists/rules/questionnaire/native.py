"""Read what a questionnaire says in FHIR's own fields; what only our extensions say comes on top elsewhere.

The export asks these functions what a reader would understand of an item, and puts into its extension exactly what they
would not: so nothing is lost on the way out and back, and a text that another program changed is taken as changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from checklists.rules.questionnaire import words

FhirItem = Mapping[str, Any]
_TYPES = {
    "boolean": "boolean",
    "integer": "integer",
    "decimal": "decimal",
    "quantity": "decimal",
    "date": "date",
    "dateTime": "datetime",
    "time": "text",
    "string": "text",
    "text": "text",
    "url": "text",
    "choice": "choice",
    "open-choice": "choice",
}


def extension(element: Mapping[str, Any], url: str) -> Mapping[str, Any] | None:
    """Return the first extension of an element with this url."""
    return next((one for one in element.get("extension", ()) if one.get("url") == url), None)


def value_of(one: Mapping[str, Any] | None) -> Any:
    """Return the `value[x]` of an extension, answer option or condition, whatever its type."""
    return next((value for name, value in (one or {}).items() if name.startswith(("value", "answer"))), None)


def turkish(element: Mapping[str, Any], name: str) -> str | None:
    """Return the Turkish translation of a primitive field."""
    for one in element.get(f"_{name}", {}).get("extension", ()):
        if one.get("url") == words.TRANSLATION:
            parts = {part.get("url"): value_of(part) for part in one.get("extension", ())}
            if str(parts.get("lang", "")).startswith("tr") and parts.get("content"):
                return str(parts["content"])
    return None


def is_help(item: FhirItem) -> bool:
    """Tell whether a display item is the help of the item above it."""
    control = value_of(extension(item, words.CONTROL)) or {}
    codes = [coding.get("code") for coding in control.get("coding", ())] if isinstance(control, Mapping) else []
    return item["type"] == "display" and ("help" in codes or str(item["linkId"]).endswith(words.HELP))


def type_of(item: FhirItem) -> str:
    """Return our type of a FHIR item: a choice that repeats takes several answers, a group that repeats is a series."""
    if item["type"] == "group":
        return "series" if item.get("repeats") else "group"
    if item["type"] in {"choice", "open-choice"}:
        if not item.get("answerOption"):
            return "text"
        return "multi_choice" if item.get("repeats") else "choice"
    return _TYPES[item["type"]]


def fields_of(item: FhirItem) -> dict[str, Any]:
    """Return the fields of one item that FHIR's own fields say, without its id, condition and children."""
    kind = type_of(item)
    text = str(item.get("text") or item["linkId"])
    found: dict[str, Any] = {
        "title": text,
        "title_tr": turkish(item, "text") or text,
        "type": kind,
        "required": "always" if item.get("required") else "optional",
    }
    if item.get("repeats") and kind != "multi_choice":
        found["repeats"] = re.sub(r"[^a-z0-9]+", "_", str(item["linkId"]).lower()).strip("_")[:30] or "again"
    helps = [child for child in item.get("item", ()) if is_help(child)]
    if helps:
        found["help"] = "\n".join(str(one.get("text", "")) for one in helps)
        if any(turkish(one, "text") for one in helps):
            found["help_tr"] = "\n".join(turkish(one, "text") or str(one.get("text", "")) for one in helps)
    if item.get("answerOption") and kind in {"choice", "multi_choice"}:
        found["options"] = [option_of(one) for one in item["answerOption"]]
    found |= _limits(item, kind)
    unit = value_of(extension(item, words.UNIT))
    if isinstance(unit, Mapping) and kind in {"integer", "decimal"}:
        found["unit"] = str(unit.get("code") or unit.get("display") or "")
    return found


def option_of(option: Mapping[str, Any]) -> dict[str, Any]:
    """Return one answer option: a coding, or a plain value that names itself."""
    value = value_of({name: inner for name, inner in option.items() if name not in {"extension", "id"}})
    if isinstance(value, Mapping):
        code = str(value.get("code") or value.get("display") or value.get("reference") or "")
        label = str(value.get("display") or code)
        found: dict[str, Any] = {"value": code, "label": label, "label_tr": turkish(value, "display") or label}
        if value.get("system") and value["system"] != words.OPTION:
            found["system"] = str(value["system"])
    else:
        found = {"value": str(value), "label": str(value), "label_tr": str(value)}
    if value_of(extension(option, words.EXCLUSIVE)) is True:
        found["exclusive"] = True
    return found


def _limits(item: FhirItem, kind: str) -> Iterator[tuple[str, Any]]:
    if kind in {"integer", "decimal"}:
        for name, url in (("min", words.MIN_VALUE), ("max", words.MAX_VALUE)):
            value = value_of(extension(item, url))
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                yield name, value
    if kind == "text":
        least = value_of(extension(item, words.MIN_LENGTH))
        if isinstance(least, int):
            yield "min", least
        if "maxLength" in item:
            yield "max", item["maxLength"]
    if kind == "multi_choice":
        for name, url in (("min_count", words.MIN_OCCURS), ("max_count", words.MAX_OCCURS)):
            value = value_of(extension(item, url))
            if isinstance(value, int):
                yield name, value


def condition_of(item: FhirItem, ids: Mapping[str, str]) -> tuple[dict[str, Any] | None, list[str]]:
    """Return the condition of an item, and what of it cannot be said here: then the item is asked always.

    `ids` maps linkIds to our ids; one that is missing was left out itself.
    """
    leaves, lost = [], []
    for one in item.get("enableWhen", ()):
        value = value_of(one)
        if isinstance(value, Mapping):
            if "reference" in value or "valueReference" in one or "answerReference" in one:
                lost.append("a condition on a reference")
                continue
            value = value["value"] if "value" in value else str(value.get("code") or value.get("display") or "")
        if one["question"] not in ids:
            lost.append(f"a condition on {one['question']}, which was left out")
            continue
        leaves.append({"item": ids[one["question"]], "op": one["operator"], "value": value})
    if lost or not leaves:
        return None, lost
    if "enableBehavior" in item:
        return {item["enableBehavior"]: leaves}, []
    return leaves[0], []


def head_of(resource: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the list itself that FHIR's own fields say."""
    title = str(resource.get("title") or resource.get("name") or "Questionnaire")
    notice = str(resource.get("copyright") or "")
    return {
        "title": title,
        "title_tr": turkish(resource, "title") or title,
        "version": str(resource.get("version") or ""),
        "notice": notice,
        "notice_tr": turkish(resource, "copyright") or notice,
    }
