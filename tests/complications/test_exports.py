"""The log, the escalations and the follow-ups as files."""

from __future__ import annotations

import json

import pytest

from clinic.lib.clock import database_now
from complications.actions.follow_up import plan_follow_ups
from tests.exporting import Pulled, pull, puller, settle
from tests.make_complications import Ward, make_report, make_ward, weak_leg

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ward() -> Ward:
    return make_ward()


def exported(ward: Ward, dataset: str, **params: str) -> Pulled:
    settle()
    pulled = pull(puller(ward.manager), dataset, **params)
    assert pulled.status == 200, pulled.body[:500]
    return pulled


def test_a_report_leaves_with_its_grades_and_examination_and_without_its_words(ward: Ward) -> None:
    make_report(
        ward,
        database_now(),
        type="LEK-EPI",
        level="T12",
        narrative="Mrs Somebody could not lift her foot",
        fields={"canal_percent": 10},
        treatment={"therapies": ["surgery"], "anaesthesia": "general", "icu": True, "note": "Mrs Somebody"},
        neuro={**weak_leg(2), "pvr_ml": 300, "symptoms": ["leg_weakness"], "note": "Mrs Somebody"},
    )
    row = exported(ward, "complications", format="ndjson", versions="last").rows[0]
    assert (row["type"], row["level"], row["site_of_leak"], row["anaesthesia"]) == (
        "LEK-EPI",
        "T12",
        "epidural",
        "general",
    )
    assert row["facts"] == {"canal_percent": 10}
    assert row["treatment"] == {"icu": True}
    assert row["mrc"]["ankle_dorsiflexion_l"] == 2
    assert (row["pvr"], row["symptoms"]) == (300, ["leg_weakness"])
    assert row["clavien"]
    assert "Somebody" not in json.dumps(row)
    table = exported(ward, "complications", versions="last").rows[0]
    assert json.loads(table["mrc"]) == row["mrc"]
    assert table["symptoms"] == "leg_weakness"


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"type": "LEK-EPI"}, 1),
        ({"type": "BLD-PVH"}, 0),
        ({"level": "T12,L1"}, 1),
        ({"kind": "vertebroplasty"}, 0),
        ({"site_of_leak": "epidural"}, 1),
        ({"from_": "2199-01-01T00:00:00Z"}, 0),
    ],
)
def test_the_filters_of_the_log_choose_rows(ward: Ward, params: dict[str, str], found: int) -> None:
    make_report(ward, database_now(), type="LEK-EPI", level="T12")
    assert len(exported(ward, "complications", versions="last", **params).rows) == found


def test_an_escalation_leaves_with_its_tier_and_the_codes_of_its_triggers(ward: Ward) -> None:
    make_report(ward, database_now())
    row = exported(ward, "escalations", format="ndjson", versions="last").rows[0]
    assert (row["tier"], row["status"], row["pathway"]) == ("t0", "paging", "spine")
    assert row["triggers"] == ["NT-02"]
    streams = {line["stream"].split(":")[0] for line in exported(ward, "audit", format="ndjson").rows}
    assert "escalation" in streams


def test_planned_follow_ups_leave(ward: Ward) -> None:
    now = database_now()
    plan_follow_ups(procedure=ward.procedure, ended_at=now, by=ward.by_nurse, now=now)
    rows = exported(ward, "follow_ups", kind="visit", versions="last").rows
    assert len(rows) >= 8
    assert {row["status"] for row in rows} == {"planned"}
    assert {row["procedure"] for row in rows} == {str(ward.procedure.public_id)}
