"""How a message leaves: one module per channel, with typed failures.

Every channel has `prepare(message)`, which renders the words and reads what it needs from the database, and returns the
call that sends: that call touches the network and nothing else, so that it can run beside others and be given up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from clinic.channels import apprise, email, inbox, push, sms, webhook
from clinic.channels.failures import DeliveryError, of_exception
from clinic.channels.words import words
from clinic.lib.side_by_side import side_by_side
from clinic.models import Notification
from clinic.vocabulary import Channel

__all__ = ["CHANNELS", "SEND_WITHIN_S", "DeliveryError", "of_exception", "send_all", "words"]

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


def send_all(messages: Sequence[Notification]) -> list[str | BaseException]:
    """Send messages side by side and return for each the provider's id, or what went wrong (see `of_exception`).

    One that hangs holds up none of its siblings, and all of them end within SEND_WITHIN_S.
    """
    calls: dict[int, Callable[[], str]] = {}
    found: dict[int, str | BaseException] = {}
    for number, message in enumerate(messages):
        try:
            call = CHANNELS[message.channel](message)
            if message.channel == Channel.INBOX.value:
                found[number] = call()
            else:
                calls[number] = call
        except Exception as error:
            found[number] = error
    found |= dict(zip(calls, side_by_side(list(calls.values()), seconds=SEND_WITHIN_S), strict=True))
    return [found[number] for number in range(len(messages))]
