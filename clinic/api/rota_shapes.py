"""What the rota looks like over REST."""

from __future__ import annotations

from typing import Any

from clinic.api.schema import Maybe
from clinic.models import Leave, Shift, ShiftOverride, ShiftSwap, User
from clinic.queries.rota import Rota
from clinic.rules.rota import Segment
from clinic.vocabulary import Post, SwapStatus

PERSON = {"user": "text", "name": "text"}
TURN = {"id": "uuid", "post": Post, "rank": "integer", "person": PERSON, "start": "instant", "end": "instant"}
LEAVE = {"id": "uuid", "person": PERSON, "start": "instant", "end": "instant", "cancelled": "flag"}
PART = {"post": Post, "rank": "integer", "start": "instant", "end": "instant"}
SWAP = {
    "id": "uuid",
    "proposed_by": PERSON,
    "asked": PERSON,
    "give": PART,
    "back": Maybe(PART),
    "status": SwapStatus,
    "proposed_at": "instant",
    "answered_at": "instant?",
}
SEGMENT = {"start": "instant", "end": "instant", "person": Maybe(PERSON), "planned": Maybe(PERSON), "why": "text"}
ROTA = {
    "from": "instant",
    "to": "instant",
    "timezone": "text",
    "places": [{"post": Post, "rank": "integer", "segments": [SEGMENT]}],
    "overrides": [{**TURN, "reason": "text"}],
    "leave": [LEAVE],
    "swaps": [SWAP],
}
WINDOW = {"from": "from when (RFC 3339), now where absent", "to": "until when, at most 92 days later"}


def person(user: User | None) -> dict[str, str] | None:
    """Return a person as the API names them."""
    return None if user is None else {"user": user.username, "name": user.get_full_name()}


def segment_body(one: Segment, rota: Rota) -> dict[str, Any]:
    """Return a stretch as the API shows it."""
    return {
        "start": one.start,
        "end": one.end,
        "person": person(rota.people[one.turn.person]) if one.turn else None,
        "planned": person(rota.people[one.planned.person]) if one.planned else None,
        "why": one.why,
    }


def turn_body(row: Shift | ShiftOverride) -> dict[str, Any]:
    """Return a shift or an override as the API shows it."""
    return {
        "id": str(row.public_id),
        "post": row.post,
        "rank": row.rank,
        "person": person(row.user),
        "start": row.period.lower,
        "end": row.period.upper,
    }


def leave_body(row: Leave) -> dict[str, Any]:
    """Return leave as the API shows it."""
    return {
        "id": str(row.public_id),
        "person": person(row.user),
        "start": row.period.lower,
        "end": row.period.upper,
        "cancelled": row.cancelled_at is not None,
    }


def swap_body(row: ShiftSwap) -> dict[str, Any]:
    """Return a swap as the API shows it."""
    back = None
    if row.back_period is not None:
        back = {
            "post": row.back_post,
            "rank": row.back_rank,
            "start": row.back_period.lower,
            "end": row.back_period.upper,
        }
    return {
        "id": str(row.public_id),
        "proposed_by": person(row.proposed_by),
        "asked": person(row.asked),
        "give": {"post": row.post, "rank": row.rank, "start": row.period.lower, "end": row.period.upper},
        "back": back,
        "status": row.status,
        "proposed_at": row.proposed_at,
        "answered_at": row.answered_at,
    }
