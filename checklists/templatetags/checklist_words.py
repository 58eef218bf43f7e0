"""The words of the lists in the reader's language."""

import json
from datetime import datetime
from typing import Any

from django import template
from django.utils.formats import localize
from django.utils.timezone import localtime
from django.utils.translation import get_language, ngettext, pgettext_lazy
from django.utils.translation import gettext as now_
from django.utils.translation import gettext_lazy as _

from checklists.rules.nodes import Key, Node

register = template.Library()

#: Characters of a field that a difference shows.
LONGEST = 600

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
MOMENTS: dict[str, Any] = {
    "checklist": _("Checklist"),
    "values": _("Values"),
    "complication": _("Complication"),
    "pages": _("Pages"),
    "review": _("Review"),
    "follow_up": _("Follow-up"),
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


@register.filter
def moment_kind(value: object) -> Any:
    """Return the name of a kind of moment."""
    return MOMENTS.get(str(value), str(value))


def _turkish() -> bool:
    return (get_language() or "").startswith("tr")


@register.filter
def item_title(node: Node | None, key: Key) -> str:
    """Return the question of an answer; a node of a list that is gone shows its id."""
    if node is None:
        return key.node_id
    return str((node.raw.get("title_tr") if _turkish() else "") or node.raw["title"])


@register.filter
def answer_words(node: Node | None, value: Any) -> str:
    """Return a stored answer as a person reads it: words for options, a number with its unit, the reason of an N/A."""
    if isinstance(value, bool):
        return now_("Yes") if value else now_("No")
    if isinstance(value, dict) and "not_applicable" in value:
        return now_("Not applicable: %(why)s") % {"why": str(value["not_applicable"]).replace("_", " ")}
    if isinstance(value, dict):
        return " ".join(str(value[name]) for name in ("value", "unit", "text", "user") if value.get(name) is not None)
    if isinstance(value, list):
        return ", ".join(answer_words(node, one) for one in value)
    raw = node.raw if node else {}
    for option in raw.get("options", ()):
        if str(option["value"]) == str(value):
            return str((option.get("label_tr") if _turkish() else "") or option["label"])
    if raw.get("type") == "datetime":
        try:
            return localtime(datetime.fromisoformat(str(value))).strftime("%d.%m.%Y %H:%M")
        except ValueError:
            return str(value)
    unit = str(raw.get("unit", ""))
    shown = str(localize(value)) if isinstance(value, int | float) else str(value)
    return f"{shown} {unit}" if unit and not unit.startswith("{") else shown


DRAFTS: dict[str, Any] = {
    "open": _("being written"),
    "proposed": _("waits for approval"),
    "published": _("published"),
    "discarded": _("given up"),
}
CAUTIONS: dict[str, Any] = {
    "retired": _("is no longer asked"),
    "weaker": _("stops less strongly than before"),
    "raises_less": _("calls less than before"),
    "optional": _("is no longer required"),
}
EDITOR: dict[str, Any] = {
    "always": _("always"),
    "conditional": _("where its condition holds"),
    "optional": _("no"),
    "procedure": _("procedure"),
    "level": _("level"),
    "level_side": _("level and side"),
    "now": _("at once"),
    "debt": _("later, as safety debt"),
    "all": _("all must hold"),
    "any": _("one is enough"),
    "H0": _("H0: nobody lets it pass"),
    "H1": _("H1: two people may let it pass"),
    "S": _("S: shown, confirmed by signing"),
}


@register.filter
def draft_word(value: object) -> Any:
    """Return where a draft stands."""
    return DRAFTS.get(str(value), str(value))


@register.filter
def caution_word(value: object) -> Any:
    """Return what an approver should look at."""
    return CAUTIONS.get(str(value), str(value))


@register.filter
def editor_word(value: object) -> Any:
    """Return a choice of the editor in words."""
    return EDITOR.get(str(value), str(value))


@register.filter
def cut_words(text: str) -> list[str]:
    """Return the words of a text, to loop over them."""
    return text.split()


@register.filter
def said(thing: Any, name: str) -> str:
    """Return a text of something that says it in both languages, in the reader's."""
    other = f"{name}_tr"
    if isinstance(thing, dict):
        return str((thing.get(other) if _turkish() else "") or thing.get(name, ""))
    return str((getattr(thing, other, "") if _turkish() else "") or getattr(thing, name, ""))


@register.filter
def in_short(value: Any) -> str:
    """Return a field of a list as one reads it: text as it is, the rest as JSON, a long one cut."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
