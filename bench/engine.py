"""The engine (P12): from due to handed to its channel through watchman and Celery, against its two bare hops."""

import json
import os
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import psycopg
import redis

from bench.figures import Figure, Missing, percentile, ratio
from bench.stage import owner_url, stage
from bench.ticks import book, event, post
from clinic.lib.embedded import process
from tests.service import OWN, TOP
from tests.waiting import eventually

GOALS = {
    "P12": "due → handed to its channel, p99 / (bare NOTIFY wake + bare Celery delay → start, p99 each)",
    "P12b": "the same with 100,000 open ones / with few",
}
DUE = 100
APART_S = 0.15
OPEN = 100_000


def reports() -> list[int]:
    """Report deficits in DUE procedures; return the keys of the escalations."""
    for _ in range(DUE):
        run = book(phase="intra")
        post(f"/runs/{run}/events/", {"events": [event("INT-NEU-01", "", "does_not_move", level="L1")]})
    rows = stage().owner_sql(
        "SELECT e.id FROM complications_escalation e JOIN clinic_procedure p ON p.id = e.procedure_id "
        "JOIN clinic_patient q ON q.id = p.patient_id WHERE q.family_name = 'Bench' AND e.status = 'paging' ORDER BY e.id"
    )
    return [row[0] for row in rows]


def measure(keys: list[int]) -> list[float]:
    """Let a step of each fall due, one after another; return the seconds from due to handed over."""
    with psycopg.connect(owner_url(), autocommit=True) as owner:
        # Nothing else of theirs falls due meanwhile.
        owner.execute(
            "UPDATE complications_escalation e SET page_due_at = d.at, next_due_at = d.at, told = %s FROM ("
            "SELECT id, now() + interval '4 s' + (row_number() OVER (ORDER BY id)) * %s * interval '1 s' AS at "
            "FROM complications_escalation WHERE id = ANY(%s)) d WHERE e.id = d.id",
            [json.dumps([]), APART_S, keys],
        )
        due: dict[int, datetime] = dict(
            owner.execute("SELECT id, page_due_at FROM complications_escalation WHERE id = ANY(%s)", [keys])
        )
        last = max(due.values())
        eventually(
            lambda: owner.execute("SELECT now() > %s::timestamptz + interval '3 s'", [last]).fetchone() == (True,),
            seconds=DUE * APART_S + 60,
            what="every step has fallen due",
        )
        rows = owner.execute(
            "SELECT e.id, max(v.pgh_created_at) FROM complications_escalation e "
            "JOIN clinic_notification n ON n.reference = 'escalation:' || e.public_id "
            "JOIN clinic_notificationversion v ON v.pgh_obj_id = n.id AND v.status = 'sent' "
            "WHERE e.id = ANY(%s) AND n.created_at >= %s GROUP BY e.id",
            [keys, min(due.values())],
        ).fetchall()
    if len(rows) < len(keys):
        raise RuntimeError(f"only {len(rows)} of {len(keys)} steps were paged")
    return [(handed - due[key]).total_seconds() for key, handed in rows]


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


def crowd() -> None:
    """Open 100,000 more, all of them due in a year."""
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
            f"WHERE x.procedure_id = p.id) LIMIT {OPEN}) p"
        )
        owner.execute("ANALYZE complications_escalation")


def run() -> list[Figure | Missing]:
    """Measure few, the bare hops, then many."""
    keys = reports()
    few = percentile(measure(keys), 0.99)
    notify, celery = percentile(bare_notify(), 0.99), percentile(bare_celery(), 0.99)
    crowd()
    opened = stage().owner_sql("SELECT count(*) FROM complications_escalation WHERE closed_at IS NULL")[0][0]
    many = percentile(measure(keys), 0.99)
    note = f"NOTIFY {notify * 1000:.1f} ms, Celery {celery * 1000:.1f} ms"
    return [
        ratio("P12", GOALS["P12"], few * 1000, (notify + celery) * 1000, 5, "ms", note=note),
        ratio("P12b", GOALS["P12b"], many * 1000, few * 1000, 1.5, "ms", note=f"{opened} open"),
    ]
