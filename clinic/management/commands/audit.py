"""manage.py audit verify: recompute every chain and name the first bad entry."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from clinic.queries import verify_audit


class Command(BaseCommand):
    """Exit 0 when every chain is whole, 1 when an entry was changed, 2 when entries are missing."""

    help = "Verify the audit trail: `audit verify` recomputes every hash chain."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=["verify"])
        parser.add_argument("--stream", help="only this stream")

    def handle(self, *args: Any, **options: Any) -> None:
        result = verify_audit(options["stream"])
        for fault in result.faults:
            self.stderr.write(f"{fault.stream} entry {fault.seq}: {fault.what}")
        self.stdout.write(f"{result.entries} entries in {result.streams} streams checked, {len(result.faults)} faults.")
        sys.exit(result.exit_code)
