"""A log line says what happened and where, and never what somebody typed."""

import json
import logging
import os

import psycopg
import pytest
from django.db import IntegrityError

from clinic.lib.logs import JsonFormatter
from tests.clients import ApiClient

CANARY = "Kanarya-4711"


def line(logger: str, message: str, *args: object, error: BaseException | None = None, **extra: object) -> str:
    info = (type(error), error, error.__traceback__) if error else None
    record = logging.getLogger(logger).makeRecord(
        logger, logging.ERROR, "file.py", 1, message, args, info, extra=extra or None
    )
    return JsonFormatter().format(record)


def test_an_exception_keeps_its_type_and_place_and_loses_its_text() -> None:
    try:
        int(CANARY)
    except ValueError as error:
        text = line("django.request", "Internal Server Error: %s", f"/{CANARY}", error=error)
    assert CANARY not in text
    found = json.loads(text)
    assert found["error"][0]["type"] == "builtins.ValueError"
    assert "test_logs.py" in found["error"][0]["where"][0]
    assert found["message"] == "Internal Server Error: %s"


@pytest.mark.django_db
def test_a_database_error_keeps_its_code_and_constraint_only() -> None:
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"]) as owner:
        owner.execute("CREATE TEMPORARY TABLE twice (name text CONSTRAINT one_name UNIQUE)")
        owner.execute("INSERT INTO twice VALUES (%s)", [CANARY])
        with pytest.raises(psycopg.errors.UniqueViolation, match=CANARY) as caught:
            owner.execute("INSERT INTO twice VALUES (%s)", [CANARY])
    wrapped = IntegrityError(str(caught.value))
    wrapped.__cause__ = caught.value
    text = line("clinic.api", "database_error", error=wrapped)
    assert CANARY not in text
    assert json.loads(text)["error"][1]["constraint"] == "one_name"


def test_our_own_fields_are_kept() -> None:
    assert json.loads(line("clinic.engine", "page_sent", step=2))["fields"] == {"step": 2}


@pytest.mark.django_db
def test_every_answer_carries_the_content_policy_and_stays_out_of_caches() -> None:
    answer = ApiClient().get("/healthz")
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self';")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Request-Id"]
