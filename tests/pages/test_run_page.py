"""The page of a run brings what its script would ask for first, to whoever may read it."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from typing import Any

import brotli
import pytest
from django.db import DatabaseError, connection, transaction

from checklists.models import Run
from clinic.access import matrix
from clinic.models import AccessEntry, User
from clinic.vocabulary import Role
from tests.make import make_procedure, make_site, make_user
from tests.make_checklists import make_runs

pytestmark = pytest.mark.django_db
Clients = Callable[[User], Any]
UNPACK: dict[str, Callable[[bytes], bytes]] = {"br": brotli.decompress, "gzip": gzip.decompress, "": bytes}


@pytest.fixture
def run() -> Run:
    return make_runs(make_procedure(make_site(), patient={"family_name": "</script>Öz & Co"}))["sign_in"]


def scripts(page: str) -> dict[str, Any]:
    """The data that stand in a page, by their ids."""
    found = re.findall(r'<script id="([^"]+)" type="application/json">(.*?)</script>', page, re.DOTALL)
    return {name: json.loads(data) for name, data in found}


def lasting(body: dict[str, Any]) -> dict[str, Any]:
    """An answer without what is another one each time: the time, and what is signed or masked anew."""
    return {name: value for name, value in body.items() if name not in {"now", "ticket", "csrf_token"}}


@pytest.mark.parametrize("encoding", UNPACK)
def test_the_page_brings_run_list_and_session_as_the_api_gives_them(as_: Clients, run: Run, encoding: str) -> None:
    client = as_(make_user(run.procedure.site, "nurse", language="tr"))
    answer = client.get(f"/runs/{run.public_id}/", headers={"Accept-Encoding": encoding})
    assert answer.get("Content-Encoding", "") == encoding
    assert "Accept-Encoding" in answer["Vary"]
    assert answer["Cache-Control"] == "no-store"
    data = scripts(UNPACK[encoding](answer.getvalue()).decode())
    asked = client.send("GET", f"/runs/{run.public_id}/?definition=0&gate=0")
    given = data["given"]
    assert lasting(given["run"]) == lasting(asked.json())
    assert given["run"]["procedure"]["patient"]["family_name"] == "</script>Öz & Co"
    assert given["run"]["language"] == "tr"
    assert lasting(given["session"]) == lasting(client.send("GET", "/session/").json())
    sha256 = given["run"]["definition"]["sha256"]
    assert data[sha256] == client.send("GET", f"/definitions/{sha256}/").json()
    # The tag is the one by which the script asks again.
    again = client.send("GET", f"/runs/{run.public_id}/?definition=0&gate=0", **{"If-None-Match": given["etag"]})
    assert again.status_code == 304


def test_what_names_a_patient_is_not_compressed(as_: Clients, run: Run) -> None:
    client = as_(make_user(run.procedure.site, "nurse"))
    for encoding in ("br", "gzip"):
        first, second = client.get(f"/runs/{run.public_id}/", headers={"Accept-Encoding": encoding}).streaming_content
        assert b'"birth_date"' in second
        assert b"</html>" not in first
        assert b"<body" not in first


def test_the_shell_holds_no_patient_and_nobodys_name(as_: Clients, run: Run) -> None:
    client = as_(make_user(run.procedure.site, "nurse"))
    assert scripts(client.get("/runs/shell/").content.decode()).keys() == {"words", "complications"}


def test_who_opens_the_page_has_looked_at_the_patient(as_: Clients, run: Run) -> None:
    nurse = make_user(run.procedure.site, "nurse")
    as_(nurse).get(f"/runs/{run.public_id}/").getvalue()
    assert AccessEntry.objects.filter(user=nurse, subject=f"procedure:{run.procedure.public_id}").exists()


def test_another_sites_run_is_not_there(as_: Clients, run: Run) -> None:
    answer = as_(make_user(make_site(), "nurse")).get(f"/runs/{run.public_id}/")
    assert answer.status_code == 404
    assert b"given" not in answer.content


def test_the_page_opens_for_nobody_who_may_not_read_what_it_brings() -> None:
    cells = matrix()
    page, run, definition = (cells[name]["GET"] for name in ("page-run", "api-run", "api-definition"))
    assert page.keys() & set(Role)
    for word, scope in page.items():
        assert run[word] == scope
        assert definition[word] == scope
    assert cells["api-session"]["GET"] == {"everybody": True, "pin": True}


@pytest.mark.parametrize("encoding", UNPACK)
def test_a_page_whose_run_cannot_be_read_is_whole_and_asks_the_api(as_: Clients, run: Run, encoding: str) -> None:
    client = as_(make_user(run.procedure.site, "nurse"))
    answer = client.get(f"/runs/{run.public_id}/", headers={"Accept-Encoding": encoding})
    parts = iter(answer.streaming_content)
    first, before = next(parts), transaction.savepoint()
    with pytest.raises(DatabaseError):
        connection.cursor().execute("SELECT 1 / 0")
    # The transaction is broken: whatever is asked of the database now fails.
    data = scripts(UNPACK[encoding](first + b"".join(parts)).decode())
    transaction.savepoint_rollback(before)
    assert "given" not in data
    assert {"words", "complications"} < data.keys()
