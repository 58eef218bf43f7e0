"""Who may do what: the matrix file decides the kind of act, the doors decide the record."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from django.core import signing
from django.db.models import Q
from django.http import HttpRequest

from clinic.lib.prepared import Row, fetch
from clinic.lib.problems import Denied, NotFound, NotLoggedIn
from clinic.models import (
    Actor,
    ApiToken,
    ContactPoint,
    Export,
    Leave,
    Membership,
    Patient,
    Procedure,
    Shift,
    ShiftOverride,
    ShiftSwap,
    Site,
    Tablet,
    User,
)
from clinic.vocabulary import Channel, Role, Via

MATRIX_FILE = Path(__file__).with_name("authorization.toml")
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}

Verdict = Literal["allow", "own", "anonymous", "log_in", "deny"]


@dataclass(frozen=True)
class Caller:
    """Who is calling, at which site, in which roles there, and by which way."""

    user: User | None = None
    site: Site | None = None
    roles: frozenset[str] = frozenset()
    via: str = Via.SESSION.value
    scopes: frozenset[str] = frozenset()
    tablet: Tablet | None = None
    token: ApiToken | None = None
    request_id: str = ""
    own_only: bool = field(default=False)

    def has(self, *roles: Role) -> bool:
        """Return whether the caller has one of the roles at the site."""
        return bool(self.roles & {str(role) for role in roles})

    def actor(self, role: str = "") -> Actor:
        """Return the caller as the audit trail names them; `role` narrows to the one acted in."""
        return Actor(
            user=self.user,
            role=role or ",".join(sorted(self.roles)),
            via=self.via,
            device=str(self.tablet.public_id) if self.tablet else "",
            request_id=self.request_id,
        )

    @property
    def person(self) -> User:
        """The user; raise NotLoggedIn for an anonymous caller."""
        if self.user is None:
            raise NotLoggedIn("not_logged_in", "Log in first.")
        return self.user

    @property
    def place(self) -> Site:
        """The site; raise Denied for a person without a role anywhere."""
        if self.site is None:
            raise Denied("no_site", "You have no role at any site. Ask an administrator to add you.")
        return self.site


@cache
def matrix() -> dict[str, dict[str, dict[str, Any]]]:
    """Return the authorization matrix: url name → method → cell. Raise ValueError for a word that is not known."""
    table: dict[str, dict[str, dict[str, Any]]] = tomllib.loads(MATRIX_FILE.read_text())
    known = {*(str(role) for role in Role), "anonymous", "everybody", "pin", "scope"}
    for name, methods in table.items():
        for method, cell in methods.items():
            if method not in METHODS:
                raise ValueError(f"authorization.toml: [{name}] has the unknown method {method}")
            for word, value in cell.items():
                if word not in known:
                    raise ValueError(f"authorization.toml: [{name}] {method} names the unknown role {word}")
                if word in set(Role) and value not in {"site", "own"}:
                    raise ValueError(f"authorization.toml: [{name}] {method} {word} must be 'site' or 'own'")
    return table


def verdict(name: str, method: str, caller: Caller) -> Verdict:
    """Return what the matrix says of this caller; a route or method without a line is denied to everybody."""
    cell = matrix().get(name, {}).get("GET" if method in {"HEAD", "OPTIONS"} else method)
    if cell is None:
        return "log_in" if caller.user is None else "deny"
    if cell.get("anonymous"):
        return "anonymous"
    if caller.user is None:
        return "log_in"
    if caller.via == Via.PIN.value and not cell.get("pin"):
        return "deny"
    if caller.via == Via.TOKEN.value and cell.get("scope", Via.TOKEN.value) not in caller.scopes:
        return "deny"
    if cell.get("everybody"):
        return "allow"
    granted = {cell[role] for role in caller.roles if role in cell}
    return "allow" if "site" in granted else "own" if "own" in granted else "deny"


def authorize(name: str, method: str, caller: Caller) -> Caller:
    """Return the caller, narrowed to own cases where the matrix says so; raise NotLoggedIn or Denied otherwise."""
    match verdict(name, method, caller):
        case "log_in":
            raise NotLoggedIn("not_logged_in", "Log in again; what you typed is kept.")
        case "deny":
            raise Denied("role_not_allowed", "Your role may not do this. Ask an administrator if it should.")
        case "own":
            return Caller(**{**caller.__dict__, "own_only": True})
    return caller


def caller_of_session(
    user: User | None, *, site_id: int | None, via: str, tablet_id: int | None, request_id: str
) -> Caller:
    """Return the caller behind a browser session: the site chosen in it, or the person's first one."""
    if user is None:
        return Caller(request_id=request_id)
    rows = list(
        Membership.objects.filter(user=user, is_active=True).select_related("site").order_by("site__code", "role")
    )
    site = next((row.site for row in rows if row.site_id == site_id), rows[0].site if rows else None)
    tablet = Tablet.objects.filter(pk=tablet_id, site=site, revoked_at=None).first() if tablet_id else None
    return Caller(
        user=user,
        site=site,
        roles=frozenset(row.role for row in rows if site and row.site_id == site.pk),
        via=via,
        tablet=tablet,
        request_id=request_id,
    )


