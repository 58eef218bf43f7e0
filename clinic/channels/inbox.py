"""The demo's inbox page: it reads the outbox itself."""

from collections.abc import Callable

from clinic.channels.words import words
from clinic.models import Notification


def prepare(message: Notification) -> Callable[[], str]:
    """Return a call that does nothing: rendering proves that the words exist, and the row is the delivery."""
    words(message)
    return lambda: f"inbox:{message.public_id}"
