"""Web Push (RFC 8030) to a person's phone: encrypted for that browser (RFC 8291), signed as ours (RFC 8292)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import override

from clinic.channels.failures import DeliveryError, of_status
from clinic.channels.receipts import receipt_path
from clinic.channels.words import short
from clinic.lib.outgoing import send_request
from clinic.lib.vapid import private_key
from clinic.models import Notification
from clinic.vocabulary import Failure

#: How urgent a tier is for the phone's battery (RFC 8030, section 5.3), and for how many seconds a push service keeps
#: what it cannot deliver: no longer than until the page is repeated anyway.
URGENCY = {"t0": ("high", 15 * 60), "t1": ("high", 45 * 60), "t2": ("normal", 4 * 3600)}
OTHERWISE = ("normal", 12 * 3600)


def payload(message: Notification) -> bytes:
    """Return what the phone shows: urgency, site, reference and number; no patient. `answer` leads to the minutes."""
    one = short(message)
    with override(message.language):
        spoken = {"answer": _("Acknowledge"), "call": _("Call:")}
    data = {
        "title": one.subject,
        "call": one.call,
        "tag": hashlib.sha256(f"{message.reference}:{message.kind}".encode()).hexdigest()[:32],
        "path": str(message.context.get("path") or "/escalations/"),
        "answer": one.path if one.answers else "",
        "urgent": message.urgent,
        "language": message.language,
        "receipt": receipt_path(message),
        "words": spoken,
    }
    return json.dumps(data, ensure_ascii=False).encode()


def prepare(message: Notification) -> Callable[[], str]:
    """Return the call that posts to the browser's push service; what it keeps is replaced by a newer one of the case."""
    point = message.contact
    if not settings.VAPID_PRIVATE_KEY or point is None:
        raise DeliveryError("not_set_up")
    key = private_key(settings.VAPID_PRIVATE_KEY)
    pair = (
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    )
    urgency, ttl = URGENCY.get(str(message.context.get("tier", "")), OTHERWISE) if message.urgent else OTHERWISE
    content, endpoint, keys = payload(message), point.address, point.secrets
    topic = hashlib.sha256(f"{message.reference}:{message.kind}".encode()).hexdigest()[:32]

    def send() -> str:
        # Brings pydantic with it, which no page of the web needs.
        from webpush import WebPush, WebPushSubscription

        pusher = WebPush(private_key=pair[0], public_key=pair[1], subscriber=settings.VAPID_SUBJECT, ttl=ttl)
        sealed = pusher.get(content, WebPushSubscription.model_validate({"endpoint": endpoint, "keys": keys}))
        headers = {**sealed.headers, "Urgency": urgency, "Topic": topic, "Content-Type": "application/octet-stream"}
        answer = send_request(
            endpoint,
            body=sealed.encrypted,
            headers=headers,
            hosts=settings.PUSH_HOSTS,
            private=settings.ALLOW_PRIVATE_ADDRESSES,
        )
        if answer.status in (404, 410):
            raise DeliveryError("gone", gone=True)
        if answer.status == 413:
            raise DeliveryError("rejected", Failure.PERMANENT)
        if not 200 <= answer.status < 300:
            raise of_status(answer)
        return answer.headers.get("location", "")[:200] or f"push:{message.public_id}"

    return send
