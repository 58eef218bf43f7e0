"""Days and instants as answers carry them."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any

# Years 1900 to 2199: a typing error in the year would run out of the calendar when zones are reckoned.
_DAY = re.compile(r"(19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}\Z")
_INSTANT = re.compile(
    r"(19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})\Z"
)


def is_day(value: Any) -> bool:
    """Tell whether a value is a day of the calendar such as `2026-02-28`."""
    if not isinstance(value, str) or not _DAY.match(value):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def parse_instant(value: Any) -> datetime | None:
    """Read an RFC 3339 time with offset; None for anything else."""
    if not isinstance(value, str) or not _INSTANT.match(value):
        return None
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        return None
    return instant if instant.tzinfo is not None else None
