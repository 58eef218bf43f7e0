"""The whole service: it starts on nothing, restarts what dies, keeps its rows, and refuses clearly."""

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.service import RunningService, free_port
from tests.waiting import eventually

Start = Callable[..., RunningService]


def test_it_starts_on_nothing_and_stops_cleanly(start_service: Start) -> None:
    service = start_service(DEMO="0")
    assert service.said().count(f"READY {service.url}/") == 1
    assert service.get("/healthz")[0] == 200
    pids = [service.pid(name) for name in ("postgres", "valkey", "web", "worker", "beat")]
    assert all(pids)

    assert service.stop() == 0

    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    log = (service.places.logs / "postgres.log").read_text()
    assert "database system is shut down" in log.splitlines()[-1]


def test_rows_survive_a_power_cut(start_service: Start) -> None:
    first = start_service(DEMO="0")
    first.owner_sql("CREATE TABLE witness AS SELECT generate_series(1, 1000) AS n")
    assert first.child is not None
    doomed = [first.pid(name) for name in ("postgres", "valkey", "web", "worker", "beat")]
    for pid in (first.child.pid, *doomed):
        os.kill(pid, signal.SIGKILL)
    assert first.exit_code() == -signal.SIGKILL

    second = start_service(DEMO="0")

    assert second.owner_sql("SELECT count(*) FROM witness") == [(1000,)]
    assert second.get("/healthz")[0] == 200


def test_children_do_not_outlive_a_killed_supervisor(start_service: Start) -> None:
    service = start_service(DEMO="0")
    pids = [service.pid(name) for name in ("postgres", "valkey", "web", "worker", "beat")]
    assert service.child is not None
    os.kill(service.child.pid, signal.SIGKILL)

    for pid in pids:
        eventually(lambda pid=pid: not alive(pid), seconds=20, what=f"process {pid} ends")  # type: ignore[misc]


def alive(pid: int) -> bool:
    """Tell whether a process runs (one that only waits to be reaped does not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_whatever_is_killed_runs_again(start_service: Start) -> None:
    service = start_service(DEMO="0")
    service.owner_sql("CREATE TABLE witness AS SELECT generate_series(1, 1000) AS n")
    for name in ("web", "worker", "beat", "valkey", "postgres"):
        old = service.kill(name)
        service.wait_for_restart(name, old)
        eventually(lambda: service.get("/healthz")[0] == 200, seconds=30, what=f"healthy after {name} was killed")
    assert service.owner_sql("SELECT count(*) FROM witness") == [(1000,)]
    assert "worker ended (killed by SIGKILL)" in service.said()


def test_an_interrupted_initialisation_starts_afresh(start_service: Start, open_path: Path) -> None:
    half = open_path / "data" / "postgres" / "data.tmp"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")

    service = start_service(DEMO="0")

    assert service.sql("SELECT 1") == [(1,)]
    assert not half.exists()


def test_a_second_start_in_one_data_directory_is_refused(start_service: Start) -> None:
    first = start_service(DEMO="0")
    second = start_service(port=free_port(), ready=False, DEMO="0")
    assert second.exit_code() == 1
    assert first.child is not None
    assert f"is in use by the service with process id {first.child.pid}" in second.said()
    assert "DATA_DIR=" in second.said()
    assert second.said().startswith("error: ")
    # A refusal leaves the running one alone.
    assert first.get("/healthz")[0] == 200


def test_a_taken_port_is_named(start_service: Start) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        service = start_service(port=port, ready=False, DEMO="0")
        assert service.exit_code() == 1
    assert service.said().startswith(f"error: Port {port} on 127.0.0.1 is taken")
    assert f"PORT={port + 1}" in service.said()


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"DATABASE_URL": "postgresql://a:b@127.0.0.1:1/none"}, "The database at 127.0.0.1:1/none cannot be reached"),
        ({"PORT": "eighty"}, "PORT=eighty is not a number from 1 to 65535"),
        ({"DEMO": "perhaps"}, "DEMO='perhaps' is neither yes nor no"),
    ],
)
def test_a_senseless_environment_is_refused_in_one_line(start_service: Start, env: dict[str, str], words: str) -> None:
    service = start_service(ready=False, **env)
    assert service.exit_code() == 1
    assert words in service.said()
    assert len(service.said().strip().splitlines()) == 1


def test_web_and_worker_never_see_the_owners_url(start_service: Start) -> None:
    service = start_service(DEMO="0")
    for name in ("web", "worker", "beat"):
        environ = Path(f"/proc/{service.pid(name)}/environ").read_bytes()
        assert b"DATABASE_URL=postgresql://clinic_app:" in environ
        assert b"OWNER" not in environ
        assert service.places.password("clinic_owner").encode() not in environ


def test_secrets_are_readable_by_their_owner_only(start_service: Start) -> None:
    service = start_service(DEMO="0")
    names = {path.name for path in service.places.keys.iterdir()}
    assert {"secret-key", "pseudonym-key", "database-clinic_owner", "database-clinic_app"} <= names
    for path in service.places.keys.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600, path