def session_caller(request: HttpRequest) -> Caller:
    """Return the caller of the browser session behind `request`."""
    user = request.user if isinstance(request.user, User) else None
    return caller_of_session(
        user,
        site_id=request.session.get("site_id"),
        via=request.session.get("via", Via.SESSION.value),
        tablet_id=request.session.get("tablet_id"),
        request_id=request.META.get("clinic.request_id", ""),
    )


_TOKEN, _USER, _SITE = Row(ApiToken, "token"), Row(User, "person"), Row(Site, "site")


@cache
def _token_sql() -> str:
    return f"""
SELECT {_TOKEN.columns}, {_USER.columns}, {_SITE.columns},
       ARRAY(SELECT role::text FROM clinic_membership
             WHERE user_id = token.user_id AND site_id = token.site_id AND is_active),
       statement_timestamp()
FROM clinic_apitoken token JOIN clinic_user person ON person.id = token.user_id
JOIN clinic_site site ON site.id = token.site_id
WHERE token.sha256 = %s AND token.revoked_at IS NULL AND person.is_active
"""  # noqa: S608 - names of columns only


def find_token(secret: str) -> tuple[ApiToken, frozenset[str], datetime] | None:
    """Return the token behind a secret with its person and site, their roles there, and the database's time.

    One prepared statement, since every request of an outside program begins with it. None for an unknown or revoked
    token and for a person who is no longer active; whether it has expired is the reader's question.
    """
    rows = fetch(_token_sql(), [hashlib.sha256(secret.encode()).hexdigest()])
    if not rows:
        return None
    *values, roles, now = rows[0]
    person = len(_TOKEN.names)
    site = person + len(_USER.names)
    token = _TOKEN.read(values[:person])
    token.user, token.site = _USER.read(values[person:site]), _SITE.read(values[site:])
    return token, frozenset(roles), now


def caller_of_token(token: ApiToken, roles: frozenset[str], *, request_id: str) -> Caller:
    """Return the caller behind an API token: its person, in their roles at the token's site, limited to its scopes."""
    return Caller(
        user=token.user,
        site=token.site,
        roles=roles,
        via=Via.TOKEN.value,
        scopes=frozenset(token.scopes),
        token=token,
        request_id=request_id,
    )


def access_procedure(caller: Caller, public_id: UUID | str) -> Procedure:
    """Return a procedure of the caller's site; raise NotFound for any other, whether it exists or not."""
    rows = Procedure.objects.at_site(caller.place).select_related("site", "patient", "operator", "room")
    if caller.own_only:
        rows = rows.filter(operator=caller.person)
    procedure = rows.filter(public_id=public_id).first()
    if procedure is None:
        raise NotFound
    return procedure


def access_patient(caller: Caller, public_id: UUID | str) -> Patient:
    """Return a patient of the caller's site; raise NotFound otherwise."""
    patient = Patient.objects.filter(site=caller.place, public_id=public_id).first()
    if patient is None:
        raise NotFound
    return patient


def access_colleague(caller: Caller, username: str) -> User:
    """Return an active person with a role at the caller's site, by user name; raise NotFound otherwise."""
    user = User.objects.filter(
        username=username, is_active=True, memberships__site=caller.place, memberships__is_active=True
    ).first()
    if user is None:
        raise NotFound("unknown_user", "Nobody with that user name works at this site.")
    return user


def access_shift(caller: Caller, public_id: UUID | str) -> Shift:
    """Return a shift of the caller's site; raise NotFound otherwise."""
    shift = Shift.objects.filter(site=caller.place, public_id=public_id).select_related("user", "site").first()
    if shift is None:
        raise NotFound
    return shift


def access_override(caller: Caller, public_id: UUID | str) -> ShiftOverride:
    """Return an override of the caller's site; raise NotFound otherwise."""
    rows = ShiftOverride.objects.filter(site=caller.place, public_id=public_id)
    override = rows.select_related("user", "site").first()
    if override is None:
        raise NotFound
    return override


