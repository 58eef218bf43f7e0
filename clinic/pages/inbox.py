"""The demo's inbox: every message as each person's phone shows it. Nothing leaves the machine."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template import TemplateDoesNotExist

from clinic.access import Caller
from clinic.channels import words
from clinic.lib.clock import database_now
from clinic.lib.problems import NotFound
from clinic.models import Notification
from clinic.vocabulary import NotificationStatus

SHOWN = 120
LANES = 12
#: Messages of one cause leave within seconds of each other; a longer gap starts a new row.
ROW_GAP = timedelta(seconds=45)


@dataclass
class Bubble:
    """One message with its words."""

    message: Notification
    subject: str
    body: str


@dataclass
class Row:
    """What went out at one moment: for each lane the messages of that person, perhaps none."""

    at: datetime
    reference: str
    cells: dict[str, list[Bubble]] = field(default_factory=dict)


def inbox(request: HttpRequest) -> HttpResponse:
    """Show the site's newest messages in lanes, one a person; demo only."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    if not settings.DEMO:
        raise NotFound
    rows = Notification.objects.filter(site=caller.place)
    counts = rows.aggregate(
        all=Count("pk"),
        pages=Count("pk", filter=Q(urgent=True)),
        failed=Count("pk", filter=Q(status=NotificationStatus.FAILED.value)),
    )
    only = request.GET.get("only", "")
    if only == "pages":
        rows = rows.filter(urgent=True)
    elif only == "failed":
        rows = rows.filter(status=NotificationStatus.FAILED.value)
    if request.GET.get("reference"):
        rows = rows.filter(reference=request.GET["reference"])
    newest = list(rows.select_related("recipient").order_by("-created_at", "-id")[:SHOWN])
    table, lanes = arrange(newest)
    return render(
        request,
        "clinic/inbox.html",
        {"rows": table, "lanes": lanes, "counts": counts, "only": only, "shown": len(newest), "now": database_now()},
    )


def arrange(messages: Sequence[Notification]) -> tuple[list[Row], list[tuple[str, str]]]:
    """Return the messages (newest first) as rows by moment and lanes by person (name, kind of address)."""
    lanes: dict[str, str] = {}
    rows: list[Row] = []
    for message in messages:
        name = message.recipient_name or message.address or "?"
        lanes.setdefault(name, message.address)
        row = rows[-1] if rows else None
        if row is None or row.reference != message.reference or row.at - message.created_at > ROW_GAP:
            row = Row(message.created_at, message.reference)
            rows.append(row)
        row.cells.setdefault(name, []).append(Bubble(message, *words_of(message)))
    return rows, list(lanes.items())[:LANES]


def words_of(message: Notification) -> tuple[str, str]:
    """Return subject and body; a kind without words (of an older version) is shown by its name."""
    try:
        return words(message)
    except TemplateDoesNotExist:
        return message.kind.replace("_", " "), ""
