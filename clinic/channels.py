"""How a message leaves: one function per channel, with typed failures."""

from __future__ import annotations

import smtplib
from collections.abc import Callable

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.utils.translation import override

from clinic.models import Notification
from clinic.vocabulary import Channel


class DeliveryError(Exception):
    """A message that did not leave: `kind` is rejected, unreachable, timeout, no_address or unknown."""

    def __init__(self, kind: str, *, temporary: bool) -> None:
        super().__init__(kind)
        self.kind = kind
        self.temporary = temporary


def words(message: Notification) -> tuple[str, str]:
    """Return subject and body in the recipient's language, from templates/notices/<kind>.subject and .txt."""
    context = {**message.context, "message": message, "base_url": settings.BASE_URL}
    with override(message.language):
        subject = render_to_string(f"notices/{message.kind}.subject", context)
        body = render_to_string(f"notices/{message.kind}.txt", context)
    return " ".join(subject.split()), body.strip() + "\n"


def send(message: Notification) -> str:
    """Hand a message to its channel and return the provider's id; raise DeliveryError."""
    sender = CHANNELS.get(message.channel)
    if sender is None:
        raise DeliveryError("unknown", temporary=False)
    return sender(message)


def send_to_inbox(message: Notification) -> str:
    """The inbox page reads the outbox itself: rendering proves that the words exist, and the row is the delivery."""
    words(message)
    return f"inbox:{message.public_id}"


def send_email(message: Notification) -> str:
    """Send by Django's SMTP settings; the message id is the row's, so a repeat is recognisably the same."""
    if not message.address:
        raise DeliveryError("no_address", temporary=False)
    subject, body = words(message)
    message_id = f"<{message.public_id}@{settings.EMAIL_DOMAIN}>"
    mail = EmailMessage(subject, body, to=[message.address], headers={"Message-ID": message_id})
    try:
        mail.send()
    except smtplib.SMTPResponseException as error:
        raise DeliveryError("rejected", temporary=400 <= error.smtp_code < 500) from error
    except smtplib.SMTPRecipientsRefused as error:
        # Servers that greylist refuse each new sender for some minutes with a 4xx.
        codes = [code for code, _ in error.recipients.values()]
        raise DeliveryError("rejected", temporary=bool(codes) and all(400 <= c < 500 for c in codes)) from error
    except TimeoutError as error:
        raise DeliveryError("timeout", temporary=True) from error
    except (OSError, smtplib.SMTPException) as error:
        raise DeliveryError("unreachable", temporary=True) from error
    return message_id


CHANNELS: dict[str, Callable[[Notification], str]] = {
    Channel.INBOX.value: send_to_inbox,
    Channel.EMAIL.value: send_email,
}
