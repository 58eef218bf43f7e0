"""A kill campaign against the real service: deficits are reported while its processes are killed, one after another."""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg

from clinic.lib.embedded import process
from clinic.lib.embedded.places import APP
from tests.service import TOP, RunningService
from tests.waiting import eventually

# Everything that can die (killed with -9), and the broker once more with its data wiped.
VICTIMS = ("worker", "beat", "watchman", "valkey", "wiped valkey", "postgres", "web")
STEPS_OF_AN_EMERGENCY = 4
# What breaks without dying, and what people change meanwhile. A second on the demo site is a minute of its policy.
TROUBLES = (
    "broker unreachable",
    "broker frozen",
    "worker frozen",
    "second beat",
    "second watchman",
    "policy edited",
    "rota edited",
    "person leaves or returns",
)


@dataclass
class Fault:
    """One thing that was done to the service: what, and from when to when by the database's clock."""

    kind: str
    began: datetime
    ended: datetime


@dataclass(frozen=True)
class Page:
    """One page: what makes it one, its message id, to whom, and how it went."""

    due: datetime
    key: str
    message_id: str
    recipient: int | None
    status: str
    attempts: int
    sent: datetime | None

    @property
    def delay_s(self) -> float:
        """Seconds from when its step was planned to having left."""
        return max(0.0, (self.sent - self.due).total_seconds()) if self.sent else float("inf")


@dataclass(frozen=True)
class Step:
    """One step that ran: which, whom it told, and when it was planned."""

    turn: int
    number: int
    told: list[dict[str, Any]]
    due: datetime

    @property
    def part(self) -> str:
        """What stands in the keys of its messages."""
        return f":{self.turn}:{self.number}:"


