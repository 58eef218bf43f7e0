"""Whether something is a FHIR R4 Questionnaire that can be worked with: the official schema, then the invariants.

The schema (4.0.1, with the required bindings as enums) finds wrong fields, types and codes. The rules that it cannot say are
looked at here under HL7's names (que-1 … que-12), with what only a program finds: links to nowhere and loops of conditions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from checklists.rules.shape import DEEPEST, MOST_ITEMS

_SCHEMA = Path(__file__).with_name("r4.schema.json")
#: Deeper JSON than this no questionnaire of DEEPEST levels needs.
_DEEPEST_JSON = 8 + 6 * DEEPEST
_MOST_FAULTS = 50


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason for a refusal: where (as a FHIRPath), a code, and what to do."""

    place: str
    code: str
    detail: str


@cache
def _validator() -> Any:
    # It takes a tenth of a second to load, and few import a questionnaire.
    from jsonschema import Draft6Validator  # type: ignore[import-untyped]

    return Draft6Validator(json.loads(_SCHEMA.read_text(encoding="utf-8")))


def questionnaire_faults(resource: Any) -> list[Fault]:
    """Return why a resource cannot be imported; empty where it can."""
    if not isinstance(resource, dict) or resource.get("resourceType") != "Questionnaire":
        return [Fault("", "not_a_questionnaire", 'Send one FHIR resource with "resourceType": "Questionnaire".')]
    if _depth(resource) > _DEEPEST_JSON:
        return [Fault("Questionnaire", "too_deep", f"Items may be nested {DEEPEST} deep.")]
    faults = [
        Fault(_path(error.absolute_path), "schema", _said(error))
        for _, error in zip(range(_MOST_FAULTS), _validator().iter_errors(resource), strict=False)
    ]
    if faults:
        return faults
    if not resource.get("item"):
        return [Fault("Questionnaire.item", "empty", "A questionnaire without items asks nothing.")]
    items = list(_walk(resource["item"], "Questionnaire", 1))
    if len(items) > MOST_ITEMS or any(depth > DEEPEST for _, _, depth in items):
        return [
            Fault("Questionnaire.item", "too_large", f"At most {MOST_ITEMS} items, nested {DEEPEST} deep, are taken.")
        ]
    if "status" not in resource:
        faults.append(Fault("Questionnaire.status", "required", "Add status: draft, active, retired or unknown."))
    if resource.get("modifierExtension") or resource.get("implicitRules"):
        faults.append(
            Fault("Questionnaire", "modifier", "It carries rules that must be understood and are not. Take them out.")
        )
    links: dict[str, Mapping[str, Any]] = {}
    for item, place, _ in items:
        faults += _item_faults(item, place)
        link = item.get("linkId")
        if link in links:
            faults.append(Fault(f"{place}.linkId", "que-2", f"The linkId {link} stands twice. Each item has its own."))
        elif link:
            links[link] = item
    for item, place, _ in items:
        faults += _condition_faults(item, place, links)
    if not faults and (circle := _circle(resource["item"], links)):
        loop = " → ".join(circle)
        faults.append(Fault("Questionnaire.item", "loop", f"Conditions go in a circle: {loop}. Take one away."))
    return faults[:_MOST_FAULTS]


def _depth(value: Any) -> int:
    deepest, todo = 0, [(value, 1)]
    while todo and deepest <= _DEEPEST_JSON:
        one, depth = todo.pop()
        deepest = max(deepest, depth)
        if isinstance(one, dict):
            todo += [(inner, depth + 1) for inner in one.values()]
        elif isinstance(one, list):
            todo += [(inner, depth + 1) for inner in one]
    return deepest


def _path(parts: Any) -> str:
    text = "Questionnaire"
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text


def _said(error: Any) -> str:
    """Return the schema's message, shortened: it quotes the value, which can be a whole item."""
    message = str(error.message)
    if error.validator == "enum":
        allowed = ", ".join(str(one) for one in error.validator_value)
        return f"{str(error.instance)[:60]!r} is not a code of FHIR R4 here. Use one of: {allowed}."
    if error.validator == "additionalProperties":
        return f"{message[-200:]} FHIR R4 has no such field here; take it out."
    return message[:200] + ". Put that right as FHIR R4 says."


