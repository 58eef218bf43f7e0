"""Mail with an end: however slowly a server answers, one delivery is over within the seconds that a lease allows."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import threading
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.smtp import EmailBackend as SmtpBackend

#: Seconds for each address of the server; a name may have several.
CONNECT_S = 4.0


class EmailBackend(SmtpBackend):
    """Django's SMTP, cut off `DELIVERY_SECONDS` after it began.

    EMAIL_TIMEOUT bounds each answer of the server alone: one that takes nine seconds for every line, or sends a letter
    at a time, would hold a message for minutes, and its lease would end meanwhile. What is cut off ends as TimeoutError.
    """

    over = threading.Event()
    talking: smtplib.SMTP | None = None

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Send the messages and return how many left; raise TimeoutError when their time is over."""
        self.over = threading.Event()
        clock = threading.Timer(settings.DELIVERY_SECONDS, self._cut_off)
        clock.daemon = True
        clock.start()
        try:
            return super().send_messages(email_messages) or 0
        except (OSError, smtplib.SMTPException) as error:
            if self.over.is_set():
                raise TimeoutError from error
            raise
        finally:
            clock.cancel()
            self.talking = None

    def _cut_off(self) -> None:
        self.over.set()
        # Whatever waits in the socket comes back at once.
        with contextlib.suppress(AttributeError, OSError):
            self.talking.sock.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        """Return a class whose connections this backend can cut off."""
        backend = self

        class Bounded(super().connection_class):  # type: ignore[misc]
            def _get_socket(self, host: str, port: int, timeout: float) -> Any:
                backend.talking = self
                found = super()._get_socket(host, port, min(timeout, CONNECT_S))
                if backend.over.is_set():
                    found.close()
                    raise TimeoutError
                found.settimeout(timeout)
                return found

        return Bounded
