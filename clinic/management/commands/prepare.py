"""`manage.py prepare`: bring the database and the static files to the state of this release."""

import hashlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from clinic.lib import bundles, static


class Command(BaseCommand):
    """Migrate, give the roles their rights, publish the lists, and collect the static files. Safe to repeat; fast when nothing changed."""

    help = "Migrate as the owner, make the roles, collect the static files (before the service starts)."

    def handle(self, *args: Any, **options: Any) -> None:
        """Do the three, each only as far as needed."""
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            call_command("migrate", verbosity=1, interactive=False)
        call_command("roles")
        # The key of Web Push outlives every start: phones are subscribed to it.
        settings.PLACES.secret("vapid-key")
        for command in settings.PREPARE:
            call_command(*command)
        collect_static()


def collect_static() -> None:
    """Collect and hash the static files, unless none of them has changed since the last time."""
    digest = hashlib.sha256(repr((settings.STORAGES["staticfiles"], version("minify-go"), version("brotli"))).encode())
    # Another way to make them makes others of the same files.
    for recipe in (static, bundles):
        digest.update(Path(str(recipe.__file__)).read_bytes())
    for finder in get_finders():
        for name, storage in finder.list([]):
            status = Path(storage.path(name)).stat()
            digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    mark = Path(settings.STATIC_ROOT) / ".collected"
    if mark.is_file() and mark.read_text() == digest.hexdigest():
        return
    call_command("collectstatic", verbosity=0, interactive=False)
    mark.write_text(digest.hexdigest())
