"""`manage.py rebuild_answers`: hold the answers against their events, and put right what differs."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from checklists.actions.rebuild import rebuild_run
from checklists.models import Run
from clinic.lib.clock import database_now
from clinic.models import Actor
from clinic.vocabulary import Via


class Command(BaseCommand):
    """Rebuild the answers of one run or of all."""

    help = "Rebuild answers from events. --check only compares, and fails where something differs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the run and the dry run."""
        parser.add_argument("--run", help="the id of one run (all, where it is left out)")
        parser.add_argument("--check", action="store_true", help="compare only")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print each answer that differed (keys only, never values), and how many runs were looked at."""
        runs = Run.objects.order_by("id")
        if options["run"]:
            runs = runs.filter(public_id=options["run"])
        actor = Actor(user=None, role="rebuild_answers", via=Via.COMMAND.value)
        looked, different, locked = 0, 0, 0
        for run in runs.select_related("procedure").iterator(chunk_size=200):
            looked += 1
            for one in rebuild_run(run=run, repair=not options["check"], by=actor, now=database_now()):
                different += 1
                locked += run.status != "open"
                self.stdout.write(f"differs: run {one.run} {one.key}")
        self.stdout.write(f"{looked} runs looked at, {different} answers differed.")
        if locked or (different and options["check"]):
            raise CommandError("Answers differ from their events. A signed run's answers are locked: report this.")
