"""manage.py restored: say that this database was restored into a fresh cluster."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection

from clinic.actions.audit import record_alone
from clinic.lib.clock import database_now
from clinic.models import Actor
from clinic.vocabulary import Via


class Command(BaseCommand):
    """Begin a new epoch of the change triple.

    Transaction numbers begin anew in a fresh cluster: without a new epoch, versions from before the restore would look
    as if they were still being written, and increments would come in the wrong order.
    """

    help = "Begin a new epoch of changes after a restore into a fresh cluster (run as the owner)."

    def handle(self, *args: Any, **options: Any) -> None:
        """Raise the epoch by one, and write it down."""
        with connection.cursor() as cursor:
            cursor.execute("UPDATE clinic_epoch SET epoch = epoch + 1 RETURNING epoch")
            epoch = cursor.fetchone()[0]
        record_alone(
            stream="system:database",
            action="database.restored",
            subject="database:clinic",
            data={"epoch": epoch},
            by=Actor(user=None, role="restored", via=Via.COMMAND.value),
            now=database_now(),
        )
        self.stdout.write(f"Changes from now on belong to epoch {epoch}.")
