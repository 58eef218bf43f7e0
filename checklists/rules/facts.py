"""Which facts of the procedure, its levels and its examinations the answers say: what both other floors read.

Facts are columns of the ground floor's tables: `procedure.*` by the `feeds` of an item, `treated_level.*` per level. Times are
aware datetimes, volumes mL, pain 0-10. A missing answer gives an empty fact, so that what was taken back does not stay.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from checklists.rules.evaluation import PLANNED_LEVELS, Evaluation
from checklists.rules.neuro import ARM_MUSCLES, LEG_MUSCLES
from checklists.rules.nodes import Index, Key, Node, Scope
from checklists.rules.times import parse_instant
from checklists.rules.values import number_of

# Items that say a fact without `feeds` in the catalogue (its reader is the surveillance of the floor below).
BASELINE = {
    "PRE-PAI-01.rest": "baseline_nrs_rest",
    "PRE-PAI-01.movement": "baseline_nrs_movement",
    "SIN-MON-01.spo2": "baseline_spo2",
    "PRE-COA-03": "on_antithrombotic",
}
EXAMINATIONS = {
    "PRE-NEU-01": "baseline",
    "PRE-NEU-03": "baseline",
    "PRE-NEU-04": "baseline",
    "SOU-NEU-01": "theatre",
    "POS-NEU-01": "observation",
}
_EMPTY_TEXT = frozenset({"open_surgery", "imaging_kind", "outcome", "disposition", "first_walk", "asa"})
_NEVER_EMPTY = frozenset({"indication", "anaesthesia"})
_LEVEL_ITEMS = frozenset(
    {
        "PRE-LVL-01",
        "PRE-PRC-01",
        "TOU-SUR-01.approach",
        "TOU-SUR-01.sides",
        "INT-CMT-01.lot",
        "INT-CMT-04",
        "INT-CMT-05",
        "INT-CMT-05.mix",
        "INT-LEK-01",
        "SOU-IMG-01.leak",
        "SOU-NAM-01.levels",
    }
)


def live_items(index: Index) -> frozenset[str]:
    """Return the items whose answers do more than stand on a list: facts, examinations, raises, or what depends on them."""

    def speaks(node: Node) -> bool:
        return (
            "feeds" in node.raw
            or bool(node.raw.get("raises"))
            or node.id in BASELINE
            or node.id in _LEVEL_ITEMS
            or node.item in EXAMINATIONS
            or node.item == "POS-URI-01"
        )

    return frozenset(
        node.id
        for node in index.nodes.values()
        if speaks(node)
        or any(speaks(index.nodes[name]) for name in index.dependents.get(node.id, ()) if name in index.nodes)
    )


def procedure_facts(evaluation: Evaluation, touched: Iterable[Key]) -> dict[str, Any]:
    """Return the procedure's facts that the touched answers, or what is computed from them, say."""
    names = _names(evaluation.index, touched)
    facts: dict[str, Any] = {}
    for node_id in sorted(names & evaluation.index.nodes.keys()):
        node = evaluation.index.nodes[node_id]
        column = BASELINE.get(node_id, "")
        if str(node.raw.get("feeds", "")).startswith("procedure."):
            column = str(node.raw["feeds"]).removeprefix("procedure.")
        if not column:
            continue
        value = _plain(node, evaluation.value(node, Scope()))
        if value is None and column in _NEVER_EMPTY:
            continue
        facts[column] = "" if value is None and column in _EMPTY_TEXT else value
        if column == "cement_ml":
            facts[column] = _millilitres(value)
    if "incision_at" in facts:
        facts["started_at"] = facts["incision_at"]
    return facts


