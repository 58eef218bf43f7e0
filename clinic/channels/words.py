"""What a message says: never a patient's name, number, age or finding."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.template import TemplateDoesNotExist
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.utils.translation import override

from clinic.lib.gsm import ONE_MESSAGE, fold, septets
from clinic.models import Notification

#: Lengths of the site's name that are tried until a text message is one message.
SITE_LENGTHS = (60, 30, 16, 8, 0)

#: With this word every message of a drill begins, whatever the language: it must be known from a real page at a glance.
DRILL = "DRILL"


@dataclass(frozen=True)
class Short:
    """A message in a few words: `path` is where it leads, `answers` whether one can answer there, `call` a number."""

    subject: str
    path: str
    call: str
    answers: bool


def words(message: Notification) -> tuple[str, str]:
    """Return subject and body in the recipient's language, from templates/notices/<kind>.subject and .txt."""
    context = {**message.context, "message": message, "base_url": settings.BASE_URL}
    with override(message.language):
        subject = _labelled(message, render_to_string(f"notices/{message.kind}.subject", context))
        body = _labelled(message, render_to_string(f"notices/{message.kind}.txt", context))
    return " ".join(subject.split()), body.strip() + "\n"


def _labelled(message: Notification, text: str) -> str:
    """Return the words of a drill with that word before everything else, in every language and by every channel."""
    if not message.context.get("drill"):
        return text
    word = _("drill")
    return f"{DRILL} ({word}): {text.lstrip()}" if word != "drill" else f"{DRILL}: {text.lstrip()}"


def short(message: Notification, *, site: int | None = None) -> Short:
    """Return the message in a few words; `site` cuts the site's name to so many letters.

    The address is that of templates/notices/<kind>.link where there is one, else the `path` of the context.
    """
    context = {**message.context, "message": message, "base_url": settings.BASE_URL}
    if site is not None and isinstance(context.get("site"), str):
        context["site"] = context["site"][:site].strip()
    with override(message.language):
        subject = " ".join(_labelled(message, render_to_string(f"notices/{message.kind}.subject", context)).split())
        try:
            link = render_to_string(f"notices/{message.kind}.link", context).strip()
        except TemplateDoesNotExist:
            link = ""
    path = str(context.get("path") or "/")
    return Short(subject.replace(", :", ":"), link or path, str(context.get("call_back") or ""), bool(link))


def text_message(message: Notification) -> str:
    """Return the words of a text message: subject, link, the number to call; one message of 160 places where it can be.

    Link and number are never cut: with a very long BASE_URL the provider splits the text rather.
    """
    text = ""
    for length in SITE_LENGTHS:
        one = short(message, site=length)
        with override(message.language):
            call = f" {_('Call:')} {one.call}" if one.call else ""
        link = f" {settings.BASE_URL}{one.path}" if one.path != "/" else ""
        text = fold(f"{one.subject}{link}{call}")
        if septets(text) <= ONE_MESSAGE:
            break
    return text
