"""Change a status by one compare-and-set UPDATE along an arrow of a table."""

from collections.abc import Mapping
from typing import Any

from django.db import models

from clinic.lib.problems import Refused


def move(
    row: models.Model,
    *,
    to: str,
    arrows: Mapping[str, frozenset[str]],
    noun: str,
    field: str = "status",
    **changes: Any,
) -> None:
    """Move `row` to the state `to`, setting `changes` in the same UPDATE.

    The comparison is on the state alone: an engine that meanwhile advanced a step must not overtake a person.
    Raise Refused with `no_such_arrow` where the table has no such arrow from the state last read, and with
    `overtaken` where the row left that state since it was read.
    """
    was = getattr(row, field)
    if to not in arrows.get(was, frozenset()):
        raise Refused("no_such_arrow", f"This {noun} is {was}; it cannot become {to}.")
    manager = type(row)._default_manager
    moved = manager.filter(pk=row.pk, **{field: was}).update(**{field: to, **changes})
    if not moved:
        raise Refused("overtaken", f"Somebody was first: this {noun} is no longer {was}. Read it again.")
    for name, value in {field: to, **changes}.items():
        if not isinstance(value, models.expressions.BaseExpression):
            setattr(row, name, value)
