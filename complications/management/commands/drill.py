"""`manage.py drill`: begin a drill at a site and, with --wait, print its report; exit 1 where it was not passed."""

from __future__ import annotations

import sys
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from clinic.lib.clock import database_now
from clinic.lib.problems import Problem
from clinic.models import Actor, Site
from clinic.vocabulary import Via
from complications.actions.drills import start_drill
from complications.models import Drill
from complications.rules.drill import report_lines
from complications.vocabulary import Pathway, Tier

LOOK_EVERY_S = 1.0


class Command(BaseCommand):
    """Page the people on call with a labelled drill, through the real channels."""

    help = "Begin a drill: real people are paged, every message begins with DRILL."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare where, how urgent, who, and whether to wait for the report."""
        parser.add_argument("--site", required=True, help="the code of the site")
        parser.add_argument("--tier", choices=[str(one) for one in Tier], default=Tier.T0.value)
        parser.add_argument("--pathway", choices=[one.value for one in Pathway if one.pages], default="spine")
        parser.add_argument("--announced", action="store_true", help="the people on call know of it")
        parser.add_argument("--wait", action="store_true", help="wait for its end and print the report")

    def handle(self, *args: Any, **options: Any) -> None:
        """Begin it, and wait."""
        site = Site.objects.filter(code=options["site"]).first()
        if site is None:
            raise CommandError(f"There is no site {options['site']}.")
        by = Actor(user=None, role="command", via=Via.COMMAND.value)
        tier, pathway = Tier(options["tier"]), Pathway(options["pathway"])
        try:
            row = start_drill(
                site=site, tier=tier, pathway=pathway, announced=options["announced"], by=by, now=database_now()
            )
        except Problem as refusal:
            raise CommandError(refusal.detail) from None
        self.stdout.write(f"Drill {row.short} began at {site.name}: {row.public_id}")
        if not options["wait"]:
            return
        pause = threading.Event()
        while (drill := Drill.objects.get(escalation=row)).report is None:
            pause.wait(LOOK_EVERY_S)
        for text in report_lines(drill.report):
            self.stdout.write(text)
        if not drill.passed:
            sys.exit(1)
