"""The end of the day: what is planned, what is exported, and whether anybody could have changed it."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from checklists.management.demo.client import DayFailed
from checklists.management.demo.driving import Team
from checklists.management.demo.telling import Teller
from clinic.lib.audit_chain import GENESIS
from clinic.lib.export_file import report
from clinic.queries import verify_audit

if TYPE_CHECKING:
    from checklists.management.demo.story import MainCase


def verify_day(main: MainCase, team: Team, teller: Teller) -> None:
    """Show the plan and the log, pull the exports, verify them, alter a copy, verify again."""
    teller.head("In the office")
    visits = team.caller.get(f"/follow-ups/?procedure={main.case.id}&kind=visit")["results"]
    teller.say(f"{team.caller.name} sees the plan: {', '.join(one['code'] for one in visits)}.")
    log = team.second.get("/complications/")["results"]
    teller.say(
        f"The log holds {len(log)} entries of this site, the newest of them {', '.join(one['type'] for one in log[:4])}."
    )
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        complications, manifest = _pull(team, folder, "complications", "csv")
        code, lines = report(complications, manifest)
        if code != 0:
            raise DayFailed(f"The export does not verify: {lines}")
        teller.say(f"{team.administrator.name} pulls the complications: {lines[0].partition(': ')[2]}.")
        altered = _alter_csv(complications)
        code, lines = report(altered, manifest)
        if code != 1:
            raise DayFailed("An altered export passed.")
        teller.say("One row of a copy is altered. Verify: not as it was exported, its SHA-256 is another one.")
        trail, _ = _pull(team, folder, "audit", "ndjson")
        entries = [json.loads(line) for line in trail.read_text(encoding="utf-8").splitlines()]
        mine = [one for one in entries if one["stream"] == f"procedure:{main.case.id}"]
        if first_bad(mine) is not None:
            raise DayFailed("The exported chain of the case does not hold.")
        teller.say(
            f"The exported audit trail of the case: {len(mine)} entries; anybody can follow the chain with twenty lines."
        )
        victim = len(mine) // 2
        mine[victim] = {**mine[victim], "canonical_sha256": "0" * 64}
        bad = first_bad(mine)
        if bad is None or bad["seq"] != mine[victim]["seq"]:
            raise DayFailed("The altered entry was not found.")
        teller.say(
            f"One entry of the copy is altered: the chain breaks at entry {bad['seq']} ({bad['action']}), and names it."
        )
    result = verify_audit()
    if result.exit_code != 0:
        raise DayFailed(f"The audit trail does not verify: {result.faults[:3]}")
    teller.say(f"audit verify over the whole service: {result.entries} entries in {result.streams} streams, no fault.")


def _pull(team: Team, folder: Path, dataset: str, kind: str) -> tuple[Path, Path]:
    answer = team.administrator.ask("GET", f"/exports/{dataset}?format={kind}")
    file = folder / f"{dataset}.{kind}"
    file.write_bytes(answer.raw)
    export = answer.headers["Export-Id"]
    manifest = folder / f"{dataset}.manifest.json"
    manifest.write_bytes(team.administrator.ask("GET", f"/exports/{dataset}/manifest?export={export}").raw)
    return file, manifest


def _alter_csv(file: Path) -> Path:
    copy = file.with_name("altered.csv")
    text = file.read_text(encoding="utf-8-sig")
    copy.write_text(text.replace("LEK-EPI", "LEK-PVT", 1), encoding="utf-8")
    return copy


def first_bad(entries: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the first entry of one stream that does not follow, or None; needs nothing but the exported rows.

    The same lines stand in docs/audit.md: the pseudonymised export holds the hash of each entry's text instead of it.
    """
    previous = GENESIS
    for entry in sorted(entries, key=lambda one: int(one["seq"])):
        stream = hashlib.sha256(entry["stream"].encode()).digest()
        text = bytes.fromhex(entry["canonical_sha256"])
        digest = hashlib.sha256(b"\x02" + stream + int(entry["seq"]).to_bytes(8, "big") + previous + text).digest()
        if entry["hash"] != digest.hex():
            return entry
        previous = digest
    return None
