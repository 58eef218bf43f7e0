"""manage.py export verify FILE MANIFEST: check a delivered export."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from clinic.lib.export_file import report
from clinic.lib.signing import trusted_key


class Command(BaseCommand):
    """Exit 0 where the file is as it was exported, 1 where something differs, 2 where it cannot be read."""

    help = "Check a delivered export: export verify FILE MANIFEST [--key PUBLIC-KEY-IN-HEXADECIMAL]"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the two files."""
        parser.add_argument("what", choices=["verify"])
        parser.add_argument("file", type=Path)
        parser.add_argument("manifest", type=Path)
        parser.add_argument("--key", help="the trusted public key, where it is not this machine's")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what was found."""
        key = bytes.fromhex(options["key"]) if options["key"] else trusted_key()
        code, lines = report(options["file"], options["manifest"], key)
        (self.stderr if code else self.stdout).write("\n".join(lines))
        sys.exit(code)
