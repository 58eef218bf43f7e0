"""E-mail by Django's SMTP settings."""

from __future__ import annotations

import smtplib
from collections.abc import Callable

from django.conf import settings
from django.core.mail import EmailMessage

from clinic.channels.failures import DeliveryError
from clinic.channels.words import words
from clinic.models import Notification
from clinic.vocabulary import Failure

#: Enhanced status codes and replies that speak of the mailbox itself (RFC 3463: 5.1.x; RFC 5321: 550, 551, 553).
NO_MAILBOX = {550, 551, 553}


def prepare(message: Notification) -> Callable[[], str]:
    """Return the call that sends; the message id is the row's, so that a repeat is recognisably the same."""
    if not message.address:
        raise DeliveryError("no_address")
    subject, body = words(message)
    message_id = f"<{message.public_id}@{settings.EMAIL_DOMAIN}>"
    mail = EmailMessage(subject, body, to=[message.address], headers={"Message-ID": message_id})

    def send() -> str:
        try:
            mail.send()
        except smtplib.SMTPException as error:
            raise _typed(error) from None
        return message_id

    return send


def _typed(error: smtplib.SMTPException) -> DeliveryError:
    match error:
        case smtplib.SMTPAuthenticationError():
            return DeliveryError("credentials", Failure.REFUSED)
        case smtplib.SMTPRecipientsRefused():
            # Servers that greylist refuse each new sender for some minutes with a 4xx.
            codes = [code for code, _ in error.recipients.values()]
            if codes and all(400 <= code < 500 for code in codes):
                return DeliveryError("rejected", Failure.TEMPORARY)
            # Only what the server says of the mailbox ends the address; a refused sender or a policy does not.
            said = b" ".join(text for _, text in error.recipients.values())
            if b"5.1.1" in said or b"5.1.10" in said:
                return DeliveryError("mailbox_refused", gone=True)
            return DeliveryError("mailbox_refused" if set(codes) & NO_MAILBOX else "rejected")
        case smtplib.SMTPSenderRefused() | smtplib.SMTPDataError() | smtplib.SMTPHeloError():
            return DeliveryError("rejected", Failure.TEMPORARY if 400 <= error.smtp_code < 500 else Failure.PERMANENT)
        case smtplib.SMTPResponseException():
            return DeliveryError("rejected", Failure.TEMPORARY if 400 <= error.smtp_code < 500 else Failure.PERMANENT)
        case smtplib.SMTPNotSupportedError():
            return DeliveryError("not_set_up", Failure.REFUSED)
    return DeliveryError("unreachable", Failure.TEMPORARY)
