"""Give the tests a real PostgreSQL and a real broker, before Django's settings are read.

Loaded with `-p` (pyproject.toml). Without DATABASE_URL and REDIS_URL it starts the embedded servers in a temporary
directory and stops them at the end; the workers of pytest-xdist inherit them. The tables are made once, by `migrate`
and `roles` as the owner, in a database that every worker then copies; a cluster with that database is kept in
`.pytest_cache`, under a name made of everything that the tables depend on, so that the next run only copies files.
"""

import atexit
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from clinic.lib.embedded import process
from clinic.lib.embedded.places import APP, OWNER, SUPERUSER, Places
from clinic.lib.embedded.postgres import Cluster
from clinic.lib.embedded.valkey import Broker

TOP = Path(__file__).resolve().parent.parent
CACHE = TOP / ".pytest_cache" / "clusters"
TEMPLATE = "clinic_template"


def with_database(url: str, name: str) -> str:
    """Return the URL of another database of the same server, for the same role."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def _fingerprint() -> str:
    """Return a name for the tables: it changes with everything that they are made from."""
    digest = hashlib.sha256()
    files = [TOP / "clinic" / "settings.py", TOP / "clinic" / "lib" / "roles.py", TOP / "requirements.txt"]
    files += [TOP / "clinic" / "management" / "commands" / "roles.py"]
    for package in ("clinic", "complications", "checklists"):
        for pattern in ("migrations/*.py", "models.py", "models/*.py"):
            files += sorted((TOP / package).glob(pattern))
    files += sorted((TOP / "clinic" / "lib" / "embedded").glob("*.py"))
    for path in files:
        digest.update(str(path.relative_to(TOP)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:20]


class Servers:
    """The two servers of one test run."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="clinic-tests-"))
        # PostgreSQL's user must be able to pass through.
        self.root.chmod(0o711)
        self.places = Places(self.root)
        self.cluster = Cluster(self.places, durable=False)
        self.broker = Broker(self.places, durable=False)
        self.children: list[tuple[subprocess.Popen[bytes], signal.Signals]] = []
        self.owner = os.getpid()

    def start_postgres(self) -> None:
        """Start the cluster with the template database in it, from the cache where there is one."""
        kept = CACHE / _fingerprint()
        if kept.is_dir():
            shutil.copytree(kept / "keys", self.places.keys)
            self.places.postgres.mkdir(mode=0o700)
            shutil.copytree(kept / "data", self.cluster.data)
        self.cluster.prepare()
        if kept.is_dir():
            self._give_data_away()
            self._run_postgres()
            return
        child = self._run_postgres()
        self.cluster.create_database()
        make_template(self.places.database_url(OWNER), self.places.database_url(APP))
        # Stopped, or the copy would hold a cluster in flight.
        process.stop(child, how=signal.SIGINT)
        self._keep(kept)
        self._run_postgres()

    def _run_postgres(self) -> subprocess.Popen[bytes]:
        log = self.root / "postgres.log"
        child = process.spawn(
            self.cluster.command(),
            log=log,
            cwd=self.places.postgres,
            identity=self.cluster.identity,
            death_signal=signal.SIGINT,
        )
        self.children.append((child, signal.SIGINT))
        process.wait_until(lambda: self.cluster.ready(child.pid), child, name="PostgreSQL", log=log)
        return child

    def _give_data_away(self) -> None:
        self.cluster.data.chmod(0o700)
        if self.cluster.identity.uid is not None:
            self.cluster.identity.own(self.cluster.data, *self.cluster.data.rglob("*"))

    def _keep(self, kept: Path) -> None:
        partial = kept.with_name(f"{kept.name}.{os.getpid()}")
        shutil.copytree(self.places.keys, partial / "keys")
        shutil.copytree(self.cluster.data, partial / "data")
        try:
            partial.rename(kept)
        except OSError:
            # Another run was first.
            shutil.rmtree(partial)
        for old in sorted(CACHE.iterdir(), key=lambda path: path.stat().st_mtime)[:-3]:
            shutil.rmtree(old, ignore_errors=True)

    def start_valkey(self) -> None:
        """Start the broker."""
        log = self.root / "valkey.log"
        self.broker.prepare()
        child = process.spawn(self.broker.command(), log=log, cwd=self.places.valkey, identity=self.broker.identity)
        self.children.append((child, signal.SIGTERM))
        process.wait_until(self.broker.ready, child, name="Valkey", log=log)

    def stop(self) -> None:
        """Stop both and remove everything; a fork of this process leaves them alone."""
        if os.getpid() != self.owner:
            return
        for child, how in reversed(self.children):
            process.stop(child, how=how)
        for place in (self.places.postgres, self.places.valkey):
            shutil.rmtree(self.places.sockets(place), ignore_errors=True)
        shutil.rmtree(self.root, ignore_errors=True)


def make_template(owner_url: str, app_url: str) -> None:
    """Make the database that every worker copies: migrated by the owner, with everybody's rights."""
    with psycopg.connect(with_database(owner_url, "postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(TEMPLATE)))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
    env = {
        **os.environ,
        "DATABASE_URL": with_database(app_url, TEMPLATE),
        "DATABASE_OWNER_URL": with_database(owner_url, TEMPLATE),
    }
    for command in (["migrate", "--verbosity", "0"], ["roles"]):
        done = subprocess.run(
            [sys.executable, "manage.py", *command], cwd=TOP, env=env, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise pytest.UsageError(f"manage.py {command[0]} fails:\n{done.stdout}{done.stderr}")


def _start() -> None:
    os.environ.setdefault("SECRET_KEY", "only-for-tests-" + "x" * 50)
    os.environ["CLINIC_TESTS"] = "1"
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        # Each worker has a broker database of its own, too (0 is the one of a run without workers).
        number = int(worker.removeprefix("gw")) % 15 + 1
        os.environ["REDIS_URL"] = os.environ["REDIS_URL"].replace("virtual_host=0", f"virtual_host={number}")
        return
    given = os.environ.get("DATABASE_URL")
    if given:
        owner = os.environ.get("DATABASE_OWNER_URL")
        if not owner:
            raise pytest.UsageError("DATABASE_URL is given: DATABASE_OWNER_URL must be too (a role with CREATEDB).")
        make_template(owner, given)
        os.environ.setdefault("DATABASE_RESET_URL", owner)
    servers = Servers()
    atexit.register(servers.stop)
    # Keys that the service makes for itself stay out of the working copy's own data directory.
    os.environ["DATA_DIR"] = str(servers.root / "service")
    if not given:
        servers.start_postgres()
        os.environ["DATABASE_URL"] = servers.places.database_url(APP)
        os.environ["DATABASE_OWNER_URL"] = servers.places.database_url(OWNER)
        os.environ["DATABASE_RESET_URL"] = servers.places.database_url(SUPERUSER)
    if not os.environ.get("REDIS_URL"):
        servers.start_valkey()
        os.environ["REDIS_URL"] = servers.places.redis_url()


_start()