def access_leave(caller: Caller, public_id: UUID | str) -> Leave:
    """Return leave recorded at the caller's site that is theirs, or anybody's for an administrator.

    Raise NotFound for another site's, Denied for a colleague's.
    """
    leave = Leave.objects.filter(site=caller.place, public_id=public_id).select_related("user", "site").first()
    if leave is None:
        raise NotFound
    if leave.user != caller.user and not caller.has(Role.ADMINISTRATOR):
        raise Denied("not_yours", "Only the person themselves or an administrator can change this leave.")
    return leave


def access_absentee(caller: Caller, username: str) -> User:
    """Return whose leave the caller may record: their own, or for an administrator any colleague's.

    Raise Denied for a colleague's, NotFound for somebody who does not work here.
    """
    if username in ("", caller.person.username):
        return caller.person
    if not caller.has(Role.ADMINISTRATOR):
        raise Denied("not_yours", "You can record your own leave; an administrator can record anybody's.")
    return access_colleague(caller, username)


def access_swap(caller: Caller, public_id: UUID | str) -> ShiftSwap:
    """Return a swap of the caller's site; raise NotFound otherwise."""
    rows = ShiftSwap.objects.filter(site=caller.place, public_id=public_id)
    swap = rows.select_related("proposed_by", "asked", "site").first()
    if swap is None:
        raise NotFound
    return swap


def access_token(caller: Caller, public_id: UUID | str) -> ApiToken:
    """Return a token of the caller's site; raise NotFound otherwise."""
    token = ApiToken.objects.filter(site=caller.place, public_id=public_id).select_related("user", "site").first()
    if token is None:
        raise NotFound
    return token


def access_contact(caller: Caller, public_id: UUID | str) -> ContactPoint:
    """Return one of the caller's own contact points; raise NotFound for anybody else's."""
    point = ContactPoint.objects.kept().filter(user=caller.person, public_id=public_id).select_related("user").first()
    if point is None:
        raise NotFound("not_found", "You have no such contact point.")
    return point


def access_site_contact(caller: Caller, public_id: UUID | str) -> ContactPoint:
    """Return a webhook or service of the caller's site, or a service of one of its people; raise NotFound otherwise."""
    rows = ContactPoint.objects.kept().select_related("user", "site")
    of_people = Q(kind=Channel.APPRISE.value, user__memberships__site=caller.place, user__memberships__is_active=True)
    point = rows.filter(Q(site=caller.place) | of_people, public_id=public_id).distinct().first()
    if point is None:
        raise NotFound
    return point


def access_export(caller: Caller, dataset: str, public_id: str) -> Export:
    """Return a finished export of the caller's site; raise NotFound otherwise, also while it is still running."""
    try:
        number = UUID(public_id)
    except ValueError:
        raise NotFound from None
    export = (
        Export.objects.filter(site=caller.place, dataset=dataset, public_id=number)
        .exclude(manifest=None)
        .select_related("site", "requested_by")
        .first()
    )
    if export is None:
        raise NotFound("not_found", "There is no finished export with that id at your site.")
    return export


_TICKET = "checklists.ticket"


@dataclass(frozen=True)
class Holder:
    """Whom a ticket names: `user` where its signature is ours, `claimed` where it names them without a proof."""

    user: User | None = None
    claimed: User | None = None


def ticket_for(user: User) -> str:
    """Return the signed name of the person who is unlocked, which what they enter carries until it is sent."""
    return signing.dumps(str(user.public_id), salt=_TICKET)


def holders_of(tickets: Collection[str], caller: Caller) -> dict[str, Holder]:
    """Return the person of the caller's site behind each ticket.

    A ticket that was signed under a key which is gone, or is forged, proves nothing: whom it names may be asked, and is
    never taken at its word.
    """
    read = {ticket: _read_ticket(ticket) for ticket in tickets}
    known = {str(caller.person.public_id): caller.person}
    if wanted := {name for name, _ in read.values() if name} - known.keys():
        rows = User.objects.filter(public_id__in=wanted, memberships__site=caller.place).distinct()
        known |= {str(user.public_id): user for user in rows}
    return {
        ticket: Holder(user=known.get(name)) if proven else Holder(claimed=known.get(name))
        for ticket, (name, proven) in read.items()
    }


def _read_ticket(ticket: str) -> tuple[str, bool]:
    """Return the public id that a ticket names, empty where it cannot be read, and whether it was signed here."""
    try:
        return str(UUID(signing.loads(ticket, salt=_TICKET))), True
    except (signing.BadSignature, ValueError, TypeError, AttributeError):
        pass
    try:
        return str(UUID(json.loads(signing.b64_decode(ticket.partition(":")[0].encode())))), False
    except (ValueError, TypeError, AttributeError):
        return "", False
