"""The whole service on one machine: what `make run` starts, in which order, and with which environment.

No Django here: the supervisor stays small, and a fault in the application cannot keep it from saying so.
"""

import fcntl
import http.client
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import psycopg
import redis

from clinic.lib.embedded import process
from clinic.lib.embedded.errors import EmbeddedError
from clinic.lib.embedded.places import APP, OWNER, Places
from clinic.lib.embedded.postgres import Cluster
from clinic.lib.embedded.valkey import Broker
from clinic.lib.supervisor import Child, Stopped, Supervisor

OLDEST_POSTGRESQL = 160000
OLDEST_REDIS = (6, 2)
SERVERS, WEB, ENGINE = 1, 2, 3


@dataclass(frozen=True)
class Options:
    """What a person may set, all by environment variables."""

    top: Path
    data: Path
    host: str
    port: int
    demo: bool
    demo_history: int
    database_url: str
    owner_url: str
    redis_url: str
    web_workers: int
    web_threads: int
    worker_processes: int
    environ: dict[str, str] = field(repr=False)

    @property
    def url(self) -> str:
        """The address of the first page, as seen from this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(self.host, self.host)  # noqa: S104
        return f"http://{host}:{self.port}/"


def read_options(environ: dict[str, str], top: Path) -> Options:
    """Read the environment; raise EmbeddedError for a senseless value."""

    def number(name: str, default: int, low: int, high: int) -> int:
        raw = environ.get(name, "").strip() or str(default)
        if not raw.isdecimal() or not low <= int(raw) <= high:
            raise EmbeddedError(f"{name}={raw} is not a number from {low} to {high}.", f"Try {name}={default}.")
        return int(raw)

    demo = environ.get("DEMO", "").strip().lower() or "1"
    if demo not in {"0", "1", "true", "false", "yes", "no", "on", "off"}:
        raise EmbeddedError(f"DEMO={demo} is neither yes nor no.", "Set it to 1 or 0.")
    return Options(
        top=top,
        data=(top / (environ.get("DATA_DIR") or ".data")).resolve(),
        host=environ.get("HOST") or "127.0.0.1",
        port=number("PORT", 8000, 1, 65535),
        demo=demo in {"1", "true", "yes", "on"},
        demo_history=number("DEMO_HISTORY", 100, 0, 100),
        database_url=environ.get("DATABASE_URL", ""),
        owner_url=environ.get("DATABASE_OWNER_URL", ""),
        redis_url=environ.get("REDIS_URL", ""),
        web_workers=number("WEB_WORKERS", 2, 1, 64),
        web_threads=number("WEB_THREADS", 8, 1, 256),
        worker_processes=number("WORKER_PROCESSES", 2, 1, 64),
        environ=environ,
    )


class Service:
    """One running service in one data directory."""

    def __init__(self, options: Options, *, say: Callable[[str], None]) -> None:
        self.options, self.say = options, say
        self.places = Places(options.data)
        self.database_url, self.owner_url = options.database_url, options.owner_url
        self.redis_url = options.redis_url
        self._lock: IO[str] | None = None
        self.supervisor: Supervisor | None = None

    def run(self) -> None:
        """Start everything, say READY, keep it running until SIGINT or SIGTERM, stop it."""
        self.take_data_directory()
        self.check_port()
        self.supervisor = supervisor = Supervisor(logs=self.places.logs, run=self.places.run, say=self.say)
        supervisor.listen()
        try:
            self.start(supervisor)
            supervisor.run_until_stopped()
        except Stopped:
            pass
        finally:
            if supervisor.children:
                self.say("Stopping")
            supervisor.stop()
            if self._lock is not None:
                self._lock.close()

    def start(self, supervisor: Supervisor) -> None:
        """Bring up the servers, the tables and the processes, in this order."""
        for name in ("secret-key", "pseudonym-key", "vapid-key"):
            self.places.secret(name)
        self.start_postgres(supervisor)
        self.start_valkey(supervisor)
        if supervisor.stopping:
            raise Stopped
        self.prepare_tables()
        web = Child("web", self.web_command(), self.options.top, WEB, env=self.environment())
        supervisor.start(web)
        for name, command in self.engine_commands().items():
            supervisor.start(Child(name, command, self.options.top, ENGINE, env=self.environment()))
        if self.options.demo and self.has_command("demo"):
            self.manage(["demo", "seed"], self.environment(), "demo")
        supervisor.wait_for("The first page", self.answers, seconds=120, watch=web)
        # The one line that programs wait for; people read what follows.
        sys.stdout.write(f"READY {self.options.url}\n")
        self.introduce()
        sys.stdout.flush()
        if self.options.demo and self.options.demo_history and self.has_command("demo"):
            self.in_background(["demo", "history", "--scale", str(self.options.demo_history / 100)])

    def take_data_directory(self) -> None:
        """Lock the data directory for this process; raise EmbeddedError where another one holds it."""
        data = self.options.data
        try:
            # Others may pass through, since PostgreSQL runs as another user when this one is root; what is secret
            # inside is closed by itself.
            data.mkdir(parents=True, exist_ok=True)
            data.chmod(0o711)
            lock = self.places.lock.open("a+")
        except OSError as error:
            raise EmbeddedError(
                f"The data directory {data} cannot be used: {error.strerror}.", "Choose another with DATA_DIR."
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            raise EmbeddedError(
                f"The data directory {data} is in use by the service with process id {holder}.",
                "Stop that one, or start another beside it: PORT=8001 DATA_DIR=.data-2 make run",
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        self._lock = lock

    def check_port(self) -> None:
        """Raise EmbeddedError where the port cannot be listened on."""
        host, port = self.options.host, self.options.port
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # Without this, a port whose connections have just ended looks taken.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host.strip("[]"), port))
            except PermissionError:
                raise EmbeddedError(
                    f"Port {port} may not be opened by this user.", "Take one above 1023: PORT=8000 make run"
                ) from None
            except OSError as error:
                if isinstance(error, socket.gaierror):
                    raise EmbeddedError(f"HOST={host} is no address of this machine.", "Try HOST=127.0.0.1.") from None
                raise EmbeddedError(
                    f"Port {port} on {host} is taken by another program.",
                    f"Stop that one, or take another port: PORT={port + 1} make run",
                ) from None

    def start_postgres(self, supervisor: Supervisor) -> None:
        """Run the embedded PostgreSQL, or look whether the given one can be used."""
        if self.database_url:
            check_server(self.database_url)
            if self.owner_url:
                check_server(self.owner_url)
            return
        cluster = Cluster(self.places)
        cluster.prepare()
        child = Child(
            "postgres",
            cluster.command(),
            self.places.postgres,
            SERVERS,
            identity=cluster.identity,
            stop_signal=signal.SIGINT,
            stop_seconds=30,
            before=cluster.forget_the_dead,
        )
        supervisor.start(child)
        supervisor.wait_for(
            "PostgreSQL",
            lambda: child.process is not None and cluster.ready(child.process.pid),
            seconds=90,
            watch=child,
        )
        cluster.create_database()
        self.database_url = self.places.database_url(APP)
        self.owner_url = self.places.database_url(OWNER)

    def start_valkey(self, supervisor: Supervisor) -> None:
        """Run the embedded broker, unless one is given; nothing is lost when a given one is away."""
        if self.redis_url:
            if trouble := broker_trouble(self.redis_url):
                self.say(trouble)
            return
        broker = Broker(self.places)
        broker.prepare()
        child = Child(
            "valkey", broker.command(), self.places.valkey, SERVERS, identity=broker.identity, before=broker.mend
        )
        supervisor.start(child)
        supervisor.wait_for("Valkey", broker.ready, seconds=30, watch=child)
        self.redis_url = self.places.redis_url()

    def prepare_tables(self) -> None:
        """Migrate as the owner and give the rights; without the owner's URL only look whether that has been done."""
        if self.owner_url:
            owner = {**self.environment(), "DATABASE_OWNER_URL": self.owner_url, "DATABASE_ROLE": "owner"}
            self.manage(["prepare"], owner, "prepare")
            return
        self.manage(["collectstatic", "--noinput", "--verbosity", "0"], self.environment(), "prepare")
        done = self.call(["migrate", "--check"], {**self.environment(), "DATABASE_ROLE": "app"}, "prepare")
        if done != 0:
            raise EmbeddedError(
                "The tables of the given database are not up to date.",
                "Set DATABASE_OWNER_URL to the role that owns them, or run `manage.py prepare` with it first.",
            )

    def environment(self) -> dict[str, str]:
        """Return the environment of web, worker, beat and watchman: never with the owner's URL."""
        own = {"DATABASE_OWNER_URL", "DATABASE_ROLE", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
        return {
            # An arena of malloc for each thread would keep the memory of the largest export that any of them ever sent.
            "MALLOC_ARENA_MAX": "2",
            **{name: value for name, value in self.options.environ.items() if name not in own},
            "DATA_DIR": str(self.options.data),
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "DEMO": "1" if self.options.demo else "0",
            "BASE_URL": self.options.environ.get("BASE_URL") or self.options.url.rstrip("/"),
            "DJANGO_SETTINGS_MODULE": "clinic.settings",
            "PYTHONUNBUFFERED": "1",
        }

    def web_command(self) -> list[str]:
        """Return gunicorn's command: threads, since an export holds one for the whole of its stream."""
        host = f"[{self.options.host}]" if ":" in self.options.host.strip("[]") else self.options.host
        return [
            *(sys.executable, "-m", "gunicorn", "clinic.wsgi"),
            *("--bind", f"{host}:{self.options.port}"),
            *("--worker-class", "gthread"),
            *("--workers", str(self.options.web_workers), "--threads", str(self.options.web_threads)),
            *("--keep-alive", "30", "--timeout", "60", "--graceful-timeout", "10"),
            # One import for all workers, and no control socket in the home directory.
            *("--preload", "--no-control-socket"),
        ]

    def engine_commands(self) -> dict[str, list[str]]:
        """Return the commands of worker, beat and (where there is one) watchman."""
        celery = [sys.executable, "-m", "celery", "-A", "clinic"]
        commands = {
            "worker": [
                *celery,
                *("worker", "--loglevel", "INFO", "--concurrency", str(self.options.worker_processes)),
                *("--without-gossip", "--without-mingle", "--without-heartbeat"),
            ],
            # The schedule lives in memory: what is due is a row, so a restart has nothing to remember.
            "beat": [*celery, "beat", "--loglevel", "INFO", "--scheduler", "celery.beat:Scheduler", "--pidfile="],
        }
        if self.has_command("watchman"):
            commands["watchman"] = [sys.executable, "manage.py", "watchman"]
        return commands

    def has_command(self, name: str) -> bool:
        """Tell whether the project has that management command."""
        return any(self.options.top.glob(f"*/management/commands/{name}.py"))

    def call(self, arguments: list[str], env: dict[str, str], log: str) -> int:
        """Run a management command to its end, its output in that log; return its exit code."""
        assert self.supervisor is not None  # noqa: S101
        child = process.spawn(
            [sys.executable, "manage.py", *arguments], log=self.supervisor.log(log), cwd=self.options.top, env=env
        )
        while child.poll() is None:
            if self.supervisor.stopping:
                process.stop(child)
                raise Stopped
            self.supervisor.look()
            self.supervisor.pause(0.1)
        return child.returncode

    def manage(self, arguments: list[str], env: dict[str, str], log: str) -> None:
        """Run a management command to its end; raise EmbeddedError with its last line where it fails."""
        assert self.supervisor is not None  # noqa: S101
        if self.call(arguments, env, log) != 0:
            path = self.supervisor.log(log)
            raise EmbeddedError(
                f"manage.py {arguments[0]} fails: {process.last_line(path)}", f"The whole story stands in {path}."
            )

    def in_background(self, arguments: list[str]) -> None:
        """Start a management command that runs to its end beside the service, at low priority."""
        assert self.supervisor is not None  # noqa: S101
        command = ["nice", "-n", "10", sys.executable, "manage.py", *arguments]
        self.supervisor.start(
            Child("demo", command, self.options.top, ENGINE, env=self.environment(), forever=False, stop_seconds=3)
        )

    def answers(self) -> bool:
        """Tell whether the first page answers: itself, or by sending to the log-in page that does."""
        url, outside = urlsplit(self.options.url), urlsplit(self.environment()["BASE_URL"])
        # As the proxy would ask: a deployment answers under its own name and over TLS only.
        headers = {"Accept": "text/html", "Host": outside.netloc, "X-Forwarded-Proto": outside.scheme}
        path = "/"
        try:
            for _ in range(3):
                connection = http.client.HTTPConnection(url.hostname or "127.0.0.1", self.options.port, timeout=20)
                connection.request("GET", path, headers=headers)
                response = connection.getresponse()
                response.read()
                connection.close()
                if response.status == 200:
                    return True
                if response.status not in {301, 302, 303, 307, 308}:
                    return False
                path = response.headers.get("Location", "/")
        except (OSError, http.client.HTTPException):
            return False
        return False

    def introduce(self) -> None:
        """Print the demo's accounts, and what a tablet on the network needs."""
        out = sys.stdout
        accounts = self.options.data / "demo-accounts.json"
        if self.options.demo and accounts.is_file():
            out.write("\nDemo accounts (made-up people, this data directory only):\n")
            for name, account in json.loads(accounts.read_text()).items():
                user = account.get("username") or account.get("user") or account.get("user_name") or name
                out.write(f"  {user:<14} password {account.get('password', ''):<24} PIN {account.get('pin', '')}\n")
        if self.options.host not in {"127.0.0.1", "localhost", "::1", "[::1]"}:
            out.write("\nTablets need HTTPS to work offline: see deploy/ for a reverse proxy with certificates.\n")
        out.write("\nCtrl-C stops everything.\n")


def check_server(url: str) -> None:
    """Raise EmbeddedError where a given PostgreSQL cannot be reached or is too old."""
    parts = urlsplit(url)
    where = f"{parts.hostname or 'the local socket'}{f':{parts.port}' if parts.port else ''}{parts.path}"
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            version = connection.info.server_version
    except psycopg.Error as error:
        reason = (str(error).strip().splitlines() or ["no answer"])[0].removeprefix("connection failed: ")
        raise EmbeddedError(
            f"The database at {where} cannot be reached: {reason}.",
            "Start it, or correct DATABASE_URL (and DATABASE_OWNER_URL); without them an embedded one is used.",
        ) from None
    if version < OLDEST_POSTGRESQL:
        raise EmbeddedError(
            f"The database at {where} is PostgreSQL {version // 10000}, and 16 or later is needed.",
            "Use a newer server, or leave DATABASE_URL empty for the embedded one.",
        )


def broker_trouble(url: str) -> str:
    """Return what is wrong with a given broker, or nothing.

    Never a reason not to start: ticks need no broker, and without one the watchman pages by itself.
    Raise EmbeddedError for an address that no broker could have.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"redis", "rediss", "redis+socket"}:
        raise EmbeddedError(
            f"REDIS_URL begins with {parts.scheme or 'no scheme'}://, which is no broker's address.",
            "Write redis://host:6379/0 or redis+socket:///path?virtual_host=0, or leave it empty for the embedded one.",
        )
    # Kombu's words for a socket differ from the client's.
    plain = url.replace("redis+socket://", "unix://", 1).replace("virtual_host=", "db=")
    where = f"{parts.hostname or parts.path}{f':{parts.port}' if parts.port else ''}"
    try:
        with redis.Redis.from_url(plain, protocol=2, socket_connect_timeout=5, socket_timeout=5) as broker:
            version = str(broker.info("server").get("redis_version", ""))
    except (redis.RedisError, OSError, ValueError) as error:
        return f"The broker at {where} cannot be used: {error}. Start it, or correct REDIS_URL; until then the watchman pages alone."
    if tuple(int(one) for one in version.split(".")[:2] if one.isdigit()) < OLDEST_REDIS:
        return f"The broker at {where} is Redis {version}, and 6.2 or later is needed. Until then the watchman pages alone."
    return ""


def main(top: Path) -> int:
    """Run the service of the project at `top` until it is asked to stop; return the exit code."""
    began = time.monotonic()

    def say(line: str) -> None:
        sys.stdout.write(f"[{time.monotonic() - began:8.1f}] {line}\n")
        sys.stdout.flush()

    try:
        Service(read_options(dict(os.environ), top), say=say).run()
    except EmbeddedError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0
