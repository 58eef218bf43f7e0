"""The address of a person's calendar: made, shown once, stopped. Calendar programs cannot log in; the address is the secret."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from clinic.actions.audit import Recording, recording
from clinic.lib.problems import Denied
from clinic.models import Actor, CalendarFeed, User


def digest_of(secret: str) -> str:
    """Return what is stored of an address."""
    return hashlib.sha256(secret.encode()).hexdigest()


def make_calendar_feed(*, by: Actor, now: datetime) -> tuple[CalendarFeed, str]:
    """Give the person an address (256 random bits, returned this once) and stop the one that they had."""
    user = _own(by)
    secret = secrets.token_urlsafe(32)
    with recording(by=by, now=now) as trail:
        # Two touches at once: the second waits, and its address is the one that stands.
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        _stop(user, by, now, trail)
        feed = CalendarFeed.objects.create(user=user, sha256=digest_of(secret), created_at=now)
        _tell(trail, user, "calendar_feed.made")
    return feed, secret


def stop_calendar_feed(*, by: Actor, now: datetime) -> None:
    """Stop the person's address at once; a second touch changes nothing."""
    with recording(by=by, now=now) as trail:
        _stop(_own(by), by, now, trail)


def _stop(user: User, by: Actor, now: datetime, trail: Recording) -> None:
    if CalendarFeed.objects.standing().filter(user=user).update(revoked_at=now):
        _tell(trail, user, "calendar_feed.stopped")


def _tell(trail: Recording, user: User, action: str) -> None:
    subject = f"user:{user.public_id}"
    trail.add(stream=subject, action=action, subject=subject, data={})


def _own(by: Actor) -> User:
    if by.user is None:
        raise Denied("nobody", "A calendar belongs to a person.")
    return by.user
