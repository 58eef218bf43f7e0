"""The audit trail as a list: who did what to which record, newest first, with the chain's hash beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from clinic.access import Caller
from clinic.exports.site_audit import audit_page, chain_of
from clinic.lib.clock import database_now
from clinic.models import AuditEntry


@dataclass(frozen=True)
class Entry:
    """One entry in the parts that a person reads."""

    row: AuditEntry
    at: datetime | None
    who: str
    role: str
    via: str
    data: str

    @classmethod
    def of(cls, row: AuditEntry) -> Entry:
        """Read the stored text."""
        members: dict[str, Any] = json.loads(row.canonical)
        return cls(
            row=row,
            at=datetime.fromisoformat(members["at"]),
            who=members.get("actor_name", ""),
            role=members.get("role", ""),
            via=members.get("via", ""),
            data=json.dumps(members.get("data", {}), ensure_ascii=False, indent=1),
        )

    @property
    def hash(self) -> str:
        """The chain's hash, in hexadecimal."""
        return bytes(self.row.hash).hex()


def audit(request: HttpRequest) -> HttpResponse:
    """Show the site's entries; `?action=`, `?stream=`, `?subject=` narrow them, `?before=` is where the page begins."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    asked = {name: request.GET.get(name, "").strip() for name in ("action", "stream", "subject", "actor")}
    before = request.GET.get("before", "")
    rows, more = audit_page(caller.place, asked, int(before) if before.isdecimal() else None)
    chosen = asked["stream"]
    return render(
        request,
        "clinic/audit.html",
        {
            "entries": [Entry.of(row) for row in rows],
            "next": rows[-1].pk if more else None,
            "asked": asked,
            "kept": [(name, value) for name, value in asked.items() if value],
            "chain": chain_of(caller.place, chosen) if chosen else None,
            "now": database_now(),
        },
    )
