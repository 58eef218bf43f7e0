"""Exports (P1 to P6): the stream through the web server against psql's own copy of the identical SELECT."""

import http.client
import json
import time
from dataclasses import dataclass, field
from datetime import UTC
from functools import partial

from bench import load
from bench.figures import Figure, Missing, median, ratio
from bench.stage import app_url, application, program, stage, token
from bench.web import naive, peak_memory, workers_of
from tests.waiting import eventually

GOALS = {
    "P1": "CSV export against psql's copy of the same SELECT (psql's time / ours)",
    "P2": "CSV export against DRF cursor pages, rows a second",
    "P3": "worker's peak memory, all rows / a tenth of them",
    "P3b": "worker's peak memory at all rows",
    "P4": "first byte / whole",
    "P5": "zstd / plain, time",
    "P5b": "zstd / plain, bytes",
    "P6": "COPY backends 1 s after a download is broken off",
}
ROUNDS = 5
NAIVE_ROWS = 10_000


@dataclass
class Pull:
    """One download."""

    seconds: float
    first: float
    size: int
    headers: dict[str, str] = field(default_factory=dict)


def pull(*, encoding: str = "identity", query: str = "") -> Pull:
    """Download the procedures as CSV and throw them away."""
    connection = http.client.HTTPConnection("127.0.0.1", stage().port, timeout=120)
    headers = {"Authorization": f"Bearer {token('admin')}", "Accept-Encoding": encoding}
    began = time.perf_counter()
    connection.request("GET", f"/api/v1/exports/procedures?format=csv{query}", headers=headers)
    response = connection.getresponse()
    if response.status != 200:
        raise RuntimeError(f"export answered {response.status}: {response.read()[:500]!r}")
    first, size = 0.0, 0
    while piece := response.read1(1 << 18):
        first = first or time.perf_counter() - began
        size += len(piece)
    took = time.perf_counter() - began
    connection.close()
    return Pull(took, first, size, dict(response.headers))


def the_select() -> str:
    """Return the SELECT that the export runs, its values written in."""
    application()
    import psycopg
    from django.db import connection

    from clinic.exports.registry import dataset_called
    from clinic.exports.selection import select
    from clinic.lib.triples import Triple
    from clinic.models import Site

    selection = select(dataset_called("procedures"), {"format": "csv"}, identified=False)
    with connection.cursor() as cursor:
        cursor.execute("SELECT clinic_change_epoch(), pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        epoch, xid = cursor.fetchone()
    query, values = selection.query(site_id=Site.objects.get(code="A").pk, horizon=Triple(epoch, xid, 0))
    with psycopg.connect(app_url()) as plain:
        return psycopg.ClientCursor(plain).mogrify(query, values)


def run() -> list[Figure | Missing]:
    """Measure all of them in one run, ours and the references alternating."""
    select = " ".join(the_select().split())
    script = f"SET jit = off; SET work_mem = '32MB'; SET enable_sort = off;\nCOPY ({select}) TO STDOUT WITH (FORMAT csv, HEADER true) \\g /dev/null\n"
    rows = stage().sql(f"SELECT count(*) FROM ({select}) AS every")[0][0]
    pull()
    ours, packed, theirs = [], [], []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        program("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", app_url(), script=script)
        theirs.append(time.perf_counter() - began)
        ours.append(pull())
        packed.append(pull(encoding="zstd"))
    plain, reference = median(one.seconds for one in ours), median(theirs)
    size, small = ours[0].size, packed[0].size
    zstd = packed[0].headers.get("Content-Encoding") == "zstd"
    found: list[Figure | Missing] = [
        Figure("P1", GOALS["P1"], reference / plain, 0.90, plain, reference, "s", at_most=False, note=f"{rows} rows"),
        pages(rows / plain),
        *memory(rows),
        ratio("P4", GOALS["P4"], median(one.first for one in ours), plain, 0.60, "s"),
    ]
    if zstd:
        found += [
            ratio("P5", GOALS["P5"], median(one.seconds for one in packed), plain, 1.6, "s"),
            ratio("P5b", GOALS["P5b"], small / 1e6, size / 1e6, 0.30, "MB"),
        ]
    else:
        found.append(Missing("P5", GOALS["P5"], "the answer was not compressed"))
    return [*found, broken_off()]


def same(data: bytes, number: int) -> bytes:
    """Return the same request each time."""
    return data


def pages(ours: float) -> Figure:
    """Pull rows through DRF's cursor pages, and compare the rows that pass in a second."""
    path, got = "/versions/", 0
    began = time.perf_counter()
    while path and got < NAIVE_ROWS:
        one = load.request("GET", path, token=token("admin"))
        answer = load.must_be(load.run(naive().port, partial(same, one), requests=1, keep=True), 200)
        body = json.loads(answer.bodies[0])
        got += len(body["results"])
        path = body["next"].split("127.0.0.1", 1)[-1].partition("/")[2] if body["next"] else ""
        path = f"/{path}" if path else ""
    theirs = got / (time.perf_counter() - began)
    return Figure(
        "P2", GOALS["P2"], ours / theirs, 20, ours, theirs, "/s", at_most=False, note=f"reference: {got} of the rows"
    )


def memory(rows: int) -> list[Figure]:
    """Compare the peak of a fresh worker after a tenth of the rows and after all of them."""
    low, high = stage().sql("SELECT min(scheduled_at), max(scheduled_at) FROM clinic_procedure")[0]
    tenth = (low + (high - low) / 10).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    peaks = []
    service = stage()
    for query in (f"&to={tenth}", ""):
        old = service.kill("web")
        service.wait_for_restart("web", old)
        eventually(lambda: service.get("/healthz")[0] == 200, seconds=30, what="the web answers")
        for _ in range(4):
            pull(query=query)
        peaks.append(peak_memory(workers_of(service.pid("web"))))
    return [
        ratio("P3", GOALS["P3"], peaks[1], peaks[0], 1.15, "MB"),
        Figure("P3b", GOALS["P3b"], peaks[1], 100, peaks[1], 0, "MB", note=f"{rows} rows"),
    ]


def broken_off() -> Figure:
    """Close a download after its first bytes and count the COPY statements that still run a second later."""
    connection = http.client.HTTPConnection("127.0.0.1", stage().port, timeout=60)
    headers = {"Authorization": f"Bearer {token('admin')}"}
    connection.request("GET", "/api/v1/exports/procedures?format=csv", headers=headers)
    connection.getresponse().read(1000)
    connection.close()
    time.sleep(1)
    left = stage().owner_sql(
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%%' AND state = 'active' AND pid <> pg_backend_pid()"
    )
    return Figure("P6", GOALS["P6"], float(left[0][0]), 0, float(left[0][0]), 0, "")
