"""Ticks: a batch of ten through the API.

P7 holds it against what web server and database cost by themselves: a view that does nothing behind the same gunicorn and the
same rows by pgbench. P8 holds ticks a second against a careful first version in DRF (bench/naive/ticks.py) that sends each
tick by itself with the same duties: log-in by token, checks, event, answer, run and audit entry in one transaction, on the same
database, the same runs and the same gunicorn sizes.
"""

import json
import tempfile
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from bench import load
from bench.figures import Figure, Missing, median, percentile, ratio
from bench.stage import app_url, program, stage, token
from bench.web import naive
from checklists.rules.catalogue import load as load_catalogue
from checklists.rules.facts import live_items
from checklists.rules.nodes import build_index

GOALS = {
    "P7": "batch of 10 ticks with log-in and audit, p50 / (a view that does nothing + the same rows by pgbench)",
    "P8": "ticks a second with 32 tablets / one DRF create for each tick with the same duties (event, answer, audit)",
}
BATCH = 10
TABLETS = 32
ROUNDS = 5


@dataclass(frozen=True)
class Key:
    """Something that can be ticked, and two values to tick it with."""

    item: str
    part: str
    values: tuple[Any, Any]


def post(path: str, body: Any, *, account: str = "nurse") -> Any:
    """Send one request to the service and return the answer's JSON."""
    one = load.request("POST", f"/api/v1{path}", token=token(account), body=body)
    answer = load.must_be(load.run(stage().port, lambda n: one, requests=1, keep=True), 200, 201)
    return json.loads(answer.bodies[0])


def get(path: str, *, account: str = "nurse") -> Any:
    """Return the JSON of a resource."""
    one = load.request("GET", f"/api/v1{path}", token=token(account))
    return json.loads(load.must_be(load.run(stage().port, lambda n: one, requests=1, keep=True), 200).bodies[0])


def book(*, phase: str = "pre") -> str:
    """Book a procedure and return the id of its list of that phase."""
    procedure = str(uuid.uuid4())
    post(
        "/procedures/",
        {
            "id": procedure,
            "patient": {
                "mrn": f"B-{procedure[:13]}",
                "family_name": "Bench",
                "given_name": "Mark",
                "birth_date": "1950-05-01",
                "sex": "female",
            },
            "kind": "vertebroplasty",
            "indication": "osteoporotic_vcf",
            "anaesthesia": "local",
            "levels": ["L1"],
            "scheduled_at": datetime.now(UTC).isoformat(),
            "operator": stage().accounts()["surgeon"]["username"],
        },
    )
    return next(str(run["id"]) for run in get(f"/procedures/{procedure}/runs/")["results"] if run["phase"] == phase)


def keys(run: str) -> list[Key]:
    """Return ten things of the first list that are simply chosen, as the service itself accepts them."""
    found: list[Key] = []
    content = load_catalogue()["pre"]
    # Facts, examinations and alarms are rows of their own, which the reference does not write: most taps do none of it.
    live = live_items(build_index([content]))
    for node in leaves(content["items"]):
        special = node["id"] in live or any(node.get(name) for name in ("repeats", "computed", "applies"))
        if node["type"] not in {"choice", "boolean"} or special or node.get("per", "procedure") != "procedure":
            continue
        item, _, part = node["id"].partition(".")
        values = (True, False) if node["type"] == "boolean" else tuple(one["value"] for one in node["options"][:2])
        key = Key(item, part, (values[0], values[1]))
        answer = post(f"/runs/{run}/events/", {"events": [event(key.item, key.part, key.values[0])]})
        if answer["results"][0]["outcome"] == "applied":
            found.append(key)
        if len(found) == BATCH:
            return found
    raise RuntimeError(f"only {len(found)} of the list can be ticked")


def leaves(nodes: Any) -> Any:
    """Yield every node of a list that is answered."""
    for node in nodes:
        yield node
        yield from leaves(node.get("items", ()))


def event(item: str, part: str, value: Any, **more: str) -> dict[str, Any]:
    """Return one tick as a tablet sends it."""
    now = datetime.now(UTC).isoformat()
    return {"id": str(uuid.uuid4()), "item": item, "part": part, "value": value, "occurred_at": now, **more}


def batch(runs: list[str], some: list[Key], number: int) -> bytes:
    """Return the n-th batch: the tablets take turns, and every tick changes its answer."""
    turn = number // len(runs) + 1
    events = [event(key.item, key.part, key.values[turn % 2]) for key in some]
    path = f"/api/v1/runs/{runs[number % len(runs)]}/events/"
    return load.request("POST", path, token=token("nurse"), body={"events": events})


