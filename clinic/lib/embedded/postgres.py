"""One embedded PostgreSQL cluster in a data directory: initialise, run in the foreground, probe, stop."""

import os
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from clinic.lib.embedded import binaries
from clinic.lib.embedded.errors import EmbeddedError
from clinic.lib.embedded.identity import Identity, unprivileged
from clinic.lib.embedded.places import APP, DATABASE, OWNER, SUPERUSER, Places
from clinic.lib.embedded.process import run_as

DURABLE = {
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "synchronous_commit": "on",
}
# A test loses nothing that matters at a power cut, and runs several times faster.
FAST = {
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
}


@dataclass
class Cluster:
    """An embedded cluster; `durable=False` is for tests only."""

    places: Places
    durable: bool = True
    identity: Identity = field(init=False, default_factory=Identity)

    @property
    def data(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.places.postgres / "data"

    def prepare(self) -> bool:
        """Make the cluster where there is none; return whether it was made now.

        An interrupted initdb leaves a directory that looks whole: it is made under another name and renamed at last.
        """
        base = self.places.postgres
        base.mkdir(parents=True, exist_ok=True)
        binary = binaries.postgres("postgres")
        self.identity = unprivileged(binary, base)
        sockets = self.places.sockets(base)
        sockets.mkdir(mode=0o700, exist_ok=True)
        for path in {base, sockets}:
            path.chmod(0o700)
            self.identity.own(path)
        if self.data.is_dir():
            self._refuse_other_major(binary)
            return False
        partial = base / "data.tmp"
        if partial.exists():
            shutil.rmtree(partial)
        with tempfile.TemporaryDirectory(dir=base, prefix="init-") as scratch:
            self.identity.own(Path(scratch))
            self._initdb(partial, Path(scratch))
        partial.rename(self.data)
        return True

    def _initdb(self, target: Path, scratch: Path) -> None:
        password = scratch / "password"
        password.touch(mode=0o600)
        password.write_text(self.places.secret(f"database-{SUPERUSER}") + "\n")
        self.identity.own(password)
        command = [
            str(binaries.postgres("initdb")),
            "--pgdata", str(target),
            "--username", SUPERUSER,
            "--pwfile", str(password),
            "--auth-local=scram-sha-256",
            "--auth-host=reject",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
        ]  # fmt: skip
        if not self.durable:
            command.append("--no-sync")
        done = self.run(command)
        if done.returncode != 0:
            lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
            raise EmbeddedError(
                f"The embedded PostgreSQL cannot be initialised: {lines[-1]}.",
                f"Look at the free space and the rights of {target.parent}, or set DATABASE_URL.",
            )

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        """Run one of PostgreSQL's programs under the server's identity and wait for it."""
        return run_as(self.identity, command, cwd=self.places.postgres)

    def _refuse_other_major(self, binary: Path) -> None:
        have = (self.data / "PG_VERSION").read_text().strip()
        want = server_version(binary).split(".")[0]
        if have != want:
            raise EmbeddedError(
                f"{self.data} was made by PostgreSQL {have}, and the installed one is {want}.",
                "Dump it with the earlier release and restore it with this one (docs/operations.md), "
                "or start with another DATA_DIR.",
            )

    def command(self) -> list[str]:
        """Return the command that runs the server in the foreground, without a TCP port."""
        options = {
            **(DURABLE if self.durable else FAST),
            "listen_addresses": "",
            "unix_socket_directories": str(self.places.sockets(self.places.postgres)),
            "unix_socket_permissions": "0700",
            "max_connections": "120",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "jit": "off",
            # Statements and the details of errors carry patient data: they stay out of the log.
            "log_error_verbosity": "terse",
            "log_parameter_max_length": "0",
            "log_parameter_max_length_on_error": "0",
            "log_min_error_statement": "panic",
        }
        command = [str(binaries.postgres("postgres")), "-D", str(self.data)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        return command

    def ready(self, pid: int) -> bool:
        """Tell whether the server process `pid` accepts connections.

        The state in postmaster.pid outlives a kill -9, so its first line must be this very process.
        """
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"

    def create_database(self) -> None:
        """Make the owner's role and its database, where they are missing; safe to repeat.

        The owner may make roles, so that `manage.py roles` needs no superuser; only tests let it make databases.
        """
        for role in (SUPERUSER, OWNER, APP):
            self.places.secret(f"database-{role}")
        create_database = sql.SQL("NOCREATEDB" if self.durable else "CREATEDB")
        with psycopg.connect(self.places.database_url(SUPERUSER, database="postgres"), autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [OWNER]).fetchone()
            connection.execute(
                sql.SQL("{} ROLE {} LOGIN CREATEROLE {} PASSWORD {}").format(
                    sql.SQL("ALTER" if known else "CREATE"),
                    sql.Identifier(OWNER),
                    create_database,
                    sql.Literal(self.places.password(OWNER)),
                )
            )
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), sql.Identifier(OWNER))
                )

    def forget_the_dead(self) -> None:
        """Remove the lock files that would keep PostgreSQL from starting although the process they name is gone.

        PostgreSQL sees for itself when the number belongs to nobody. It takes a zombie (in a container whose first
        process reaps nothing), or another program that was given the number since, for itself: in postmaster.pid and
        in the lock beside the socket. They may only go once no orphaned backend of the dead server can write any
        more: those keep the data as their directory.
        """
        locks = [self.data / "postmaster.pid", self.places.sockets(self.places.postgres) / ".s.PGSQL.5432.lock"]
        dead = [path for path in locks if _names_something_else(path)]
        if not dead:
            return
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if (process / "cwd").resolve(strict=True) == self.data.resolve() and (process / "cmdline").read_bytes():
                    os.kill(int(process.name), signal.SIGKILL)
                    return
            except OSError:
                continue
        for path in dead:
            path.unlink(missing_ok=True)


def _names_something_else(lock: Path) -> bool:
    """Tell whether a lock file's first line is the number of a process that exists and is no running PostgreSQL."""
    try:
        pid = int(lock.read_text().splitlines()[0])
        return b"postgres" not in Path(f"/proc/{abs(pid)}/cmdline").read_bytes()
    except (OSError, ValueError, IndexError):
        return False


def server_version(binary: Path) -> str:
    """Return the version of a postgres binary, such as `18.6`."""
    out = subprocess.run([str(binary), "--version"], capture_output=True, text=True, check=True).stdout  # noqa: S603
    return out.split()[-1]
