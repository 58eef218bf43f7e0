"""`manage.py coverage`: what is wrong with the rota of the days to come; exit 1 where something is red."""

from __future__ import annotations

import sys
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError, CommandParser

from clinic.lib.clock import database_now
from clinic.models import Site
from complications.queries.coverage import DAYS, Coverage, check_coverage
from complications.rules.coverage import Finding


class Command(BaseCommand):
    """Print a line for each finding, in the time of the site; exit 0 where nothing is red, 1 where something is."""

    help = "Check the rota of the next days for gaps, people out of reach and loops."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare which site and how many days."""
        parser.add_argument("--site", help="the code of one site; every site where it is left out")
        parser.add_argument("--days", type=int, default=DAYS, choices=range(1, 93), metavar="1-92")

    def handle(self, *args: Any, **options: Any) -> None:
        """Check and print."""
        sites = Site.objects.order_by("code")
        if options["site"]:
            sites = sites.filter(code=options["site"])
            if not sites.exists():
                raise CommandError(f"There is no site {options['site']}.")
        red = 0
        for site in sites:
            found = check_coverage(site, database_now(), options["days"])
            red += len(found.red)
            self.stdout.write(f"{site.code}: {len(found.red)} red, {len(found.amber)} amber")
            for one in found.findings:
                self.stdout.write(f"  {line(found, one)}")
        if red:
            sys.exit(1)


def line(found: Coverage, one: Finding) -> str:
    """Return a finding in one line."""
    zone = ZoneInfo(found.site.timezone)
    span = " to ".join(f"{moment.astimezone(zone):%Y-%m-%d %H:%M}" for moment in (one.start, one.end))
    place = f"{one.post} {one.rank}" if one.post else ""
    step = f"{one.pathway} step {one.step + 1} ({', '.join(one.tiers)})" if one.step is not None else one.pathway
    words = [one.severity, span, one.code, place, step, found.name(one.person)]
    return "  ".join(word for word in words if word)
