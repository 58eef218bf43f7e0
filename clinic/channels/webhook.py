"""Signed webhooks, as the Standard Webhooks specification has them: one POST of JSON with ids only."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from datetime import UTC

from django.conf import settings

from clinic.channels.failures import DeliveryError, of_status
from clinic.lib.outgoing import send_request
from clinic.models import Notification


def new_secret(random: bytes) -> str:
    """Return the key as receivers enter it: `whsec_` and base64."""
    return "whsec_" + base64.b64encode(random).decode()


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of `webhook-signature`: HMAC-SHA256 over `id.timestamp.body`, base64, with its version."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def payload(message: Notification) -> bytes:
    """Return the body: what happened, where and how urgent, by ids; no person and no patient."""
    context = message.context
    data = {
        "reference": message.reference,
        "short": context.get("reference", ""),
        "site": message.site.code,
        "urgency": context.get("urgency", ""),
        "tier": context.get("tier", ""),
        "pathway": context.get("pathway", ""),
        "status": context.get("status", ""),
        "seq": context.get("seq"),
        "url": f"{settings.BASE_URL}{context.get('path', '/')}",
    }
    stamp = message.created_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    kind = f"escalation.{context['what']}" if message.kind == "escalation_event" else message.kind
    # A machine that lights a lamp must not take a drill for a case.
    kind = f"drill.{kind}" if context.get("drill") else kind
    return json.dumps({"type": kind, "timestamp": stamp, "data": data}, separators=(",", ":")).encode()


def prepare(message: Notification) -> Callable[[], str]:
    """Return the call that posts; `webhook-id` is the row's id, so that a receiver sees a repeat as one."""
    point = message.contact
    if point is None or not settings.WEBHOOK_HOSTS:
        raise DeliveryError("not_set_up")
    url, secret, body = point.address, str(point.secrets.get("secret", "")), payload(message)
    message_id = f"msg_{message.public_id.hex}"

    def send() -> str:
        # The moment of this try: receivers refuse old signatures, and a repeat must not look like a replay.
        timestamp = int(time.time())
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(secret, message_id, timestamp, body),
        }
        answer = send_request(
            url, body=body, headers=headers, hosts=settings.WEBHOOK_HOSTS, private=settings.ALLOW_PRIVATE_ADDRESSES
        )
        if answer.status == 410:
            raise DeliveryError("gone", gone=True)
        if not 200 <= answer.status < 300:
            raise of_status(answer)
        return message_id

    return send