def _walk(items: Any, above: str, depth: int) -> Iterator[tuple[Mapping[str, Any], str, int]]:
    for number, item in enumerate(items):
        place = f"{above}.item[{number}]"
        yield item, place, depth
        yield from _walk(item.get("item", ()), place, depth + 1)


def _item_faults(item: Mapping[str, Any], place: str) -> Iterator[Fault]:
    if not item.get("linkId"):
        yield Fault(f"{place}.linkId", "required", "Every item needs a linkId.")
    kind = item.get("type")
    if not kind:
        yield Fault(f"{place}.type", "required", "Every item needs a type.")
    if kind == "group" and not item.get("item"):
        yield Fault(f"{place}.item", "que-1", "A group has items below it.")
    if kind == "display":
        if item.get("item"):
            yield Fault(f"{place}.item", "que-1", "A display item has nothing below it.")
        if "required" in item or "repeats" in item:
            yield Fault(place, "que-6", "A display item is neither required nor repeated.")
        if "readOnly" in item:
            yield Fault(f"{place}.readOnly", "que-9", "A display item is not read-only.")
        if item.get("initial"):
            yield Fault(f"{place}.initial", "que-8", "Groups and display items have no initial value.")
    if item.get("answerOption") and item.get("answerValueSet"):
        yield Fault(place, "que-4", "An item has answerOption or answerValueSet, not both.")
    if (item.get("answerOption") or item.get("answerValueSet")) and kind not in {
        "choice", "open-choice", "decimal", "integer", "date", "dateTime", "time", "string", "quantity",
    }:  # fmt: skip
        yield Fault(place, "que-5", f"An item of type {kind} has no answer options.")
    for number, option in enumerate(item.get("answerOption", ())):
        if sum(name.startswith("value") for name in option) != 1:
            yield Fault(f"{place}.answerOption[{number}]", "value", "An answer option has exactly one value.")
    if "maxLength" in item and kind not in {"boolean", "decimal", "integer", "string", "text", "url", "open-choice"}:
        yield Fault(f"{place}.maxLength", "que-10", f"An item of type {kind} has no maxLength.")
    if item.get("modifierExtension"):
        yield Fault(place, "modifier", "It carries a rule that must be understood and is not. Take it out.")
    if len(item.get("enableWhen", ())) > 1 and "enableBehavior" not in item:
        yield Fault(f"{place}.enableBehavior", "que-12", "Several conditions need enableBehavior: all or any.")


def _condition_faults(item: Mapping[str, Any], place: str, links: Mapping[str, Any]) -> Iterator[Fault]:
    for number, one in enumerate(item.get("enableWhen", ())):
        here = f"{place}.enableWhen[{number}]"
        for name in ("question", "operator"):
            if not one.get(name):
                yield Fault(f"{here}.{name}", "required", f"A condition needs {name}.")
        answers = [name for name in one if name.startswith("answer")]
        if len(answers) != 1:
            yield Fault(here, "required", "A condition has exactly one answer[x].")
        elif one.get("operator") == "exists" and answers != ["answerBoolean"]:
            yield Fault(here, "que-7", "exists asks for answerBoolean.")
        if one.get("question") and one["question"] not in links:
            yield Fault(
                f"{here}.question", "dangling", f"No item has the linkId {one['question']}. Mend it, or add the item."
            )
        elif one.get("question") and links[one["question"]].get("type") == "display":
            yield Fault(f"{here}.question", "dangling", "A display item has no answer to ask for.")


def _circle(items: Any, links: Mapping[str, Any]) -> list[str]:
    """Return the linkIds along a loop: an item depends on what its condition and those of the items above it ask."""
    reads: dict[str, list[str]] = {}

    def note(rows: Any, above: str) -> None:
        for item in rows:
            reads[item["linkId"]] = [one["question"] for one in item.get("enableWhen", ())] + ([above] if above else [])
            note(item.get("item", ()), item["linkId"])

    note(items, "")
    state: dict[str, int] = {}
    for start in links:
        path: list[str] = []
        todo = [(start, True)]
        while todo:
            name, entering = todo.pop()
            if not entering:
                path.pop()
                state[name] = 2
            elif state.get(name) == 1:
                return [*path[path.index(name) :], name]
            elif name not in state:
                state[name] = 1
                path.append(name)
                todo.append((name, False))
                todo += [(other, True) for other in reads.get(name, ())]
    return []
