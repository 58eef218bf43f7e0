"""Text messages by the HTTP gateway that the environment describes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from django.conf import settings

from clinic.channels.failures import DeliveryError, of_status
from clinic.channels.receipts import receipt_url
from clinic.channels.words import text_message
from clinic.lib.numbers import number
from clinic.lib.outgoing import Answer, send_request
from clinic.models import Notification
from clinic.vocabulary import Failure


def prepare(message: Notification) -> Callable[[], str]:
    """Return the call that hands the text to the gateway and gives back the gateway's id."""
    if not settings.SMS_URL:
        raise DeliveryError("not_set_up")
    if not message.address:
        raise DeliveryError("no_address")
    values = {
        "to": number(message.address),
        "digits": number(message.address)[1:],
        "text": text_message(message),
        "id": str(message.public_id),
        "receipt": receipt_url(message),
    }
    fields = {name: filled(text, values) for name, text in settings.SMS_FIELDS.items()}
    url, body = settings.SMS_URL, None
    headers = dict(settings.SMS_HEADERS)
    if settings.SMS_FORMAT == "json":
        body = json.dumps(fields).encode()
        headers["Content-Type"] = "application/json"
    elif settings.SMS_FORMAT == "form":
        body = urlencode(fields).encode()
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    else:
        url = f"{url}{'&' if '?' in url else '?'}{urlencode(fields)}"

    def send() -> str:
        # The address is the operator's own setting: a gateway inside the house is allowed.
        return accepted(send_request(url, method=settings.SMS_METHOD, body=body, headers=headers, private=True))

    return send


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return a field's text with {to}, {digits}, {text}, {id} and {receipt} put in; other braces stay."""
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    return text


def at_path(data: Any, path: str) -> Any:
    """Return what stands at a path such as `messages.0.id` in parsed JSON; None where there is nothing."""
    for step in path.split("."):
        if isinstance(data, list) and step.isdecimal() and int(step) < len(data):
            data = data[int(step)]
        elif isinstance(data, dict):
            data = data.get(step)
        else:
            return None
    return data


def accepted(answer: Answer) -> str:
    """Return the gateway's id of an accepted text; raise DeliveryError by the status and the success rule."""
    try:
        data = json.loads(answer.body)
    except ValueError:
        data = None
    said = at_path(data, settings.SMS_OK_PATH) if settings.SMS_OK_PATH else None
    said = "" if said is None else str(said).lower()
    if said and said in [one.lower() for one in settings.SMS_BAD_NUMBER_VALUES]:
        raise DeliveryError("number_refused", gone=True)
    if not 200 <= answer.status < 300:
        raise of_status(answer)
    if settings.SMS_OK_PATH and said not in [one.lower() for one in settings.SMS_OK_VALUES]:
        # Gateways answer 200 and mean no: without knowing what this word means it is worth another try.
        raise DeliveryError("rejected", Failure.UNKNOWN)
    found = at_path(data, settings.SMS_ID_PATH) if settings.SMS_ID_PATH else None
    return "" if found is None else str(found)[:200]
