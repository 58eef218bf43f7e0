"""A delivery ends: a mail server that answers too slowly holds a message no longer than its lease lasts."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any

import pytest

from clinic.actions.notification import LEASE, Message, claim_due, deliver, queue_notifications
from clinic.models import Notification
from clinic.vocabulary import Channel
from tests.make import make_actor, make_site, make_user

DRIP = [b"2", b"2", b"0", b"-", *[b"x"] * 10_000]


@pytest.fixture
def mail_server(settings: Any) -> Iterator[Callable[[Callable[[socket.socket], None]], None]]:
    """Return a function that starts a mail server which talks as it is told; messages go there."""
    settings.EMAIL_BACKEND = "clinic.lib.mail.EmailBackend"
    settings.EMAIL_USE_TLS = False
    listener = socket.create_server(("127.0.0.1", 0))
    settings.EMAIL_HOST, settings.EMAIL_PORT = listener.getsockname()
    threads: list[threading.Thread] = []

    def start(talk: Callable[[socket.socket], None]) -> None:
        def serve() -> None:
            with suppress(OSError):
                link, _ = listener.accept()
                with link:
                    talk(link)

        threads.append(threading.Thread(target=serve, daemon=True))
        threads[-1].start()

    yield start
    listener.close()
    for thread in threads:
        thread.join(10)


def drip(link: socket.socket) -> None:
    """Send the greeting a letter at a time, without end: each letter is an answer in time."""
    pause = threading.Event()
    for letter in DRIP:
        link.sendall(letter)
        pause.wait(0.05)


def answer(link: socket.socket) -> None:
    """Take one message as mail servers do."""
    lines = link.makefile("rwb")

    def say(text: str) -> None:
        lines.write(text.encode() + b"\r\n")
        lines.flush()

    say("220 ready")
    for line in lines:
        word = line.strip().upper()[:4]
        if word == b"DATA":
            say("354 go on")
            while lines.readline().strip() != b".":
                pass
        say("221 bye" if word == b"QUIT" else "250 fine")
        if word == b"QUIT":
            return


def queue(now: datetime, *keys: str) -> list[int]:
    site = make_site()
    surgeon = make_user(site, "surgeon")
    messages = [
        Message(dedup_key=key, kind="test", recipient=surgeon, channel=Channel.EMAIL, site=site, reference="x:1")
        for key in keys
    ]
    queue_notifications(messages, by=make_actor(), now=now)
    return claim_due(now=now)


def test_a_lease_outlasts_the_slowest_delivery_and_is_over_within_half_a_minute_with_the_watchmans_patience(
    settings: Any,
) -> None:
    assert settings.EMAIL_TIMEOUT < settings.DELIVERY_SECONDS < LEASE.total_seconds()
    assert LEASE.total_seconds() + 5 < 30


def test_a_server_that_answers_letter_by_letter_is_cut_off_and_typed(
    db: None, mail_server: Any, settings: Any, now: datetime
) -> None:
    settings.DELIVERY_SECONDS = 0.5
    mail_server(drip)
    (key,) = queue(now, "k1")
    assert not deliver(key=key, now=now)
    row = Notification.objects.get()
    assert (row.status, row.error) == ("queued", "timeout")


def test_a_message_leaves_by_a_server_that_answers(db: None, mail_server: Any, now: datetime) -> None:
    mail_server(answer)
    (key,) = queue(now, "k1")
    assert deliver(key=key, now=now)
    assert Notification.objects.get().status == "sent"
