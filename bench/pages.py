"""The complication log (P11): keyset pages over many rows, through HTTP, with random filters."""

import json
import random
from functools import partial
from typing import Any
from urllib.parse import urlencode

import psycopg

from bench import load
from bench.exports import same
from bench.figures import Figure, Missing, percentile, ratio
from bench.stage import application, owner_url, stage, token
from bench.web import naive

GOALS = {
    "P11": "log, deep page p95 / first page p95 over 60 filter sets",
    "P11b": "log, a page at half depth by keyset / by OFFSET, without a filter",
    "P11c": "log, whole request p95",
}
ROWS = 100_000
SETS = 60


def crowd() -> int:
    """Fill the log of site A up to ROWS by repeating what is in it at other times; return how many there are."""
    with psycopg.connect(owner_url(), autocommit=True) as owner:
        columns = [
            row[0]
            for row in owner.execute(
                "SELECT quote_ident(column_name) FROM information_schema.columns "
                "WHERE table_name = 'complications_complication' AND is_identity = 'NO'"
            ).fetchall()
        ]
        values = {
            "public_id": "gen_random_uuid()",
            "occurred_at": "c.occurred_at - random() * interval '900 days'",
        }
        [have] = owner.execute(
            "SELECT count(*) FROM complications_complication WHERE site_id = (SELECT id FROM clinic_site WHERE code = 'A')"
        ).fetchone() or (0,)
        if not have:
            raise RuntimeError("the demo's clinic has no complications to repeat")
        select = ", ".join(values.get(name, f"c.{name}") for name in columns)
        owner.execute(
            f"INSERT INTO complications_complication ({', '.join(columns)}) SELECT {select} FROM complications_complication c, "
            f"generate_series(1, {ROWS // have + 1}) WHERE c.status <> 'draft' AND c.site_id = (SELECT id FROM clinic_site WHERE code = 'A') LIMIT {ROWS}"
        )
        owner.execute("VACUUM ANALYZE complications_complication")
        [rows] = owner.execute(
            "SELECT count(*) FROM complications_complication WHERE site_id = (SELECT id FROM clinic_site WHERE code = 'A')"
        ).fetchone() or (0,)
    return int(rows)


def filters() -> list[dict[str, str]]:
    """Return 60 sets of filters, drawn from what the log holds."""
    chance = random.Random(11)  # noqa: S311
    drawn: dict[str, list[str]] = {}
    for name, column in {
        "type": "c.code",
        "clavien": "c.clavien",
        "level": "c.level",
        "status": "c.status",
        "kind": "p.kind",
        "indication": "p.indication",
        "operator": "u.username",
    }.items():
        rows = stage().owner_sql(
            f"SELECT DISTINCT {column} FROM complications_complication c JOIN clinic_procedure p ON p.id = c.procedure_id "
            f"JOIN clinic_user u ON u.id = p.operator_id WHERE c.site_id = (SELECT id FROM clinic_site WHERE code = 'A') "
            f"AND {column} <> ''"
        )
        drawn[name] = [str(row[0]) for row in rows]
    drawn["symptomatic"] = ["true", "false"]
    found: list[dict[str, str]] = [{}]
    while len(found) < SETS:
        names = chance.sample(sorted(drawn), k=chance.choice([1, 1, 2, 2, 3]))
        found.append({name: chance.choice(drawn[name]) for name in names if drawn[name]})
    return found


def page(given: dict[str, str]) -> tuple[float, dict[str, Any]]:
    """Return the seconds of one page through HTTP, and its body."""
    one = load.request("GET", f"/api/v1/complications/?{urlencode(given)}", token=token("admin"))
    answer = load.must_be(load.run(stage().port, partial(same, one), requests=1, warm=1, keep=True), 200)
    return answer.latencies[0], json.loads(answer.bodies[0])


def run() -> list[Figure | Missing]:
    """Ask for the first and for a deep page of each set, alternating."""
    rows = crowd()
    application()
    from complications.queries.log import make_after

    [(first_at, last_at)] = stage().owner_sql(
        "SELECT min(occurred_at), max(occurred_at) FROM complications_complication"
    )
    middle = make_after(first_at + (last_at - first_at) / 2, 1 << 60)
    first, deep = [], []
    for given in filters():
        first.append(page(given)[0])
        deep.append(page({**given, "after": middle})[0])
    keyset, offset = [], []
    for _ in range(7):
        keyset.append(page({"after": middle})[0])
        one = load.request("GET", f"/log/?limit=50&offset={rows // 2}", token=token("admin"))
        offset.append(load.must_be(load.run(naive().port, partial(same, one), requests=1, warm=1), 200).latencies[0])
    note = f"{rows} rows"
    return [
        ratio("P11", GOALS["P11"], percentile(deep, 0.95) * 1000, percentile(first, 0.95) * 1000, 1.5, "ms", note=note),
        ratio("P11b", GOALS["P11b"], percentile(keyset, 0.5) * 1000, percentile(offset, 0.5) * 1000, 1 / 15, "ms"),
        Figure(
            "P11c",
            GOALS["P11c"],
            percentile([*first, *deep], 0.95) * 1000,
            50,
            percentile([*first, *deep], 0.95) * 1000,
            0,
            "ms",
        ),
    ]
