"""Say a sentence of the rules in the reader's language."""

from django import template
from django.utils.translation import gettext

from clinic.lib.sentences import Sentence

register = template.Library()


@register.filter
def said(text: str) -> str:
    """Return a sentence in the reader's language; a text that has no pattern stands as it is."""
    return text.said(gettext) if isinstance(text, Sentence) else text
