"""The rules say the same on the server and on the tablet: shared vectors, and random states through both."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import playwright
import pytest

from checklists.rules.catalogue import load
from checklists.rules.evaluation import Evaluation, State
from checklists.rules.gates import Blocker, gate_of, progress_of
from checklists.rules.identity import same_name
from checklists.rules.nodes import Index, Node, Scope, build_index, key_of
from checklists.rules.values import LEVELS, key_fault, value_fault

HERE = Path(__file__).resolve().parent
VECTORS = HERE.parent / "vectors"
PHASES = ("pre", "sign_in", "time_out", "intra", "sign_out", "post", "follow_up")


@cache
def vectors(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


@cache
def definitions() -> list[dict[str, Any]]:
    lists = load()
    return [lists[name] for name in (*PHASES[:-1], "fu_contact")]


@cache
def index() -> Index:
    return build_index(definitions())


def state_of(case: dict[str, Any], now: str) -> State:
    return State(
        answers={key_of(text): value for text, value in case.get("answers", {}).items()},
        facts=case.get("facts", {}),
        now=datetime.fromisoformat(now),
        level_status=case.get("levelStatus", {}),
        conflicts=frozenset(key_of(text) for text in case.get("conflicts", ())),
    )


def node_program() -> str:
    """Return a Node: the machine's own, else the one inside the playwright package."""
    return shutil.which("node") or str(Path(playwright.__file__).parent / "driver" / "node")


