"""Links in messages by which one person answers one escalation once. Only a POST answers: mail scanners open links."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from uuid import UUID

from django.core import signing
from django.db import transaction
from django.utils.crypto import constant_time_compare, salted_hmac

from clinic.lib.problems import Denied, NotFound, Refused
from clinic.models import Actor
from clinic.vocabulary import Via
from complications.actions.escalation import acknowledge
from complications.models import AcknowledgeLink, Escalation

SALT = "complications.acknowledge"


def link_token(public_id: UUID | str) -> str:
    """Return the signed text of a link's id in 38 letters, so that it fits into one text message.

    It is made as the message is written out and never stored: the 122 random bits of the id, and 96 bits of HMAC-SHA256.
    """
    raw = UUID(str(public_id)).bytes
    return urlsafe_b64encode(raw + _mac(raw)).rstrip(b"=").decode()


def _mac(raw: bytes) -> bytes:
    return salted_hmac(SALT, raw, algorithm="sha256").digest()[:12]


def _id_of(token: str) -> UUID | str:
    """Return the id behind a token, also one of the longer form of earlier messages; raise BadSignature."""
    if ":" in token:
        found: str = signing.loads(token, salt=SALT)
        return found
    try:
        signed = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError:
        raise signing.BadSignature from None
    if len(signed) != 28 or not constant_time_compare(_mac(signed[:16]), signed[16:]):
        raise signing.BadSignature
    return UUID(bytes=signed[:16])


def read_link(token: str) -> AcknowledgeLink:
    """Return the link behind a token, whether it can still be used or not; raise NotFound for a forged one."""
    try:
        public_id = _id_of(token)
    except signing.BadSignature:
        raise NotFound("link_not_valid", "This link is not valid. Call the number in the message.") from None
    link = AcknowledgeLink.objects.select_related("escalation__site", "user").filter(public_id=public_id).first()
    if link is None:
        raise NotFound("link_not_valid", "This link is not valid. Call the number in the message.")
    return link


def acknowledge_by_link(*, token: str, eta_minutes: int, now: datetime, request_id: str = "") -> Escalation:
    """Take responsibility by a link: once, before it expires, as the person it was sent to.

    Raise Refused `link_used` or `link_expired`, or what `acknowledge` raises: a refused answer uses nothing up.
    """
    link = read_link(token)
    if link.expires_at <= now:
        raise Refused("link_expired", "This link has expired. Log in, or call the number in the message.")
    by = Actor(user=link.user, role="surgeon", via=Via.LINK.value, request_id=request_id)
    with transaction.atomic():
        used = AcknowledgeLink.objects.filter(pk=link.pk, used_at=None).update(used_at=now)
        if not used:
            raise Refused("link_used", "This link was used already. Log in to see how the case stands.")
        try:
            return acknowledge(escalation=link.escalation, eta_minutes=eta_minutes, by=by, now=now)
        except (Denied, Refused) as refused:
            # What the refusal left as an event stays; the link does not count as used.
            AcknowledgeLink.objects.filter(pk=link.pk).update(used_at=None)
            refusal = refused
    raise refusal
