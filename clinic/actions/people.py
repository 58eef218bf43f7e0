"""Sites, rooms, people, roles and the rota: what an administrator sets up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth.hashers import make_password
from psycopg.types.range import TimestamptzRange

from clinic.actions.audit import recording
from clinic.lib.numbers import number
from clinic.models import Actor, ContactPoint, Membership, Room, Shift, Site, User
from clinic.vocabulary import Channel, Post, Role


def add_site(
    *, code: str, name: str, by: Actor, now: datetime, rooms: Mapping[str, str], **fields: Any
) -> tuple[Site, bool]:
    """Add a site with its theatres (`rooms`: code → name) and return it with True, or the known one with False.

    `fields` are further columns of Site: timezone, language, emergency_department, phone_list, time_scale.
    """
    with recording(by=by, now=now) as trail:
        site, added = Site.objects.get_or_create(code=code, defaults={"name": name, **fields})
        if added:
            Room.objects.bulk_create(Room(site=site, code=room, name=label) for room, label in rooms.items())
            trail.add(
                stream=f"site:{site.public_id}",
                action="site.added",
                subject=f"site:{site.public_id}",
                data={"code": code, "name": name, "rooms": sorted(rooms), "time_scale": site.time_scale},
            )
    return site, added


def add_person(
    *, username: str, full_name: str, site: Site, roles: Sequence[Role], by: Actor, now: datetime, **fields: Any
) -> tuple[User, bool]:
    """Add a person with roles at a site and return them with True, or the known one with False; nobody can log in yet.

    Their e-mail and telephone become their first contact points; whoever adds a person vouches for the e-mail.

    `fields` are further columns of User: email, phone, language, can_decompress.
    """
    with recording(by=by, now=now) as trail:
        person, added = User.objects.get_or_create(
            username=username, defaults={"full_name": full_name, "password": make_password(None), **fields}
        )
        for role in roles:
            _, given = Membership.objects.get_or_create(user=person, site=site, role=role.value)
            if given:
                trail.add(
                    stream=f"site:{site.public_id}",
                    action="role.given",
                    subject=f"user:{person.public_id}",
                    data={"role": role.value},
                )
        if added:
            phone = number(person.phone) if person.phone else ""
            points = [(Channel.EMAIL, person.email, now), (Channel.SMS, phone, None)]
            ContactPoint.objects.bulk_create(
                ContactPoint(
                    user=person,
                    kind=kind.value,
                    address=address,
                    position=position,
                    created_at=now,
                    verified_at=verified_at,
                )
                for position, (kind, address, verified_at) in enumerate(points)
                if address
            )
            trail.add(
                stream=f"user:{person.public_id}",
                action="person.added",
                subject=f"user:{person.public_id}",
                data={"username": username},
            )
    return person, added


def set_credentials(*, user: User, password: str, pin: str, by: Actor, now: datetime) -> None:
    """Give a person a password and a six-digit PIN; both are stored as Argon2id hashes (about 0.1 s each)."""
    user.set_password(password)
    user.set_pin(pin)
    with recording(by=by, now=now) as trail:
        User.objects.filter(pk=user.pk).update(password=user.password, pin_hash=user.pin_hash, pin_failures=0)
        trail.add(
            stream=f"user:{user.public_id}",
            action="credential.set",
            subject=f"user:{user.public_id}",
            data={"kinds": ["password", "pin"]},
        )


def plan_shifts(
    *,
    site: Site,
    post: Post,
    rank: int,
    user: User,
    periods: Sequence[tuple[datetime, datetime]],
    by: Actor,
    now: datetime,
) -> int:
    """Put a person on the rota at one post and rank for each [start, end) and return how many shifts were added.

    The database refuses two people at one rank of one post at a time.
    """
    if not periods:
        return 0
    with recording(by=by, now=now) as trail:
        Shift.objects.bulk_create(
            Shift(site=site, post=post.value, rank=rank, user=user, period=TimestamptzRange(start, end))
            for start, end in periods
        )
        trail.add(
            stream=f"site:{site.public_id}",
            action="shift.planned",
            subject=f"user:{user.public_id}",
            data={
                "post": post.value,
                "rank": rank,
                "shifts": len(periods),
                "from": periods[0][0],
                "to": periods[-1][1],
            },
        )
    return len(periods)
