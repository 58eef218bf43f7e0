"""What the app's role may not do, the database refuses, whatever the code tries."""

import os
import subprocess
import sys

import psycopg
import pytest
from psycopg import sql

from clinic.management.commands.roles import declared_rights
from tests.database import _owner
from tests.service import TOP

TABLES = sorted(declared_rights().items())

pytestmark = pytest.mark.django_db


def refused(url: str, statement: sql.Composed) -> bool:
    """Tell whether the database refuses a statement for want of a right."""
    with psycopg.connect(url) as connection:
        try:
            connection.execute(statement)
        except psycopg.errors.InsufficientPrivilege:
            return True
        finally:
            connection.rollback()
    return False


@pytest.mark.parametrize(("table", "rights"), TABLES)
def test_history_cannot_be_changed_by_the_app(table: str, rights: str) -> None:
    name = sql.Identifier(table)
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        column = connection.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND attgenerated = '' LIMIT 1",
            [table],
        ).fetchone()
    assert column is not None
    forbidden = [
        sql.SQL("UPDATE {} SET {} = NULL").format(name, sql.Identifier(column[0])),
        sql.SQL("DELETE FROM {}").format(name),
        sql.SQL("TRUNCATE {} CASCADE").format(name),
    ]
    if rights == "SELECT":
        forbidden.append(sql.SQL("INSERT INTO {} DEFAULT VALUES").format(name))
    for statement in forbidden:
        assert refused(os.environ["DATABASE_URL"], statement), statement.as_string()


def test_no_table_can_be_truncated_by_the_app() -> None:
    tables = _owner().execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    for (table,) in tables:
        statement = sql.SQL("TRUNCATE {} CASCADE").format(sql.Identifier(table))
        assert refused(os.environ["DATABASE_URL"], statement), table


def test_a_stuck_transaction_of_the_app_is_ended_by_the_database() -> None:
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        for name, value in (("lock_timeout", "5s"), ("statement_timeout", "30s")):
            assert connection.execute(sql.SQL("SHOW {}").format(sql.Identifier(name))).fetchone() == (value,)
        assert connection.execute("SHOW idle_in_transaction_session_timeout").fetchone() == ("1min",)


def test_the_auditor_reads_history_and_nothing_else() -> None:
    rows = (
        _owner()
        .execute(
            "SELECT tablename, has_table_privilege('clinic_auditor', quote_ident(tablename), 'SELECT'), "
            "has_table_privilege('clinic_auditor', quote_ident(tablename), 'INSERT, UPDATE, DELETE, TRUNCATE') "
            "FROM pg_tables WHERE schemaname = 'public'"
        )
        .fetchall()
    )
    readable = {table for table, may_read, _ in rows if may_read}
    assert readable == {table for table, _ in TABLES if table in {row[0] for row in rows}}
    assert not any(may_write for _, _, may_write in rows)


def test_giving_the_rights_twice_changes_nothing() -> None:
    def rights() -> list[tuple[object, ...]]:
        return (
            _owner()
            .execute(
                "SELECT grantee, table_name, privilege_type FROM information_schema.role_table_grants ORDER BY 1, 2, 3"
            )
            .fetchall()
        )

    before = rights()
    subprocess.run([sys.executable, "manage.py", "roles"], cwd=TOP, env=os.environ, check=True)
    assert rights() == before
