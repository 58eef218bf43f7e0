"""How long from nothing to READY, and from a stop to READY again."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.figures import Figure, Missing, median
from tests.service import OWN, TOP, free_port

GOALS = {"S1": "cold make run to READY", "S2": "second start to READY"}
ROUNDS = 3


def run() -> list[Figure | Missing]:
    """Copy the project as a clone has it, then run the command that a newcomer runs."""
    with tempfile.TemporaryDirectory(prefix="clinic-bench-") as scratch:
        copy, home = Path(scratch) / "clone", Path(scratch) / "home"
        home.mkdir()
        # The servers run as another user where this one is root.
        Path(scratch).chmod(0o711)
        files = subprocess.run(["git", "ls-files", "-z"], cwd=TOP, capture_output=True, check=True).stdout
        for name in filter(None, files.decode().split("\0")):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TOP / name, copy / name)
        env = {"HOME": str(home), "PATH": os.environ["PATH"], "PORT": str(free_port())}
        cold = start(copy, env)
        # What of it is the installation, that nobody can make shorter here: the same with the servers' part left out.
        shutil.rmtree(copy / ".venv")
        began = time.monotonic()
        subprocess.run([sys.executable, "-m", "venv", ".venv"], cwd=copy, check=True)
        subprocess.run(
            [".venv/bin/python", "-m", "pip", "install", "-q", "--require-hashes", "-r", "requirements.txt"],
            cwd=copy,
            env=env,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        install = time.monotonic() - began
        start(copy, env)
        warm = [start(copy, env) for _ in range(ROUNDS)]
    return [
        Figure("S1", GOALS["S1"], cold, 60, cold, install, "s", note="reference: venv and pip install alone"),
        Figure("S2", GOALS["S2"], median(warm), 8, median(warm), 0, "s", detail={"rounds": warm}),
    ]


def start(top: Path, env: dict[str, str]) -> float:
    """Run `make run` until READY, stop it; return the seconds until READY."""
    clean = {name: value for name, value in env.items() if name not in OWN or name == "PORT"}
    began = time.monotonic()
    child = subprocess.Popen(
        ["make", "-s", "run"], cwd=top, env=clean, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert child.stdout is not None
    said: list[str] = []
    seconds = 0.0
    for line in child.stdout:
        said.append(line)
        if line.startswith("READY "):
            seconds = time.monotonic() - began
            break
    child.send_signal(signal.SIGTERM)
    said += child.stdout.readlines()
    child.wait(60)
    if not seconds:
        raise RuntimeError("make run never got ready:\n" + "".join(said[-20:]))
    return seconds
