"""The rota over REST: who holds which post when, and what changes it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from clinic.access import (
    Caller,
    access_absentee,
    access_colleague,
    access_leave,
    access_override,
    access_shift,
    access_swap,
)
from clinic.actions import rota as acts
from clinic.actions.swaps import Part, answer_swap, propose_swap, withdraw_swap
from clinic.api.permissions import caller_of
from clinic.api.rota_shapes import (
    LEAVE,
    PERSON,
    ROTA,
    SWAP,
    TURN,
    WINDOW,
    leave_body,
    person,
    segment_body,
    swap_body,
    turn_body,
)
from clinic.api.schema import described
from clinic.lib.clock import database_now
from clinic.lib.problems import Invalid, NotFound
from clinic.models import Leave, ShiftOverride, ShiftSwap, User
from clinic.queries.rota import read_rota
from clinic.rules.rota import repeated
from clinic.vocabulary import Post

LONGEST = timedelta(days=92)
FORTNIGHT = timedelta(days=14)
MOST_TIMES = 400


class ShiftInput(serializers.Serializer[Any]):
    """Who is planned for what; `repeat_days` and `times` repeat it on the wall clock of the site."""

    post = serializers.ChoiceField(choices=list(Post))
    rank = serializers.IntegerField(min_value=1, max_value=acts.MOST_RANKS, default=1)
    user = serializers.CharField(max_length=150)
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    repeat_days = serializers.IntegerField(min_value=1, max_value=28, default=7)
    times = serializers.IntegerField(min_value=1, max_value=MOST_TIMES, default=1)


class ShiftChange(serializers.Serializer[Any]):
    """What changes; the rest stays."""

    user = serializers.CharField(max_length=150, required=False)
    start = serializers.DateTimeField(required=False)
    end = serializers.DateTimeField(required=False)


class OverrideInput(serializers.Serializer[Any]):
    """Who holds a place instead of whoever is planned, and why."""

    post = serializers.ChoiceField(choices=list(Post))
    rank = serializers.IntegerField(min_value=1, max_value=acts.MOST_RANKS, default=1)
    user = serializers.CharField(max_length=150)
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    reason = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class LeaveInput(serializers.Serializer[Any]):
    """Who is away and when; oneself, where nobody is named."""

    user = serializers.CharField(max_length=150, required=False, allow_blank=True, default="")
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()


class PartInput(serializers.Serializer[Any]):
    """A post and rank for a time."""

    post = serializers.ChoiceField(choices=list(Post))
    rank = serializers.IntegerField(min_value=1, max_value=acts.MOST_RANKS, default=1)
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()


class SwapInput(serializers.Serializer[Any]):
    """Who is asked to take what of one's own rota, and what one takes in exchange."""

    asked = serializers.CharField(max_length=150)
    give = PartInput()
    back = PartInput(required=False, allow_null=True)


class SwapAnswer(serializers.Serializer[Any]):
    """Accept or decline (who was asked), or withdraw (who proposed)."""

    answer = serializers.ChoiceField(choices=["accept", "decline", "withdraw"])


def colleague(caller: Caller, name: str, field: str = "user") -> User:
    """Return somebody who works at the caller's site; raise Invalid naming the field."""
    try:
        return access_colleague(caller, name)
    except NotFound as error:
        raise Invalid.field(field, error.code, error.detail) from None


def read_instant(request: Request, name: str, otherwise: datetime) -> datetime:
    """Return the instant of a query parameter, `otherwise` where it is absent; raise Invalid for an unreadable one."""
    text = request.query_params.get(name)
    if not text:
        return otherwise
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    # Years at the edge of the calendar have no room for a zone or a fortnight.
    if moment is None or moment.tzinfo is None or not 1970 <= moment.year <= 9000:
        raise Invalid.field(name, "not_an_instant", "Send RFC 3339 with a zone, as 2026-11-24T20:00:00Z.")
    return moment


def read_window(request: Request, now: datetime) -> tuple[datetime, datetime]:
    """Return the time that `from` and `to` name; raise Invalid for one that cannot be read or is too long."""
    start = read_instant(request, "from", now)
    end = read_instant(request, "to", start + FORTNIGHT)
    if not start < end <= start + LONGEST:
        raise Invalid.field("to", "out_of_range", f"`to` comes after `from`, at most {LONGEST.days} days later.")
    return start, end


