"""What every test may use: the database as the app's role, logged-in clients, a real worker, the real service."""

import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.db import connection
from django.test import Client, TransactionTestCase

from clinic.lib.embedded import process
from tests import database
from tests.browser import LEFT_OUT, browser_path, without_browser
from tests.clients import ApiClient
from tests.make_checklists import keep_lists
from tests.service import TOP, RunningService
from tests.waiting import eventually

LONGEST = ("test_kill_campaign", "test_demo_day", "test_whole_thread")


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: Any) -> Iterator[None]:
    """Give this process a database of its own; Django works in it as the app's role, as it does in production."""
    with django_db_blocker.unblock():
        name = database.create()
        keep_lists()
        database.remember()
    yield
    with django_db_blocker.unblock():
        database.forget()
        database.drop(name)


@pytest.fixture(scope="session", autouse=True)
def _reset_as_owner() -> Iterator[None]:
    """Replace Django's flush, which the append-only triggers refuse and the app's role may not run."""
    patch = pytest.MonkeyPatch()

    def reset(case: TransactionTestCase) -> None:
        connection.close()
        database.reset()

    patch.setattr(TransactionTestCase, "_fixture_teardown", reset)
    yield
    patch.undo()


@pytest.fixture(scope="session", autouse=True)
def _cheap_hashes() -> Iterator[None]:
    """Argon2id takes time and memory on purpose; people who exist in tests only need neither."""
    patch = pytest.MonkeyPatch()
    for name, value in (("time_cost", 1), ("memory_cost", 8), ("parallelism", 1)):
        patch.setattr(Argon2PasswordHasher, name, value)
    yield
    patch.undo()


@pytest.fixture
def now() -> datetime:
    """A Monday morning; what reads the clock itself (the API, tasks) uses the real time instead."""
    return datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def as_(db: None) -> Callable[[Any], ApiClient]:
    """Return a function that gives a client logged in as a user."""

    def log_in(user: Any) -> ApiClient:
        client = ApiClient()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return log_in


@pytest.fixture
def anonymous() -> Client:
    """A client that is not logged in."""
    return ApiClient()


@pytest.fixture
def token_client(db: None) -> Callable[[str], ApiClient]:
    """Return a function that gives a client which sends an API token."""
    return lambda token: ApiClient(headers={"authorization": f"Bearer {token}"})


@pytest.fixture
def celery_worker(transactional_db: None, tmp_path: Path) -> Iterator[Path]:
    """Run a real Celery worker on the real broker and this test's database; give its log file."""
    log = tmp_path / "worker.log"
    command = [*(sys.executable, "-m", "celery", "-A", "clinic", "worker"), *("--concurrency", "2"), *("-l", "INFO")]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    child = process.spawn([*command, *quiet], log=log, cwd=TOP, env=os.environ)
    try:
        eventually(lambda: " ready." in log.read_text() or child.poll() is not None, what="the worker is ready")
        assert child.poll() is None, log.read_text()
        yield log
    finally:
        process.stop(child, how=signal.SIGTERM)


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A directory that every user may pass: as root the servers run as another one, and pytest closes its own to others."""
    with tempfile.TemporaryDirectory(prefix="clinic-service-", ignore_cleanup_errors=True) as found:
        Path(found).chmod(0o711)
        yield Path(found)


@pytest.fixture
def start_service(open_path: Path) -> Iterator[Callable[..., RunningService]]:
    """Return a function that starts a whole service of its own: for tests that kill parts of it."""
    started: list[RunningService] = []

    def start(name: str = "data", *, port: int | None = None, ready: bool = True, **env: str) -> RunningService:
        service = RunningService(open_path / name, port=port, **env)
        started.append(service)
        return service.start(ready=ready)

    yield start
    for service in reversed(started):
        service.stop()


@pytest.fixture(scope="session")
def service() -> Iterator[RunningService]:
    """The whole service with its demo clinic, shared by all tests that only use it."""
    with tempfile.TemporaryDirectory(prefix="clinic-service-", ignore_cleanup_errors=True) as found:
        Path(found).chmod(0o711)
        running = RunningService(Path(found) / "data").start()
        yield running
        running.stop()


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Start the system's Chromium, without what a test has no use for."""
    return {
        **browser_type_launch_args,
        "executable_path": browser_path(),
        "args": [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--no-first-run",
            "--disable-sync",
        ],
    }


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what uses a page as a browser test, and leave those out, aloud, where there is no Chromium."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if {"page", "context", "browser"} & fixtures:
            item.add_marker("browser")
        if {"service", "start_service"} & fixtures:
            item.add_marker("service")
    without_browser(config, items)
    # The long ones first, so that they do not stand alone at the end of a run on several cores.
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say at the end, too, that browser tests were left out."""
    left_out = config.stash.get(LEFT_OUT, 0)
    if left_out:
        terminalreporter.section("BROWSER TESTS LEFT OUT", sep="!", red=True)
        terminalreporter.write_line(
            f"{left_out} browser tests did not run: no Chromium here. "
            "Install it (Debian: apt install chromium) or run .ci/run, which does."
        )
