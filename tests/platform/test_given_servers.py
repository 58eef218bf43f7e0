"""Servers that an administrator names: one that is away, too old or none at all is told in one sentence, with the remedy."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator

import pytest

from clinic.lib.embedded.errors import EmbeddedError
from clinic.lib.service import broker_trouble, check_server
from tests.service import free_port

Answer = Callable[[socket.socket], None]
Serve = Callable[[Answer], int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a function that answers one caller on a port: no release that old runs on today's machines."""
    listeners: list[socket.socket] = []

    def start(answer: Answer) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def talk() -> None:
            caller, _ = listener.accept()
            with caller:
                answer(caller)

        threading.Thread(target=talk, daemon=True).start()
        return int(listener.getsockname()[1])

    yield start
    for listener in listeners:
        listener.close()


def postgresql_12(caller: socket.socket) -> None:
    """The start of a conversation with PostgreSQL 12 (its protocol, version 3, section 53.2.1 of the manual)."""
    while struct.unpack("!II", caller.recv(8))[1] != 0x00030000:
        caller.sendall(b"N")  # neither TLS nor GSS
    caller.recv(4096)
    status = b"server_version\x0012.22\x00"
    caller.sendall(b"R" + struct.pack("!II", 8, 0) + b"S" + struct.pack("!I", 4 + len(status)) + status)
    caller.sendall(b"Z" + struct.pack("!I", 5) + b"I")
    caller.recv(4096)


def redis_5(caller: socket.socket) -> None:
    """Redis 5 as it answers INFO, and an error for what it does not know yet."""
    info = b"# Server\r\nredis_version:5.0.14\r\n"
    while said := caller.recv(4096):
        for one in said.split(b"*")[1:]:
            caller.sendall(b"$%d\r\n%s\r\n" % (len(info), info) if b"INFO" in one else b"-ERR unknown command\r\n")


def test_a_database_that_is_too_old_is_named_with_what_is_needed(serve: Serve) -> None:
    with pytest.raises(EmbeddedError, match="is PostgreSQL 12, and 16 or later is needed"):
        check_server(f"postgresql://a:b@127.0.0.1:{serve(postgresql_12)}/clinic")


def test_a_database_that_is_away_is_named_without_its_password() -> None:
    with pytest.raises(EmbeddedError, match="cannot be reached") as caught:
        check_server(f"postgresql://clinic:hidden@127.0.0.1:{free_port()}/clinic")
    assert "DATABASE_URL" in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_a_broker_that_is_away_or_too_old_is_said_and_stops_nothing(serve: Serve) -> None:
    away = broker_trouble(f"redis://:hidden@127.0.0.1:{free_port()}/0")
    assert "cannot be used" in away
    assert "the watchman pages alone" in away
    assert "hidden" not in away
    assert "is Redis 5.0.14, and 6.2 or later is needed" in broker_trouble(f"redis://127.0.0.1:{serve(redis_5)}/0")


def test_the_broker_of_these_tests_is_no_trouble(settings: object) -> None:
    assert broker_trouble(str(settings.REDIS_URL)) == ""  # type: ignore[attr-defined]


def test_an_address_that_is_no_brokers_is_refused() -> None:
    with pytest.raises(EmbeddedError, match="REDIS_URL begins with http://"):
        broker_trouble("http://localhost:6379")
