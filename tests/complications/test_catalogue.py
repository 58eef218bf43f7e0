"""The taxonomy: all codes, the corrected tiers, and clear words for a broken file."""

from typing import Any

import pytest

from complications.rules.catalogue import complications, load
from complications.vocabulary import Pathway, Tier


def opens(code: str, **facts: Any) -> dict[str, str]:
    return {pathway.value: tier.value for pathway, tier in complications()[code].opens(facts).items()}


def test_there_are_the_43_codes_and_the_four_new_ones() -> None:
    assert len(complications()) == 47
    assert {"INJ-POS", "INJ-VAS", "DEV-WRG", "MED-DEL"} <= set(complications())
    assert all(row.name and row.name_tr for row in complications().values())
    assert not [code for code in complications() if code.startswith("POS-")]


ROWS: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    ("LEK-EPI", {"region": "l"}, {"spine": "t2"}),
    ("LEK-EPI", {"region": "s"}, {"spine": "t2"}),
    ("LEK-EPI", {"region": "t"}, {"spine": "t1"}),
    ("LEK-EPI", {"region": "c"}, {"spine": "t1"}),
    ("LEK-EPI", {}, {"spine": "t1"}),
    ("LEK-EPI", {"region": "l", "fields.canal_percent": 25}, {"spine": "t1"}),
    ("LEK-EPI", {"region": "l", "fields.canal_percent": 24}, {"spine": "t2"}),
    ("LEK-EPI", {"region": "l", "deficit": True}, {"spine": "t0"}),
    ("LEK-FOR", {"region": "l"}, {"spine": "t2"}),
    ("LEK-FOR", {"region": "l", "fields.radicular": True}, {"spine": "t1"}),
    ("LEK-FOR", {"region": "t"}, {"spine": "t1"}),
    ("LEK-FOR", {"region": "t", "deficit": True}, {"spine": "t0"}),
    ("LEK-VEP", {"region": "t"}, {"operator": "t3"}),
    ("LEK-VEP", {"fields.canal_percent": 25}, {"operator": "t3", "spine": "t1"}),
    ("LEK-VEP", {"deficit": True}, {"operator": "t3", "spine": "t0"}),
    ("LEK-DIS", {"deficit": False}, {}),
    ("EMB-PCA", {"fields.place": "peripheral"}, {}),
    ("EMB-PCA", {"fields.place": "central"}, {"medical": "t2"}),
    ("EMB-PCS", {"confirmed": True}, {"medical": "t1"}),
    ("EMB-PCS", {"confirmed": False}, {}),
    ("PUL-PTX", {"confirmed": True}, {"medical": "t1"}),
    ("EMB-PTE", {"confirmed": True}, {"medical": "t1"}),
    ("INF-SEP", {"confirmed": True}, {"medical": "t1"}),
    ("EMB-CAR", {}, {"cardiac": "t1"}),
    ("EMB-CER", {}, {}),
    ("CVS-BCI", {"bcis_grade": 2}, {}),
    ("CVS-BCI", {"bcis_grade": 2, "fields.spo2_sign_out": 89}, {"medical": "t1"}),
    ("CVS-BCI", {"bcis_grade": 2, "fields.spo2_sign_out": 90}, {}),
    ("CVS-BCI", {"bcis_grade": 2, "fields.vasopressor_sign_out": True}, {"medical": "t1"}),
    ("CVS-BCI", {"bcis_grade": 2, "fields.anaesthetist_present": False}, {"medical": "t1"}),
    ("CVS-BCI", {"bcis_grade": 1, "fields.spo2_sign_out": 80}, {}),
    ("NEU-COR", {}, {"spine": "t0"}),
    ("NEU-CES", {}, {"spine": "t0"}),
    ("NEU-ASC", {}, {"spine": "t0"}),
    ("NEU-RAD", {}, {"spine": "t2"}),
    ("NEU-RAD", {"progressive": True}, {"spine": "t1"}),
    ("NEU-RAD", {"motor": True}, {"spine": "t0"}),
    ("BLD-EDH", {}, {"spine": "t0"}),
    ("BLD-PVH", {}, {"operator": "t2"}),
    ("BLD-PVH", {"fields.hb_drop_g_l": 20}, {"operator": "t2", "medical": "t0"}),
    ("BLD-PVH", {"fields.shock": True}, {"operator": "t2", "medical": "t0"}),
    ("INF-SPD", {}, {"spine": "t2"}),
    ("INF-SPD", {"deficit": True}, {"spine": "t0"}),
    ("INF-EPA", {}, {"spine": "t0"}),
    ("FRX-ADJ", {}, {}),
    ("FRX-ADJ", {"fields.severe_pain": True}, {"spine": "t2"}),
    ("FRX-REM", {"deficit": True}, {"spine": "t0"}),
    ("FRX-REC", {}, {"spine": "t2"}),
    ("FRX-PED", {"deficit": True}, {"spine": "t0"}),
    ("DUR-TEA", {}, {"spine": "t1"}),
    ("PAI-EXA", {}, {"spine": "t2"}),
    ("WRG-LVL", {}, {"operator": "t2"}),
    ("WRG-PAT", {}, {"operator": "t2"}),
    ("NRM-NEA", {}, {}),
    ("DTH", {}, {}),
]


