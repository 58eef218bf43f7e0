"""The board: today's theatre as columns by room, one card a procedure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from checklists.queries.board import Look, board_of
from checklists.vocabulary import PHASES, Phase, RunStatus
from clinic.access import Caller
from clinic.lib.clock import database_now
from clinic.models import Procedure
from complications.models import Escalation


@dataclass(frozen=True)
class Note:
    """The one thing to say about a card; `kind` chooses the sentence in the template."""

    tone: str
    kind: str
    minutes: int = 0
    reason: str = ""
    who: tuple[str, ...] = ()
    more: int = 0
    escalation: Escalation | None = None


@dataclass(frozen=True)
class Clock:
    """The one big clock of a card: `kind` is mixing or incision."""

    since: datetime
    kind: str


@dataclass
class Card:
    """One procedure as the board shows it."""

    look: Look
    state: str
    note: Note | None
    clock: Clock | None
    href: str
    bar: list[str] = field(default_factory=list)

    @property
    def procedure(self) -> Procedure:
        """Whose card it is."""
        return self.look.procedure

    @property
    def left(self) -> int:
        """How many answers are still asked for."""
        return self.look.required - self.look.answered

    @property
    def levels(self) -> Iterable[Any]:
        """The vertebrae, from the head down."""
        return self.look.procedure.levels.all()

    @property
    def phase(self) -> str:
        """The phase at work."""
        return self.look.run.phase if self.look.run else Phase.POST.value

    @property
    def number(self) -> int:
        """Its place among the six."""
        return PHASES.index(Phase(self.phase)) + 1

    @property
    def red(self) -> bool:
        """Whether a person must act now."""
        return bool(self.note and self.note.tone == "red")

    @property
    def age(self) -> int:
        """Years at the procedure."""
        return self.look.procedure.age_years

    @property
    def since(self) -> datetime | None:
        """Since when the phase is worked on."""
        return None if self.clock else self.look.begun_at


@dataclass
class RoomColumn:
    """One room with its cards."""

    id: int
    name: str
    code: str = ""
    cards: list[Card] = field(default_factory=list)

    @property
    def operators(self) -> str:
        """Who operates here on this day."""
        return ", ".join(dict.fromkeys(card.look.procedure.operator.get_full_name() for card in self.cards))


ONLY: dict[str, Callable[[Card], bool]] = {
    "now": lambda card: card.red,
    "look": lambda card: bool(card.note and card.note.tone == "amber"),
    "running": lambda card: card.state == "live",
    "coming": lambda card: card.state == "coming",
    "recovery": lambda card: card.state == "past",
}


def board(request: HttpRequest) -> HttpResponse:
    """Show a day (`?day=2026-11-24`, today where none is named), all of it or one kind (`?only=`)."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    now = database_now()
    zone = ZoneInfo(caller.place.timezone)
    today = now.astimezone(zone).date()
    shown = _day(request.GET.get("day", ""), today)
    start = datetime.combine(shown, datetime.min.time(), tzinfo=zone)
    looks = board_of(
        caller.place, start, datetime.combine(shown + timedelta(days=1), datetime.min.time(), tzinfo=zone), now
    )
    cards = [card_of(look, now) for look in looks]
    only = request.GET.get("only", "")
    chosen = [card for card in cards if only not in ONLY or ONLY[only](card)]
    words = {
        "now": ("red", _("needs a person now")),
        "look": ("amber", _("to look at")),
        "running": ("", _("running")),
        "coming": ("", _("to come")),
        "recovery": ("", _("in recovery")),
    }
    on_day = "" if shown == today else f"day={shown:%Y-%m-%d}&"
    counters = [
        {
            "tone": tone,
            "word": word,
            "count": sum(1 for card in cards if ONLY[name](card)),
            "current": only == name,
            "query": on_day.rstrip("&") if only == name else f"{on_day}only={name}",
        }
        for name, (tone, word) in words.items()
    ]
    return render(
        request,
        "checklists/board.html",
        {
            "rooms": columns(chosen),
            "counters": counters,
            "only": only if only in ONLY else "",
            "now": now,
            "today": shown,
            "yesterday": shown - timedelta(days=1),
            "tomorrow": shown + timedelta(days=1),
            "is_today": shown == today,
        },
    )


def _day(text: str, today: date) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return today


def columns(cards: Iterable[Card]) -> list[RoomColumn]:
    """Return the cards by room, rooms by name; those without a room stand last."""
    rooms: dict[int, RoomColumn] = {}
    for card in cards:
        room = card.look.procedure.room
        key = room.pk if room else 0
        rooms.setdefault(
            key, RoomColumn(key, room.name if room else _("Room not set"), room.code if room else "")
        ).cards.append(card)
    return sorted(rooms.values(), key=lambda column: (column.id == 0, column.name))


def card_of(look: Look, now: datetime) -> Card:
    """Return a look in words."""
    state = "past" if look.is_over else "live" if look.is_live else "coming"
    note = note_of(look, state, now)
    signed = {run.phase for run in look.runs if run.status == RunStatus.SIGNED.value}
    at = look.run.phase if look.run else ""
    return Card(
        look=look,
        state=state,
        note=note,
        clock=clock_of(look) if state == "live" and note is None else None,
        href=reverse("page-run", args=[look.run.public_id])
        if look.run
        else reverse("page-procedure", args=[look.procedure.public_id]),
        bar=["c" if phase == at else "d" if phase in signed else "" for phase in PHASES],
    )


def note_of(look: Look, state: str, now: datetime) -> Note | None:
    """Return the worst thing to say: a case that is paged, a hard stop, a silent tablet, a conflict, a pause."""
    if look.escalation:
        return Note(
            "red" if look.escalation.tier in {"t0", "t1"} else "amber", "escalation", escalation=look.escalation
        )
    if look.stops:
        stop = look.stops[0]
        reason = stop.reason_tr if (get_language() or "").startswith("tr") else stop.reason
        return Note(
            "red" if state == "live" else "amber", "stop", reason=reason, who=stop.who, more=len(look.stops) - 1
        )
    if look.unheard_since:
        return Note("amber", "unheard", minutes=int((now - look.unheard_since).total_seconds() // 60))
    if look.conflicts:
        return Note("amber", "conflict")
    if look.run and look.run.paused_at:
        return Note("amber", "paused", minutes=int((now - look.run.paused_at).total_seconds() // 60))
    return None


def clock_of(look: Look) -> Clock | None:
    """Return the clock that rules this phase: since mixing, else since incision."""
    incision = look.procedure.incision_at
    if look.mixed_at and look.run and look.run.phase == Phase.INTRA:
        return Clock(look.mixed_at, "mixing")
    if incision and look.run and look.run.phase in {Phase.INTRA, Phase.SIGN_OUT}:
        return Clock(incision, "incision")
    return None
