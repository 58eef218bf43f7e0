"""The references' web server, run as the service's own is: same server, same sizes, same database."""

import atexit
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

from bench.stage import stage
from clinic.lib.embedded import process
from tests.service import OWN, TOP, free_port
from tests.waiting import eventually


class WebServer:
    """One gunicorn with threads."""

    def __init__(self, application: str, *, workers: int = 2, threads: int = 8) -> None:
        service = stage()
        self.port = free_port()
        self.log = Path(service.data).parent / f"{application}.log"
        command = [
            *(sys.executable, "-m", "gunicorn", application, "--bind", f"127.0.0.1:{self.port}"),
            *("--worker-class", "gthread", "--workers", str(workers), "--threads", str(threads)),
            *("--keep-alive", "30", "--preload", "--no-control-socket"),
        ]
        env = {
            **{name: value for name, value in os.environ.items() if name not in OWN},
            "DATA_DIR": str(service.data),
            "DEMO": "1",
        }
        self.child: subprocess.Popen[bytes] = process.spawn(command, log=self.log, cwd=TOP, env=env)
        atexit.register(process.stop, self.child)
        eventually(lambda: "Booting worker" in self.log.read_text(), seconds=60, what=f"{application} runs")


@cache
def naive() -> WebServer:
    """The references, started once."""
    return WebServer("bench.naive.wsgi")


def workers_of(pid: int) -> list[int]:
    """Return the process ids of a gunicorn master's workers."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def peak_memory(pids: list[int]) -> float:
    """Return the largest peak resident memory (VmHWM) of some processes in MB."""
    found = []
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                found.append(int(line.split()[1]) / 1024)
    return max(found)
