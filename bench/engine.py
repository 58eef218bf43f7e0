"""The engine (P12): from due, or from a report, to handed to its channel through watchman and Celery."""

import json
import os
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import redis

from bench.figures import Figure, Missing, median, percentile, ratio
from bench.stage import owner_url, stage
from bench.ticks import book, event, post
from clinic.lib.embedded import process
from tests.service import OWN, TOP
from tests.waiting import eventually

GOALS = {
    "P12": "due → handed to its channel, p99 / (bare NOTIFY wake + bare Celery delay → start, p99 each)",
    "P12b": "the same with 100,000 open ones / with few",
    "E1": "report stored → first page handed to its channel, median with 1,000 open / with few",
    "E2": "the same with 100,000 open / with few",
    "E3": "seconds until all pages of DRAINED cases that fall due at one moment have left",
}
DUE = 100
APART_S = 0.15
REPORTS = 20
DRAINED = 300
OPEN = 100_000
CLOCKS = ("acknowledgement", "bedside", "imaging_requested", "imaging_done", "imaging_report", "decision", "theatre")
TOLD = [f"{clock}:{what}" for clock in CLOCKS for what in ("warned", "breached")]
SENT = """
SELECT e.id, n.created_at, v.pgh_created_at FROM complications_escalation e
JOIN clinic_notification n ON n.reference = 'escalation:' || e.public_id
LEFT JOIN clinic_notificationversion v ON v.pgh_obj_id = n.id AND v.status = 'sent'
WHERE e.id = ANY(%s) AND n.created_at >= %s AND n.due_at <= n.created_at
"""


def report(run: str) -> None:
    """Tick that a leg does not move on command."""
    post(f"/runs/{run}/events/", {"events": [event("INT-NEU-01", "", "does_not_move", level="L1")]})


def paging() -> list[int]:
    """Return the keys of the benchmark's own escalations."""
    rows = stage().owner_sql(
        "SELECT e.id FROM complications_escalation e JOIN clinic_procedure p ON p.id = e.procedure_id "
        "JOIN clinic_patient q ON q.id = p.patient_id WHERE q.family_name = 'Bench' AND e.status = 'paging' ORDER BY e.id"
    )
    return [row[0] for row in rows]


def handed(owner: psycopg.Connection[tuple[Any, ...]], keys: list[int], since: datetime) -> list[tuple[int, datetime]]:
    """Wait until every case has pages from `since` on and all of them left; return (case, when it left) of each page."""

    def pages() -> list[tuple[int, datetime]]:
        rows = owner.execute(SENT, [keys, since]).fetchall()
        whole = {row[0] for row in rows} == set(keys) and all(row[2] for row in rows)
        return [(row[0], row[2]) for row in rows] if whole else []

    return eventually(pages, seconds=180, what="every page has left")


def measure(keys: list[int], *, apart_s: float = APART_S) -> list[float]:
    """Let a step of each fall due, one after another; return for each page the seconds from due to handed over."""
    with psycopg.connect(owner_url(), autocommit=True) as owner:
        # Nothing else of theirs falls due meanwhile: all clocks have been told, or an older case would have more to do.
        owner.execute(
            "UPDATE complications_escalation e SET page_due_at = d.at, next_due_at = d.at, told = %s FROM ("
            "SELECT id, now() + interval '4 s' + (row_number() OVER (ORDER BY id)) * %s * interval '1 s' AS at "
            "FROM complications_escalation WHERE id = ANY(%s)) d WHERE e.id = d.id",
            [json.dumps(TOLD), apart_s, keys],
        )
        due: dict[int, datetime] = dict(
            owner.execute("SELECT id, page_due_at FROM complications_escalation WHERE id = ANY(%s)", [keys])
        )
        return [(at - due[key]).total_seconds() for key, at in handed(owner, keys, min(due.values()))]


def first_pages() -> list[float]:
    """Report REPORTS deficits, one after another; return the seconds from each report to its first page."""
    found = []
    for run in [book(phase="intra") for _ in range(REPORTS)]:
        report(run)
        with psycopg.connect(owner_url(), autocommit=True) as owner:
            [(key, opened)] = owner.execute(
                "SELECT e.id, e.opened_at FROM complications_escalation e JOIN checklists_run r USING (procedure_id) "
                "WHERE r.public_id = %s",
                [run],
            ).fetchall()
            found.append(min((at - opened).total_seconds() for _, at in handed(owner, [key], opened)))
    return found


