"""How a message leaves: one module per channel, with typed failures.

Every channel has `prepare(message)`, which renders the words and reads what it needs from the database, and returns the
call that sends: that call touches the network and nothing else, so that it can run beside others and be given up.
"""

from __future__ import annotations

from collections.abc import Callable

from clinic.channels import apprise, email, inbox, push, sms, webhook
from clinic.channels.failures import DeliveryError, of_exception
from clinic.channels.words import words
from clinic.lib.side_by_side import Running
from clinic.models import Notification
from clinic.vocabulary import Channel

__all__ = ["CHANNELS", "SEND_WITHIN_S", "DeliveryError", "Sending", "of_exception", "words"]

#: Seconds after which a delivery counts as timed out, whatever the peer does. The outbox's lease is longer.
SEND_WITHIN_S = 11.0

CHANNELS: dict[str, Callable[[Notification], Callable[[], str]]] = {
    Channel.INBOX.value: inbox.prepare,
    Channel.EMAIL.value: email.prepare,
    Channel.SMS.value: sms.prepare,
    Channel.PUSH.value: push.prepare,
    Channel.WEBHOOK.value: webhook.prepare,
    Channel.APPRISE.value: apprise.prepare,
}


class Sending:
    """A message on its way: in a thread of its own, or over already where nothing had to touch the network."""

    def __init__(self, message: Notification) -> None:
        self.message = message
        self._running: Running[str] | None = None
        self._result: str | BaseException = ""
        try:
            call = CHANNELS[message.channel](message)
            if message.channel == Channel.INBOX.value:
                self._result = call()
            else:
                self._running = Running(call, seconds=SEND_WITHIN_S)
        except Exception as error:
            self._result = error

    @property
    def ended(self) -> bool:
        """Whether `wait` answers at once."""
        return self._running is None or self._running.ended

    def wait(self) -> str | BaseException:
        """Return the provider's id, or what went wrong (see `of_exception`), after SEND_WITHIN_S at the latest."""
        return self._result if self._running is None else self._running.wait()