@dataclass
class Campaign:
    """Reports and kills, and what they came to. All on the demo site whose minutes pass in a second."""

    service: RunningService
    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)
    extra: list[subprocess.Popen[bytes]] = field(default_factory=list)
    away: bool = False
    procedures: list[str] = field(default_factory=list)
    slowest_answer_s: float = 0.0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)  # noqa: S311
        accounts = self.service.accounts()
        self.token = accounts["nurse_d"]["token"]
        self.operator = accounts["surgeon_d"]["username"]
        self.surgeon = accounts["surgeon_d"]["token"]

    def call(self, method: str, path: str, body: Any = None, *, token: str = "", fine: int = 0) -> Any:
        """Call the API as a tablet does: the same request again until it is answered."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token or self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.service.url}/api/v1{path}", data, headers, method=method)  # noqa: S310
        answer: list[Any] = []

        def answered() -> bool:
            try:
                with urllib.request.urlopen(request, timeout=5) as response:  # noqa: S310
                    answer.append(json.load(response))
            except urllib.error.HTTPError as error:
                if error.code == fine:
                    # Done already: the answer to the first time was lost.
                    answer.append(None)
                    return True
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

    def now(self) -> datetime:
        """Return the database's time."""
        found: list[datetime] = []

        def asked() -> bool:
            with contextlib.suppress(psycopg.OperationalError):
                found.append(self.service.sql("SELECT clock_timestamp()")[0][0])
            return bool(found)

        eventually(asked, seconds=60, what="the database says what time it is")
        return found[0]

    @contextlib.contextmanager
    def doing(self, kind: str) -> Iterator[None]:
        """Note that this is done to the service, from when to when."""
        began = self.now()
        yield
        self.faults.append(Fault(kind, began, self.now()))

    def kill(self, victim: str) -> None:
        """Kill -9 one of the processes and wait until it runs again."""
        with self.doing(f"kill {victim}"):
            self._kill(victim)

    def trouble(self, kind: str, *, seconds: float) -> None:
        """Break or change something that does not die; what freezes stays so for `seconds`."""
        with self.doing(kind):
            match kind:
                case "broker unreachable":
                    self._unreachable(seconds)
                case "broker frozen":
                    self._freeze("valkey", seconds)
                case "worker frozen":
                    self._freeze("worker", seconds)
                case "second beat":
                    self._beside("celery", "-A", "clinic", "beat", "--scheduler", "celery.beat:Scheduler", "--pidfile=")
                case "second watchman":
                    self._beside("django", "watchman")
                case "policy edited":
                    self._edit_policy()
                case "rota edited":
                    self._edit_rota()
                case _:
                    self._person()

    def _unreachable(self, seconds: float) -> None:
        """Kill the broker while nobody can start it again."""
        assert self.service.child is not None
        eventually(lambda: self._runs("valkey"), seconds=60, what="the broker runs")
        self.service.child.send_signal(signal.SIGSTOP)
        old = self.service.kill("valkey")
        threading.Event().wait(seconds)
        self.service.child.send_signal(signal.SIGCONT)
        self.service.wait_for_restart("valkey", old)

    def _freeze(self, name: str, seconds: float) -> None:
        """Stop a process and all its children where they stand, as a machine without memory does, and let them go on."""
        eventually(lambda: self._runs(name), seconds=60, what=f"{name} runs")
        group = self.service.pid(name)
        os.killpg(group, signal.SIGSTOP)
        threading.Event().wait(seconds)
        os.killpg(group, signal.SIGCONT)

    def _beside(self, module: str, *arguments: str) -> None:
        """Start a second one of what should be there once; it stays until the end."""
        places = self.service.places
        env = {**self.service.env, "DATABASE_URL": places.database_url(APP), "REDIS_URL": places.redis_url()}
        env["DJANGO_SETTINGS_MODULE"] = "clinic.settings"
        log = self.service.output.with_name(f"{self.service.output.stem}-{module}-{len(self.extra)}.out")
        self.extra.append(process.spawn([sys.executable, "-m", module, *arguments], log=log, cwd=TOP, env=env))

    def _edit_policy(self) -> None:
        """Give the site a new version of its policy, with another wait before the second step."""
        self.service.owner_sql(
            "INSERT INTO complications_escalationpolicy "
            "SELECT (jsonb_populate_record(p, jsonb_build_object("
            "'id', nextval(pg_get_serial_sequence('complications_escalationpolicy', 'id')), "
            "'version', p.version + 1, 'created_at', now(), "
            "'data', jsonb_set(p.data, '{tiers,t0,steps,1,after_min}', to_jsonb(%s::int))))).* "
            "FROM complications_escalationpolicy p WHERE p.site_id = (SELECT id FROM clinic_site WHERE code = 'D') "
            "ORDER BY p.version DESC LIMIT 1 RETURNING id",
            self.random.choice([3, 4, 5, 6, 7]),
        )

    def _edit_rota(self) -> None:
        """Take somebody off the rota (into another century), or put back who was taken off."""
        move = (
            "UPDATE clinic_shift SET period = tstzrange(lower(period) + %s::interval, upper(period) + %s::interval) "
            "WHERE id = (SELECT id FROM clinic_shift WHERE site_id = (SELECT id FROM clinic_site WHERE code = 'D') "
            "AND period && tstzrange(now() + %s::interval, now() + %s::interval) AND post <> 'backstop' "
            "ORDER BY random() LIMIT 1) RETURNING id"
        )
        if self.away:
            self.away = not self.service.owner_sql(move, "100 years", "100 years", "-100 years", "-36499 days")
        else:
            self.away = bool(self.service.owner_sql(move, "-100 years", "-100 years", "0", "1 minute"))

    def _person(self) -> None:
        """Let somebody on the rota leave the house, or come back."""
        name = self.random.choice(["surgeon2_d", "anaesthetist_d", "admin_d"])
        self.service.owner_sql("UPDATE clinic_user SET is_active = NOT is_active WHERE username = %s", name)

    def put_away(self) -> None:
        """End what was started beside the service."""
        for child in self.extra:
            process.stop(child, how=signal.SIGTERM)

    def _runs(self, name: str) -> bool:
        """Return whether the process runs: one that fell again by itself is started again a little later."""
        pid = self.service.pid(name)
        try:
            os.kill(pid, 0)
        except OSError:
            return False
        return pid > 0

    def _kill(self, victim: str) -> None:
        self.kills[victim] += 1
        name = victim.removeprefix("wiped ")
        eventually(lambda: self._runs(name), seconds=60, what=f"{name} runs")
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
            "WHERE p.public_id = ANY(%s::uuid[]) AND e.source LIKE 'run:%%' AND e.round >= %s"
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
            # What a missed observation opens later, in the fast hours of the demo site, is another case.
            "WHERE p.public_id = ANY(%s::uuid[]) AND e.source LIKE 'run:%%' ORDER BY e.id",
            self.procedures,
        )

    def steps(self, escalation: int) -> list[Step]:
        """Return the steps that were run, in the order of the events."""
        rows = self.service.sql(
            "SELECT (data->>'round')::int, (data->>'step')::int, data->'to', (data->>'planned_at')::timestamptz "
            "FROM complications_escalationevent "
            "WHERE escalation_id = %s AND kind IN ('step_paged', 'step_skipped') ORDER BY seq",
            escalation,
        )
        return [Step(*row) for row in rows]

    def messages(self, escalation: str, steps: list[Step]) -> list[Page]:
        """Return the pages that the steps of an escalation wrote, in that order."""
        rows = self.service.sql(
            "SELECT dedup_key, public_id::text, recipient_id, status, attempts, sent_at "
            "FROM clinic_notification WHERE reference = %s AND kind = 'escalation_page' ORDER BY id",
            f"escalation:{escalation}",
        )
        return [Page(step.due, *row) for step in steps for row in rows if step.part in row[0]]

    def withdraw(self, procedure: str) -> None:
        """End a case that has been paged for long enough, as a surgeon does."""
        found = self.call("GET", f"/escalations/?status=open&procedure={procedure}")["results"]
        for one in found:
            path, reason = f"/escalations/{one['id']}/raised-in-error/", {"reason": "end of this part"}
            self.call("POST", path, reason, token=self.surgeon, fine=409)
