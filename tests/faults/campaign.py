"""A kill campaign against the real service: deficits are reported while its processes are killed, one after another."""

import json
import random
import shutil
import signal
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg

from tests.service import RunningService
from tests.waiting import eventually

# Everything that can die, and the broker once more with its data wiped.
VICTIMS = ("worker", "beat", "watchman", "valkey", "wiped valkey", "postgres", "web")
STEPS_OF_AN_EMERGENCY = 4


@dataclass
class Campaign:
    """Reports and kills, and what they came to. All on the demo site whose minutes pass in a second."""

    service: RunningService
    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    procedures: list[str] = field(default_factory=list)
    slowest_answer_s: float = 0.0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)  # noqa: S311
        accounts = self.service.accounts()
        self.token = accounts["nurse_d"]["token"]
        self.operator = accounts["surgeon_d"]["username"]

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call the API as a tablet does: the same request again until it is answered."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.service.url}/api/v1{path}", data, headers, method=method)  # noqa: S310
        answer: list[Any] = []

        def answered() -> bool:
            try:
                with urllib.request.urlopen(request, timeout=5) as response:  # noqa: S310
                    answer.append(json.load(response))
            except urllib.error.HTTPError as error:
                if error.code < 500:
                    raise AssertionError(f"{path}: {error.code} {error.read()!r}") from None
                return False
            except (OSError, ValueError):
                return False
            return True

        began = time.monotonic()
        eventually(answered, seconds=60, what=f"{method} {path} is answered")
        self.slowest_answer_s = max(self.slowest_answer_s, time.monotonic() - began)
        return answer[0]

    def book(self) -> str:
        """Book a procedure and return the id of its list of the procedure itself."""
        procedure = str(uuid.uuid4())
        self.call(
            "POST",
            "/procedures/",
            {
                "id": procedure,
                "patient": {
                    "mrn": f"KILL-{procedure[:12]}",
                    "family_name": "Campaign",
                    "given_name": "Kill",
                    "birth_date": "1950-05-01",
                    "sex": "female",
                },
                "kind": "vertebroplasty",
                "indication": "osteoporotic_vcf",
                "anaesthesia": "local",
                "levels": ["L1"],
                "scheduled_at": datetime.now(UTC).isoformat(),
                "operator": self.operator,
            },
        )
        self.procedures.append(procedure)
        runs = self.call("GET", f"/procedures/{procedure}/runs/")["results"]
        return next(str(run["id"]) for run in runs if run["phase"] == "intra")

    def report(self, run: str) -> None:
        """Tick that a leg does not move on command: an emergency."""
        event = {
            "id": str(uuid.uuid4()),
            "item": "INT-NEU-01",
            "level": "L1",
            "value": "does_not_move",
            "occurred_at": datetime.now(UTC).isoformat(),
        }
        answer = self.call("POST", f"/runs/{run}/events/", {"events": [event]})
        assert answer["results"][0]["outcome"] in {"applied", "replayed"}, answer

    def kill(self, victim: str) -> None:
        """Kill -9 one of the processes and wait until it runs again."""
        self.kills[victim] += 1
        name = victim.removeprefix("wiped ")
        if victim == "wiped valkey":
            # Frozen, so that it cannot be started again before its data are gone.
            assert self.service.child is not None
            self.service.child.send_signal(signal.SIGSTOP)
            old = self.service.kill(name)
            shutil.rmtree(self.service.places.valkey / "appendonlydir", ignore_errors=True)
            self.service.child.send_signal(signal.SIGCONT)
        else:
            old = self.service.kill(name)
        self.service.wait_for_restart(name, old)

    def breathe(self) -> None:
        """Let a random moment pass, so that kills fall anywhere between two pages."""
        threading.Event().wait(self.random.uniform(0.1, 2.5))

    def settle(self, *, rounds: int) -> None:
        """Wait until every escalation has run all its steps and so many repeats, and nothing waits in the outbox."""
        wanted = (
            "SELECT count(*) FROM complications_escalation e JOIN clinic_procedure p ON p.id = e.procedure_id "
            "WHERE p.public_id = ANY(%s::uuid[]) AND e.round >= %s"
        )

        def settled() -> bool:
            try:
                done = self.service.sql(wanted, self.procedures, rounds)[0][0]
            except psycopg.OperationalError:
                return False
            return bool(done == len(self.procedures))

        eventually(settled, seconds=180, what="every escalation has run all its steps")

    def escalations(self, columns: str) -> list[tuple[Any, ...]]:
        """Return columns of the campaign's escalations."""
        return self.service.sql(
            f"SELECT {columns} FROM complications_escalation e JOIN clinic_procedure p ON p.id = e.procedure_id "  # noqa: S608
            "WHERE p.public_id = ANY(%s::uuid[]) ORDER BY e.id",
            self.procedures,
        )

    def steps(self, escalation: int) -> list[tuple[int, int, list[dict[str, Any]]]]:
        """Return the steps that were run, in the order of the events: round, step, who was told."""
        rows = self.service.sql(
            "SELECT (data->>'round')::int, (data->>'step')::int, data->'to' FROM complications_escalationevent "
            "WHERE escalation_id = %s AND kind IN ('step_paged', 'step_skipped') ORDER BY seq",
            escalation,
        )
        return [(row[0], row[1], row[2]) for row in rows]

    def messages(self, escalation: str) -> list[tuple[str, str, int, float | None]]:
        """Return the pages of an escalation: key, status, attempts, seconds from due to sent."""
        rows = self.service.sql(
            "SELECT dedup_key, status, attempts, extract(epoch FROM sent_at - created_at)::float "
            "FROM clinic_notification WHERE reference = %s AND kind = 'escalation_page' ORDER BY id",
            f"escalation:{escalation}",
        )
        return [(row[0], row[1], row[2], row[3]) for row in rows]
