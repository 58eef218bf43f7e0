"""The tests work as the app's role in a database of their own, and are emptied as the owner."""

import os

import psycopg
import pytest
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db import connection

from tests import database


@pytest.mark.django_db
def test_tests_run_as_the_app_role() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == ("clinic_app", False, False)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("round_", [1, 2])
def test_a_committing_test_leaves_nothing_behind(round_: int) -> None:
    assert Session.objects.count() == 0
    Session.objects.create(session_key=f"key-{round_}", session_data="", expire_date="2030-01-01T00:00:00Z")
    assert ContentType.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_rows_of_migrations_come_back() -> None:
    before = ContentType.objects.count()
    database.reset()
    assert ContentType.objects.count() == before > 0


@pytest.mark.django_db
def test_the_app_role_may_not_make_or_empty_tables() -> None:
    for statement in ("CREATE TABLE x ()", "TRUNCATE django_session", "DROP TABLE django_session"):
        with (
            psycopg.connect(os.environ["DATABASE_URL"]) as own,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            own.execute(statement)
