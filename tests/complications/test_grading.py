"""Grades from facts: each scale's rows, and the vectors published with the cement reaction scale."""

from typing import Any

import pytest

from complications.rules.grading import Grades, bcis, check_treatment, cirse, clavien, derive, sir, worst

TREATED: list[tuple[dict[str, Any], str, int, int]] = [
    ({"therapies": ["none"]}, "i", 1, 1),
    ({"therapies": ["analgesic", "physiotherapy"]}, "i", 1, 1),
    ({"therapies": ["antibiotic"]}, "ii", 2, 3),
    ({"therapies": ["transfusion"]}, "ii", 2, 3),
    ({"therapies": ["analgesic"], "unplanned_overnight": True}, "i", 2, 2),
    ({"therapies": ["analgesic"], "extra_stay_hours": 24}, "i", 2, 2),
    ({"therapies": ["analgesic"], "extra_stay_hours": 25}, "i", 3, 2),
    ({"therapies": ["analgesic"], "extra_stay_hours": 49}, "i", 3, 3),
    ({"therapies": ["intervention"], "anaesthesia": "local"}, "iiia", 2, 3),
    ({"therapies": ["intervention"], "anaesthesia": "sedation", "same_procedure": True}, "iiia", 2, 1),
    ({"therapies": ["surgery"], "anaesthesia": "general"}, "iiib", 3, 3),
    ({"therapies": ["drug"], "icu": True}, "iva", 3, 3),
    ({"therapies": ["drug"], "organ_failures": 1}, "iva", 4, 3),
    ({"therapies": ["drug"], "organ_failures": 2}, "ivb", 4, 3),
    ({"therapies": ["surgery"], "anaesthesia": "general", "sequelae": "mild"}, "iiib", 3, 4),
    ({"therapies": ["surgery"], "anaesthesia": "general", "paralysis": True}, "iiib", 4, 5),
    ({"death": True}, "v", 5, 6),
]


@pytest.mark.parametrize(("facts", "by_clavien", "by_sir", "by_cirse"), TREATED)
def test_treatment_gives_the_grade(facts: dict[str, Any], by_clavien: str, by_sir: int, by_cirse: int) -> None:
    assert (clavien(facts), sir(facts), cirse(facts)) == (by_clavien, by_sir, by_cirse)
    assert check_treatment(facts) == []


@pytest.mark.parametrize(
    ("facts", "grade"),
    [
        ({"sbp_before": 140, "sbp_lowest": 110, "spo2_lowest": 95}, 1),
        ({"sbp_before": 140, "sbp_lowest": 113, "spo2_lowest": 95}, 0),
        ({"sbp_before": 130, "sbp_lowest": 77, "spo2_lowest": 90}, 2),
        ({"sbp_before": 130, "sbp_lowest": 120, "spo2_lowest": 87}, 2),
        ({"spo2_lowest": 93}, 1),
        ({"spo2_lowest": 94}, 0),
        ({"spo2_lowest": 88}, 1),
        ({"loss_of_consciousness": True}, 2),
        ({"cpr": True, "spo2_lowest": 99}, 3),
        ({"grade": 2}, 2),
        ({"grade": 1, "spo2_lowest": 80}, 2),
        ({}, None),
    ],
)
def test_a_cement_reaction_is_graded_as_published(facts: dict[str, Any], grade: int | None) -> None:
    assert bcis(facts) == grade


def test_no_fact_is_no_grade() -> None:
    assert derive("LEK-DIS", {}, {}) == Grades()


def test_a_death_is_the_worst_of_every_scale() -> None:
    assert derive("DTH", {}, {}) == Grades("v", clavien_d=False, sir=5, cirse=6)


def test_cardiac_arrest_in_a_reaction_is_life_threatening() -> None:
    grades = derive("CVS-BCI", {"cpr": True}, {"therapies": ["drug"]})
    assert (grades.bcis, grades.sir, grades.clavien) == (3, 4, "iva")


def test_disability_at_discharge_is_the_suffix() -> None:
    assert derive("NEU-COR", {}, {"therapies": ["none"], "disability_at_discharge": True}).clavien_d


def test_the_worst_ever_is_kept_scale_by_scale() -> None:
    assert worst(Grades("ii", sir=4), Grades("iiib", sir=2, cirse=1)) == Grades("iiib", sir=4, cirse=1)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"therapies": ["magic"]}, "not_a_choice"),
        ({"therapies": "drug"}, "not_a_choice"),
        ({"anaesthesia": "deep"}, "not_a_choice"),
        ({"icu": "yes"}, "not_a_boolean"),
        ({"organ_failures": True}, "out_of_range"),
        ({"operation": "x"}, "unknown_field"),
    ],
)
def test_unreadable_treatment_is_named(sent: dict[str, Any], code: str) -> None:
    assert [found[1] for found in check_treatment(sent)] == [code]
