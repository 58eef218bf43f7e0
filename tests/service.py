"""Start the whole service, as `make run` does, in a data directory of its own and on a free port."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg

from clinic.lib.embedded import process
from clinic.lib.embedded.places import APP, OWNER, Places
from tests.waiting import eventually

TOP = Path(__file__).resolve().parent.parent
# What a test run sets for itself must not leak into a service that finds its own servers.
OWN = (
    "CLINIC_TESTS",
    "DATABASE_URL",
    "DATABASE_OWNER_URL",
    "DATABASE_RESET_URL",
    "REDIS_URL",
    "SECRET_KEY",
    "HOST",
    "PORT",
    "DATA_DIR",
    "DEMO",
    "DEMO_HISTORY",
    "BASE_URL",
    "DJANGO_ALLOW_ASYNC_UNSAFE",
)


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RunningService:
    """One `manage.py up`: start it, look into it, kill parts of it, stop it."""

    def __init__(self, data: Path, *, port: int | None = None, **env: str) -> None:
        self.data, self.port = data, port or free_port()
        self.places = Places(data.resolve())
        self.env = {
            **{name: value for name, value in os.environ.items() if name not in OWN},
            "DATA_DIR": str(data),
            "PORT": str(self.port),
            # A year of past cases takes a core for half a minute, and is looked at in tests of its own.
            "DEMO_HISTORY": "1",
            **env,
        }
        self.output = data.parent / f"{data.name}.out"
        self.child: subprocess.Popen[bytes] | None = None
        self.seconds_to_ready = 0.0

    @property
    def url(self) -> str:
        """The address of the service, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, *, ready: bool = True) -> "RunningService":
        """Start it and, unless told otherwise, wait until it says READY."""
        self.output.write_text("")
        began = time.monotonic()
        self.child = process.spawn([sys.executable, "manage.py", "up"], log=self.output, cwd=TOP, env=self.env)
        if ready:
            eventually(lambda: "READY " in self.said() or self.ended(), seconds=180, what="READY")
            assert "READY " in self.said(), self.said()
            self.seconds_to_ready = time.monotonic() - began
        return self

    def said(self) -> str:
        """Return everything that it has printed."""
        return self.output.read_text()

    def ended(self) -> bool:
        """Tell whether the supervisor has ended."""
        return self.child is None or self.child.poll() is not None

    def exit_code(self, *, seconds: float = 60) -> int:
        """Wait for the end and return the exit code."""
        assert self.child is not None
        return self.child.wait(seconds)

    def pid(self, name: str) -> int:
        """Return the process id of a child: postgres, valkey, web, worker, beat or watchman; 0 where it has none."""
        try:
            return int((self.places.run / f"{name}.pid").read_text())
        except (OSError, ValueError):
            return 0

    def kill(self, name: str, *, how: signal.Signals = signal.SIGKILL) -> int:
        """Send a child a signal (kill -9) and return the process id that it had."""
        # Where it has just died by itself, the one that takes its place is meant.
        return eventually(lambda: self._strike(name, how), seconds=30, what=f"{name} is there to be killed")

    def _strike(self, name: str, how: signal.Signals) -> int:
        pid = self.pid(name)
        try:
            if pid:
                os.kill(pid, how)
        except ProcessLookupError:
            return 0
        return pid

    def wait_for_restart(self, name: str, old: int, *, seconds: float = 30) -> None:
        """Wait until the child runs again as another process."""
        eventually(lambda: self.pid(name) not in (0, old), seconds=seconds, what=f"{name} runs again")

    def get(self, path: str) -> tuple[int, bytes]:
        """GET a path; return the status (0 where nothing answers) and the body."""
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            with contextlib.suppress(UnboundLocalError):
                connection.close()

    def sql(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run a query as the app's role and return its rows."""
        with psycopg.connect(self.places.database_url(APP), autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(query, parameters or None)
            return list(cursor.fetchall()) if cursor.description else []

    def owner_sql(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run a query as the owner and return its rows."""
        with psycopg.connect(self.places.database_url(OWNER), autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(query, parameters or None)
            return list(cursor.fetchall()) if cursor.description else []

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a management command against this service's data directory."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=TOP,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )

    def accounts(self) -> dict[str, dict[str, str]]:
        """Return the demo's accounts."""
        found: dict[str, dict[str, str]] = json.loads((self.data / "demo-accounts.json").read_text())
        return found

    def stop(self) -> int:
        """Ask it to stop and return the exit code."""
        if self.child is None:
            return 0
        process.stop(self.child, how=signal.SIGTERM, seconds=60)
        return self.child.returncode
