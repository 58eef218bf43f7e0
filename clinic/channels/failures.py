"""What can go wrong while a message leaves, in words that decide what follows."""

from __future__ import annotations

from datetime import timedelta
from email.utils import parsedate_to_datetime

from clinic.lib.outgoing import Answer, NotAllowed, Unreachable
from clinic.vocabulary import Failure

#: The longest time that a provider's Retry-After is believed.
LONGEST_WAIT = timedelta(minutes=15)


class DeliveryError(Exception):
    """A message that did not leave: `code` says why, `failure` what follows, `gone` that the address is no more.

    Codes: no_address, rejected, mailbox_refused, number_refused, gone, credentials, throttled, unreachable, timeout,
    not_allowed, not_set_up, unknown.
    """

    def __init__(
        self,
        code: str,
        failure: Failure = Failure.PERMANENT,
        *,
        gone: bool = False,
        wait: timedelta | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.failure = failure
        self.gone = gone
        self.wait = wait

    @property
    def again(self) -> bool:
        """Whether another try makes sense."""
        return self.failure is not Failure.PERMANENT


def of_exception(error: BaseException) -> DeliveryError:
    """Return the typed failure behind what a channel raised; a fault of our own counts as unknown and is tried again."""
    match error:
        case DeliveryError():
            return error
        case TimeoutError():
            return DeliveryError("timeout", Failure.TEMPORARY)
        case Unreachable() | OSError():
            return DeliveryError("unreachable", Failure.TEMPORARY)
        case NotAllowed():
            return DeliveryError("not_allowed", Failure.PERMANENT)
    return DeliveryError("unknown", Failure.UNKNOWN)


def of_status(answer: Answer) -> DeliveryError:
    """Return the typed failure of an HTTP answer that is no success."""
    match answer.status:
        case 401 | 403 | 407:
            return DeliveryError("credentials", Failure.REFUSED)
        case 429:
            return DeliveryError("throttled", Failure.THROTTLED, wait=retry_after(answer))
        case 408 | 425:
            return DeliveryError("timeout", Failure.TEMPORARY)
        case status if status >= 500:
            return DeliveryError("unreachable", Failure.TEMPORARY, wait=retry_after(answer))
    return DeliveryError("rejected", Failure.PERMANENT)


def retry_after(answer: Answer) -> timedelta | None:
    """Return the Retry-After of an answer (RFC 9110, seconds or a date), at most LONGEST_WAIT; None without one."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isdecimal():
        return min(timedelta(seconds=int(text[:6])), LONGEST_WAIT)
    try:
        until, sent = parsedate_to_datetime(text), parsedate_to_datetime(answer.headers.get("date", ""))
        return min(max(until - sent, timedelta(0)), LONGEST_WAIT)
    except (TypeError, ValueError):
        return None
