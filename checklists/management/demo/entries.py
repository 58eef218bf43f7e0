"""Audit entries of the past, as `recording()` would have written them at the time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import rfc8785

from clinic.actions.audit import json_value, rfc3339
from clinic.models import User
from clinic.vocabulary import Via


def canonical(action: str, subject: str, who: User, role: str, at: datetime, data: Mapping[str, Any]) -> str:
    """Return one entry as canonical text, in that person's name; `via` says that the demo's command wrote it."""
    entry = {
        "action": action,
        "actor": f"user:{who.public_id}",
        "actor_name": who.get_full_name(),
        "role": role,
        "via": Via.COMMAND.value,
        "device": "",
        "request_id": "",
        "at": rfc3339(at),
        "subject": subject,
        "data": json_value(data),
    }
    return rfc8785.dumps(entry).decode()
