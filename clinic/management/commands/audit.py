"""manage.py audit verify | checkpoint: recompute every chain and name the first bad entry; sign the heads."""

import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from clinic.actions.checkpoints import write_checkpoint
from clinic.lib.clock import database_now
from clinic.lib.signing import trusted_key
from clinic.queries.audit import verify_audit
from clinic.queries.checkpoints import verify_checkpoints


class Command(BaseCommand):
    """`verify` exits 0 when every chain is whole, 1 when an entry was changed, 2 when entries are missing."""

    help = "audit verify recomputes every hash chain and compares it with the checkpoints; audit checkpoint signs one."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare what to do, and where the checkpoints lie."""
        parser.add_argument("what", choices=["verify", "checkpoint"])
        parser.add_argument("--stream", help="only this stream (checkpoints are then left out)")
        parser.add_argument("--checkpoints", type=Path, help="directory of the checkpoint files, also a copy of it")
        parser.add_argument("--key", help="the trusted public key in hexadecimal, where it is not this machine's")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, and exit with the code that says how it stands."""
        directory = options["checkpoints"] or settings.PLACES.root / "checkpoints"
        if options["what"] == "checkpoint":
            self.checkpoint(directory)
            return
        result = verify_audit(options["stream"])
        checked = 0
        if not options["stream"]:
            key = bytes.fromhex(options["key"]) if options["key"] else trusted_key()
            checked, faults = verify_checkpoints(directory, key)
            result.faults += faults
        for fault in result.faults:
            place = f"{fault.stream} entry {fault.seq}" if fault.seq else fault.stream
            self.stderr.write(f"{place}: {fault.what}")
        self.stdout.write(
            f"{result.entries} entries in {result.streams} streams and {checked} checkpoints checked, "
            f"{len(result.faults)} faults."
        )
        sys.exit(result.exit_code)

    def checkpoint(self, directory: Path) -> None:
        """Sign the heads that grew."""
        try:
            written = write_checkpoint(directory=directory, now=database_now())
        except FileExistsError as error:
            raise CommandError(str(error)) from None
        if written is None:
            self.stdout.write("Nothing has grown since the last checkpoint.")
        else:
            self.stdout.write(f"Checkpoint {written.number}, SHA-256 {written.sha256}, written to {directory}.")
