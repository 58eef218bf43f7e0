"""`manage.py roles`: make the database roles and give each its rights."""

from argparse import ArgumentParser
from typing import Any
from urllib.parse import unquote, urlsplit

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction

from clinic.lib import roles
from clinic.lib.roles import AUDITOR, BACKUP, Rights

# Tables of Django itself that only migrations write.
READ_ONLY = {"django_migrations", "django_content_type", "auth_permission", "clinic_epoch"}


class Command(BaseCommand):
    """Make owner's helpers: app, auditor and backup; give rights by what each model declares. Safe to repeat.

    A model with `append_only = True` is only ever added to, one with `read_only = True` is written by the database's
    own functions.
    """

    help = "Make the database roles and give each its rights (run as the owner, after every migration)."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare `--show`."""
        parser.add_argument("--show", action="store_true", help="print the statements instead of running them")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run everything, or print it."""
        url = urlsplit(settings.DATABASE_URL)
        app = unquote(url.username or "")
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user, current_database(), rolcreaterole OR rolsuper FROM pg_roles "
                           "WHERE rolname = current_user")  # fmt: skip
            me, database, may_create = cursor.fetchone()
            if app == me:
                raise CommandError(
                    f"DATABASE_URL and DATABASE_OWNER_URL both log in as {me}: the service must not own its tables. "
                    "Give DATABASE_URL a role of its own; this command makes it."
                )
            cursor.execute("SELECT rolname FROM pg_roles")
            known = {name for (name,) in cursor.fetchall()}
            statements = [
                roles.create(name, password)
                for name, password in ((app, unquote(url.password or "")), (AUDITOR, None), (BACKUP, None))
                if name not in known
            ]
            if statements and not may_create:
                lines = "\n".join(f"  {statement.as_string(cursor.connection)};" for statement in statements)
                raise CommandError(f"{me} may not make roles. Let an administrator of the server run:\n{lines}")
            if may_create:
                for name, kind in ((app, "app"), (AUDITOR, "auditor"), (BACKUP, "backup")):
                    statements += roles.timeouts(name, kind)
            cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            tables = {name: Rights.CHANGE for (name,) in cursor.fetchall()}
            cursor.execute(
                "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace "
                "WHERE n.nspname = 'public' AND p.prosecdef"
            )
            functions = [name for (name,) in cursor.fetchall()]
        declared = declared_rights()
        tables.update({name: rights for name, rights in declared.items() if name in tables})
        statements += roles.grants(
            app=app,
            database=database,
            tables=tables,
            history=[name for name, rights in declared.items() if name in tables and rights is not Rights.CHANGE],
            functions=functions,
        )
        with transaction.atomic(), connection.cursor() as cursor:
            for statement in statements:
                if options["show"]:
                    self.stdout.write(statement.as_string(cursor.connection) + ";")
                else:
                    cursor.execute(statement)


def declared_rights() -> dict[str, Rights]:
    """Return table → the app's rights, for each table that is not simply changeable."""
    found = dict.fromkeys(READ_ONLY, Rights.READ)
    for model in apps.get_models(include_auto_created=True):
        if getattr(model, "read_only", False):
            found[model._meta.db_table] = Rights.READ
        elif getattr(model, "append_only", False):
            found[model._meta.db_table] = Rights.ADD
    return found
