"""Read the lists from `checklists/catalogue/*.toml` and say clearly what is wrong with one that cannot be used.

The files are written for people: named option lists, `unanswered = "H1"`, and what a sub-item takes from its parent. `load`
turns them into definitions as docs/definitions.md describes them, with everything spelled out.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from checklists.rules.check import BrokenDefinition, check_definition
from checklists.rules.derived import settle
from checklists.rules.gates import NOT_ANSWERED
from checklists.rules.nodes import PHASES

CATALOGUE = Path(__file__).resolve().parent.parent / "catalogue"
SCHEMA = "checklist-definition/1"
_INHERITED = ("by", "emergency", "source", "evidence")


def load(folder: Path = CATALOGUE) -> dict[str, dict[str, Any]]:
    """Return all definitions of the catalogue by id: the six phases and each follow-up form.

    Raises BrokenDefinition, which names file, item, field and remedy.
    """
    shared = _read(folder / "shared.toml")
    definitions = {}
    for phase in PHASES:
        source = _read(folder / f"{phase}.toml")
        definitions[phase] = _definition(f"{phase}.toml", source, source, shared)
    forms = _read(folder / "follow_up.toml")
    for form in forms.get("forms", ()):
        definition = _form(forms, form, shared)
        definitions[definition["id"]] = definition
    for definition in definitions.values():
        check_definition(_file_of(definition), definition, definitions)
    return definitions


def form_id(code: str) -> str:
    """Return the definition id of a follow-up form code: `FU-24H` → `fu_24h`."""
    return code.lower().replace("-", "_")


def _file_of(definition: Mapping[str, Any]) -> str:
    return "follow_up.toml" if definition["kind"] == "follow_up" else f"{definition['id']}.toml"


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BrokenDefinition(path.name, "", "", "The file is missing. Restore it from the repository.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BrokenDefinition(path.name, "", "", f"Not readable as TOML: {error}. Mend that line.") from error


def _definition(
    file: str, head: Mapping[str, Any], source: Mapping[str, Any], shared: Mapping[str, Any]
) -> dict[str, Any]:
    for name in ("schema", "id", "kind", "phase", "version", "title", "title_tr", "signatures", "items"):
        if name not in head and name not in source:
            raise BrokenDefinition(file, "", name, f"The field {name!r} is missing at the top of the file. Add it.")
    if source["schema"] != SCHEMA:
        raise BrokenDefinition(file, "", "schema", f"Only {SCHEMA!r} is known here, not {source['schema']!r}.")
    phase = head["phase"]
    return {
        "schema": SCHEMA,
        "id": head["id"],
        "kind": head["kind"],
        "phase": phase,
        "version": head["version"],
        "languages": ["en", "tr"],
        "title": head["title"],
        "title_tr": head["title_tr"],
        "notice": shared["notice"],
        "notice_tr": shared["notice_tr"],
        "conventions": {
            "signatures": head["signatures"],
            "reasons": shared["reasons"],
            "tables": shared["tables"],
        },
        "items": [
            _item(file, raw, phase, order, None, shared["options"]) for order, raw in enumerate(head["items"], start=1)
        ],
    }


def _form(forms: Mapping[str, Any], form: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    items: list[Any] = []
    for block in form["blocks"]:
        if block not in forms["blocks"]:
            raise BrokenDefinition(
                "follow_up.toml",
                form["code"],
                "blocks",
                f"There is no block {block!r}. Write [[blocks.{block}]] or take it out.",
            )
        items.extend(forms["blocks"][block])
    head = {**forms, **form, "id": form_id(form["code"]), "signatures": [], "items": items}
    return {**_definition("follow_up.toml", head, head, shared), "code": form["code"]}


def _item(
    file: str,
    raw: Mapping[str, Any],
    phase: str,
    order: int,
    parent: Mapping[str, Any] | None,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    item = {**raw, "phase": phase, "order": order}
    name = str(raw.get("id", f"number {order}"))
    for field in _INHERITED:
        if field not in item and parent is not None and field in parent:
            item[field] = parent[field]
    if isinstance(item.get("options"), str):
        if item["options"] not in options:
            known = ", ".join(sorted(options))
            raise BrokenDefinition(
                file, name, "options", f"There is no list {item['options']!r} in shared.toml. Known: {known}."
            )
        item["options"] = options[item["options"]]
    if "unanswered" in item:
        rule = {
            "class": item.pop("unanswered"),
            "when": {"op": "exists", "value": False},
            "because": NOT_ANSWERED[0],
            "because_tr": NOT_ANSWERED[1],
        }
        item["stop_rules"] = [rule, *item.get("stop_rules", ())]
    children = [
        _item(file, child, phase, place, item, options) for place, child in enumerate(raw.get("items", ()), start=1)
    ]
    if children:
        item["items"] = children
    settle(item, phase, order)
    return item