class RotaView(APIView):
    """Who holds which post when."""

    @described("Read the rota: each post and rank with its stretches and gaps", gives=ROTA, query=WINDOW)
    def get(self, request: Request) -> Response:
        """Answer the stretches of each place; `person` null is a gap, `why` says what happened to who was planned."""
        caller = caller_of(request)
        start, end = read_window(request, database_now())
        rota = read_rota(caller.place, start, end)
        overrides = ShiftOverride.objects.filter(site=caller.place).standing().during(start, end)
        leave = Leave.objects.filter(site=caller.place).standing().during(start, end)
        swaps = ShiftSwap.objects.filter(site=caller.place).waiting(database_now())
        segments = rota.plan.segments(start, end)
        return Response(
            {
                "from": start,
                "to": end,
                "timezone": caller.place.timezone,
                "places": [
                    {"post": place[0], "rank": place[1], "segments": [segment_body(one, rota) for one in rows]}
                    for place, rows in segments.items()
                ],
                "overrides": [
                    {**turn_body(row), "reason": row.reason}
                    for row in overrides.select_related("user").order_by("period", "pk")
                ],
                "leave": [leave_body(row) for row in leave.select_related("user").order_by("period", "pk")],
                "swaps": [swap_body(row) for row in swaps.select_related("proposed_by", "asked").order_by("period")],
            }
        )


class HoldersView(APIView):
    """Who holds each post at one instant."""

    @described(
        "Read who holds each post at an instant",
        gives={"at": "instant", "results": [{"post": Post, "rank": "integer", "person": PERSON}]},
        query={"at": "the instant (RFC 3339), now where absent"},
    )
    def get(self, request: Request) -> Response:
        """Answer as the engine would be answered at that instant."""
        at = read_instant(request, "at", database_now())
        duties = read_rota(caller_of(request).place, at).on_duty(at)
        rows = [{"post": one.post, "rank": one.rank, "person": person(one.user)} for one in duties]
        return Response({"at": at, "results": rows})


class ShiftsView(APIView):
    """New shifts."""

    @described("Plan shifts", takes=ShiftInput, gives={"results": [TURN]}, status=201)
    def post(self, request: Request) -> Response:
        """Answer the shifts (201); 409 where somebody else is planned at that post and rank."""
        caller = caller_of(request)
        data = ShiftInput(data=request.data)
        data.is_valid(raise_exception=True)
        values = data.validated_data
        user = colleague(caller, values["user"])
        rows = acts.add_shifts(
            site=caller.place,
            post=values["post"],
            rank=values["rank"],
            user=user,
            spans=repeat(caller, values["start"], values["end"], values["repeat_days"], values["times"]),
            by=caller.actor(),
            now=database_now(),
        )
        return Response({"results": [turn_body(row) for row in rows]}, status=201)


def repeat(
    caller: Caller, start: datetime, end: datetime, every_days: int, times: int
) -> list[tuple[datetime, datetime]]:
    """Return the spans that begin with [start, end), repeated on the wall clock of the caller's site; raise Invalid."""
    if times == 1:
        return [(start, end)]
    zone = ZoneInfo(caller.place.timezone)
    local = [moment.astimezone(zone).replace(tzinfo=None) for moment in (start, end)]
    try:
        return repeated(local[0], local[1], zone, every_days=every_days, times=times)
    except ValueError as error:
        raise Invalid.field("start", "no_such_time", f"{error}.") from None


class ShiftView(APIView):
    """One shift."""

    @described("Change a shift that is not over", takes=ShiftChange, gives=TURN)
    def patch(self, request: Request, public_id: UUID) -> Response:
        """Answer the shift as it is now; of one that has begun only the end can change."""
        caller = caller_of(request)
        shift = access_shift(caller, public_id)
        data = ShiftChange(data=request.data)
        data.is_valid(raise_exception=True)
        values = data.validated_data
        user = colleague(caller, values["user"]) if values.get("user") else None
        row = acts.change_shift(
            shift=shift,
            user=user,
            start=values.get("start"),
            end=values.get("end"),
            by=caller.actor(),
            now=database_now(),
        )
        return Response(turn_body(row))

    @described("Take a shift off the rota; one that has begun ends now", gives=TURN)
    def delete(self, request: Request, public_id: UUID) -> Response:
        """Answer the shift as it was."""
        caller = caller_of(request)
        shift = access_shift(caller, public_id)
        acts.remove_shift(shift=shift, by=caller.actor(), now=database_now())
        return Response(turn_body(shift))


