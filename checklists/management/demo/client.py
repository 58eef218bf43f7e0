"""A person who works through the public API, with their own token and PIN: nothing else reaches the service."""

from __future__ import annotations

import http.client
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from checklists.management.demo.accounts import Account


class DayFailed(Exception):
    """Something in the scripted day did not go as it must; the text says what."""


@dataclass
class Answer:
    """What the service answered."""

    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        """The answer as JSON; None where there is none."""
        return json.loads(self.raw) if self.raw else None


class Person:
    """One account and its connection; not to be shared between threads."""

    def __init__(self, account: Account, base_url: str) -> None:
        self.account = account
        parts = urlsplit(base_url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self.connection = kind(parts.hostname or "127.0.0.1", parts.port, timeout=30)

    @property
    def name(self) -> str:
        """The full name."""
        return self.account.name

    @property
    def username(self) -> str:
        """The user name."""
        return self.account.username

    def ask(self, method: str, path: str, body: Any = None, *, also: Sequence[int] = ()) -> Answer:
        """Send one request to /api/v1 + `path`; raise DayFailed for a refusal that is not among `also`."""
        headers = {"Authorization": f"Bearer {self.account.token}", "Content-Type": "application/json"}
        text = None if body is None else json.dumps(body)
        for attempt in (1, 2):
            try:
                self.connection.request(method, f"/api/v1{path}", text, headers)
                response = self.connection.getresponse()
                answer = Answer(response.status, dict(response.headers), response.read())
                break
            except (http.client.HTTPException, OSError) as error:
                self.connection.close()
                # A kept connection may have been closed meanwhile; what is sent twice is stored once.
                if attempt == 2:
                    raise DayFailed(f"The service does not answer: {error}") from error
        if answer.status >= 400 and answer.status not in also:
            detail = answer.raw.decode(errors="replace")[:600]
            raise DayFailed(f"{method} {path} by {self.username}: {answer.status} {detail}")
        return answer

    def get(self, path: str) -> Any:
        """Return what stands there."""
        return self.ask("GET", path).body

    def post(self, path: str, body: Any) -> Any:
        """Send a body and return the answer's."""
        return self.ask("POST", path, body).body
