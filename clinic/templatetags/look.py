"""Icons, times, durations and the clinic's words for templates.

Times are shown in the active time zone (the site's). A duration never looks like a time of day: "3 min 18 s", "1 h 32".
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from re import findall
from typing import Any

from django import template
from django.contrib.staticfiles import finders
from django.forms import BoundField
from django.template.context import RequestContext
from django.utils.dateformat import format as format_date
from django.utils.formats import localize, number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from clinic.vocabulary import (
    Anaesthesia,
    Channel,
    Indication,
    LevelStatus,
    NotificationStatus,
    Outcome,
    Post,
    ProcedureKind,
    ProcedureStatus,
    Role,
    Sex,
    TeamRole,
)

register = template.Library()

WORDS: dict[str, dict[str, Any]] = {
    "kind": {
        ProcedureKind.VERTEBROPLASTY: gettext_lazy("Vertebroplasty"),
        ProcedureKind.KYPHOPLASTY: gettext_lazy("Kyphoplasty"),
        ProcedureKind.OTHER_MECHANICAL: gettext_lazy("Mechanical augmentation"),
    },
    "kind_short": {
        ProcedureKind.VERTEBROPLASTY: pgettext_lazy("short for vertebroplasty", "VP"),
        ProcedureKind.KYPHOPLASTY: pgettext_lazy("short for kyphoplasty", "KP"),
        ProcedureKind.OTHER_MECHANICAL: pgettext_lazy("short for mechanical augmentation", "MA"),
    },
    "indication": {
        Indication.OSTEOPOROTIC_VCF: gettext_lazy("Osteoporotic fracture"),
        Indication.METASTASIS: gettext_lazy("Metastasis"),
        Indication.MYELOMA: gettext_lazy("Myeloma"),
        Indication.OTHER_MALIGNANT: gettext_lazy("Other malignant lesion"),
        Indication.BENIGN_LESION: gettext_lazy("Benign lesion"),
        Indication.TRAUMATIC_NONUNION: gettext_lazy("Trauma, not healed"),
        Indication.ACUTE_TRAUMATIC: gettext_lazy("Acute trauma"),
        Indication.OTHER: gettext_lazy("Other"),
    },
    "anaesthesia": {
        Anaesthesia.LOCAL: gettext_lazy("Local anaesthesia"),
        Anaesthesia.LOCAL_MODERATE_SEDATION: gettext_lazy("Local + moderate sedation"),
        Anaesthesia.DEEP_SEDATION_MAC: gettext_lazy("Deep sedation"),
        Anaesthesia.GENERAL: gettext_lazy("General anaesthesia"),
        Anaesthesia.NEURAXIAL: gettext_lazy("Spinal or epidural"),
    },
    "sex": {
        Sex.FEMALE: pgettext_lazy("sex", "F"),
        Sex.MALE: pgettext_lazy("sex", "M"),
        Sex.OTHER: pgettext_lazy("sex", "X"),
        Sex.UNKNOWN: pgettext_lazy("sex", "sex not known"),
    },
    "role": {
        Role.NURSE: gettext_lazy("Nurse"),
        Role.SURGEON: gettext_lazy("Surgeon"),
        Role.ANAESTHETIST: gettext_lazy("Anaesthetist"),
        Role.FOLLOW_UP_NURSE: gettext_lazy("Follow-up nurse"),
        Role.ADMINISTRATOR: gettext_lazy("Administrator"),
        Role.AUDITOR: gettext_lazy("Auditor"),
        Role.PRIVACY_OFFICER: gettext_lazy("Privacy officer"),
    },
    "team_role": {
        TeamRole.OPERATOR: gettext_lazy("Operator"),
        TeamRole.ASSISTANT: gettext_lazy("Assistant"),
        TeamRole.NURSE: gettext_lazy("Nurse"),
        TeamRole.WATCHER: gettext_lazy("Anaesthesia"),
        TeamRole.WARD_NURSE: gettext_lazy("Ward nurse"),
        TeamRole.RADIOGRAPHER: gettext_lazy("Radiographer"),
    },
    "post": {
        Post.ON_CALL_SPINE: gettext_lazy("Spine surgeon on call"),
        Post.NURSE_IN_CHARGE: gettext_lazy("Nurse in charge"),
        Post.ANAESTHETIST_ON_CALL: gettext_lazy("Anaesthetist on call"),
        Post.HEAD_OF_DEPARTMENT: gettext_lazy("Head of department"),
        Post.DUTY_MANAGER: gettext_lazy("Duty manager"),
        Post.MEDICAL_ON_CALL: gettext_lazy("Physician on call"),
        Post.BACKSTOP: gettext_lazy("Backstop"),
    },
    "procedure_status": {
        ProcedureStatus.BOOKED: gettext_lazy("Booked"),
        ProcedureStatus.IN_PROGRESS: gettext_lazy("In progress"),
        ProcedureStatus.COMPLETED: gettext_lazy("Completed"),
        ProcedureStatus.ABANDONED: gettext_lazy("Abandoned"),
        ProcedureStatus.CANCELLED: gettext_lazy("Cancelled"),
    },
    "outcome": {
        Outcome.COMPLETED: gettext_lazy("Completed"),
        Outcome.PARTLY: gettext_lazy("Partly done"),
        Outcome.ABANDONED: gettext_lazy("Abandoned"),
        Outcome.CONVERTED_OPEN: gettext_lazy("Converted to open surgery"),
        Outcome.DIED: gettext_lazy("Patient died"),
    },
    "level_status": {
        LevelStatus.PLANNED: gettext_lazy("Planned"),
        LevelStatus.TREATED: gettext_lazy("Treated"),
        LevelStatus.NOT_TREATED: gettext_lazy("Not treated"),
    },
    "sides": {
        "left": gettext_lazy("left side"),
        "right": gettext_lazy("right side"),
        "both": gettext_lazy("both sides"),
        "bilateral": gettext_lazy("both sides"),
        "midline": gettext_lazy("midline"),
    },
    "channel": {
        Channel.INBOX: gettext_lazy("Message"),
        Channel.EMAIL: gettext_lazy("E-mail"),
        Channel.SMS: gettext_lazy("SMS"),
        Channel.PUSH: gettext_lazy("Push"),
        Channel.WEBHOOK: gettext_lazy("Webhook"),
        Channel.APPRISE: gettext_lazy("Other service"),
    },
    "failure": {
        "no_address": gettext_lazy("no address"),
        "rejected": gettext_lazy("refused by the provider"),
        "mailbox_refused": gettext_lazy("mailbox refused"),
        "number_refused": gettext_lazy("number refused"),
        "not_delivered": gettext_lazy("did not arrive"),
        "gone": gettext_lazy("the phone or receiver no longer takes messages"),
        "credentials": gettext_lazy("our credentials were refused"),
        "throttled": gettext_lazy("too many messages for the provider"),
        "unreachable": gettext_lazy("provider not reached"),
        "timeout": gettext_lazy("no answer in time"),
        "not_allowed": gettext_lazy("address not allowed"),
        "not_set_up": gettext_lazy("channel not set up"),
        "unknown": gettext_lazy("refused without a reason"),
    },
    "coverage": {
        "unreachable": gettext_lazy("no page reaches them"),
        "unverified": gettext_lazy("no verified address"),
        "disabled": gettext_lazy("an address no longer works"),
        "untested": gettext_lazy("not tested for 90 days"),
        "one_way": gettext_lazy("one way only"),
    },
    "message_status": {
        NotificationStatus.QUEUED: gettext_lazy("waiting to be sent"),
        NotificationStatus.LEASED: gettext_lazy("being sent"),
        NotificationStatus.SENT: gettext_lazy("sent"),
        NotificationStatus.FAILED: gettext_lazy("not delivered"),
        NotificationStatus.CANCELLED: gettext_lazy("no longer needed"),
    },
}


@register.filter
def word(value: object, kind: str) -> Any:
    """Return the word for an enum value in the reader's language; an unknown value is shown with spaces, never hidden."""
    if value is None or value == "":
        return ""
    return WORDS[kind].get(str(value)) or str(value).replace("_", " ")


