"""Any other service through Apprise. It only says yes or no, so every failure is `unknown`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings

from clinic.channels.failures import DeliveryError
from clinic.channels.words import short
from clinic.models import Notification
from clinic.vocabulary import Failure


def scheme_of(url: str) -> str:
    """Return the scheme of an Apprise URL, in lower case."""
    return url.split("://", 1)[0].lower() if "://" in url else ""


def prepare(message: Notification) -> Callable[[], str]:
    """Return the call that hands the short words to Apprise; it is bounded by the outbox like any other."""
    point = message.contact
    if point is None:
        raise DeliveryError("no_address")
    address, one = point.address, short(message)
    if scheme_of(address) not in settings.APPRISE_SCHEMES:
        raise DeliveryError("not_allowed")
    lines = [f"{settings.BASE_URL}{one.path}", *([one.call] if one.call else [])]

    def send() -> str:
        # Apprise loads more than a hundred plugins, which takes seconds: here it holds up no other message.
        from apprise import Apprise, AppriseAsset

        service: Any = Apprise(asset=AppriseAsset(app_id="clinic", async_mode=False))
        if not service.add(address):
            raise DeliveryError("rejected")
        if not service.notify(title=one.subject, body="\n".join(lines)):
            raise DeliveryError("unknown", Failure.UNKNOWN)
        return f"apprise:{message.public_id}"

    return send
