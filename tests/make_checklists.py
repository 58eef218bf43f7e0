"""Plain makers of the lists: procedures with their six runs, and ticks."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from checklists.actions.definitions import publish_definitions, sha256_of
from checklists.actions.opening import open_runs
from checklists.actions.sync import Incoming, Result, apply_batch
from checklists.models import Definition, Run
from checklists.queries.runs import gate_now, look_at
from checklists.rules.catalogue import load
from checklists.rules.nodes import Key, Node, Scope, key_of
from clinic.lib.clock import database_now
from clinic.models import Actor, Procedure, Site, User
from tests.make import make_actor, make_procedure


@cache
def catalogue() -> dict[str, dict[str, Any]]:
    """The lists of the catalogue, read once for all tests."""
    return load()


def keep_lists() -> None:
    """Put the catalogue into a database for all its tests, without the trail of a publication.

    Published anew for each test it took half of the time of every test that opens a list.
    """
    now = database_now()
    Definition.objects.bulk_create(
        Definition(
            name=name,
            version=content["version"],
            kind=content["kind"],
            phase=content["phase"],
            code=content.get("code", ""),
            sha256=sha256_of(content),
            content=content,
            published_at=now,
        )
        for name, content in catalogue().items()
    )


def publish_catalogue() -> None:
    """Publish the catalogue where a test's database has no lists."""
    if not Definition.objects.exists():
        publish_definitions(definitions=catalogue(), by=Actor.system("tests"), now=database_now())


def make_runs(procedure: Procedure) -> dict[str, Run]:
    """The six lists of a procedure, by phase."""
    publish_catalogue()
    runs = open_runs(procedure=procedure, by=Actor.system("tests"), now=database_now())
    return {run.phase: run for run in runs}


def make_case(site: Site | None = None, operator: User | None = None, **fields: Any) -> dict[str, Run]:
    """A booked procedure with its six lists, by phase."""
    return make_runs(make_procedure(site, operator, **fields))


def tick(key: str, value: Any, at: datetime | None = None, **fields: Any) -> Incoming:
    """One tick of the item at a key such as `PRE-PAI-01|rest|||`; `parent=` an earlier tick or None."""
    if "parent" in fields:
        parent = fields.pop("parent")
        fields.update(has_parent=True, parent=uuid.UUID(parent.id) if isinstance(parent, Incoming) else parent)
    return Incoming(
        **{
            "id": str(uuid.uuid4()),
            "key": key_of(key),
            "value": value,
            "occurred_at": at or database_now() - timedelta(seconds=5),
            **fields,
        }
    )


def send(run: Run, *events: Incoming, by: User | None = None) -> list[Result]:
    """Send ticks as one batch."""
    return apply_batch(run=run, events=events, by=make_actor(by), tablet=None, now=database_now())


def answer(run: Run, answers: dict[str, Any], by: User | None = None) -> list[Result]:
    """Tick many items at once, without looking at what stood there."""
    return send(run, *(tick(key, value) for key, value in answers.items()), by=by)


def good_values(node: Node, levels: list[str], now: datetime) -> list[Any]:
    """Values that an honest team would give an item, the likeliest first."""
    raw = node.raw
    earlier = {
        "PRE-ANE-03.solids_at": 10,
        "PRE-ANE-03.clear_at": 4,
        "PRE-NEU-01.examined_at": 2,
        "TOU-ABX-01.given_at": 0.5,
    }
    named: dict[str, list[Any]] = {
        **{name: [levels] for name in ("PRE-LVL-01", "PRE-IMG-01.levels", "PRE-CNS-01.levels", "TOU-LVL-01.levels")},
        "SOU-NAM-01.levels": [levels],
        "SIN-IDN-01": [{"matched": True, "method": "scan"}],
        "SIN-CMT-01.lots.expiry": ["2031-12-31"],
        "INT-CMT-01.expiry": ["2031-12-31"],
        "PRE-COA-03": [False],
        "PRE-NEU-04": [False],
        "INT-HAE-01.cpr": [False],
        "POS-URI-01.new_incontinence": [False],
        "SOU-NEU-01.new_symptom": [False],
        "TOU-LVL-01.transitional": [False],
        "SOU-CNT-01.cement_tail": [False],
        "INT-HAE-01.sbp_low": [120],
        "INT-PAU-01.sbp": [125],
        "POS-NEU-01.sbp": [130],
        "POS-NEU-01.nrs_back": [2],
        "POS-NEU-01.nrs_leg": [0],
        "POS-PAI-01": [2],
        "POS-DIS-01": ["ward"],
        "POS-MOB-01": ["as_baseline"],
        "PRE-PRC-01": ["kyphoplasty"],
    }
    if node.id in named:
        return named[node.id]
    low, high = raw.get("min", 0), raw.get("max", 100)
    match node.type:
        case "boolean":
            return [True, False]
        case "choice" | "coded":
            return [option["value"] for option in raw["options"]]
        case "multi_choice":
            return [[option["value"]] for option in sorted(raw["options"], key=lambda one: not one.get("exclusive"))]
        case "integer" | "decimal":
            return [one for one in (raw.get("warn_low"), (low + high) // 2, low, high, 8, 98) if one is not None]
        case "date":
            return [(now - timedelta(days=10)).date().isoformat()]
        case "datetime":
            return [(now - timedelta(hours=earlier.get(node.id, 1))).isoformat()]
    return ["Said, seen and written down by the team."[: raw.get("max", 99)]]


def pass_lists(runs: dict[str, Run], *, before: str) -> None:
    """Have the lists before this one signed, as far as the next one asks: its people are not the test's matter."""
    earlier = list(runs)[: list(runs).index(before)]
    rows = Run.objects.filter(pk__in=[runs[phase].pk for phase in earlier], status="open")
    rows.update(status="signed", signed_at=database_now())


def fill(run: Run, by: User | None = None) -> None:
    """Answer everything that a list asks, as an honest team with a healthy patient would, until its gate is open."""
    levels = [row.level for row in run.procedure.levels.all()]
    now = database_now()
    tried: dict[Key, int] = {}
    for _ in range(12):
        view = look_at(run, database_now())
        wanted: dict[str, Any] = {}
        due = [
            (node, scope)
            for node in view.index.of_phase(run.phase)
            if node.is_answerable and node.raw["required"] != "optional"
            for scope in (
                view.scopes(node)
                if not (node.by_instance and node.repeats_from_series and not view.instances(node))
                else [Scope("", "", "1")]
            )
            if view.applies(node, scope)
        ]
        closed = [one.key for one in gate_now(run, view, []).blockers if one.kind != "warning"]
        # A computed part that says no (allergies that disagree) is put right at the item that it was computed from.
        blocked = {key.item for key in closed if not view.index.nodes[key.node_id].is_answerable}
        for node, scope in due:
            key = node.key(scope)
            fresh = not view.answered(node, scope)
            if fresh or key in closed or (key.item in blocked and node.id == key.item):
                values = good_values(node, levels, now)
                place = tried.get(key, -1) + 1
                tried[key] = place
                wanted[key.text()] = values[min(place, len(values) - 1)]
        if not wanted:
            break
        for result in answer(run, wanted, by=by):
            assert result.outcome == "applied", result
    gate = gate_now(run, look_at(run, database_now()), [])
    assert gate.is_open, [(one.key.text(), one.reason) for one in gate.blockers if one.kind != "warning"]