@register.filter
def words(values: Iterable[object], kind: str) -> str:
    """Return the words for several enum values, divided by commas."""
    return ", ".join(str(word(value, kind)) for value in values)


@cache
def _symbols() -> dict[str, str]:
    """Return the icon set: name → `<symbol>`; read once a process."""
    path = finders.find("clinic/icons.svg")
    if not isinstance(path, str):
        raise FileNotFoundError("clinic/icons.svg")
    text = Path(path).read_text(encoding="utf-8")
    return {name: whole for whole, name in findall(r'(<symbol id="i-([a-z0-9-]+)".*</symbol>)', text)}


def _used(context: RequestContext) -> dict[str, None]:
    """Return the names of the icons that this answer has used so far, in order; without a request, of this template."""
    request = context.get("request")
    store: Any = request.__dict__ if request is not None else context.render_context.dicts[0]
    names: dict[str, None] = store.setdefault("look_icons", {})
    return names


@register.simple_tag(takes_context=True)
def icon(context: RequestContext, name: str, cls: str = "", label: str = "") -> SafeString:
    """Draw an icon. Beside a word it is hidden from screen readers; alone it needs a `label`."""
    if name not in _symbols():
        raise template.TemplateSyntaxError(f"no icon {name!r} in clinic/icons.svg")
    _used(context)[name] = None
    classes = f"i {cls}".strip()
    if label:
        return format_html('<svg class="{}" role="img" aria-label="{}"><use href="#i-{}"/></svg>', classes, label, name)
    return format_html('<svg class="{}" aria-hidden="true"><use href="#i-{}"/></svg>', classes, name)


