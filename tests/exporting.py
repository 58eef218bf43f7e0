"""Pull an export in a test, as an outside program would."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.test import Client

from clinic.actions.tokens import create_token
from clinic.lib.clock import database_now
from clinic.models import User
from tests.clients import ApiClient
from tests.make import make_actor


def settle() -> None:
    """Wait until everything committed so far is visible to a pull.

    The horizon belongs to the whole cluster: a test that runs beside this one may hold an older transaction open.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text")
        mine = cursor.fetchone()[0]
        for _ in range(3000):
            cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot()) > %s::xid8", [mine])
            if cursor.fetchone()[0]:
                return
            cursor.execute("SELECT pg_sleep(0.01)")
    raise AssertionError("an older transaction stayed open for half a minute")


def puller(user: User, *scopes: str) -> ApiClient:
    """A client with a token of this person for exports."""
    _, secret = create_token(
        user=user,
        site=user.memberships.first().site,  # type: ignore[union-attr]
        scopes=scopes or ("exports:read", "audit:read"),
        days=1,
        name="test",
        by=make_actor(user),
        now=database_now(),
    )
    return ApiClient(headers={"authorization": f"Bearer {secret}"})


@dataclass
class Pulled:
    """One answer, read to its end."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows: dictionaries of text from CSV, of values from NDJSON."""
        if "ndjson" in self.headers["Content-Type"]:
            return [json.loads(line) for line in self.body.decode().splitlines()]
        return list(csv.DictReader(io.StringIO(self.body.decode("utf-8-sig"), newline="")))


def pull(client: Client, dataset: str, *, encoding: str = "", path: str = "", **params: Any) -> Pulled:
    """Pull a dataset; `encoding` is the Accept-Encoding header."""
    response = client.get(
        path or f"/api/v1/exports/{dataset}",
        {name.rstrip("_"): value for name, value in params.items()},
        headers={"accept-encoding": encoding},
    )
    body = b"".join(response.streaming_content) if response.streaming else response.content  # type: ignore[attr-defined]
    return Pulled(response.status_code, body, dict(response.items()))
