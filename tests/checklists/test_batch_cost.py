"""A batch of ticks costs the same few statements, however many ticks it holds."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from checklists.models import Answer, Event, Run
from clinic.actions.tokens import create_token
from clinic.lib.clock import database_now
from clinic.models import AuditEntry, Site
from clinic.vocabulary import Role
from tests.make import make_actor, make_site, make_user
from tests.make_checklists import make_case, publish_catalogue

pytestmark = pytest.mark.django_db

STATEMENTS = ["token", "run", "SAVEPOINT", "lock", "read", "store", "audit", "RELEASE"]


@pytest.fixture
def site() -> Site:
    publish_catalogue()
    return make_site()


def post(run: Run, secret: str, events: list[dict[str, Any]]) -> Any:
    return Client().post(
        f"/api/v1/runs/{run.public_id}/events/",
        {"events": events},
        content_type="application/json",
        headers={"authorization": f"Bearer {secret}"},
    )


def batch(size: int) -> list[dict[str, Any]]:
    now = database_now().isoformat()
    return [
        {
            "id": str(uuid.uuid4()),
            "item": "PRE-IDX-01",
            "part": "biopsy_planned",
            "value": n % 2 == 0,
            "occurred_at": now,
        }
        for n in range(size)
    ]


@pytest.mark.parametrize("size", [1, 10, 100])
def test_a_batch_takes_seven_statements_whatever_its_size(site: Site, size: int) -> None:
    runs = make_case(site)
    nurse = make_user(site, Role.NURSE)
    _, secret = create_token(
        user=nurse, site=site, scopes=["runs:write"], days=1, name="", by=make_actor(nurse), now=database_now()
    )
    # The first one also notes that the token is used, and builds the index over the lists.
    assert post(runs["pre"], secret, batch(1)).status_code == 200
    entries = AuditEntry.objects.filter(action="answers.recorded").count()
    events = batch(size)
    with CaptureQueriesContext(connection) as captured:
        answer = post(runs["pre"], secret, events)
    assert [one["outcome"] for one in answer.json()["results"]] == ["applied"] * size
    # In the service BEGIN and COMMIT stand where a test, inside its own transaction, has a savepoint.
    statements = [query["sql"] for query in captured]
    assert len(statements) == len(STATEMENTS), "\n".join(statements)
    assert "FOR NO KEY UPDATE" in statements[STATEMENTS.index("lock")]
    assert "audit_append" in statements[STATEMENTS.index("audit")]
    assert Event.objects.filter(run=runs["pre"]).count() == 1 + size
    assert Answer.objects.get(run=runs["pre"]).value is (size % 2 == 1)
    assert AuditEntry.objects.filter(action="answers.recorded").count() == entries + 1
