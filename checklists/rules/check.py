"""Whether a definition can be used: every item complete, in both languages, and referring only to what exists."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from checklists.rules.computed import FUNCTIONS
from checklists.rules.conditions import is_number
from checklists.rules.nodes import CONTAINERS, references
from checklists.rules.times import is_day, parse_instant
from checklists.rules.values import LEVELS

TYPES = frozenset(
    {
        "group", "series", "boolean", "choice", "multi_choice", "coded", "integer", "decimal",
        "date", "datetime", "text", "scan", "user_ref",
    }
)  # fmt: skip
CLASSES = frozenset({"H0", "H1", "S", "N"})
OPERATORS = frozenset({"exists", "=", "!=", ">", "<", ">=", "<="})
PERS = frozenset({"procedure", "level", "level_side"})
REQUIRED = frozenset({"always", "conditional", "optional"})
RAISES = frozenset({"trigger", "complication_draft", "timer"})
FACTS = frozenset(
    {
        "procedure.kind", "procedure.anaesthesia", "procedure.indication", "procedure.open_escalation", "procedure.outcome",
        "site.hold_table_approved", "level.status", "level.region", "patient.sex", "patient.age",
    }
)  # fmt: skip
# An argument that can only be meant as an item; other words are facts.
_ITEM = re.compile(r"[A-Z][A-Z0-9]*-")
_NEEDED = ("id", "title", "title_tr", "type", "required", "per", "by", "emergency", "source", "evidence")


class BrokenDefinition(ValueError):
    """A list that cannot be used: which file, which item, which field, and what to do about it."""

    def __init__(self, file: str, item: str, field: str, remedy: str) -> None:
        place = ", ".join(part for part in (file, item and f"item {item}", field and f"field {field}") if part)
        super().__init__(f"{place}: {remedy}")
        self.file, self.item, self.field, self.remedy = file, item, field, remedy


def check_definition(file: str, definition: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise BrokenDefinition unless the definition can be used together with the other known ones."""
    elsewhere = {str(item.get("id")): item for other in known.values() for item in _walk(other["items"])}
    seen: set[str] = set()
    for item in _walk(definition["items"]):
        check_item(file, item, elsewhere)
        if item["id"] in seen:
            raise BrokenDefinition(file, item["id"], "id", "The id stands twice. Give one of them another id.")
        seen.add(item["id"])


def _walk(items: Any) -> Iterator[Mapping[str, Any]]:
    for item in items:
        yield item
        yield from _walk(item.get("items", ()))