# The same rows by plain SQL: the lock, ten events, ten answers with their versions, the run, the audit entry.
SAME_ROWS = """
BEGIN;
SELECT id FROM checklists_run WHERE id = {run} FOR NO KEY UPDATE;
INSERT INTO checklists_event (public_id, run_id, seq, item, part, level, side, instance, value, has_parent, mode, reason,
  outcome, code, actor_id, role, sender_id, occurred_at, recorded_at, clock_flag, content_sha256)
  SELECT gen_random_uuid(), r.id, r.last_seq + g, 'BENCH-' || g, '', '', '', '', '"yes"', false, '', '', 'applied', '', {user},
  'nurse', {user}, now(), now(), '', repeat('0', 64) FROM checklists_run r, generate_series(1, 10) g WHERE r.id = {run};
INSERT INTO checklists_answer (run_id, item, part, level, side, instance, value, event, heads, is_conflict, actor_id,
  occurred_at, recorded_at)
  SELECT {run}, 'BENCH-' || g, '', '', '', '', to_jsonb(random()), gen_random_uuid(), '[]', false, {user}, now(), now()
  FROM generate_series(1, 10) g
  ON CONFLICT (run_id, item, part, level, side, instance) DO UPDATE SET value = excluded.value, event = excluded.event,
  heads = excluded.heads, recorded_at = excluded.recorded_at;
UPDATE checklists_run SET last_seq = last_seq + 10, revision = revision + 1 WHERE id = {run};
SELECT audit_append('procedure:bench', ARRAY['{{"action":"answers.recorded","actor":"bench","at":"","subject":"bench"}}']);
COMMIT;
"""


def pgbench(run: str, transactions: int) -> float:
    """Return the mean latency (s) of the same rows by pgbench, one client."""
    [(key, user)] = stage().sql("SELECT id, opened_by_id FROM checklists_run WHERE public_id = %s", run)
    with tempfile.TemporaryDirectory() as scratch:
        script = Path(scratch) / "same.sql"
        script.write_text(" ".join(SAME_ROWS.format(run=key, user=user).split()).replace("; ", ";\n") + "\n")
        done = program("pgbench", "-n", "-c", "1", "-t", str(transactions), "-f", str(script), app_url())
    line = next(line for line in done.stdout.splitlines() if line.startswith("latency average"))
    return float(line.split("=")[1].split()[0]) / 1000


def create(runs: list[str], some: list[Key], number: int) -> bytes:
    """Return the n-th naive create: the same ticks as the batches', each by itself."""
    turn = number // len(runs)
    key = some[turn % len(some)]
    tick = event(key.item, key.part, key.values[turn // len(some) % 2])
    body = {"public_id": tick.pop("id"), "run": runs[number % len(runs)], "has_parent": False, **tick}
    return load.request("POST", "/ticks/", token=token("nurse"), body=body)


def run() -> list[Figure | Missing]:
    """Measure both, ours and the references alternating."""
    service = stage()
    runs = [book() for _ in range(TABLETS)]
    spare = book()
    some = keys(runs[0])
    nothing = load.request("GET", "/nothing/")
    alone = partial(batch, runs[:1], some)
    load.must_be(load.run(service.port, alone, requests=50), 200)
    ours, views, rows, tails = [], [], [], []
    for _ in range(ROUNDS):
        one = load.must_be(load.run(service.port, alone, requests=100), 200)
        ours.append(percentile(one.latencies, 0.5))
        tails.append(percentile(one.latencies, 0.99))
        views.append(
            percentile(load.must_be(load.run(naive().port, lambda n: nothing, requests=200), 204).latencies, 0.5)
        )
        rows.append(pgbench(spare, 200))
    reference = median(views) + median(rows)
    p7 = ratio(
        "P7",
        GOALS["P7"],
        median(ours) * 1000,
        reference * 1000,
        5,
        "ms",
        note=f"view {median(views) * 1000:.2f} ms, rows {median(rows) * 1000:.2f} ms, our p99 {median(tails) * 1000:.1f} ms",
    )
    many, single = [], []
    for port, make in ((service.port, partial(batch, runs, some)), (naive().port, partial(create, runs, some))):
        load.must_be(load.run(port, make, clients=TABLETS, requests=2 * TABLETS), 200, 201)
    for _ in range(ROUNDS):
        load_ = load.must_be(load.run(service.port, partial(batch, runs, some), clients=TABLETS, requests=640), 200)
        many.append(load_.rate * BATCH)
        one = load.must_be(load.run(naive().port, partial(create, runs, some), clients=TABLETS, requests=640), 201)
        single.append(one.rate)
    p8 = Figure("P8", GOALS["P8"], median(many) / median(single), 25, median(many), median(single), "/s", at_most=False)
    return [p7, p8]
