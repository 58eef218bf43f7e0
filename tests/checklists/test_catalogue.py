"""The lists as files: complete, in both languages, and a broken one says what to mend."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction

from checklists.actions.definitions import publish_definitions, sha256_of
from checklists.models import Definition
from checklists.rules.catalogue import CATALOGUE, load
from checklists.rules.check import BrokenDefinition
from checklists.rules.evaluation import Evaluation, State
from checklists.rules.gates import gate_of
from checklists.rules.nodes import PHASES, build_index, key_of, references
from clinic.lib.clock import database_now
from clinic.lib.problems import Refused
from clinic.models import Actor
from complications.rules.catalogue import complications
from tests.make_checklists import make_case


def items(definition: dict[str, Any]) -> Iterator[dict[str, Any]]:
    todo = list(definition["items"])
    while todo:
        item = todo.pop()
        todo += item.get("items", ())
        yield item


def test_all_84_items_stand_in_their_phases() -> None:
    lists = load()
    counts = {phase: len(lists[phase]["items"]) for phase in PHASES}
    assert counts == {"pre": 31, "sign_in": 10, "time_out": 9, "intra": 16, "sign_out": 8, "post": 10}
    assert sum(1 for phase in PHASES for _ in items(lists[phase])) == 351


def test_every_text_stands_in_both_languages_and_every_item_names_its_source() -> None:
    for definition in load().values():
        assert definition["notice"]
        assert definition["notice_tr"]
        for item in items(definition):
            assert item["title"], item["id"]
            assert item["title_tr"], item["id"]
            assert ("help" in item) == ("help_tr" in item), item["id"]
            assert item["source"], item["id"]
            assert item["evidence"] in {"V", "P", "K"}, item["id"]


def test_every_complication_that_an_answer_drafts_is_in_the_log() -> None:
    known = complications()
    drafted = {
        raised["code"]
        for definition in load().values()
        for item in items(definition)
        for raised in item.get("raises", ())
        if raised["kind"] == "complication_draft"
    }
    assert drafted <= known.keys()


def test_not_applicable_is_never_allowed_on_a_hard_stop() -> None:
    for definition in load().values():
        assert not [item["id"] for item in items(definition) if item.get("na_allowed") and item["stop"] == "H0"]


def test_whether_an_item_applies_never_depends_on_itself() -> None:
    index = build_index(load()[phase] for phase in PHASES)
    reads = {
        node.id: {name for name in references(node.raw.get("applies")) if name in index.nodes}
        for node in index.nodes.values()
    }

    def reached(name: str) -> set[str]:
        seen: set[str] = set()
        todo = set(reads[name])
        while todo:
            source = todo.pop()
            if source not in seen:
                seen.add(source)
                todo |= reads[source]
        return seen

    assert not [name for name in reads if name in reached(name)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(CATALOGUE, tmp_path / "catalogue")
    return tmp_path / "catalogue"


@pytest.mark.parametrize(
    ("file", "was", "becomes", "item", "field", "says"),
    [
        ("pre.toml", 'title = "Why is cement needed?"', "title = Why", "", "", "TOML"),
        ("pre.toml", 'schema = "checklist-definition/1"', 'schema = "other/1"', "", "schema", "checklist-definition/1"),
        ("pre.toml", 'version = "1.0', 'wersion = "1.0', "", "version", "missing"),
        ("pre.toml", 'title_tr = "Çimento hangi nedenle yapılıyor?"\n', "", "PRE-IDX-01", "title_tr", "missing"),
        ("pre.toml", 'type = "choice"', 'type = "chioce"', "PRE-IDX-01", "type", "chioce"),
        ("pre.toml", '\noptions = "levels"', '\noptions = "levls"', "PRE-LVL-01", "options", "levls"),
        ("pre.toml", '\nunanswered = "H1"', '\nunanswered = "H9"', "PRE-IDX-01", "stop_rules", "H9"),
        (
            "pre.toml",
            'item = "PRE-IDX-01", op = "="',
            'item = "PRE-IDX-99", op = "="',
            "PRE-IDX-01.other_text",
            "applies",
            "PRE-IDX-99",
        ),
        (
            "pre.toml",
            'op = "=", value = "other"',
            'op = "=", value = "othr"',
            "PRE-IDX-01.other_text",
            "applies",
            "othr",
        ),
        ("pre.toml", 'op = "=", value = "other"', 'op = "~", value = "other"', "PRE-IDX-01.other_text", "applies", "~"),
        (
            "pre.toml",
            'id = "PRE-IDX-01.benign_type"',
            'id = "PRE-IDX-01.other_text"',
            "PRE-IDX-01.other_text",
            "id",
            "twice",
        ),
        ("pre.toml", 'fn = "count"', 'fn = "cuont"', "PRE-LVL-01.count", "computed", "cuont"),
        ("pre.toml", "min = 3\nmax = 200", "min = 300\nmax = 200", "PRE-IDX-01.other_text", "min", "above"),
        ("intra.toml", 'kind = "trigger"', 'kind = "triger"', "INT-STP-01", "raises", "kind"),
        (
            "follow_up.toml",
            'blocks = ["red_flags", "pain"]',
            'blocks = ["red_flag", "pain"]',
            "FU-8H",
            "blocks",
            "red_flag",
        ),
    ],
)
def test_a_broken_list_names_file_item_field_and_remedy(
    folder: Path, file: str, was: str, becomes: str, item: str, field: str, says: str
) -> None:
    path = folder / file
    text = path.read_text(encoding="utf-8")
    assert was in text
    path.write_text(text.replace(was, becomes, 1), encoding="utf-8")
    with pytest.raises(BrokenDefinition) as caught:
        load(folder)
    error = caught.value
    assert (error.file, error.item, error.field) == (file, item, field)
    assert says in str(error)
    assert error.remedy


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "post.toml").unlink()
    with pytest.raises(BrokenDefinition, match=r"post\.toml"):
        load(folder)


@pytest.mark.django_db
def test_publishing_is_safe_to_repeat_and_refuses_other_content_under_a_version(folder: Path) -> None:
    def publish(*options: str) -> str:
        out = io.StringIO()
        call_command("definitions", "publish", *options, stdout=out)
        return out.getvalue()

    for path in folder.glob("*.toml"):
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub(r'^version = ".*"$', 'version = "2.0.0"', text, flags=re.M), encoding="utf-8")
    where = ("--folder", str(folder))
    assert "17 lists published, 0 already there" in publish(*where)
    assert "0 lists published, 17 already there" in publish(*where)
    path = folder / "pre.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("Why is cement needed?", "Why cement?"), encoding="utf-8")
    with pytest.raises(CommandError, match="Raise its version"):
        publish(*where)
    path.write_text(
        path.read_text(encoding="utf-8").replace("Why cement?", "").replace('title = ""', ""), encoding="utf-8"
    )
    with pytest.raises(CommandError, match="Nothing was published"):
        publish(*where)
    assert Definition.objects.filter(version="2.0.0").count() == 17


@pytest.mark.django_db
def test_a_run_keeps_its_list_when_a_new_one_is_published() -> None:
    run = make_case()["pre"]
    newer = {**load()["pre"], "version": "9.9.9", "title": "Another"}
    publish_definitions(definitions={"pre": newer}, by=Actor.system("tests"), now=database_now())
    run.refresh_from_db()
    assert run.definition.content["title"] != "Another"
    assert make_case()["pre"].definition.version == "9.9.9"


@pytest.mark.django_db
def test_a_published_list_never_changes_and_is_found_by_its_hash() -> None:
    row = make_case()["pre"].definition
    assert row.sha256 == sha256_of(row.content)
    attempts: list[Callable[[], object]] = [
        lambda: Definition.objects.filter(pk=row.pk).update(version="2"),
        lambda: Definition.objects.filter(pk=row.pk).delete(),
    ]
    for attempt in attempts:
        with pytest.raises(DatabaseError), transaction.atomic():
            attempt()
    with pytest.raises(Refused, match="version_published"):
        publish_definitions(
            definitions={"pre": {**row.content, "title": "x"}}, by=Actor.system("tests"), now=database_now()
        )


def test_an_order_is_asked_only_of_what_has_one(folder: Path) -> None:
    path = folder / "pre.toml"
    text = path.read_text(encoding="utf-8")
    fires = 'when = {any = [{op = "=", value = "4"}, {op = "=", value = "5"}]}'
    assert fires in text
    path.write_text(text.replace(fires, 'when = {op = ">=", value = 4}'), encoding="utf-8")
    with pytest.raises(BrokenDefinition, match="PRE-ANE-02 has no order"):
        load(folder)


@pytest.mark.parametrize(("key", "phase"), [("PRE-ANE-02||||", "pre"), ("POS-NEU-01|sedation|||1", "post")])
def test_a_high_class_or_a_deep_sedation_is_warned_of(key: str, phase: str) -> None:
    index = build_index(load()[name] for name in PHASES)
    facts = {"procedure.anaesthesia": "general"}
    now = datetime(2026, 3, 1, tzinfo=UTC)
    for said, warned in (("1", False), ("4", True)):
        gate = gate_of(Evaluation(index, State({key_of(key): said}, facts, now)), phase)
        assert (key_of(key) in {one.key for one in gate.blockers if one.code == "rule"}) is warned
