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


EVERY = {"week": _("every week"), "month": _("every month"), "quarter": _("every quarter")}
WEEKS = {1: _("the first"), 2: _("the second"), 3: _("the third"), 4: _("the fourth"), 5: _("the last")}
WEEKDAYS = (_("Monday"), _("Tuesday"), _("Wednesday"), _("Thursday"), _("Friday"), _("Saturday"), _("Sunday"))
MISSES = {
    "no_engine": _("no engine of the service ran"),
    "case_open": _("a case needed the people on call"),
    "drill_running": _("another drill was running"),
    "failed": _("it could not be begun"),
}


@register.filter
def drill_every(name: str) -> object:
    """Return how often drills of a plan begin."""
    return EVERY.get(name, name)


@register.filter
def drill_week(number: int) -> object:
    """Return which one of the month."""
    return WEEKS.get(number, number)


@register.filter
def weekday(number: int) -> object:
    """Return the name of a day of the week; 0 is Monday."""
    return WEEKDAYS[number] if 0 <= number < len(WEEKDAYS) else number


@register.filter
def drill_miss(name: str) -> object:
    """Return why a planned drill did not begin."""
    return MISSES.get(name, name)