class OverridesView(APIView):
    """New overrides."""

    @described("Let another person hold a place for a time", takes=OverrideInput, gives=TURN, status=201)
    def post(self, request: Request) -> Response:
        """Answer the override (201); 409 where another one stands in that time."""
        caller = caller_of(request)
        data = OverrideInput(data=request.data)
        data.is_valid(raise_exception=True)
        values = data.validated_data
        row = acts.add_override(
            site=caller.place,
            post=values["post"],
            rank=values["rank"],
            user=colleague(caller, values["user"]),
            span=(values["start"], values["end"]),
            reason=values["reason"],
            by=caller.actor(),
            now=database_now(),
        )
        return Response(turn_body(row), status=201)


class OverrideView(APIView):
    """One override."""

    @described("Cancel an override; of one that has begun only the rest", gives=TURN)
    def delete(self, request: Request, public_id: UUID) -> Response:
        """Answer the override as it was."""
        caller = caller_of(request)
        row = access_override(caller, public_id)
        acts.cancel_override(override=row, by=caller.actor(), now=database_now())
        return Response(turn_body(row))


class LeavesView(APIView):
    """New leave."""

    @described("Record leave, one's own or as administrator anybody's", takes=LeaveInput, gives=LEAVE, status=201)
    def post(self, request: Request) -> Response:
        """Answer the leave (201); from then on the person holds nothing."""
        caller = caller_of(request)
        data = LeaveInput(data=request.data)
        data.is_valid(raise_exception=True)
        values = data.validated_data
        user = access_absentee(caller, values["user"])
        span = (values["start"], values["end"])
        row = acts.add_leave(site=caller.place, user=user, span=span, by=caller.actor(), now=database_now())
        return Response(leave_body(row), status=201)


class LeaveView(APIView):
    """One time of leave."""

    @described("Cancel leave; of what has begun only the rest", gives=LEAVE)
    def delete(self, request: Request, public_id: UUID) -> Response:
        """Answer the leave as it was."""
        caller = caller_of(request)
        row = access_leave(caller, public_id)
        acts.cancel_leave(leave=row, by=caller.actor(), now=database_now())
        return Response(leave_body(row))


class SwapsView(APIView):
    """New swaps."""

    @described("Ask a colleague to take a part of one's own rota", takes=SwapInput, gives=SWAP, status=201)
    def post(self, request: Request) -> Response:
        """Answer the swap (201); nothing changes until the colleague accepts."""
        caller = caller_of(request)
        data = SwapInput(data=request.data)
        data.is_valid(raise_exception=True)
        values = data.validated_data
        row = propose_swap(
            site=caller.place,
            giver=caller.person,
            asked=colleague(caller, values["asked"], "asked"),
            part=_part(values["give"]),
            back=_part(values["back"]) if values.get("back") else None,
            by=caller.actor(),
            now=database_now(),
        )
        return Response(swap_body(row), status=201)


def _part(values: dict[str, Any]) -> Part:
    return Part(values["post"], values["rank"], (values["start"], values["end"]))


class SwapAnswerView(APIView):
    """POST …/answer/: accept, decline, or withdraw."""

    @described("Answer a swap, or withdraw one's own", takes=SwapAnswer, gives=SWAP, status=201)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Answer the swap (201); accepted, the rota has changed."""
        caller = caller_of(request)
        swap = access_swap(caller, public_id)
        data = SwapAnswer(data=request.data)
        data.is_valid(raise_exception=True)
        answer = data.validated_data["answer"]
        by, now = caller.actor(), database_now()
        if answer == "withdraw":
            return Response(swap_body(withdraw_swap(swap=swap, by=by, now=now)), status=201)
        return Response(swap_body(answer_swap(swap=swap, accept=answer == "accept", by=by, now=now)), status=201)
