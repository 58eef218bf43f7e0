"""The address at which a provider or a phone says that a message arrived."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.core import signing

from clinic.lib.problems import NotFound
from clinic.models import Notification

SALT = "clinic.receipt"


def receipt_path(message: Notification) -> str:
    """Return the path of the receipt: signed, for this one message, and good for nothing else."""
    return f"/api/v1/messages/receipts/{signing.dumps(message.public_id.hex, salt=SALT, compress=False)}/"


def receipt_url(message: Notification) -> str:
    """Return the whole address for a provider."""
    return f"{settings.BASE_URL}{receipt_path(message)}"


def read_receipt(token: str) -> UUID:
    """Return the message's id behind a token; raise NotFound for a forged one or one older than a week."""
    try:
        return UUID(hex=signing.loads(token, salt=SALT, max_age=7 * 24 * 3600))
    except (signing.BadSignature, ValueError, TypeError):
        raise NotFound("unknown_receipt", "There is no message with this receipt.") from None
