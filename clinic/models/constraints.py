"""Constraints that several tables share."""

from collections.abc import Iterable
from enum import StrEnum

from django.db import models


def one_of(field: str, words: type[StrEnum] | Iterable[str], name: str) -> models.CheckConstraint:
    """Return a CHECK that `field` holds one of the enum's words (or of the given ones)."""
    return models.CheckConstraint(condition=models.Q(**{f"{field}__in": [str(word) for word in words]}), name=name)
