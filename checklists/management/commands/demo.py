"""manage.py demo: the made-up clinic that a newcomer sees; refused where DEMO=0."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from checklists.actions.definitions import publish_definitions
from checklists.management.demo.accounts import read_accounts
from checklists.management.demo.client import DayFailed
from checklists.management.demo.clinic import BY, set_up_sites
from checklists.management.demo.day import play_day
from checklists.management.demo.drill import DemoDrill
from checklists.management.demo.history import write_history
from checklists.management.demo.loading import load
from checklists.management.demo.people import SITE_D
from checklists.management.demo.theatre import LISTS, plan_today
from checklists.models import Definition
from checklists.rules.catalogue import load as catalogue
from clinic.lib.clock import database_now
from clinic.models import Site


class Command(BaseCommand):
    """`seed`, `history` and `load` write made-up rows (`load` adds more each time); `day` and `drill` play over the API."""

    help = "A made-up clinic: demo seed, demo history, demo load --procedures N, demo day, demo drill."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare what can be made."""
        what = parser.add_subparsers(dest="what", required=True)
        what.add_parser("seed", help="sites, people, rota, accounts; before the first page")
        history = what.add_parser("history", help="a year of past cases; in the background after the first page")
        history.add_argument("--scale", type=float, default=1.0, help="share of the usual number of cases")
        load = what.add_parser("load", help="any number of past cases, quickly")
        load.add_argument("--procedures", type=int, required=True)
        load.add_argument("--site", default="A")
        load.add_argument("--years", type=int, default=3, help="how far back they reach")

        day = what.add_parser(
            "day", help="a day at site D, told as it happens: needs the running service, takes five minutes"
        )
        day.add_argument("--url", default=settings.BASE_URL, help="where the service answers")
        day.add_argument("--minutes-to-deficit", type=float, default=120, help="story minutes between leak and deficit")
        day.add_argument("--spare-the-worker", action="store_true", help="do not kill the worker process on the way")

        drill = what.add_parser(
            "drill", help="a drill at site D from end to end: needs the running service, takes half a minute"
        )
        drill.add_argument("--url", default=settings.BASE_URL, help="where the service answers")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make what was asked for."""
        if not settings.DEMO:
            raise CommandError("This service is not a demo (DEMO=0): made-up patients are not mixed with real ones.")
        getattr(self, options["what"])(**options)

    def seed(self, **options: Any) -> None:
        """Set up the sites and today's list."""
        now = database_now()
        accounts = set_up_sites(now)
        if not Definition.objects.exists():
            publish_definitions(definitions=catalogue(), by=BY, now=now)
        for site in Site.objects.filter(code__in=LISTS):
            plan_today(site, {name: account.pin for name, account in accounts.items()}, now)
        self.stdout.write(f"{len(accounts)} accounts in {settings.DATA_DIR}/demo-accounts.json")

    def history(self, *, scale: float, **options: Any) -> None:
        """Write the past year."""
        write_history(database_now(), scale=scale, tell=self.stdout.write)

    def load(self, *, procedures: int, site: str, years: int, **options: Any) -> None:
        """Write many past cases."""
        place = Site.objects.filter(code=site).first()
        if place is None:
            raise CommandError(f"There is no site {site!r}. Run `manage.py demo seed` first, or name another site.")
        if procedures < 1 or years < 1:
            raise CommandError("Give at least one procedure and one year.")
        done = load(place, procedures=procedures, years=years, now=database_now(), tell=self.stdout.write)
        self.stdout.write(str(done))

    def day(self, *, url: str, minutes_to_deficit: float, spare_the_worker: bool, **options: Any) -> None:
        """Play the scripted day."""
        try:
            play_day(
                read_accounts(),
                url,
                scale=SITE_D.time_scale,
                to_deficit=minutes_to_deficit,
                kill_worker=not spare_the_worker,
                out=self._tell,
            )
        except DayFailed as error:
            raise CommandError(f"The day did not end well. {error}") from error

    def drill(self, *, url: str, **options: Any) -> None:
        """Play a drill that the second surgeon answers."""
        try:
            DemoDrill(read_accounts(), url, scale=SITE_D.time_scale, out=self._tell).play()
        except DayFailed as error:
            raise CommandError(f"The drill did not end well. {error}") from error

    def _tell(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
