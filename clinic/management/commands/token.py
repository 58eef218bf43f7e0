"""manage.py token create: make an API token and print it once."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from clinic.actions.tokens import create_token
from clinic.lib.clock import database_now
from clinic.lib.problems import Problem
from clinic.models import Actor, Membership, User
from clinic.vocabulary import Via


class Command(BaseCommand):
    """Print the token alone on standard output, so that a script can read it."""

    help = "Make an API token: token create --user U --scope S… [--site X] [--days N]"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=["create"])
        parser.add_argument("--user", required=True)
        parser.add_argument("--scope", required=True, nargs="+", action="extend")
        parser.add_argument("--site")
        parser.add_argument("--days", type=int, default=30)
        parser.add_argument("--name", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"], is_active=True).first()
        if user is None:
            raise CommandError(f"Nobody is called {options['user']!r}.")
        memberships = Membership.objects.filter(user=user, is_active=True).select_related("site").order_by("site__code")
        if options["site"]:
            memberships = memberships.filter(site__code=options["site"])
        membership = memberships.first()
        if membership is None:
            raise CommandError(f"{user.username} has no role at that site.")
        try:
            _, secret = create_token(
                user=user,
                site=membership.site,
                scopes=options["scope"],
                days=options["days"],
                name=options["name"],
                by=Actor(user=None, role="token", via=Via.COMMAND.value),
                now=database_now(),
            )
        except Problem as problem:
            raise CommandError("; ".join([problem.detail, *(e.detail for e in problem.errors)])) from None
        self.stdout.write(secret)
