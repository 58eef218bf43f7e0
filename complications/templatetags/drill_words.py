"""The words of a drill's report, translated where they are shown."""

from __future__ import annotations

from django import template
from django.utils.translation import gettext_lazy as _

register = template.Library()

CRITERIA = {
    "first_page": _("The first page has left"),
    "steps_in_time": _("Each step began in its time"),
    "no_step_skipped": _("Each step reached somebody"),
    "everybody_reached": _("Everybody who was paged could be reached"),
    "no_way_failed": _("No way failed"),
    "answered_in_time": _("A surgeon who can operate answered"),
}
ENDED = {
    "answered": _("ended with an answer"),
    "unanswered": _("nobody answered"),
    "stopped": _("stopped"),
}
ANSWERS = {
    "acknowledged": _("answered"),
    "backstop_answered": _("answered, and may not take responsibility"),
    "also_answered": _("could have come as well"),
}


@register.filter
def criterion(name: str) -> object:
    """Return what a criterion asks."""
    return CRITERIA.get(name, name)


@register.filter
def drill_ended(name: str) -> object:
    """Return how a drill ended."""
    return ENDED.get(name, name)


@register.filter
def drill_answer(name: str) -> object:
    """Return what an answer was."""
    return ANSWERS.get(name, name)


@register.filter
def way_status(name: str) -> object:
    """Return whether a message was on its way as the answer came; empty for every other status."""
    return _("on its way as the answer came") if name == "on_its_way" else ""
