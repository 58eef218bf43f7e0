"""Events and answers as files: coded answers leave, a person's own words stay."""

from __future__ import annotations

from typing import Any

import pytest

from clinic.vocabulary import Role
from tests.checklists.test_moving import Case
from tests.exporting import Pulled, pull, puller, settle
from tests.make import make_site, make_user
from tests.make_checklists import answer, make_case, publish_catalogue

pytestmark = pytest.mark.django_db(transaction=True)

TICKS: dict[str, Any] = {
    "PRE-PAI-01|rest|||": 7,
    "PRE-IDX-01||||": "metastasis",
    "PRE-IDX-01|other_text|||": "Mrs Somebody asked for it",
    "PRE-MDT-01|names|||": "Dr Somebody",
    "PRE-COA-01||||": {"not_applicable": "Mrs Somebody takes none"},
}


def exported(dataset: str, **params: str) -> Pulled:
    publish_catalogue()
    site = make_site()
    run = make_case(site, make_user(site, Role.SURGEON))["pre"]
    answer(run, TICKS, by=make_user(site, Role.NURSE))
    settle()
    pulled = pull(puller(make_user(site, Role.ADMINISTRATOR)), dataset, **params)
    assert pulled.status == 200, pulled.body[:500]
    return pulled


def test_coded_answers_leave_and_words_stay() -> None:
    pulled = exported("events", format="ndjson")
    values = {f"{row['item']}|{row['part']}": row["value"] for row in pulled.rows}
    assert values["PRE-PAI-01|rest"] == 7
    assert values["PRE-IDX-01|"] == "metastasis"
    assert values.get("PRE-IDX-01|other_text") is None
    assert values.get("PRE-MDT-01|names") is None
    assert values.get("PRE-COA-01|") in (None, {"not_applicable": True})
    assert b"Somebody" not in pulled.body


def test_answers_name_the_definition_that_they_answer() -> None:
    rows = exported("answers", versions="last", phase="pre").rows
    assert {row["value"] for row in rows if row["item"] == "PRE-PAI-01"} == {"7"}
    assert {len(row["definition"]) for row in rows} == {64}
    assert {row["phase"] for row in rows} == {"pre"}


def test_a_row_keeps_the_version_on_which_it_was_made_when_its_run_is_moved() -> None:
    case = Case()
    settle()
    client = puller(make_user(case.site, Role.ADMINISTRATOR))

    def versions(dataset: str) -> set[str]:
        rows = pull(client, dataset, phase="pre", format="ndjson").rows
        return {row["definition"] for row in rows if row["value"] is not None}

    before = {dataset: versions(dataset) for dataset in ("events", "answers")}
    case.move()
    settle()
    assert before == {"events": {case.old.sha256}, "answers": {case.old.sha256}}
    assert {dataset: versions(dataset) for dataset in before} == before
    answer(case.run, {"PRE-NEW-01||||": 2}, by=case.nurse)
    settle()
    assert versions("events") == {case.old.sha256, case.new.sha256}