def check_item(file: str, item: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Raise BrokenDefinition unless the item can be used; `known` are the items of all lists by id."""
    name = str(item.get("id", "without id"))

    def broken(field: str, remedy: str) -> BrokenDefinition:
        return BrokenDefinition(file, name, field, remedy)

    for field in _NEEDED:
        if field not in item:
            raise broken(
                field, f"The field is missing. Add {field} = … to the item (or to its parent, where it inherits it)."
            )
    for field, allowed in (("type", TYPES), ("per", PERS), ("required", REQUIRED)):
        if item[field] not in allowed:
            raise broken(field, f"{item[field]!r} is not known. Use one of: {', '.join(sorted(allowed))}.")
    _check_values(item, broken)
    for child in item.get("items", ()):
        if not str(child.get("id", "")).startswith((f"{name}.", f"{name.partition('.')[0]}.")):
            raise BrokenDefinition(
                file,
                str(child.get("id", "without id")),
                "id",
                f"A sub-item's id starts with {name}. and adds its part.",
            )
    for rule in item.get("stop_rules", ()):
        if rule.get("class") not in CLASSES:
            raise broken("stop_rules", f"Class {rule.get('class')!r} is not known. Use H0, H1 or S.")
        if not rule.get("because") or not rule.get("because_tr"):
            raise broken("stop_rules", "A rule says why in both languages: because and because_tr.")
    for raised in item.get("raises", ()):
        if raised.get("kind") not in RAISES or not raised.get("code"):
            raise broken("raises", f"Needs a code, and a kind out of: {', '.join(sorted(RAISES))}.")
        if raised["kind"] == "timer" and not {"from", "plus_min", "unless"} <= raised.keys():
            raise broken("raises", "A timer needs from, plus_min and unless.")
    check_conditions(file, item, known)
    computed = item.get("computed")
    if computed and computed.get("fn") not in FUNCTIONS:
        raise broken("computed", f"There is no function {computed.get('fn')!r}. Known: {', '.join(sorted(FUNCTIONS))}.")


def check_conditions(file: str, item: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Raise BrokenDefinition where a condition of the item cannot be read or refers to what is not there."""
    name = str(item.get("id", "without id"))
    conditions = [("applies", item["applies"])] if "applies" in item else []
    conditions += [("stop_rules", rule.get("when")) for rule in item.get("stop_rules", ())]
    conditions += [("raises", raised.get("when")) for raised in item.get("raises", ())]
    for field, condition in conditions:

        def broken(remedy: str, field: str = field) -> BrokenDefinition:
            return BrokenDefinition(file, name, field, remedy)

        _check_condition(condition, broken, known, item)
    for argument in (item.get("computed") or {}).get("args", ()):
        for one in str(argument).split("|"):
            if _ITEM.match(one) and one not in known:
                raise BrokenDefinition(file, name, "computed", f"It reads {one}, which is on no list. Mend the id.")


def _check_values(item: Mapping[str, Any], broken: Any) -> None:
    kind = item["type"]
    if kind in {"choice", "multi_choice", "coded"}:
        options = item.get("options")
        if not options:
            raise broken("options", "A choice needs options. Add a list of {value, label, label_tr}.")
        for option in options:
            if not all(isinstance(option.get(part), str) and option[part] for part in ("value", "label", "label_tr")):
                raise broken("options", f"Each option needs value, label and label_tr as text; see {option!r}.")
        if len({option["value"] for option in options}) != len(options):
            raise broken("options", "An option stands twice. Take one out.")
    if kind == "series" and not item.get("repeats"):
        raise broken("repeats", 'A series says what repeats, for example repeats = "drug".')
    if kind in CONTAINERS and not item.get("items"):
        raise broken("items", f"A {kind} needs items below it.")
    low, high = item.get("min"), item.get("max")
    if low is not None and high is not None and low > high:
        raise broken("min", f"min {low} is above max {high}. Exchange them.")


def _has_order(target: Mapping[str, Any], value: Any) -> bool:
    if target["type"] == "date":
        return is_day(value)
    return parse_instant(value) is not None if target["type"] == "datetime" else is_number(value)


def _check_condition(condition: Any, broken: Any, known: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    if not isinstance(condition, Mapping) or not condition:
        raise broken("A condition is {item|fact, op, value}, or all/any of such. Write one.")
    for joint in ("all", "any"):
        if joint in condition:
            if not isinstance(condition[joint], list) or not condition[joint]:
                raise broken(f"{joint} needs a list of conditions.")
            for leaf in condition[joint]:
                _check_condition(leaf, broken, known, own)
            return
    if condition.get("op") not in OPERATORS:
        raise broken(f"Operator {condition.get('op')!r} is not known. Use one of: {', '.join(sorted(OPERATORS))}.")
    if "value" not in condition:
        raise broken("A condition needs a value.")
    if isinstance(condition["value"], (list, Mapping)) and set(condition["value"]) != {"catalogue"}:
        raise broken('A condition compares with one value, or with {"catalogue": "<name of a limit>"}.')
    if condition["op"] == "exists" and not isinstance(condition["value"], bool):
        raise broken("exists asks for true or false.")
    for name in references(condition):
        if name.startswith("fact:"):
            if name.removeprefix("fact:") not in FACTS:
                raise broken(f"There is no fact {name.removeprefix('fact:')!r}. Known: {', '.join(sorted(FACTS))}.")
        elif name not in known:
            raise broken(f"It refers to {name}, which is on no list. Mend the id, or add the item.")
    target = known.get(str(condition.get("item")), own if "fact" not in condition else None)
    ordered = condition["op"] in {">", "<", ">=", "<="}
    if target and ordered and target["type"] not in {"integer", "decimal", "date", "datetime"}:
        raise broken(f"{target['id']} has no order: {condition['op']} could never be true. Use =, != or exists.")
    if (
        target
        and ordered
        and not isinstance(condition["value"], Mapping)
        and not _has_order(target, condition["value"])
    ):
        raise broken(f"{condition['value']!r} cannot be compared with {target['id']}, which is a {target['type']}.")
    if target and condition["op"] in {"=", "!="} and isinstance(condition["value"], str):
        options = {option["value"] for option in target.get("options", ())} or set(LEVELS)
        if target["type"] in {"choice", "multi_choice", "coded"} and condition["value"] not in options:
            raise broken(f"{condition['value']!r} is not an option of {target['id']}. It could never be true.")
