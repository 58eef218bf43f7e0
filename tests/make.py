"""Plain makers of the ground floor's rows, for tests of every floor."""

from __future__ import annotations

import itertools
import uuid
from datetime import date, datetime, timedelta
from typing import Any

from django.contrib.auth.hashers import make_password
from psycopg.types.range import TimestamptzRange

from clinic.actions.procedures import Booking, PatientDetails, book_procedure
from clinic.actions.tokens import create_token
from clinic.lib.clock import database_now
from clinic.models import Actor, ApiToken, ContactPoint, Export, Membership, Procedure, Room, Shift, Site, User
from clinic.vocabulary import Post, Role

PASSWORD = "correct horse battery staple"  # noqa: S105 - of people who exist in tests only
PIN = "135790"
_numbers = itertools.count(1)
_hashes: dict[str, str] = {}


def _hashed(secret: str) -> str:
    """Argon2id takes 150 ms on purpose: one hash serves all the people of a test run."""
    if secret not in _hashes:
        _hashes[secret] = make_password(secret)
    return _hashes[secret]


def make_site(code: str = "", **fields: Any) -> Site:
    """A site with one room called `or1`."""
    code = code or f"site-{next(_numbers)}"
    phones = [{"name": "Spine surgeon on call", "number": "+90 555 000 0001"}]
    site = Site.objects.create(code=code, name=f"Hospital {code}", **{"phone_list": phones, **fields})
    Room.objects.create(site=site, code="or1", name="Theatre 1")
    return site


def make_user(site: Site | None = None, role: Role | str = Role.NURSE, username: str = "", **fields: Any) -> User:
    """A person with a role at the site, PASSWORD and PIN."""
    username = username or f"{role}-{next(_numbers)}"
    user = User(
        username=username,
        **{"full_name": username.replace("-", " ").title(), "email": f"{username}@example.org", **fields},
    )
    user.password = _hashed(PASSWORD)
    user.pin_hash = _hashed(PIN)
    user.save()
    if site is not None:
        Membership.objects.create(user=user, site=site, role=str(role))
    return user


def make_actor(user: User | None = None, role: str = "nurse") -> Actor:
    """Who acts in a test."""
    return Actor(user=user, role=role)


def make_contact(user: User, kind: str, address: str, position: int = 0, **fields: Any) -> ContactPoint:
    """A verified contact point of the person."""
    values: dict[str, Any] = {"created_at": user.created_at, "verified_at": user.created_at, **fields}
    return ContactPoint.objects.create(user=user, kind=kind, address=address, position=position, **values)


def make_booking(operator: User, **fields: Any) -> Booking:
    """A booking of a two-level kyphoplasty under general anaesthesia."""
    number = next(_numbers)
    patient = PatientDetails(
        **{
            "mrn": f"MRN{number:06d}",
            "family_name": "Yılmaz",
            "given_name": "Ayşe",
            "birth_date": date(1948, 3, 14),
            "sex": "female",
            **fields.pop("patient", {}),
        }
    )
    values: dict[str, Any] = {
        "id": uuid.uuid4(),
        "patient": patient,
        "kind": "kyphoplasty",
        "indication": "osteoporotic_vcf",
        "anaesthesia": "general",
        "levels": ["T12", "L1"],
        "scheduled_at": database_now() + timedelta(hours=1),
        "operator": operator.username,
        "room": "or1",
        **fields,
    }
    return Booking(**values)


def make_procedure(site: Site | None = None, operator: User | None = None, **fields: Any) -> Procedure:
    """A booked procedure, without its runs (those are checklists')."""
    site = site or make_site()
    operator = operator or make_user(site, Role.SURGEON)
    procedure, _ = book_procedure(
        booking=make_booking(operator, **fields),
        site=site,
        operator=operator,
        team={},
        by=make_actor(operator, "surgeon"),
        now=database_now(),
    )
    return procedure


def make_shift(
    site: Site, user: User, post: Post | str = Post.ON_CALL_SPINE, rank: int = 1, around: datetime | None = None
) -> Shift:
    """A shift of two days around an instant (now, where none is given)."""
    around = around or database_now()
    period = TimestamptzRange(around - timedelta(days=1), around + timedelta(days=1))
    return Shift.objects.create(site=site, user=user, post=str(post), rank=rank, period=period)


def make_export(site: Site, user: User, dataset: str = "procedures", **fields: Any) -> Export:
    """A finished export of no rows, with its manifest."""
    now, public_id = database_now(), uuid.uuid4()
    manifest = {
        "manifest": 1,
        "export": str(public_id),
        "dataset": dataset,
        "schema_version": 1,
        "format": "csv",
        "file": f"{dataset}.csv",
        "rows": 0,
        "bytes": 0,
        "sha256": "0" * 64,
        "columns": [],
        "as_of": "1.1.0",
        "since": None,
        "after": None,
        "versions": "all",
        "bom": False,
        "filters": {},
        "identified": False,
        "pseudonym_key_id": "",
        "definitions": {},
        "site": site.code,
        "who": "",
        "role": "",
        "via": "session",
        "why": "",
        "started_at": now.isoformat(),
        "finished_at": now.isoformat(),
        "audit": {"started": None, "checkpoint": None},
        "signature": {"algorithm": "Ed25519", "key_id": "", "public_key": "", "value": ""},
    }
    values: dict[str, Any] = {
        "format": "csv",
        "as_of_epoch": 1,
        "as_of_xid": 1,
        "status": "finished",
        "started_at": now,
        "ended_at": now,
        "rows": 0,
        "bytes": 0,
        "sha256": "0" * 64,
        "public_id": public_id,
        "manifest": manifest,
    }
    return Export.objects.create(site=site, dataset=dataset, requested_by=user, **{**values, **fields})


def make_token(site: Site, user: User, *scopes: str) -> ApiToken:
    """A token of the person at the site."""
    token, _ = create_token(
        user=user, site=site, scopes=scopes or ["read"], days=1, name="test", by=make_actor(user), now=database_now()
    )
    return token
