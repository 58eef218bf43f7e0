"""Book procedures and open their lists; look at them."""

from __future__ import annotations

import base64
import json
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db.models import Q
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from checklists.actions.opening import open_procedure
from checklists.api.shapes import BOOKED, NO_GATE, PROCEDURE, RUN_LINE, TIMELINE
from checklists.queries.procedures import day_bounds, procedure_body, timeline
from checklists.queries.runs import run_lines
from clinic.access import access_colleague, access_procedure
from clinic.actions.access import record_read
from clinic.actions.procedures import Booking, PatientDetails
from clinic.api.permissions import caller_of
from clinic.api.schema import described
from clinic.lib.clock import database_now
from clinic.lib.problems import Invalid, NotFound
from clinic.models import Procedure, User
from clinic.vocabulary import LEVELS, Anaesthesia, Indication, ProcedureKind, ProcedureStatus, Sex, TeamRole

PAGE = 100
# Outside of these a typing error, which would run out of the calendar when zones are reckoned.
YEARS = range(1900, 2200)
OLDEST = 130


def query_text(request: Request, name: str) -> str:
    """Return a query parameter as text that a database can hold; raise Invalid otherwise."""
    text = str(request.query_params.get(name, ""))
    if "\x00" in text or len(text) > 200:
        raise Invalid.field(name, "wrong_type", "Send plain text of at most 200 characters.")
    return text


def words(enum: Any) -> list[str]:
    """Return the values of an enum for a choice."""
    return [str(word) for word in enum]


class PatientInput(serializers.Serializer[Any]):
    """The patient as the theatre list names them."""

    mrn = serializers.CharField(max_length=40)
    family_name = serializers.CharField(max_length=100)
    given_name = serializers.CharField(max_length=100)
    birth_date = serializers.DateField()
    sex = serializers.ChoiceField(words(Sex))
    phone = serializers.CharField(max_length=32, required=False, allow_blank=True, default="")
    email = serializers.EmailField(required=False, allow_blank=True, default="")
    language = serializers.ChoiceField(["en", "tr"], required=False, default="en")


class MemberInput(serializers.Serializer[Any]):
    """Who does what."""

    user = serializers.CharField(max_length=150)
    role = serializers.ChoiceField(words(TeamRole))


