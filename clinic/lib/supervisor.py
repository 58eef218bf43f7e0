"""Keep a set of child processes running: start them in order, restart what dies, stop them in reverse order."""

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from clinic.lib.embedded import process
from clinic.lib.embedded.errors import EmbeddedError
from clinic.lib.embedded.identity import Identity

# A child that ran this long starts again at once; one that keeps falling waits longer each time, and is never given up.
STEADY_SECONDS = 10.0
FIRST_WAIT, LONGEST_WAIT = 0.1, 10.0
LOG_LIMIT = 20_000_000


@dataclass
class Child:
    """One process that should always run."""

    name: str
    command: list[str]
    cwd: Path
    # Children of one stage stop together, the highest stage first.
    stage: int
    env: Mapping[str, str] | None = None
    identity: Identity | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 15.0
    # False: runs once, to its good end; a failure is tried again a few times.
    forever: bool = True
    # Runs before each start, for what a killed predecessor left.
    before: Callable[[], object] | None = None
    process: "subprocess.Popen[bytes] | None" = None
    started_at: float = 0.0
    wait: float = FIRST_WAIT
    restart_at: float | None = None


class Supervisor:
    """Runs children until it is asked to stop (SIGINT or SIGTERM). Use it from the main thread."""

    def __init__(self, *, logs: Path, run: Path, say: Callable[[str], None]) -> None:
        self.logs, self.run_directory, self.say = logs, run, say
        self.children: list[Child] = []
        self.stopping = False
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        for directory in (logs, run):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def listen(self) -> None:
        """Take over SIGINT and SIGTERM, and be woken by the end of a child."""
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask_to_stop)

    def _ask_to_stop(self, number: int, frame: object) -> None:
        self.stopping = True

    def log(self, name: str) -> Path:
        """Return the log file of a child."""
        return self.logs / f"{name}.log"

    def start(self, child: Child) -> subprocess.Popen[bytes]:
        """Start a child and keep it running from now on."""
        log = self.log(child.name)
        if log.is_file() and log.stat().st_size > LOG_LIMIT:
            log.replace(log.with_suffix(".log.1"))
        if child.before is not None:
            child.before()
        child.process = process.spawn(
            child.command,
            log=log,
            cwd=child.cwd,
            env=child.env,
            identity=child.identity,
            # PostgreSQL and the rest stop as asked when the supervisor itself is killed.
            death_signal=child.stop_signal,
        )
        child.started_at = time.monotonic()
        child.restart_at = None
        (self.run_directory / f"{child.name}.pid").write_text(f"{child.process.pid}\n")
        if child not in self.children:
            self.children.append(child)
        return child.process

    def pause(self, seconds: float) -> None:
        """Wait until a child ends, a signal comes, or the time is up."""
        select.select([self._wake_read], [], [], max(0.0, seconds))
        try:
            while os.read(self._wake_read, 512):
                pass
        except BlockingIOError:
            pass

    def look(self) -> float:
        """Restart what has ended and whose time has come; return the seconds until the next look."""
        now = time.monotonic()
        soonest = 1.0
        for child in list(self.children):
            if child.process is None or child.process.poll() is None:
                continue
            if not child.forever and (child.process.returncode == 0 or child.wait >= LONGEST_WAIT):
                self.children.remove(child)
                (self.run_directory / f"{child.name}.pid").unlink(missing_ok=True)
                if child.process.returncode != 0:
                    self.say(f"{child.name} was given up. Log: {self.log(child.name)}")
                continue
            if child.restart_at is None:
                process.sweep_group(child.process.pid)
                if child.forever and now - child.started_at > STEADY_SECONDS:
                    child.wait = FIRST_WAIT
                child.restart_at = now + child.wait
                self.say(
                    f"{child.name} ended ({how_it_ended(child.process.returncode)}): "
                    f"started again in {child.wait:.1f} s. Log: {self.log(child.name)}"
                )
                child.wait = min(child.wait * 2, LONGEST_WAIT)
            if now >= child.restart_at:
                self.start(child)
            else:
                soonest = min(soonest, child.restart_at - now)
        return soonest

    def wait_for(self, what: str, ready: Callable[[], bool], *, seconds: float, watch: Child | None = None) -> None:
        """Keep everything running until `ready()`; raise EmbeddedError when time is up or `watch` keeps falling."""
        deadline = time.monotonic() + seconds
        while not ready():
            if self.stopping:
                raise Stopped
            if watch is not None and watch.wait > 1.0:
                log = self.log(watch.name)
                raise EmbeddedError(
                    f"{watch.name} does not start: {process.last_line(log)}", f"The whole story stands in {log}."
                )
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"{what} is not ready after {seconds:.0f} s.", f"The logs in {self.logs} say what it waits for."
                )
            self.look()
            self.pause(0.03)

    def run_until_stopped(self) -> None:
        """Restart what dies until SIGINT or SIGTERM."""
        while not self.stopping:
            self.pause(self.look())

    def stop(self) -> None:
        """Stop every child, the last stage first; the children of one stage side by side."""
        for stage in sorted({child.stage for child in self.children}, reverse=True):
            running = [child for child in self.children if child.stage == stage and child.process is not None]
            for child in running:
                if child.process is not None and child.process.poll() is None:
                    child.process.send_signal(child.stop_signal)
            for child in running:
                if child.process is not None:
                    process.stop(child.process, how=child.stop_signal, seconds=child.stop_seconds)
                    (self.run_directory / f"{child.name}.pid").unlink(missing_ok=True)


class Stopped(Exception):
    """Asked to stop before everything was ready."""


def how_it_ended(code: int) -> str:
    """Return the end of a process in words: `exit 1`, `killed by SIGKILL`."""
    if code >= 0:
        return f"exit {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