@register.simple_tag(takes_context=True)
def need_icons(context: RequestContext, names: str) -> str:
    """Put icons into the page's sprite that a script will use (names divided by spaces)."""
    for name in names.split():
        if name not in _symbols():
            raise template.TemplateSyntaxError(f"no icon {name!r} in clinic/icons.svg")
        _used(context)[name] = None
    return ""


@register.simple_tag(takes_context=True)
def sprite(context: RequestContext) -> SafeString:
    """Write the symbols that this page uses, once, at its end."""
    symbols = "".join(_symbols()[name] for name in _used(context))
    return mark_safe(f'<svg class="sprite" aria-hidden="true">{symbols}</svg>')  # noqa: S308 - our own file


@register.filter
def control(field: BoundField) -> SafeString:
    """Draw a form field's input in the house's style."""
    attrs: dict[str, str | bool] = {"class": "in"}
    if field.errors:
        attrs["aria-invalid"] = "true"
    # A placeholder that repeats the label vanishes at the first letter and reads as an answer before it.
    field.field.widget.attrs.pop("placeholder", None)
    return field.as_widget(attrs=attrs)


@register.filter
def clock(value: datetime | None) -> str:
    """Return the time of day, "14:32"."""
    return localtime(value).strftime("%H:%M") if value else ""


@register.filter
def clock_s(value: datetime | None) -> str:
    """Return the time of day with seconds, for the moments where seconds matter."""
    return localtime(value).strftime("%H:%M:%S") if value else ""


@register.filter
def seconds(value: datetime | None) -> str:
    """Return the seconds of a time whose hour and minute stand before it."""
    return localtime(value).strftime("%S") if value else ""


@register.filter
def day(value: datetime | date | None) -> str:
    """Return a date as "24 Nov 2026"."""
    if not value:
        return ""
    return format_date(localtime(value) if isinstance(value, datetime) else value, "j M Y")


@register.filter
def when(value: datetime | None, now: datetime | None = None) -> str:
    """Return the time, with the date when it is not today and the year when it is not this year."""
    if not value:
        return ""
    at = localtime(value)
    if now:
        today = localtime(now)
        if at.date() == today.date():
            return at.strftime("%H:%M")
        if at.year == today.year:
            return format_date(at, "j M H:i")
    return format_date(at, "j M Y H:i")


@register.filter
def short_day(value: datetime | date | None, now: datetime | None = None) -> str:
    """Return "24 Nov", with the year when it is not this year."""
    if not value:
        return ""
    at = localtime(value) if isinstance(value, datetime) else value
    return format_date(at, "j M" if now and at.year == localtime(now).year else "j M Y")


@register.filter
def duration(value: timedelta | float | None) -> str:
    """Write a duration (timedelta or seconds) in words, at most two units: "41 s", "3 min 18 s", "1 h 32 min", "2 d 4 h"."""
    if value is None:
        return ""
    seconds = int(value.total_seconds() if isinstance(value, timedelta) else value)
    if seconds < 0:
        seconds = -seconds
    if seconds < 60:
        return _("%(s)d s") % {"s": seconds}
    minutes, rest = divmod(seconds, 60)
    if minutes < 10 and rest:
        return _("%(m)d min %(s)d s") % {"m": minutes, "s": rest}
    return minutes_in_words(minutes)


def minutes_in_words(minutes: int) -> str:
    """Write whole minutes: "17 min", "1 h 32 min", "3 h", "2 d 4 h"."""
    if minutes < 60:
        return _("%(m)d min") % {"m": minutes}
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return _("%(h)d h %(m)d min") % {"h": hours, "m": rest} if rest else _("%(h)d h") % {"h": hours}
    days, hours = divmod(hours, 24)
    if days >= 14 or not hours:
        return ngettext("%(d)d day", "%(d)d days", days) % {"d": days}
    return _("%(d)d d %(h)d h") % {"d": days, "h": hours}


