"""`manage.py up`: the whole service under one supervisor (`make run`)."""

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from clinic.lib import service


class Command(BaseCommand):
    """Start the servers, web, worker, beat and watchman; restart what dies; stop cleanly on Ctrl-C."""

    help = "Run the whole service on this machine (reads HOST, PORT, DATA_DIR, DATABASE_URL, REDIS_URL, DEMO, …)."
    # The checks need what this command has yet to start; each child runs them for itself.
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Hand over to the supervisor, which knows no Django."""
        sys.exit(service.main(settings.BASE_DIR))