@pytest.mark.parametrize(("code", "facts", "expected"), ROWS)
def test_a_code_calls_whom_its_row_says(code: str, facts: dict[str, Any], expected: dict[str, str]) -> None:
    assert opens(code, **facts) == expected


def test_arrest_and_stroke_are_rung_and_never_page() -> None:
    rows = complications()
    assert rows["EMB-CER"].numbers_to_call({}) == ["stroke"]
    assert rows["CVS-BCI"].numbers_to_call({"bcis_grade": 3}) == ["arrest"]
    assert rows["CVS-BCI"].numbers_to_call({"bcis_grade": 2}) == []
    assert rows["ALG-ANA"].numbers_to_call({"fields.ring_messmer": 3}) == ["arrest"]


def test_corrected_icd_code_of_the_cord_infarct() -> None:
    assert complications()["NEU-ASC"].icd10cm == "G95.11"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"canal_percent": 101}, "out_of_range"),
        ({"canal_percent": 12.5}, "not_a_whole_number"),
        ({"canal_percent": "12"}, "not_a_number"),
        ({"yeom": "z"}, "not_a_choice"),
        ({"volume": 1}, "unknown_field"),
    ],
)
def test_a_field_that_does_not_fit_is_named(given: dict[str, Any], code: str) -> None:
    assert [found[1] for found in complications()["LEK-EPI"].check_fields(given)] == [code]


GOOD = """
[[complication]]
code = "X-Y"
name = "x"
name_tr = "x"
group = "g"
icd10cm = "-"
rate = "K"
escalation = [{ pathway = "spine", tier = "t0" }]
call = []
fields = []
"""


def test_a_good_row_is_read() -> None:
    assert load(GOOD)["X-Y"].opens({}) == {Pathway.SPINE: Tier.T0}


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        (GOOD.replace('"spine"', '"heart"'), "heart"),
        (GOOD.replace('tier = "t0"', 'tier = "t9"'), "t9"),
        (GOOD.replace('tier = "t0"', 'tier = "t0", when = { fact = "x" }'), "fact, op and value"),
        (GOOD.replace('name_tr = "x"', ""), "name_tr"),
        (GOOD.replace("fields = []", 'fields = [{ key = "k", type = "colour", label = "", label_tr = "" }]'), "colour"),
        (GOOD + GOOD, "twice"),
    ],
)
def test_a_broken_row_says_which_and_why(wrong: str, word: str) -> None:
    with pytest.raises(ValueError, match="X-Y") as refused:
        load(wrong)
    assert word in str(refused.value)