class ProcedureInput(serializers.Serializer[Any]):
    """A booking; the client makes the id, so that sending it again is safe."""

    id = serializers.UUIDField()
    patient = PatientInput()
    kind = serializers.ChoiceField(words(ProcedureKind))
    indication = serializers.ChoiceField(words(Indication))
    anaesthesia = serializers.ChoiceField(words(Anaesthesia))
    levels = serializers.ListField(child=serializers.ChoiceField(LEVELS), min_length=1, max_length=12)
    scheduled_at = serializers.DateTimeField()
    operator = serializers.CharField(max_length=150)
    room = serializers.CharField(max_length=20, required=False, allow_blank=True, allow_null=True)
    team = MemberInput(many=True, required=False)

    def validate_scheduled_at(self, value: datetime) -> datetime:
        """Refuse a year that must be a typing error."""
        if value.year not in YEARS:
            raise serializers.ValidationError("Check the year.", code="out_of_range")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a patient of an age that nobody reaches."""
        if attrs["scheduled_at"].year - attrs["patient"]["birth_date"].year >= OLDEST:
            raise serializers.ValidationError({"patient": {"birth_date": ["Check the year of birth."]}})
        return attrs

    def validate_levels(self, value: list[str]) -> list[str]:
        """Refuse a level that stands twice."""
        if len(set(value)) != len(value):
            raise serializers.ValidationError("A level stands twice.", code="twice")
        return value


class ProceduresView(APIView):
    """GET /procedures/ by day, status, operator; POST /procedures/ books one and opens its six lists."""

    @described(
        "List procedures",
        gives={"results": [PROCEDURE], "next": "text?"},
        query={
            "day": "a day of the site",
            "status": "one status",
            "operator": "a user name",
            "after": "`next` of the page before",
        },
    )
    def get(self, request: Request) -> Response:
        """Answer `{results, next}`, newest first, 100 a page; `next` is the `after` of the following page."""
        caller = caller_of(request)
        rows = Procedure.objects.at_site(caller.place)
        if caller.own_only:
            rows = rows.filter(operator=caller.person)
        if day := request.query_params.get("day"):
            rows = rows.between(*day_bounds(caller.place, _day(day)))
        if status := request.query_params.get("status"):
            if status not in words(ProcedureStatus):
                raise Invalid.field("status", "unknown_status", f"Use one of: {', '.join(words(ProcedureStatus))}.")
            rows = rows.filter(status=status)
        if operator := query_text(request, "operator"):
            rows = rows.filter(operator__username=operator)
        if after := request.query_params.get("after"):
            at, pk = _cursor(after)
            rows = rows.filter(Q(scheduled_at__lt=at) | Q(scheduled_at=at, pk__lt=pk))
        page = list(rows.for_display().prefetch_related("team__user").order_by("-scheduled_at", "-id")[: PAGE + 1])
        more = page[PAGE - 1] if len(page) > PAGE else None
        return Response(
            {
                "results": [procedure_body(row) for row in page[:PAGE]],
                "next": _after(more) if more else None,
            }
        )

    @described("Book a procedure and open its six lists", takes=ProcedureInput, gives=BOOKED, status=(201, 200))
    def post(self, request: Request) -> Response:
        """Answer 201, 200 for the same booking again, 409 for other content under its id."""
        caller = caller_of(request)
        data = ProcedureInput(data=request.data)
        data.is_valid(raise_exception=True)
        values = data.validated_data
        people: dict[str, User] = {}
        for username in {values["operator"], *(one["user"] for one in values.get("team", ()))}:
            try:
                people[username] = access_colleague(caller, username)
            except NotFound as error:
                raise Invalid.field("operator", error.code, error.detail) from error
        booking = Booking(
            **{
                **values,
                "patient": PatientDetails(**values["patient"]),
                "room": values.get("room") or "",
                "team": tuple(dict(one) for one in values.get("team", ())),
            }
        )
        procedure, is_new = open_procedure(
            booking=booking,
            site=caller.place,
            operator=people[values["operator"]],
            team=people,
            by=caller.actor(),
            now=database_now(),
        )
        body = procedure_body(_displayed(procedure))
        body["runs"] = [
            {"id": str(run.public_id), "phase": run.phase} for run in procedure.runs.all().of_phases().in_order()
        ]
        return Response(body, status=201 if is_new else 200)


class ProcedureView(APIView):
    """GET /procedures/{id}/."""

    @described("Read a procedure", gives=PROCEDURE)
    def get(self, request: Request, public_id: UUID) -> Response:
        """Answer one procedure with patient, levels and team."""
        caller = caller_of(request)
        procedure = access_procedure(caller, public_id)
        record_read(caller, f"procedure:{procedure.public_id}", database_now())
        return Response(procedure_body(_displayed(procedure)))


class ProcedureTimelineView(APIView):
    """GET /procedures/{id}/timeline/?at=: what happened, in order, as it stood at an instant."""

    @described("Read what happened in a procedure", gives=TIMELINE, query={"at": "as it stood at this instant"})
    def get(self, request: Request, public_id: UUID) -> Response:
        """Answer `{id, at, entries: [{at, action, actor_name, role, subject, data}]}`."""
        procedure = access_procedure(caller_of(request), public_id)
        at = None
        if text := request.query_params.get("at"):
            try:
                at = datetime.fromisoformat(text.replace(" ", "+"))
            except ValueError as error:
                raise Invalid.field("at", "wrong_type", "Send a time such as 2026-03-02T03:06:00Z.") from error
            if at.tzinfo is None or at.year not in YEARS:
                raise Invalid.field(
                    "at", "wrong_type", "Send the time with its zone, for example 2026-03-02T03:06:00Z."
                )
        return Response({"id": str(procedure.public_id), "at": at, "entries": timeline(procedure, at)})


class ProcedureRunsView(APIView):
    """GET /procedures/{id}/runs/: the six lists and the follow-ups' forms; writes nothing."""

    @described("List the runs of a procedure", gives={"results": [RUN_LINE]}, query=NO_GATE)
    def get(self, request: Request, public_id: UUID) -> Response:
        """Answer `{results: [{id, phase, status, definition, progress, gate}]}`; `gate=0` leaves the gates out."""
        procedure = access_procedure(caller_of(request), public_id)
        return Response(
            {"results": run_lines(procedure, database_now(), with_gate=request.query_params.get("gate") != "0")}
        )


def _displayed(procedure: Procedure) -> Procedure:
    return Procedure.objects.for_display().prefetch_related("team__user").get(pk=procedure.pk)


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
        if day.year not in YEARS:
            raise ValueError
    except ValueError as error:
        raise Invalid.field("day", "wrong_type", "Send a day such as 2026-03-02.") from error
    return day


def _after(row: Procedure) -> str:
    return base64.urlsafe_b64encode(json.dumps([row.scheduled_at.isoformat(), row.pk]).encode()).decode()


def _cursor(text: str) -> tuple[datetime, int]:
    try:
        at, pk = json.loads(base64.urlsafe_b64decode(text.encode()))
        instant = datetime.fromisoformat(at)
        if instant.tzinfo is None or not isinstance(pk, int) or abs(pk) > 2**62:
            raise ValueError
    except (ValueError, TypeError) as error:
        raise Invalid.field("after", "bad_cursor", "Take `after` from the previous page's `next`.") from error
    return instant, pk
