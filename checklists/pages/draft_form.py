"""One item of a draft as a form and back: every input is named by its field, and a refusal keeps all that was typed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from checklists.rules.check import BrokenDefinition
from checklists.rules.condition_text import Unreadable, condition_text, read_condition
from checklists.rules.shape import readable
from checklists.rules.written import read_json

WORDS = ("title", "title_tr")
HELP = ("help", "help_tr")
NUMBERS = ("min", "max", "step", "warn_low", "warn_high")
COUNTS = ("min_count", "max_count")
CHOICES = {
    "required": ("always", "conditional", "optional"),
    "per": ("procedure", "level", "level_side"),
    "emergency": ("now", "debt"),
}
CHOICE_TYPES = ("choice", "multi_choice", "coded")
NUMBER_TYPES = ("integer", "decimal", "text")
CLASSES = ("H0", "H1", "S")
SPARE_OPTIONS, SPARE_RULES = 3, 1
#: What the inputs above cover; the rest of an item stands as JSON.
_COVERED = frozenset(
    {
        *WORDS, *HELP, *NUMBERS, *COUNTS, *CHOICES, "id", "type", "unit", "options", "applies", "stop_rules", "by",
        "na_allowed", "items", "phase", "order", "stop", "stop_subtree",
    }
)  # fmt: skip
Fault = tuple[str, str]


@dataclass(frozen=True)
class OptionRow:
    """One answer option."""

    number: int
    value: str
    label: str
    label_tr: str
    exclusive: bool


@dataclass(frozen=True)
class RuleRow:
    """One stop rule; `number_text` is for the name of an input, which is put together in the template."""

    number: int
    kind: str
    because: str
    because_tr: str
    joint: str
    when: str
    never: bool

    @property
    def number_text(self) -> str:
        """The number as text."""
        return str(self.number)


def typed_from(item: Mapping[str, Any]) -> dict[str, str]:
    """Return an item as a browser would send its untouched form."""
    found = {name: str(item.get(name, "")) for name in (*WORDS, *HELP, "unit", *CHOICES)}
    found |= {name: json.dumps(item[name]) if name in item else "" for name in (*NUMBERS, *COUNTS)}
    found["by"] = ", ".join(item.get("by", ()))
    found["na_allowed"] = "yes" if item.get("na_allowed") else ""
    found["applies_joint"], found["applies"] = condition_text(item.get("applies"))
    for number, option in enumerate(item.get("options", ())):
        found |= {f"options.{number}.{name}": str(option.get(name, "")) for name in ("value", "label", "label_tr")}
        found[f"options.{number}.exclusive"] = "yes" if option.get("exclusive") else ""
    for number, rule in enumerate(item.get("stop_rules", ())):
        found[f"stop_rules.{number}.class"] = rule["class"]
        found |= {f"stop_rules.{number}.{name}": str(rule.get(name, "")) for name in ("because", "because_tr")}
        found[f"stop_rules.{number}.joint"], found[f"stop_rules.{number}.when"] = condition_text(rule["when"])
        found[f"stop_rules.{number}.never"] = "yes" if rule.get("never") else ""
    rest = {name: value for name, value in item.items() if name not in _COVERED}
    found["rest"] = json.dumps(readable(rest), ensure_ascii=False, indent=1)
    return found


def options_of(typed: Mapping[str, str]) -> list[OptionRow]:
    """Return the option rows, with some empty ones at the end."""
    count = _count(typed, "options", "value")
    return [
        OptionRow(
            number,
            typed.get(f"options.{number}.value", ""),
            typed.get(f"options.{number}.label", ""),
            typed.get(f"options.{number}.label_tr", ""),
            bool(typed.get(f"options.{number}.exclusive")),
        )
        for number in range(count + SPARE_OPTIONS)
    ]


def rules_of(typed: Mapping[str, str]) -> list[RuleRow]:
    """Return the rule rows, with an empty one at the end."""
    count = _count(typed, "stop_rules", "when")
    return [
        RuleRow(
            number,
            typed.get(f"stop_rules.{number}.class", ""),
            typed.get(f"stop_rules.{number}.because", ""),
            typed.get(f"stop_rules.{number}.because_tr", ""),
            typed.get(f"stop_rules.{number}.joint", "all"),
            typed.get(f"stop_rules.{number}.when", ""),
            bool(typed.get(f"stop_rules.{number}.never")),
        )
        for number in range(count + SPARE_RULES)
    ]


def _count(typed: Mapping[str, str], field: str, part: str) -> int:
    numbers = [
        int(name.split(".")[1])
        for name, value in typed.items()
        if name.startswith(f"{field}.") and name.split(".")[1].isdecimal() and len(name) < 60 and value.strip()
    ]
    return min(max(numbers, default=-1) + 1, 200)


def read_item(typed: Mapping[str, str], was: Mapping[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
    """Return the item as typed, and what cannot be read as (input, what to do); what can be read may still be wrong."""
    faults: list[Fault] = []
    item: dict[str, Any] = {"id": was["id"], "type": was["type"]}
    for name in WORDS:
        item[name] = typed.get(name, "").strip()
    for name in (*HELP, "unit"):
        if typed.get(name, "").strip():
            item[name] = typed[name].strip()
    for name in CHOICES:
        item[name] = typed.get(name, "")
    for name in (*NUMBERS, *COUNTS):
        if typed.get(name, "").strip():
            _put_number(item, name, typed[name].strip(), faults)
    item["by"] = [one.strip() for one in typed.get("by", "").split(",") if one.strip()]
    if typed.get("na_allowed"):
        item["na_allowed"] = True
    _put_condition(item, "applies", typed.get("applies_joint", ""), typed.get("applies", ""), "applies", faults)
    options = [_option(typed, row, was) for row in options_of(typed) if row.value or row.label or row.label_tr]
    if options:
        item["options"] = options
    rules: list[dict[str, Any]] = []
    for row in rules_of(typed):
        if not (row.when.strip() or row.because.strip() or row.because_tr.strip()):
            continue
        rule: dict[str, Any] = {"class": row.kind, "because": row.because.strip(), "because_tr": row.because_tr.strip()}
        name = f"stop_rules.{row.number}.when"
        _put_condition(rule, "when", row.joint, row.when, name, faults)
        if "when" not in rule and not any(place == name for place, _said in faults):
            faults.append((name, _("Say when: a comparison such as: this exists no")))
        rules.append({**rule, "never": True} if row.never else rule)
    if rules:
        item["stop_rules"] = rules
    _put_rest(item, typed.get("rest", ""), faults)
    if "items" in was:
        item["items"] = was["items"]
    return item, faults


def _option(typed: Mapping[str, str], row: OptionRow, was: Mapping[str, Any]) -> dict[str, Any]:
    option: dict[str, Any] = {"value": row.value.strip(), "label": row.label.strip(), "label_tr": row.label_tr.strip()}
    if row.exclusive:
        option["exclusive"] = True
    before: Mapping[str, Any] = next((one for one in was.get("options", ()) if one["value"] == option["value"]), {})
    return {**option, "system": before["system"]} if "system" in before else option


def _put_number(item: dict[str, Any], name: str, text: str, faults: list[Fault]) -> None:
    try:
        number = json.loads(text.replace(",", "."))
    except ValueError:
        number = None
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        faults.append((name, _("Give a number.")))
    else:
        item[name] = number


def _put_condition(item: dict[str, Any], field: str, joint: str, text: str, name: str, faults: list[Fault]) -> None:
    try:
        condition = read_condition(joint, text)
    except Unreadable as error:
        faults.append((name, str(error)))
    else:
        if condition is not None:
            item[field] = condition


def _put_rest(item: dict[str, Any], text: str, faults: list[Fault]) -> None:
    if not text.strip():
        return
    try:
        rest = read_json("rest", text)
    except BrokenDefinition as error:
        faults.append(("rest", f"{error.field} {error.remedy}".strip()))
        return
    if not isinstance(rest, dict) or set(rest) & _COVERED:
        faults.append(("rest", _("A JSON object {…}, without the fields that have an input above.")))
        return
    item.update(rest)
