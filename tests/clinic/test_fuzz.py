"""Whatever is sent, the API answers as it describes itself, and never with a fault of its own."""

from __future__ import annotations

import json
import os
from functools import cache
from typing import Any
from urllib.parse import urlencode

import pytest
import schemathesis
from django.db import transaction
from django.urls import reverse
from hypothesis import HealthCheck, Phase, given, settings

from clinic.access import matrix
from clinic.models import Membership
from clinic.vocabulary import Role
from tests.clients import ApiClient
from tests.described import description, operations
from tests.make import make_site, make_user
from tests.matrix_targets import ARGUMENTS, QUERIES, Place

pytestmark = [pytest.mark.django_db, pytest.mark.fuzz]

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "20"))
NAMES = {name.replace("-", "_"): name for name in matrix()}


@cache
def fuzzed() -> dict[str, Any]:
    """What can be sent to each operation, by its id."""
    results: Any = schemathesis.openapi.from_dict(description()).get_all_operations()
    found = [result.ok() for result in results]
    return {operation.definition.raw["operationId"]: operation for operation in found}


class Undo(Exception):
    """Ends an example without a trace."""


def send(client: ApiClient, case: Any, path: str, fixed: dict[str, str]) -> Any:
    """Send one example, and return the answer; what it wrote is undone."""
    answer = None
    try:
        with transaction.atomic():
            query = urlencode({**(case.query or {}), **fixed}, doseq=True)
            body, media = case.body, case.media_type or "application/json"
            data = b"" if isinstance(body, schemathesis.core.NotSet) else json.dumps(body).encode()
            answer = client.generic(case.method, f"{path}?{query}", data, content_type=media)
            if answer.streaming:
                b"".join(answer.streaming_content)  # type: ignore[attr-defined]
            raise Undo
    except Undo:
        return answer


@pytest.mark.parametrize("operation", sorted(operations()))
def test_no_input_is_answered_with_a_fault(operation: str) -> None:
    name, method = NAMES[operation.rpartition("_")[0]], operation.rpartition("_")[2].upper()
    place = Place.make()
    rule = matrix()[name][method]
    client = ApiClient(raise_request_exception=False)
    if "anonymous" not in rule:
        role = next(role for role in Role if str(role) in rule or "everybody" in rule)
        client.force_login(place.people[str(role)], backend="django.contrib.auth.backends.ModelBackend")
    path = reverse(name, kwargs=ARGUMENTS[name](place) if name in ARGUMENTS else {})
    fixed = QUERIES[name](place) if name in QUERIES else {}

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=fuzzed()[operation].as_strategy())
    def examples(case: Any) -> None:
        answer = send(client, case, path, fixed)
        assert answer.status_code < 500, (answer.status_code, case.query, case.body)

    examples()


NUL = "a%00b"


@pytest.mark.parametrize(
    "path",
    [
        f"/api/v1/board/?room={NUL}",
        f"/api/v1/procedures/?operator={NUL}",
        f"/api/v1/complications/?operator={NUL}",
        f"/audit/?stream={NUL}",
        f"/inbox/?reference={NUL}",
    ],
)
def test_a_character_that_no_text_holds_is_the_senders_mistake(path: str) -> None:
    site = make_site()
    user = make_user(site, Role.ADMINISTRATOR)
    for role in (Role.AUDITOR, Role.SURGEON):
        Membership.objects.create(user=user, site=site, role=str(role))
    client = ApiClient(raise_request_exception=False)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(path).status_code < 500
