"""The whole service with a large clinic in it, started once for all benchmarks of a run."""

import atexit
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import django

from clinic.lib.embedded import binaries
from clinic.lib.embedded.places import APP, OWNER
from tests.service import RunningService
from tests.waiting import eventually

# Past procedures in the clinic; the goals are stated for 100,000 rows on a machine of this size.
PROCEDURES = int(os.environ.get("BENCH_PROCEDURES", "100000"))


@cache
def stage() -> RunningService:
    """Start the service, fill it, and stop it when the benchmarks end."""
    scratch = Path(tempfile.mkdtemp(prefix="clinic-bench-"))
    scratch.chmod(0o711)
    service = RunningService(scratch / "data", DEMO="1")
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    atexit.register(service.stop)
    service.start()
    eventually(lambda: service.pid("demo") == 0, seconds=300, what="the demo's past is written")
    done = service.manage("demo", "load", "--procedures", str(PROCEDURES))
    if done.returncode != 0:
        raise RuntimeError(f"demo load failed: {done.stderr[-2000:]}")
    # As autovacuum would have done meanwhile.
    service.owner_sql("VACUUM ANALYZE")
    return service


@cache
def token(account: str) -> str:
    """Return the API token of a demo account."""
    return stage().accounts()[account]["token"]


def app_url() -> str:
    """Return the URL of the app's role."""
    return stage().places.database_url(APP)


def owner_url() -> str:
    """Return the URL of the owner, for what a benchmark makes beside the service."""
    return stage().places.database_url(OWNER)


def program(name: str, *arguments: str, script: str = "") -> subprocess.CompletedProcess[str]:
    """Run one of PostgreSQL's programs (psql, pgbench) of the embedded server."""
    done = subprocess.run(
        [str(binaries.postgres(name)), *arguments], input=script, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{name} failed: {done.stderr[-1000:]}")
    return done


def application() -> None:
    """Make this process able to ask the application's own code, on the stage's database."""
    os.environ |= {"DJANGO_SETTINGS_MODULE": "clinic.settings", "DATA_DIR": str(stage().data), "DEMO": "1"}
    django.setup()