def in_javascript(request: dict[str, Any]) -> dict[str, Any]:
    done = subprocess.run(
        [node_program(), str(HERE / "vectors.mjs")],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answered: dict[str, Any] = json.loads(done.stdout)
    return answered


@cache
def javascript() -> dict[str, Any]:
    return in_javascript(
        {
            "definitions": definitions(),
            **{name: vectors(name) for name in ("conditions", "values", "computed", "gates", "identity")},
        }
    )


def numbered(cases: list[dict[str, Any]], *names: str) -> list[Any]:
    return [
        pytest.param(place, id=f"{place} " + " ".join(str(case[name])[:60] for name in names))
        for place, case in enumerate(cases)
    ]


@pytest.mark.parametrize("place", numbered(vectors("conditions")["cases"], "name"))
def test_a_condition_holds_on_both_sides(place: int) -> None:
    vector = vectors("conditions")
    case = vector["cases"][place]
    small = build_index([vector["definition"]])
    holds = Evaluation(small, state_of(case, vector["now"])).holds(
        case["condition"], small.nodes[case["node"]], Scope(**case["scope"])
    )
    assert [holds, javascript()["conditions"][place]] == [case["holds"]] * 2


@pytest.mark.parametrize("place", numbered(vectors("values")["values"], "item", "value"))
def test_a_value_is_judged_alike_on_both_sides(place: int) -> None:
    case = vectors("values")["values"][place]
    fault = value_fault(index().nodes[case["item"]], case["value"])
    assert [fault and fault.code, javascript()["values"][place]] == [case["code"]] * 2


@pytest.mark.parametrize("place", numbered(vectors("values")["keys"], "key"))
def test_a_key_is_judged_alike_on_both_sides(place: int) -> None:
    case = vectors("values")["keys"][place]
    fault = key_fault(index(), key_of(case["key"]))
    assert [fault and fault.code, javascript()["keys"][place]] == [case["code"]] * 2


@pytest.mark.parametrize("place", numbered(vectors("computed")["cases"], "name"))
def test_a_computed_value_is_the_same_on_both_sides(place: int) -> None:
    vector = vectors("computed")
    case = vector["cases"][place]
    key = key_of(case["key"])
    value = Evaluation(index(), state_of(case, vector["now"])).value(index().nodes[key.node_id], key.scope)
    assert [value, javascript()["computed"][place]] == [case["value"]] * 2


@pytest.mark.parametrize("place", range(len(vectors("identity")["names"])))
def test_a_name_is_the_same_person_on_both_sides(place: int) -> None:
    family, given, said, same = vectors("identity")["names"][place]
    assert [same_name(said, family, given), javascript()["identity"][place]] == [same] * 2


def besides(one: dict[str, Any]) -> Blocker:
    return Blocker(key_of(f"{one['item']}|{one['part']}|||"), one["kind"], one["code"], "", "", (), owed=one["owed"])


@pytest.mark.parametrize("place", numbered(vectors("gates")["cases"], "name"))
def test_a_gate_is_the_same_on_both_sides(place: int) -> None:
    vector = vectors("gates")
    case = vector["cases"][place]
    gate = gate_of(
        Evaluation(index(), state_of(case, vector["now"])),
        case["phase"],
        emergency=case.get("emergency", False),
        overrides={key_of(text) for text in case.get("overrides", ())},
        beside=[besides(one) for one in case.get("beside", ())],
    )
    blockers = [[one.key.text(), one.kind, one.code] for one in gate.blockers]
    assert gate.is_open is case["open"]
    assert [one for one in case["has"] if one not in blockers] == []
    assert [one for one in blockers if one[0] in case["has_not"]] == []
    assert [one.key.text() for one in gate.overridden] == case.get("overridden", [])
    assert set(case.get("debt", ())) <= {one.key.text() for one in gate.debt}
    there = javascript()["gates"][place]
    assert there["open"] is gate.is_open
    assert there["blockers"] == blockers
    assert there["overridden"] == [one.key.text() for one in gate.overridden]
    assert there["debt"] == [one.key.text() for one in gate.debt]


# -- random states ------------------------------------------------------------------------------------------------------
def random_value(chance: random.Random, node: Node) -> Any:
    raw = node.raw
    if raw.get("na_allowed") and chance.random() < 0.1:
        return {"not_applicable": "not_known"}
    if node.type == "boolean":
        return chance.random() < 0.6
    if node.type in {"choice", "coded"}:
        return chance.choice(raw["options"])["value"]
    if node.type == "multi_choice":
        names = [option["value"] for option in raw["options"] if not option.get("exclusive")]
        alone = [option["value"] for option in raw["options"] if option.get("exclusive")]
        if alone and chance.random() < 0.4:
            return alone[:1]
        return chance.sample(names, min(len(names), chance.randint(1, 2)))
    if node.type == "integer":
        return chance.randint(raw.get("min", 0), raw.get("max", 100))
    if node.type == "decimal":
        return round(chance.uniform(raw.get("min", 0), raw.get("max", 100)), 1)
    if node.type == "date":
        return f"2026-{chance.randint(1, 3):02}-{chance.randint(1, 28):02}"
    if node.type == "datetime":
        return f"2026-03-0{chance.randint(1, 3)}T{chance.randint(0, 23):02}:{chance.randint(0, 59):02}:00+00:00"
    if node.type == "scan" and chance.random() < 0.5:
        return {"matched": chance.random() < 0.7, "method": "scan"}
    return "some text that is long enough"


def random_state(seed: int) -> dict[str, Any]:
    chance = random.Random(seed)  # noqa: S311
    planned = chance.sample(LEVELS, chance.randint(1, 3))
    answers: dict[str, Any] = {"PRE-LVL-01||||": planned} if chance.random() < 0.9 else {}
    density = chance.uniform(0.1, 0.95)
    for node in index().nodes.values():
        if not node.is_answerable or node.id == "PRE-LVL-01":
            continue
        for level in planned if node.by_level else [""]:
            for side in chance.choice((["left"], ["left", "right"], ["midline"])) if node.by_side else [""]:
                for instance in chance.choice((["1"], ["1", "2"], ["2", "10", "b", "a"])) if node.by_instance else [""]:
                    if chance.random() < density:
                        answers[node.key(Scope(level, side, instance)).text()] = random_value(chance, node)
    facts = {
        "procedure.anaesthesia": chance.choice(("local", "general", "neuraxial", None)),
        "procedure.indication": chance.choice(("osteoporotic_vcf", "metastasis", None)),
        "procedure.scheduled_at": "2026-03-02T08:00:00+00:00",
        "procedure.ended_at": chance.choice(("2026-03-02T08:30:00+00:00", None)),
        "procedure.booked_levels": planned,
        "procedure.open_escalation": chance.random() < 0.2,
        "patient.mrn": "SOMETEXT",
        "patient.sex": chance.choice(("female", "male")),
        "patient.age": chance.choice((30, 80, None)),
        "site.zone": chance.choice(("Europe/Istanbul", "UTC", "Pacific/Auckland")),
        "site.hold_table_approved": chance.choice((True, False, None)),
    }
    return {
        "answers": answers,
        "facts": {name: value for name, value in facts.items() if value is not None},
        "now": "2026-03-02T09:00:00+00:00",
        "levelStatus": {level: chance.choice(("planned", "not_treated")) for level in planned},
        "emergency": chance.random() < 0.3,
        "conflicts": chance.sample(sorted(answers), min(2, len(answers))),
    }


def test_random_states_look_the_same_on_both_sides() -> None:
    states = [random_state(seed) for seed in range(60)]
    there = in_javascript({"definitions": definitions(), "states": states})["states"]
    for state, theirs in zip(states, there, strict=True):
        view = Evaluation(index(), state_of(state, state["now"]))
        values = {
            "|".join((node.id, *scope)): view.value(node, scope)
            for node in index().nodes.values()
            for scope in view.scopes(node)
            if "computed" in node.raw and view.applies(node, scope)
        }
        assert values == theirs["values"]
        assert list(view.levels) == theirs["levels"]
        for phase, blockers, progress in zip(PHASES, theirs["gates"], theirs["progress"], strict=True):
            gate = gate_of(view, phase, emergency=state["emergency"])
            assert [[one.key.text(), one.kind, one.code] for one in gate.blockers] == blockers
            assert progress_of(view, phase).as_json() == progress