def bare_notify() -> list[float]:
    """Return the seconds from NOTIFY to the wake of a listener."""
    found = []
    with (
        psycopg.connect(owner_url(), autocommit=True) as listener,
        psycopg.connect(owner_url(), autocommit=True) as sender,
    ):
        listener.execute("LISTEN bench")
        for _ in range(DUE):
            began = time.perf_counter()
            sender.execute("NOTIFY bench")
            for _note in listener.notifies(timeout=5, stop_after=1):
                found.append(time.perf_counter() - began)
    return found


def bare_celery() -> list[float]:
    """Return the seconds from delay() to the start of a task that does nothing, on the service's own broker."""
    service = stage()
    url = service.places.redis_url(number=7)
    log = Path(service.data).parent / "bare-worker.log"
    env = {**{name: value for name, value in os.environ.items() if name not in OWN}, "BENCH_BROKER": url}
    os.environ["BENCH_BROKER"] = url
    command = [sys.executable, "-m", "celery", "-A", "bench.naive.tasks", "worker", "--concurrency", "2", "-l", "INFO"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    worker: subprocess.Popen[bytes] = process.spawn([*command, *quiet], log=log, cwd=TOP, env=env)
    try:
        eventually(lambda: " ready." in log.read_text(), seconds=60, what="the bare worker is ready")
        from bench.naive.tasks import started

        path = service.places.sockets(service.places.valkey) / "valkey.sock"
        broker = redis.Redis(unix_socket_path=str(path), db=7)
        found = []
        for _ in range(DUE):
            began = time.time()
            started.apply_async(args=(str(path),))
            answer = broker.blpop(["started"], timeout=20)
            found.append(float(answer[1]) - began)  # type: ignore[index]
        return found
    finally:
        process.stop(worker)


def crowd(most: int) -> None:
    """Open as many more, all of them due in a year."""
    with psycopg.connect(owner_url(), autocommit=True) as owner:
        columns = [
            row[0]
            for row in owner.execute(
                "SELECT quote_ident(column_name) FROM information_schema.columns "
                "WHERE table_name = 'complications_escalation' AND is_identity = 'NO'"
            ).fetchall()
        ]
        values = {
            "public_id": "gen_random_uuid()",
            "procedure_id": "p.id",
            "page_due_at": "now() + interval '1 year'",
            "next_due_at": "now() + interval '1 year'",
        }
        select = ", ".join(values.get(name, f"e.{name}") for name in columns)
        owner.execute(
            f"INSERT INTO complications_escalation ({', '.join(columns)}) SELECT {select} "
            "FROM (SELECT * FROM complications_escalation WHERE status = 'paging' LIMIT 1) e, "
            "(SELECT id FROM clinic_procedure p WHERE NOT EXISTS (SELECT FROM complications_escalation x "
            f"WHERE x.procedure_id = p.id) LIMIT {most}) p"
        )
        owner.execute("ANALYZE complications_escalation")


def opened() -> int:
    """Return how many escalations are open."""
    return int(stage().owner_sql("SELECT count(*) FROM complications_escalation WHERE closed_at IS NULL")[0][0])


def run() -> list[Figure | Missing]:
    """Measure with few open, the bare hops between, then with ever more."""
    alone = first_pages()
    for _ in range(DUE - REPORTS):
        report(book(phase="intra"))
    keys = paging()
    few = percentile(measure(keys), 0.99)
    notify, celery = percentile(bare_notify(), 0.99), percentile(bare_celery(), 0.99)
    crowd(1000)
    thousand, at_thousand = first_pages(), opened()
    crowd(OPEN)
    every, at_most = first_pages(), opened()
    many = percentile(measure(keys), 0.99)
    for _ in range(DRAINED - len(paging())):
        report(book(phase="intra"))
    drained = measure(paging(), apart_s=0)
    note = f"NOTIFY {notify * 1000:.1f} ms, Celery {celery * 1000:.1f} ms"
    reports = [median(some) * 1000 for some in (alone, thousand, every)]
    return [
        ratio("P12", GOALS["P12"], few * 1000, (notify + celery) * 1000, 5, "ms", note=note),
        ratio("P12b", GOALS["P12b"], many * 1000, few * 1000, 1.5, "ms", note=f"{at_most} open"),
        ratio("E1", GOALS["E1"], reports[1], reports[0], 1.5, "ms", note=f"{at_thousand} open"),
        ratio("E2", GOALS["E2"], reports[2], reports[0], 1.5, "ms", note=f"{at_most} open"),
        Figure(
            "E3", GOALS["E3"], max(drained), 60, max(drained), 0, "s", note=f"{len(drained) / max(drained):.0f} pages/s"
        ),
    ]