@register.filter
def minutes(value: float | None) -> str:
    """Write a number of minutes in words."""
    return "" if value is None else minutes_in_words(round(value))


@register.filter
def ago(value: datetime | None, now: datetime) -> str:
    """Write how long ago, or in how long, in whole minutes: "6 min ago", "in 13 min"."""
    if not value:
        return ""
    seconds = (now - value).total_seconds()
    if abs(seconds) < 60:
        return _("just now") if seconds >= 0 else _("in under a minute")
    text = minutes_in_words(int(abs(seconds) // 60))
    return _("%(time)s ago") % {"time": text} if seconds > 0 else _("in %(time)s") % {"time": text}


@register.filter
def until(value: datetime | None, now: datetime) -> str:
    """Write what is left until `value`, without a word beside it; empty when it has passed."""
    return duration(value - now) if value and value > now else ""


@register.filter
def iso(value: object) -> datetime | None:
    """Read an instant that JSON holds as text."""
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        return None


@register.filter
def running(value: datetime | None, now: datetime) -> str:
    """Write a running clock since `value` as m:ss (under 100 minutes), else in words."""
    if not value:
        return ""
    seconds = max(0, int((now - value).total_seconds()))
    return f"{seconds // 60}:{seconds % 60:02d}" if seconds < 6000 else minutes_in_words(seconds // 60)


@register.filter
def quantity(value: object, unit: str) -> SafeString:
    """Write a number with its unit, smaller and never wrapped away from it; the decimal mark is the reader's."""
    if value is None or value == "":
        return mark_safe("")
    return format_html('<span class="q">{}<small>{}</small></span>', localize(value), unit)


@register.filter
def rfc3339(value: datetime | None) -> str:
    """Return the instant for a `datetime` attribute or a script."""
    return value.isoformat() if value else ""


@register.filter
def milliseconds(value: datetime | None) -> str:
    """Return the server's clock for scripts: the device's own may be minutes off."""
    return str(int(value.timestamp() * 1000)) if value else ""


@register.filter
def initials(name: str) -> str:
    """Return at most two initials of a name, without its title."""
    parts = [
        part for part in name.split() if not part.endswith(".") and part.lower() not in {"mr", "ms", "mrs", "dr", "sr"}
    ]
    return "".join(part[0] for part in (parts or name.split())[:2]).upper()


@register.filter
def get(mapping: dict[str, Any] | None, key: str) -> Any:
    """Return an entry of a mapping whose key is itself a value of the page."""
    return (mapping or {}).get(key)


@register.filter
def percent_of(value: float | None, whole: float | None) -> str:
    """Return a share for an SVG width, "34%", never under 0 or over 100."""
    if not value or not whole:
        return "0%"
    return f"{max(0.0, min(100.0, 100 * float(value) / float(whole))):.1f}%"


COLUMN_WORDS: dict[str, Any] = {
    "procedures": gettext_lazy("Procedures"),
    "treated_levels": gettext_lazy("Treated levels"),
    "answers": gettext_lazy("Answers"),
    "events": gettext_lazy("Events"),
    "signatures": gettext_lazy("Signatures"),
    "complications": gettext_lazy("Complications"),
    "escalations": gettext_lazy("Escalations"),
    "messages": gettext_lazy("Messages"),
    "follow_ups": gettext_lazy("Follow-ups"),
    "audit": gettext_lazy("Audit entries"),
}


@register.filter
def dataset_word(name: str) -> Any:
    """Return the name of a dataset."""
    return COLUMN_WORDS.get(name, column_word(name))


@register.filter
def column_word(name: str) -> str:
    """Return a column's or value's name as a person reads it; the file keeps the spelling of the API."""
    if str(name) in {"sir", "cirse", "asa", "bcis"}:
        return str(name).upper()
    text = str(name).replace("_", " ")
    return text[:1].upper() + text[1:]


@register.filter
def words_of(value: str, kind: str) -> str:
    """Return the words for enum values that stand in one text, divided by commas."""
    return words([one for one in str(value).split(",") if one], kind)


@register.filter
def number(value: Any) -> str:
    """Return a whole number with the reader's thousands separator."""
    return (
        str(localize(value, use_l10n=True)) if not isinstance(value, int) else number_format(value, force_grouping=True)
    )
