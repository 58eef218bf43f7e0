"""One record of the log in words: what it is, what its grades come from, its versions, what may follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from clinic.access import Caller
from clinic.vocabulary import Role
from complications.models import Complication
from complications.rules.catalogue import complications
from complications.vocabulary import COMPLICATION_ARROWS

#: What a reviewer may do next, in the order of the buttons.
MOVES = ("reported", "under_review", "needs_information", "closed", "reopened", "not_reportable")


def turkish() -> bool:
    """Whether the reader reads Turkish."""
    return (get_language() or "").startswith("tr")


def name_of(code: str) -> str:
    """Return a code's name in the reader's language; a deficit that nobody has classified yet says so."""
    row = complications().get(code)
    if row is None:
        return _("Not classified yet")
    return row.name_tr if turkish() else row.name


def short_name(code: str) -> str:
    """Return the name without its group: "Cement leak: foraminal" is read as "foraminal" in a list of leaks."""
    head, _colon, tail = name_of(code).partition(": ")
    return tail[:1].upper() + tail[1:] if tail else head


@dataclass(frozen=True)
class FieldLine:
    """One answer of the type's own questions."""

    label: str
    value: Any
    unit: str


class Detail:
    """Answers what the detail's template asks."""

    def __init__(self, row: Complication, caller: Caller) -> None:
        self.row, self.caller = row, caller

    @property
    def name(self) -> str:
        """The type in words."""
        return name_of(self.row.code)

    @property
    def title(self) -> str:
        """The heading."""
        return name_of(self.row.code)

    @property
    def first_words(self) -> str:
        """What the first version says of itself."""
        return _("Reported")

    @property
    def fields(self) -> list[FieldLine]:
        """The type's own answers."""
        catalogue = complications().get(self.row.code)
        lines = []
        for field in catalogue.fields if catalogue else ():
            value = self.row.fields.get(field.key)
            if value is None or value == "":
                continue
            if isinstance(value, bool):
                value = _("Yes") if value else _("No")
            option = next((one for one in field.options if one.value == value), None)
            if option:
                value = option.label_tr if turkish() else option.label
            lines.append(FieldLine(field.label_tr if turkish() else field.label, value, field.unit))
        return lines

    @property
    def symptoms(self) -> Sequence[str]:
        """What was ticked of the nerves."""
        found = (self.row.neuro or {}).get("symptoms", [])
        return [str(one) for one in found] if isinstance(found, list) else []

    @cached_property
    def versions(self) -> list[Any]:
        """Every version, newest first; several writes of one version show once."""
        newest: dict[int, Any] = {}
        rows: Any = self.row.versions  # type: ignore[attr-defined] # made by the version table
        for row in rows.select_related("changed_by").order_by("pgh_id"):
            newest[row.version] = row
        return [newest[number] for number in sorted(newest, reverse=True)]

    @property
    def moves(self) -> list[str]:
        """The states to which this person may move it."""
        if not self.caller.has(Role.SURGEON, Role.ADMINISTRATOR):
            return []
        return [status for status in MOVES if status in COMPLICATION_ARROWS.get(self.row.status, frozenset())]

    @property
    def therapies(self) -> list[str]:
        """What was done, from which the grades come."""
        found = self.row.treatment.get("therapies", [])
        return [str(one) for one in found] if isinstance(found, list) else []
