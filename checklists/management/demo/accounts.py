"""The demo's passwords, PINs and tokens: random for each data directory, written to one file that only its owner reads."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings

from checklists.management.demo.people import Person, Place
from clinic.access import matrix
from clinic.actions.people import set_credentials
from clinic.actions.tokens import MOST_DAYS, create_token
from clinic.models import Actor, ApiToken, Site, User
from clinic.vocabulary import Role, Scope

#: Tokens are made again when less than this is left of them.
RENEW = timedelta(days=14)


@dataclass(frozen=True)
class Account:
    """How one demo person logs in."""

    username: str
    name: str
    site: str
    roles: tuple[str, ...]
    password: str
    pin: str
    token: str

    def as_json(self) -> dict[str, object]:
        """Return the account as it stands in the file."""
        return {**self.__dict__, "roles": list(self.roles)}


def accounts_file() -> Path:
    """Return where the accounts are written."""
    return Path(settings.DATA_DIR) / "demo-accounts.json"


def read_accounts() -> dict[str, Account]:
    """Return the accounts by user name; nothing where the file is absent or is not ours."""
    try:
        rows = json.loads(accounts_file().read_text())
        return {name: Account(**{**row, "roles": tuple(row["roles"])}) for name, row in rows.items()}
    except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def write_accounts(accounts: dict[str, Account]) -> None:
    """Write the file anew, mode 0600, in one step."""
    path = accounts_file()
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    text = json.dumps({name: account.as_json() for name, account in accounts.items()}, indent=1, ensure_ascii=False)
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:  # noqa: PTH123
        file.write(text + "\n")
    partial.replace(path)


def give_accounts(
    place: Place, site: Site, users: dict[str, User], known: dict[str, Account], *, by: Actor, now: datetime
) -> dict[str, Account]:
    """Return the accounts of a site's people: as they were where they still work, else made again.

    A hash takes a tenth of a second on purpose, so credentials are made only for people who are new to this file.
    """
    rows = ApiToken.objects.filter(user__in=users.values(), site=site, revoked_at=None, expires_at__gt=now + RENEW)
    live = dict(rows.values_list("sha256", "scopes"))
    found = {}
    for person in place.people:
        if not person.logs_in:
            continue
        user, account = users[person.username], known.get(person.username)
        if account is None or not user.has_usable_password():
            account = _credentials(person, place, user, by=by, now=now)
        scopes = rights(person.roles)
        if live.get(hashlib.sha256(account.token.encode()).hexdigest()) != scopes:
            _, secret = create_token(
                user=user, site=site, scopes=scopes, days=MOST_DAYS, name="demo account", by=by, now=now
            )
            account = replace(account, token=secret)
        found[person.username] = account
    return found


def rights(roles: Sequence[Role]) -> list[str]:
    """Return the scopes of every route that the matrix opens to one of the roles, sorted."""
    cells = [cell for methods in matrix().values() for cell in methods.values() if "scope" in cell]
    scopes = {str(cell["scope"]) for cell in cells if cell.get("everybody") or any(role in cell for role in roles)}
    # Two scopes are asked for by datasets, not by routes.
    if Role.ADMINISTRATOR in roles:
        scopes.add(Scope.EXPORTS_IDENTIFIED.value)
    if {Role.ADMINISTRATOR, Role.AUDITOR} & set(roles):
        scopes.add(Scope.AUDIT_READ.value)
    return sorted(scopes)


def _credentials(person: Person, place: Place, user: User, *, by: Actor, now: datetime) -> Account:
    password = secrets.token_urlsafe(12)
    pin = f"{secrets.randbelow(10**6):06d}"
    set_credentials(user=user, password=password, pin=pin, by=by, now=now)
    roles = tuple(role.value for role in person.roles)
    return Account(person.username, person.full_name, place.code, roles, password, pin, token="")
