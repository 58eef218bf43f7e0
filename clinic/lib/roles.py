"""The database roles and what each may do, as SQL.

- owner: migrates; owns every table. Only migrations, and this, ever use it.
- app: web, worker, watchman. No TRUNCATE anywhere; no UPDATE or DELETE where history is only added; reads only what
  the database's own functions write.
- auditor: reads history and the audit trail, and nothing else.
- backup: reads everything, for pg_dump.

Roles belong to the cluster, not to a database, so they are made here and never in a migration: test databases that
are made side by side would make the same roles twice.
"""

from collections.abc import Iterable
from enum import StrEnum

from psycopg import sql

AUDITOR = "clinic_auditor"
BACKUP = "clinic_backup"


class Rights(StrEnum):
    """What the app may do with a table."""

    READ = "SELECT"
    ADD = "SELECT, INSERT"
    CHANGE = "SELECT, INSERT, UPDATE, DELETE"


# A stuck transaction must not hold a row that a page of somebody in distress needs. Exports lift the statement
# timeout for their own transaction.
TIMEOUTS: dict[str, dict[str, str]] = {
    "app": {"lock_timeout": "5s", "statement_timeout": "30s", "idle_in_transaction_session_timeout": "60s"},
    "auditor": {"default_transaction_read_only": "on", "statement_timeout": "10min", "lock_timeout": "5s"},
    "backup": {"default_transaction_read_only": "on", "lock_timeout": "60s"},
}

Statement = sql.Composable


def create(role: str, password: str | None) -> Statement:
    """Return the statement that makes a role; without a password it cannot log in until somebody gives it one."""
    if password is None:
        return sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role))
    return sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(password))


def timeouts(role: str, kind: str) -> list[Statement]:
    """Return the statements that give a role its timeouts; `kind` is app, auditor or backup."""
    return [
        sql.SQL("ALTER ROLE {} SET {} = {}").format(sql.Identifier(role), sql.Identifier(name), sql.Literal(value))
        for name, value in TIMEOUTS[kind].items()
    ]


def grants(
    *, app: str, database: str, tables: dict[str, Rights], history: Iterable[str], functions: Iterable[str]
) -> list[Statement]:
    """Return the statements that give every role its rights, after taking all of them away.

    `tables`: every table of the database with the app's rights; `history`: the tables that the auditor reads;
    `functions`: the functions that are taken from everybody and given to the app. Run them in one transaction, so
    that a running service sees no moment without rights.
    """
    roles = sql.SQL(", ").join(map(sql.Identifier, (app, AUDITOR, BACKUP)))
    auditor, backup, user = sql.Identifier(AUDITOR), sql.Identifier(BACKUP), sql.Identifier(app)
    found: list[Statement] = [
        sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database)),
        sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(database), roles),
        sql.SQL("REVOKE ALL ON SCHEMA public FROM PUBLIC"),
        sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(roles),
        sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {}").format(roles),
        sql.SQL("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {}").format(user),
        sql.SQL("GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO {}").format(backup),
        sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}").format(backup),
    ]
    for table, rights in sorted(tables.items()):
        found.append(sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(rights.value), sql.Identifier(table), user))
    for table in sorted(history):
        found.append(sql.SQL("GRANT SELECT ON {} TO {}").format(sql.Identifier(table), auditor))
    for function in sorted(functions):
        name = sql.SQL(function)
        found.append(sql.SQL("REVOKE ALL ON FUNCTION {} FROM PUBLIC").format(name))
        found.append(sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(name, user))
    return found
