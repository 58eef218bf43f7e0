"""The screen on a theatre's wall: read only, readable from across the room, live within two seconds."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import get_conditional_response
from django.utils.translation import get_language

from checklists.pages.board import card_of, clock_of
from checklists.queries.wall import wall_of, wall_state
from clinic.access import Caller
from clinic.lib.clock import database_now
from clinic.lib.problems import NotFound
from clinic.models import Room


def wall(request: HttpRequest, room: str) -> HttpResponse:
    """Show what is done in a theatre now and what comes next; an unchanged screen answers 304 without being drawn."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    place = Room.objects.filter(site=caller.place, code=room).first()
    if place is None:
        raise NotFound("not_found", "There is no such theatre at this site. Open its screen from the board.")
    now = database_now()
    zone = ZoneInfo(caller.place.timezone)
    start = datetime.combine(now.astimezone(zone).date(), datetime.min.time(), tzinfo=zone)
    end = datetime.combine(start.date() + timedelta(days=1), datetime.min.time(), tzinfo=zone)
    etag = f'"{wall_state(place, start, end, now)}-{get_language()}"'
    unchanged = get_conditional_response(request, etag=etag)
    if unchanged is not None:
        return HttpResponse(unchanged.content, status=unchanged.status_code, headers={"ETag": etag})
    found = wall_of(caller.place, place, start, end, now)
    card = card_of(found.now, now) if found.now else None
    answer = render(
        request,
        "checklists/wall.html",
        {
            "room": place,
            "card": card,
            # Beside a note too: whoever pauses over a stop still wants to know how old the cement is.
            "shown": clock_of(card.look) if card and card.state == "live" else None,
            "coming": [card_of(look, now) for look in found.coming],
            "done": found.done,
            "now": now,
        },
    )
    answer["ETag"] = etag
    return answer
