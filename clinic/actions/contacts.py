"""Where people are reached: add, verify, test, order and remove their contact points, and those of a site."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import F
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.actions.audit import Recording, recording
from clinic.actions.notification import Message, queue_notifications
from clinic.actions.outbox import TEST
from clinic.channels.apprise import scheme_of
from clinic.channels.webhook import new_secret
from clinic.lib.outgoing import NotAllowed, check_url
from clinic.lib.problems import Invalid, Refused, TooMany
from clinic.models import Actor, ContactPoint, Site, User
from clinic.queries.contacts import configured
from clinic.queries.coverage import called_soon
from clinic.vocabulary import Channel

MOST = 8
CODE_LIFE = timedelta(minutes=15)
CODE_TRIES = 5
BETWEEN_MESSAGES = timedelta(seconds=20)
NUMBER = re.compile(r"^\+[1-9][0-9]{7,14}$")
MESSAGE = {
    "not_a_url": gettext_lazy(
        "Give a whole address, such as https://hooks.example.org/paging, without a password in it."
    ),
    "not_https": gettext_lazy("The address must begin with https://."),
    "host_not_listed": gettext_lazy(
        "This host is not allowed here: the operator lists the allowed ones in the settings."
    ),
    "private_address": gettext_lazy("This address lies inside the house."),
}


def add_contact(
    *,
    user: User,
    kind: Channel,
    address: str,
    by: Actor,
    now: datetime,
    label: str = "",
    keys: Mapping[str, Any] | None = None,
) -> ContactPoint:
    """Add an address as the person's last one, or return the known one; it counts once a code came back from it.

    `keys` are those of a push subscription ({p256dh, auth}); subscribing the same phone again renews them. A phone that
    was another person's leaves that person. Raise Invalid with what to write instead.
    """
    clean, kept = _read(kind, address, keys)
    with recording(by=by, now=now) as trail:
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        mine = list(ContactPoint.objects.kept().filter(user=user))
        known = next((point for point in mine if point.kind == kind.value and point.address == clean), None)
        if known is not None:
            # A subscription that was given up and made again, or an address that works again: it has to prove it.
            if known.disabled_at is not None or known.secrets != kept:
                verified = None if known.disabled_at is not None else known.verified_at
                ContactPoint.objects.filter(pk=known.pk).update(
                    secrets=kept, disabled_at=None, disabled_reason="", verified_at=verified
                )
                known.refresh_from_db()
            return known
        if len(mine) >= MOST:
            raise Invalid.field("address", "too_many", _("Remove one first: eight addresses are enough to be reached."))
        if kind is Channel.PUSH:
            for other in ContactPoint.objects.kept().filter(kind=kind.value, address=clean):
                _remove(other, trail, now)
        point = ContactPoint.objects.create(
            user=user,
            kind=kind.value,
            address=clean,
            label=label.strip()[:80],
            secrets=kept,
            position=max((one.position for one in mine), default=-1) + 1,
            created_at=now,
            # An administrator's address of a service has no way back for a code.
            verified_at=now if kind is Channel.APPRISE else None,
        )
        _say(trail, point, "added")
    return point


def add_site_contact(
    *, site: Site, kind: Channel, address: str, by: Actor, now: datetime, label: str = ""
) -> tuple[ContactPoint, str]:
    """Add a webhook or another service that hears of every page of the site; return it with the webhook's key.

    The key is shown this once: the receiver verifies every request with it.
    """
    clean, kept = _read(kind, address, None)
    if kind is Channel.WEBHOOK:
        kept = {"secret": new_secret(secrets.token_bytes(32))}
    with recording(by=by, now=now) as trail:
        Site.objects.select_for_update(no_key=True).get(pk=site.pk)
        mine = ContactPoint.objects.kept().filter(site=site)
        if mine.filter(kind=kind.value, address=clean).exists():
            raise Refused("known", _("This address is on the list already."))
        if mine.count() >= MOST:
            raise Invalid.field("address", "too_many", _("Remove one first: eight are enough."))
        point = ContactPoint.objects.create(
            site=site,
            kind=kind.value,
            address=clean,
            label=label.strip()[:80],
            secrets=kept,
            position=mine.count(),
            created_at=now,
            verified_at=now,
        )
        _say(trail, point, "added")
    return point, str(kept.get("secret", ""))


def _read(kind: Channel, address: str, keys: Mapping[str, Any] | None) -> tuple[str, dict[str, Any]]:
    """Return the address as it is kept, and what the channel needs beside it."""
    text = address.strip()
    match kind:
        case Channel.EMAIL:
            try:
                validate_email(text)
            except ValidationError:
                raise Invalid.field("address", "not_an_email", _("Give an address such as name@example.org.")) from None
            return text, {}
        case Channel.SMS:
            number = re.sub(r"[\s().\-/]", "", text)
            number = f"+{number[2:]}" if number.startswith("00") else number
            if not NUMBER.match(number):
                detail = _("Give the number with its country, such as +90 555 000 0001.")
                raise Invalid.field("address", "not_a_number", detail)
            return number, {}
        case Channel.PUSH:
            _allowed(text, settings.PUSH_HOSTS)
            return text, _push_keys(keys or {})
        case Channel.WEBHOOK:
            _allowed(text, settings.WEBHOOK_HOSTS)
            return text, {}
        case Channel.APPRISE if scheme_of(text) in settings.APPRISE_SCHEMES:
            return text, {}
        case Channel.APPRISE:
            raise Invalid.field("address", "not_allowed", _("This kind of service is not allowed here."))
    raise Invalid.field("kind", "not_a_choice", _("There is no such way."))


def _allowed(url: str, hosts: Sequence[str]) -> None:
    try:
        if len(url) > 1000:
            raise NotAllowed("not_a_url")
        check_url(url, hosts=hosts, private=settings.ALLOW_PRIVATE_ADDRESSES)
    except NotAllowed as error:
        raise Invalid.field("address", error.code, str(MESSAGE[error.code])) from None


def _push_keys(keys: Mapping[str, Any]) -> dict[str, Any]:
    try:
        point, auth = (str(keys[name]) for name in ("p256dh", "auth"))
        raw = [base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) for text in (point, auth)]
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw[0])
        if len(raw[1]) != 16:
            raise ValueError
    except (KeyError, ValueError):
        raise Invalid.field("keys", "not_a_subscription", _("The browser's subscription is incomplete.")) from None
    return {"p256dh": point, "auth": auth}


def contact_code(point: ContactPoint) -> str:
    """Return the six digits that go out now; they are made of the address, the moment and our secret, and never stored."""
    issued = point.code_issued_at.isoformat() if point.code_issued_at else ""
    said = f"contact-code\0{point.public_id}\0{issued}".encode()
    digest = hmac.new(settings.SECRET_KEY.encode(), said, hashlib.sha256).digest()
    return f"{int.from_bytes(digest[:8], 'big') % 1_000_000:06d}"


def send_code(*, point: ContactPoint, site: Site, by: Actor, now: datetime) -> None:
    """Send a new code there; an earlier one no longer counts."""
    with recording(by=by, now=now) as trail:
        _not_too_often(point, now)
        ContactPoint.objects.filter(pk=point.pk).update(code_issued_at=now, code_tries=0)
        _message(point, "contact_code", site, by, now)
        _say(trail, point, "code_sent")


def verify_contact(*, point: ContactPoint, code: str, by: Actor, now: datetime) -> None:
    """Take the code that came back: from now on pages go there, with the link by which one answers.

    Raise Invalid for a wrong code, Refused for one that is too old or was tried too often.
    """
    tried = ContactPoint.objects.filter(pk=point.pk, code_tries__lt=CODE_TRIES).update(code_tries=F("code_tries") + 1)
    if not tried:
        raise Refused("too_many_tries", _("Too many tries: send a new code."))
    point.refresh_from_db()
    if point.code_issued_at is None or point.code_issued_at + CODE_LIFE < now:
        raise Refused("code_expired", _("This code is too old: send a new one."))
    if not hmac.compare_digest(contact_code(point), re.sub(r"\s", "", code)):
        raise Invalid.field("code", "wrong_code", _("This is not the code that was sent."))
    with recording(by=by, now=now) as trail:
        ContactPoint.objects.filter(pk=point.pk).update(
            verified_at=now, tested_at=now, code_issued_at=None, disabled_at=None, disabled_reason=""
        )
        _say(trail, point, "verified")


def send_test(*, point: ContactPoint, site: Site, by: Actor, now: datetime) -> None:
    """Send a test message there; the time is kept once it left."""
    with recording(by=by, now=now) as trail:
        _not_too_often(point, now)
        _message(point, TEST, site, by, now)
        _say(trail, point, "tested")


def order_contacts(*, user: User, ids: Sequence[str], by: Actor, now: datetime) -> None:
    """Put the person's addresses into this order; raise Invalid unless each of them is named once."""
    with recording(by=by, now=now) as trail:
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        mine = {str(point.public_id): point for point in ContactPoint.objects.kept().filter(user=user)}
        if sorted(mine) != sorted(ids):
            raise Invalid.field("ids", "incomplete", _("Name each of your addresses once."))
        for position, name in enumerate(ids):
            mine[name].position = position
        ContactPoint.objects.bulk_update(mine.values(), ["position"])
        stream = f"user:{user.public_id}"
        trail.add(stream=stream, action="contact_point.ordered", subject=stream, data={"order": list(ids)})


