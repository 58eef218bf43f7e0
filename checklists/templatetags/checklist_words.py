"""The words of the lists in the reader's language."""

from datetime import datetime
from typing import Any

from django import template
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, pgettext_lazy

register = template.Library()

#: The fourth phase holds needle, balloon and cement; "Cement" alone was misread.
PHASES: dict[str, Any] = {
    "pre": pgettext_lazy("phase", "Before"),
    "sign_in": pgettext_lazy("phase", "Sign in"),
    "time_out": pgettext_lazy("phase", "Time out"),
    "intra": pgettext_lazy("phase", "Procedure"),
    "sign_out": pgettext_lazy("phase", "Sign out"),
    "post": pgettext_lazy("phase", "Recovery"),
    "follow_up": pgettext_lazy("phase", "Follow-up"),
}
ROLES: dict[str, Any] = {
    "nurse": _("Nurse"),
    "watcher": _("Anaesthesia"),
    "operator": _("Operator"),
    "ward_nurse": _("Ward nurse"),
}


@register.filter
def phase_word(value: object) -> Any:
    """Return the name of a phase."""
    return PHASES.get(str(value), str(value))


@register.filter
def signature_word(value: object) -> Any:
    """Return the name of a part that signs."""
    return ROLES.get(str(value), str(value).replace("_", " "))


@register.filter
def running_minutes(value: datetime | None, now: datetime) -> str:
    """Write the whole minutes since `value`: a card needs no seconds."""
    if not value:
        return ""
    passed = max(0, int((now - value).total_seconds() // 60))
    return ngettext("%(n)d min", "%(n)d min", passed) % {"n": passed}


@register.filter
def whole_minutes(value: datetime | None, now: datetime) -> int:
    """Return the whole minutes since `value` as a number, for a figure whose unit stands beside it."""
    return max(0, int((now - value).total_seconds() // 60)) if value else 0
