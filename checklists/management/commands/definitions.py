"""`manage.py definitions publish`: put the catalogue's lists into the database, each version once."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from checklists.actions.definitions import publish_definitions
from checklists.rules.catalogue import CATALOGUE, load
from checklists.rules.check import BrokenDefinition
from clinic.lib.clock import database_now
from clinic.lib.problems import Problem
from clinic.models import Actor
from clinic.vocabulary import Via


class Command(BaseCommand):
    """Check or publish the lists of a catalogue folder."""

    help = "Check the lists of the catalogue, or publish them. Publishing twice changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the two acts and the folder."""
        parser.add_argument("act", choices=["check", "publish"])
        parser.add_argument(
            "--over", action="store_true", help="publish also over versions that two people of the service approved"
        )
        parser.add_argument("--folder", type=Path, default=CATALOGUE, help="another catalogue folder")

    def handle(self, *args: Any, **options: Any) -> None:
        """Say what was published, or which file, item and field must be mended."""
        try:
            definitions = load(options["folder"])
        except BrokenDefinition as error:
            raise CommandError(f"Nothing was published. {error}") from error
        if options["act"] == "check":
            self.stdout.write(f"{len(definitions)} lists can be published.")
            return
        actor = Actor(user=None, role="definitions", via=Via.COMMAND.value)
        try:
            new, known, left = publish_definitions(
                definitions=definitions, by=actor, now=database_now(), over=options["over"]
            )
        except Problem as problem:
            raise CommandError(f"Nothing was published. {problem.detail}") from problem
        for row in new:
            self.stdout.write(f"published {row.name} {row.version} {row.sha256}")
        for row in left:
            self.stdout.write(f"left alone {row.name} {row.version}, which two people approved (--over publishes)")
        self.stdout.write(f"{len(new)} lists published, {len(known)} already there.")