def remove_contact(*, point: ContactPoint, by: Actor, now: datetime, anyway: bool = False) -> None:
    """Remove an address; a case that began before still finds it when nothing else is left.

    Raise Refused for the last verified one of somebody on call now or within two weeks, unless `anyway`.
    """
    with recording(by=by, now=now) as trail:
        if point.user is not None:
            User.objects.select_for_update(no_key=True).get(pk=point.user.pk)
            if not anyway and _is_last(point) and called_soon(now, user=point.user):
                detail = _("You are on call, and no page would reach you any more. Add another address first.")
                raise Refused("last_while_on_call", detail)
        _remove(point, trail, now)


def _is_last(point: ContactPoint) -> bool:
    if point.verified_at is None or point.disabled_at is not None:
        return False
    others = ContactPoint.objects.kept().filter(user=point.user, verified_at__isnull=False, disabled_at=None)
    return not any(configured(Channel(one.kind)) or settings.DEMO for one in others.exclude(pk=point.pk))


def _remove(point: ContactPoint, trail: Recording, now: datetime) -> None:
    if ContactPoint.objects.filter(pk=point.pk, removed_at=None).update(removed_at=now):
        _say(trail, point, "removed")


def _not_too_often(point: ContactPoint, now: datetime) -> None:
    latest = point.notifications.filter(kind__in=["contact_code", TEST]).order_by("-created_at").first()
    if latest is not None and latest.created_at + BETWEEN_MESSAGES > now:
        wait = int((latest.created_at + BETWEEN_MESSAGES - now).total_seconds()) + 1
        raise TooMany("too_soon", _("One is on its way already: wait a moment."), wait)


def _message(point: ContactPoint, kind: str, site: Site, by: Actor, now: datetime) -> None:
    channel = Channel(point.kind)
    if not configured(channel):
        if not settings.DEMO:
            raise Refused("not_set_up", _("This installation cannot send over this channel yet."))
        channel = Channel.INBOX
    message = Message(
        dedup_key=f"contact:{point.public_id}:{kind}:{now.timestamp():.3f}",
        kind=kind,
        recipient=point.user,
        channel=channel,
        site=site,
        reference=f"contact_point:{point.public_id}",
        context={"site": site.name, "path": "/me/contacts/" if point.user else "/site/contacts/"},
        address=point.shown[:254],
        recipient_name="" if point.user else point.kind.capitalize(),
        contact=point.pk,
    )
    queue_notifications([message], by=by, now=now)


def _say(trail: Recording, point: ContactPoint, what: str) -> None:
    """Write the entry: which kind of address, never the address itself."""
    owner = f"user:{point.user.public_id}" if point.user else f"site:{point.site.public_id if point.site else ''}"
    trail.add(
        stream=owner,
        action=f"contact_point.{what}",
        subject=f"contact_point:{point.public_id}",
        data={"kind": point.kind},
    )
