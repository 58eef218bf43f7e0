"""Real servers on loopback that take what the service sends: a mail server and an HTTP server, each as a test wants it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from django.db import connection


@dataclass
class MailServer:
    """What came in (`mails`: raw text), and what the server says to a recipient (`answer`) or does with the mail."""

    port: int = 0
    mails: list[str] = field(default_factory=list)
    answer: str = "250 OK"
    after: str = "250 accepted"
    meanwhile: Callable[[], object] | None = None

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, rcpt_options: list[str]) -> str:
        """Accept the recipient, or not."""
        if self.answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.answer

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Keep the mail; do meanwhile what the test wants, in this server's own thread."""
        self.mails.append(envelope.content.decode())
        if self.meanwhile is not None:
            thread = threading.Thread(target=_then_close, args=(self.meanwhile,))
            thread.start()
            thread.join()
        return self.after


def _then_close(act: Callable[[], object]) -> None:
    try:
        act()
    finally:
        connection.close()


def free_port() -> int:
    """A port of loopback on which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        number: int = one.getsockname()[1]
    return number


@contextmanager
def mail_server(settings: Any) -> Iterator[MailServer]:
    """Run a mail server and let Django's settings name it."""
    server = MailServer(free_port())
    controller = Controller(server, hostname="127.0.0.1", port=server.port)
    controller.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", server.port, False
    try:
        yield server
    finally:
        controller.stop()


@dataclass
class Request:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class HttpServer:
    """What came in, and what is answered: status, headers and body of each request in turn, the last one for ever."""

    url: str
    requests: list[Request] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=lambda: [(200, {}, b"{}")])
    hold: threading.Event | None = None

    def answer(self, status: int, body: Any = b"", **headers: str) -> None:
        """Answer everything like this from now on."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answers = [(status, {name.replace("_", "-"): value for name, value in headers.items()}, content)]


@contextmanager
def http_server() -> Iterator[HttpServer]:
    """Run an HTTP server on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            found.requests.append(Request(self.command, self.path, headers, self.rfile.read(length)))
            if found.hold is not None:
                found.hold.wait(60)
            status, extra, body = found.answers.pop(0) if len(found.answers) > 1 else found.answers[0]
            self.send_response(status)
            for name, value in extra.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_POST

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found = HttpServer(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        if found.hold is not None:
            found.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()
