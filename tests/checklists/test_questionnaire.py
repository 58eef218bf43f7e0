"""Lists leave as FHIR R4 Questionnaires and come back as they were; others' questionnaires come in with a clear report."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from fhir.resources.R4B.questionnaire import Questionnaire
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checklists.actions.definitions import sha256_of
from checklists.rules.evaluation import Evaluation, State
from checklists.rules.nodes import Scope, build_index, key_of
from checklists.rules.questionnaire import words
from checklists.rules.questionnaire.check import questionnaire_faults
from checklists.rules.questionnaire.export import to_questionnaire
from checklists.rules.questionnaire.importing import NotImportable, from_questionnaire, own_name
from checklists.rules.review import draft_faults, items_of
from tests.make_checklists import catalogue

WHEN = "2026-03-01T08:00:00Z"


def exported(content: dict[str, Any]) -> dict[str, Any]:
    """A list as it arrives somewhere: written as JSON and read again."""
    resource, _ = to_questionnaire(content, status="active", sha256=sha256_of(content), date=WHEN)
    found: dict[str, Any] = json.loads(json.dumps(resource))
    return found


def imported(resource: dict[str, Any], base: str = "fu_6w") -> Any:
    assert questionnaire_faults(resource) == []
    return from_questionnaire(resource, base=catalogue()[base], version="1.1.0", taken={})


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_every_list_of_the_catalogue_comes_back_with_the_same_hash(name: str) -> None:
    content = catalogue()[name]
    resource = exported(content)
    assert own_name(resource) == name
    back = imported(resource, name)
    assert (back.own, back.notes) == (True, [])
    assert sha256_of(back.content) == sha256_of(content)


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_every_export_is_valid_for_an_independent_reader(name: str) -> None:
    resource = exported(catalogue()[name])
    assert questionnaire_faults(resource) == []
    read = Questionnaire.model_validate(resource)
    assert read.version == catalogue()[name]["version"]


def test_the_report_names_what_only_our_extensions_carry() -> None:
    _, notes = to_questionnaire(catalogue()["pre"], status="active", sha256="0" * 64, date=WHEN)
    found = {(one.item, one.field) for one in notes}
    assert ("PRE-LVL-01.count", "computed") in found
    assert all(one.how == "extension" and one.detail for one in notes)
    carried = {item["linkId"] for item in walk(exported(catalogue()["pre"])["item"]) if "enableWhen" in item}
    assert carried
    assert not {(item, "applies") for item in carried} & found


def walk(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for item in items for one in (item, *walk(item.get("item", [])))]


def test_what_another_program_changed_is_taken_as_changed() -> None:
    resource = exported(catalogue()["pre"])
    first = next(item for item in walk(resource["item"]) if item["linkId"] == "PRE-PAI-01.rest")
    first["text"] = "Pain lying still"
    next(one for one in first["extension"] if one["url"] == words.MAX_VALUE)["valueInteger"] = 9
    back = imported(resource, "pre")
    item = items_of(back.content)["PRE-PAI-01.rest"]
    assert (item["title"], item["max"]) == ("Pain lying still", 9)
    assert item["title_tr"] == items_of(catalogue()["pre"])["PRE-PAI-01.rest"]["title_tr"]


FOREIGN: dict[str, Any] = {
    "resourceType": "Questionnaire",
    "status": "active",
    "title": "Back pain at home",
    "url": "https://example.org/Questionnaire/back",
    "contained": [
        {
            "resourceType": "ValueSet",
            "id": "yes-no",
            "status": "active",
            "compose": {
                "include": [{"system": "http://example.org/yn", "concept": [{"code": "y", "display": "Yes"}, {"code": "n"}]}]
            },
        }
    ],
    "item": [
        {"linkId": "intro", "type": "display", "text": "Thank you for your time"},
        {
            "linkId": "1",
            "type": "group",
            "text": "Pain",
            "item": [
                {"linkId": "1.1", "type": "choice", "text": "Any pain?", "required": True, "answerValueSet": "#yes-no"},
                {
                    "linkId": "1.2",
                    "type": "integer",
                    "text": "How much?",
                    "enableWhen": [
                        {"question": "1.1", "operator": "=", "answerCoding": {"system": "http://example.org/yn", "code": "y"}}
                    ],
                    "extension": [
                        {"url": words.MIN_VALUE, "valueInteger": 0},
                        {"url": words.MAX_VALUE, "valueInteger": 10},
                    ],
                },
                {
                    "linkId": "1.3",
                    "type": "string",
                    "text": "Where?",
                    "enableWhen": [
                        {"question": "1.2", "operator": ">", "answerInteger": 3},
                        {"question": "2", "operator": "exists", "answerBoolean": False},
                    ],
                    "enableBehavior": "any",
                    "initial": [{"valueString": "back"}],
                },
            ],
        },
        {"linkId": "2", "type": "attachment", "text": "A picture"},
        {"linkId": "3", "type": "dateTime", "text": "Since when?", "extension": [{"url": "urn:other", "valueCode": "x"}]},
    ],
}  # fmt: skip


def foreign(change: Callable[[dict[str, Any]], None] = lambda resource: None) -> dict[str, Any]:
    resource = copy.deepcopy(FOREIGN)
    change(resource)
    return resource


def test_a_questionnaire_of_somebody_else_becomes_a_list_that_can_be_published() -> None:
    back = imported(foreign())
    assert not back.own
    items = items_of(back.content)
    kept = [item["id"] for item in back.content["items"]][:-2]
    assert kept == ["FUP-RED-01"]
    assert [(name, item["type"]) for name, item in items.items() if not name.startswith("FUP-RED-01")] == [
        ("FU-6W-001", "group"),
        ("FU-6W-001.q1", "choice"),
        ("FU-6W-001.q2", "integer"),
        ("FU-6W-001.q3", "text"),
        ("FU-6W-002", "datetime"),
    ]
    assert items["FU-6W-001.q2"]["applies"] == {"item": "FU-6W-001.q1", "op": "=", "value": "y"}
    assert [one["value"] for one in items["FU-6W-001.q1"]["options"]] == ["y", "n"]
    assert draft_faults(back.content, catalogue(), catalogue()["fu_6w"], {}) == []
    said = {(one.item, one.field, one.how) for one in back.notes}
    assert said >= {
        ("intro", "type", "left_out"),
        ("2", "type", "left_out"),
        ("1.3", "enableWhen", "left_out"),
        ("1.3", "initial", "left_out"),
        ("3", "extension", "left_out"),
        ("", "title_tr", "changed"),
        ("FUP-RED-01", "", "changed"),
    }
    again = exported(back.content)
    assert [item["linkId"] for item in again["item"]] == ["FUP-RED-01", "1", "3"]
    assert sha256_of(imported(again).content) == sha256_of(back.content)


def test_the_same_questionnaire_comes_in_again_under_the_same_ids() -> None:
    first = imported(foreign()).content
    changed = foreign(lambda resource: resource["item"][1]["item"].pop(0))
    changed["item"][1]["item"][0].pop("enableWhen")
    types = {name: item["type"] for name, item in items_of(first).items()}
    again = from_questionnaire(changed, base=first, version="1.2.0", taken=types)
    own = [name for name in items_of(again.content) if not name.startswith("FUP-RED-01")]
    assert own == ["FU-6W-001", "FU-6W-001.q2", "FU-6W-001.q3", "FU-6W-002"]


def test_a_condition_of_somebody_else_means_here_what_it_means_in_fhir() -> None:
    content = imported(foreign()).content
    index = build_index([content])
    node = index.nodes["FU-6W-001.q2"]
    for said, asked in (({}, False), ({"FU-6W-001|q1|||": "n"}, False), ({"FU-6W-001|q1|||": "y"}, True)):
        state = State({key_of(key): value for key, value in said.items()}, {}, _now())
        assert Evaluation(index, state).applies(node, Scope()) is asked


def _now() -> Any:
    from datetime import UTC, datetime

    return datetime(2026, 3, 1, tzinfo=UTC)


def deep(resource: dict[str, Any]) -> None:
    item = resource["item"][1]
    for number in range(40):
        item["item"] = [{"linkId": f"d{number}", "type": "group", "text": "deep", "item": []}]
        item = item["item"][0]
    item["item"] = [{"linkId": "last", "type": "boolean", "text": "?"}]


def loop(resource: dict[str, Any]) -> None:
    rows = resource["item"][1]["item"]
    rows[0]["enableWhen"] = [{"question": "1.2", "operator": "exists", "answerBoolean": True}]


@pytest.mark.parametrize(
    ("change", "place", "code"),
    [
        (lambda r: r.update(resourceType="Patient"), "", "not_a_questionnaire"),
        (lambda r: r.update(status="bad!"), "Questionnaire.status", "schema"),
        (lambda r: r.pop("status"), "Questionnaire.status", "required"),
        (lambda r: r.update(colour="red"), "Questionnaire", "schema"),
        (lambda r: r["item"][3].update(type="question"), "Questionnaire.item[3].type", "schema"),
        (lambda r: r["item"][3].update(text=7), "Questionnaire.item[3].text", "schema"),
        (lambda r: r["item"][3].pop("linkId"), "Questionnaire.item[3].linkId", "required"),
        (lambda r: r["item"][3].update(linkId="1.1"), "Questionnaire.item[3].linkId", "que-2"),
        (lambda r: r["item"][1].pop("item"), "Questionnaire.item[1].item", "que-1"),
        (lambda r: r["item"][0].update(required=True), "Questionnaire.item[0]", "que-6"),
        (lambda r: r["item"][1]["item"][2].pop("enableBehavior"), "Questionnaire.item[1].item[2].enableBehavior", "que-12"),
        (
            lambda r: r["item"][1]["item"][1]["enableWhen"][0].update(question="nowhere"),
            "Questionnaire.item[1].item[1].enableWhen[0].question",
            "dangling",
        ),
        (
            lambda r: r["item"][1]["item"][1]["enableWhen"][0].update(operator="~"),
            "Questionnaire.item[1].item[1].enableWhen[0].operator",
            "schema",
        ),
        (
            lambda r: r["item"][1]["item"][1]["enableWhen"][0].update(operator="exists"),
            "Questionnaire.item[1].item[1].enableWhen[0]",
            "que-7",
        ),
        (loop, "Questionnaire.item", "loop"),
        (deep, "Questionnaire", "too_deep"),
        (lambda r: r.update(item=[]), "Questionnaire.item", "empty"),
        (lambda r: r.update(modifierExtension=[{"url": "urn:x", "valueBoolean": True}]), "Questionnaire", "modifier"),
    ],
)  # fmt: skip
def test_what_is_no_questionnaire_is_refused_by_its_place(
    change: Callable[[dict[str, Any]], None], place: str, code: str
) -> None:
    found = [(one.place, one.code) for one in questionnaire_faults(foreign(change))]
    assert (place, code) in found or (
        code == "schema" and any(one[1] == "schema" and one[0].startswith(place) for one in found)
    ), found


def test_an_export_of_another_list_or_with_a_broken_extension_is_refused() -> None:
    with pytest.raises(NotImportable, match="not fu_6w"):
        from_questionnaire(exported(catalogue()["pre"]), base=catalogue()["fu_6w"], version="1.1.0", taken={})
    resource = exported(catalogue()["fu_6w"])
    resource["item"][0]["extension"][-1]["valueString"] = "{"
    with pytest.raises(NotImportable, match="cannot be read"):
        from_questionnaire(resource, base=catalogue()["fu_6w"], version="1.1.0", taken={})


@cache
def own_export() -> dict[str, Any]:
    return exported(catalogue()["fu_2h"])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5) | st.sampled_from(["group", "choice", "exists", "1.1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["linkId", "type", "item", "text"]), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@given(data=st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_damaged_questionnaire_is_refused_or_becomes_a_draft_and_never_breaks_the_service(
    data: st.DataObject,
) -> None:
    resource = foreign() if data.draw(st.booleans()) else copy.deepcopy(own_export())
    for _ in range(data.draw(st.integers(1, 3))):
        place: Any = resource
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = data.draw(st.sampled_from(keys))
            if isinstance(place[key], (dict, list)) and data.draw(st.integers(0, 3)):
                place = place[key]
                continue
            match data.draw(st.sampled_from(["drop", "put"])):
                case "drop":
                    del place[key]
                case "put":
                    place[key] = data.draw(json_values)
            break
    if questionnaire_faults(resource):
        return
    try:
        back = from_questionnaire(resource, base=catalogue()["fu_2h"], version="1.1.0", taken={})
    except NotImportable:
        return
    draft_faults(back.content, catalogue(), None, {})
    sha256_of(back.content)
