"""Start child processes that die with their parent, and stop them."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from clinic.lib.embedded.errors import EmbeddedError
from clinic.lib.embedded.identity import Identity, child_setup


def spawn(
    command: list[str],
    *,
    log: Path,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    identity: Identity | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own, its output appended to `log`.

    Call it from the main thread only: the kernel sends the death signal when the *thread* that started the child ends.
    """
    arguments = identity.popen_arguments() if identity else {}
    with log.open("ab") as output:
        return subprocess.Popen(  # type: ignore[call-overload,no-any-return]  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=dict(env) if env is not None else None,
            start_new_session=True,
            preexec_fn=child_setup(identity, death_signal),
            **arguments,
        )


def run_as(identity: Identity, command: list[str], *, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a program under an identity, wait for it, and return what it said."""
    done = subprocess.run(  # type: ignore[call-overload]  # noqa: S603
        command,
        capture_output=True,
        text=True,
        cwd=cwd,
        preexec_fn=child_setup(identity, signal.SIGKILL),
        check=False,
        **identity.popen_arguments(),
    )
    assert isinstance(done, subprocess.CompletedProcess)  # noqa: S101
    return done


def wait_until(
    ready: Callable[[], bool], child: subprocess.Popen[bytes], *, name: str, log: Path, seconds: float = 30
) -> None:
    """Wait until `ready()`; raise EmbeddedError with the last line of the log where the child ends or time is up."""
    deadline = time.monotonic() + seconds
    while not ready():
        if child.poll() is not None or time.monotonic() > deadline:
            what = "does not start" if child.poll() is not None else f"is not ready after {seconds:.0f} s"
            raise EmbeddedError(f"{name} {what}: {last_line(log)}", f"The whole story stands in {log}.")
        time.sleep(0.01)


def last_line(log: Path) -> str:
    """Return the last line of a log file that is not empty."""
    try:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        lines = []
    return lines[-1].strip() if lines else "no message"


def stop(child: subprocess.Popen[bytes], *, how: signal.Signals = signal.SIGTERM, seconds: float = 10) -> None:
    """Ask a child to end, insist after `seconds`, then end what is left of its process group."""
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(how)
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(10)
    sweep_group(child.pid)


def sweep_group(pid: int) -> None:
    """Kill what a dead leader left behind in its process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
