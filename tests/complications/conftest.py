"""Real processes of the engine on a test's database: watchmen and workers that a test may kill or freeze."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clinic.lib.embedded import process
from complications.models import EngineHeartbeat
from tests.service import TOP
from tests.waiting import eventually


@pytest.fixture
def watchman(transactional_db: None, tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Return a function that starts a real watchman on this test's database; it gives the log file."""
    started: list[subprocess.Popen[bytes]] = []

    def start(**env: str) -> Path:
        log = tmp_path / f"watchman-{len(started)}.log"
        command = [sys.executable, "manage.py", "watchman"]
        child = process.spawn(command, log=log, cwd=TOP, env={**os.environ, "PYTHONUNBUFFERED": "1", **env})
        started.append(child)
        eventually(lambda: "watching" in log.read_text() or child.poll() is not None, what="the watchman watches")
        assert child.poll() is None, log.read_text()
        eventually(lambda: EngineHeartbeat.objects.filter(name="watchman").exists(), what="its first look")
        return log

    yield start
    for child in started:
        process.stop(child, how=signal.SIGTERM)


@pytest.fixture
def start_worker(transactional_db: None, tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Return a function that starts a real Celery worker on the real broker and this test's database."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        log = tmp_path / f"worker-{len(started)}.log"
        command = [sys.executable, "-m", "celery", "-A", "clinic", "worker", "--concurrency", "2", "-l", "INFO"]
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        child = process.spawn([*command, *quiet], log=log, cwd=TOP, env=os.environ)
        started.append(child)
        eventually(lambda: " ready." in log.read_text() or child.poll() is not None, what="the worker is ready")
        assert child.poll() is None, log.read_text()
        return child

    yield start
    for child in started:
        if child.poll() is None:
            # A frozen one hears nothing else.
            os.killpg(child.pid, signal.SIGCONT)
        process.stop(child, how=signal.SIGTERM)