def level_facts(evaluation: Evaluation, touched: Iterable[Key]) -> dict[str, dict[str, Any]]:
    """Return the facts of every level, where a touched answer says something about levels."""
    touched = list(touched)
    if not _names(evaluation.index, touched) & _LEVEL_ITEMS:
        return {}
    replanned = any(key.node_id == PLANNED_LEVELS for key in touched)
    done = _answer(evaluation, "SOU-NAM-01.levels", Scope())
    planned = _answer(evaluation, PLANNED_LEVELS, Scope())
    levels = set(evaluation.levels) | set(evaluation.state.level_status)
    if isinstance(done, list):
        levels |= set(done)
    return {level: _one_level(evaluation, level, planned, done, replanned=replanned) for level in sorted(levels)}


def _one_level(evaluation: Evaluation, level: str, planned: Any, done: Any, *, replanned: bool) -> dict[str, Any]:
    scope = Scope(level)
    sides = {side: _number(evaluation, "INT-CMT-05", Scope(level, side)) for side in ("left", "right", "midline")}
    given = [volume for volume in sides.values() if volume is not None]
    leak = _answer(evaluation, "SOU-IMG-01.leak", scope) or _answer(evaluation, "INT-LEK-01", scope) or []
    facts: dict[str, Any] = {
        "planned_kind": _answer(evaluation, "PRE-PRC-01", scope) or "",
        "approach": _answer(evaluation, "TOU-SUR-01.approach", scope) or "",
        "sides": _answer(evaluation, "TOU-SUR-01.sides", scope) or "",
        "cement_ml": _millilitres(sum(given) if given else None),
        "cement_ml_left": _millilitres(sides["left"]),
        "cement_ml_right": _millilitres(sides["right"]),
        "cement_lot": _lots(evaluation, level),
        "injected_at": parse_instant(_answer(evaluation, "INT-CMT-04", scope)),
        "leak_sites": [site for site in leak if site != "none"] if isinstance(leak, list) else [],
    }
    if isinstance(done, list):
        facts["status"] = "treated" if level in done else "not_treated"
    elif replanned and isinstance(planned, list):
        facts["status"] = "planned" if level in planned else "not_treated"
    return facts


def _millilitres(volume: float | None) -> Decimal | None:
    """Return a volume as its column holds it: one decimal place."""
    return None if volume is None else Decimal(str(round(volume, 1)))


def _lots(evaluation: Evaluation, level: str) -> str:
    """Return the cement lots of a level: of the mixes that its sides name, or of the only mix."""
    node = evaluation.index.nodes.get("INT-CMT-01.lot")
    if node is None:
        return ""
    named = {str(mix) for mix in evaluation.find("INT-CMT-05.mix", Scope(level), "").values}
    instances = evaluation.instances(node)
    wanted = [one for one in instances if one in named or (not named and len(instances) == 1)]
    if not evaluation.find("INT-CMT-05", Scope(level), "").exists:
        return ""
    lots = {str(lot) for one in wanted if isinstance(lot := evaluation.value(node, Scope("", "", one)), str)}
    return ", ".join(sorted(lots))[:40]


@dataclass(frozen=True, slots=True)
class Examined:
    """One neurological examination as the answers say it: which moment, which repetition, and the API's `exam`."""

    kind: str
    instance: str
    exam: dict[str, Any]
    at: str | None


def examinations(evaluation: Evaluation, touched: Iterable[Key]) -> list[Examined]:
    """Return each examination that a touched answer belongs to, as far as it is known now."""
    wanted = {(EXAMINATIONS[key.item], key.instance) for key in touched if key.item in EXAMINATIONS}
    found = []
    for kind, instance in sorted(wanted):
        exam = _baseline(evaluation) if kind == "baseline" else _compared(evaluation, kind, instance)
        if exam:
            clock = {"baseline": "PRE-NEU-01.examined_at", "theatre": "", "observation": "POS-NEU-01.at"}[kind]
            at = _answer(evaluation, clock, Scope("", "", instance)) if clock else None
            found.append(Examined(kind, instance, exam, at if isinstance(at, str) else None))
    return found


def _grades(evaluation: Evaluation, item: str, instance: str) -> dict[str, Any]:
    grades: dict[str, Any] = {}
    for muscle in LEG_MUSCLES + ARM_MUSCLES:
        for side in ("l", "r"):
            value = _answer(evaluation, f"{item}.{muscle}_{side}", Scope("", "", instance))
            if isinstance(value, str):
                grades[f"{muscle}_{side}"] = int(value) if value.isdecimal() else "nt"
    return grades


def _baseline(evaluation: Evaluation) -> dict[str, Any]:
    exam: dict[str, Any] = {}
    for name, source in (
        *((f"{limb}_{side}", f"PRE-NEU-01.{limb}_{side}") for limb in ("leg", "arm") for side in ("l", "r")),
        *((f"light_touch_{side}", f"PRE-NEU-01.light_touch_{side}") for side in ("l", "r")),
        ("umn", "PRE-NEU-01.umn"),
        ("bladder", "PRE-NEU-03.bladder"),
        ("bowel", "PRE-NEU-03.bowel"),
        ("perianal_sensation", "PRE-NEU-03.perianal"),
        ("ais", "PRE-NEU-04.ais"),
    ):
        value = _answer(evaluation, source, Scope())
        if isinstance(value, str) and value not in {"nt", "not_testable"} and (name, value) != ("ais", "none"):
            exam[name] = value
    grades = _grades(evaluation, "PRE-NEU-01", "")
    return {**exam, "mrc": grades} if grades else exam


def _compared(evaluation: Evaluation, kind: str, instance: str) -> dict[str, Any]:
    item = "SOU-NEU-01" if kind == "theatre" else "POS-NEU-01"
    scope = Scope("", "", instance)
    exam: dict[str, Any] = {}
    for limb in ("leg_l", "leg_r", "arm_l", "arm_r"):
        value = _answer(evaluation, f"{item}.{limb}", scope)
        if isinstance(value, str):
            exam[limb] = value
    if kind == "observation" and str(_answer(evaluation, f"{item}.awake", scope)).startswith("no"):
        exam = {"leg_l": "not_testable", "leg_r": "not_testable", **exam}
    touch = _answer(evaluation, f"{item}.light_touch", scope)
    if isinstance(touch, str) and touch != "not_testable":
        exam["light_touch_l"] = "worse" if touch in {"worse_left", "worse_both"} else "as_baseline"
        exam["light_touch_r"] = "worse" if touch in {"worse_right", "worse_both"} else "as_baseline"
    saddle = _answer(evaluation, f"{item}.saddle", scope)
    if saddle in {"as_baseline", "worse"}:
        exam["saddle"] = saddle
    grades = _grades(evaluation, item, instance)
    if grades:
        exam["mrc"] = grades
    for name in ("nrs_back", "nrs_leg", "spo2") if kind == "observation" else ():
        value = _number(evaluation, f"{item}.{name}", scope)
        if value is not None:
            exam[name] = value
    return exam


def _names(index: Index, touched: Iterable[Key]) -> set[str]:
    names: set[str] = set()
    for key in touched:
        names.add(key.node_id)
        names |= index.dependents.get(key.node_id, frozenset())
    return names


def _answer(evaluation: Evaluation, node_id: str, scope: Scope) -> Any:
    node = evaluation.index.nodes.get(node_id)
    return None if node is None else _plain(node, evaluation.value(node, scope), keep_text=True)


def _number(evaluation: Evaluation, node_id: str, scope: Scope) -> float | None:
    value = _answer(evaluation, node_id, scope)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _plain(node: Node, value: Any, *, keep_text: bool = False) -> Any:
    """Return a value as a column holds it: numbers in the item's unit, times as datetimes, "not applicable" as nothing."""
    if value is None or (isinstance(value, dict) and "not_applicable" in value):
        return None
    if node.type in {"integer", "decimal"}:
        return number_of(node, value)
    if node.type == "datetime" and not keep_text:
        return parse_instant(value)
    return value
