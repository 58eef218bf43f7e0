"""The bedside form over REST: what a phone needs to fill it in without a network, and what it sends."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from clinic.access import Caller, holders_of, ticket_for
from clinic.api.permissions import caller_of
from clinic.api.schema import described
from clinic.lib.clock import database_now
from clinic.lib.problems import Denied, FieldError, Invalid
from clinic.models import Procedure
from clinic.vocabulary import Via
from complications.access import access_escalation
from complications.actions.assessment import baseline_of
from complications.actions.bedside import record_bedside
from complications.actions.standing import refuse_drill
from complications.api.shapes import BEDSIDE, BEDSIDE_ENTRY
from complications.queries.bedside import bedside, entry_line
from complications.rules.bedside import STONES, Written
from complications.rules.exam_form import SIGNS, muscles_for
from complications.vocabulary import Finding, Milestone


class ImagingInput(serializers.Serializer[Any]):
    """What the pictures show, where, and how much of the canal is taken (percent)."""

    finding = serializers.ChoiceField([str(one) for one in Finding], required=False)
    level = serializers.CharField(max_length=20, required=False)
    canal_percent = serializers.FloatField(min_value=0, max_value=100, required=False)


class BedsideInput(serializers.Serializer[Any]):
    """One form: `id` made by the phone, `made_at` by its clock, `sent_at` as it sends. `saw` is the time of the decision it knew of."""

    id = serializers.UUIDField()
    made_at = serializers.DateTimeField()
    sent_at = serializers.DateTimeField(required=False, allow_null=True)
    ticket = serializers.CharField(required=False, allow_null=True, max_length=400)
    arrived_at = serializers.DateTimeField(required=False, allow_null=True)
    exam = serializers.DictField(required=False)
    milestones = serializers.DictField(child=serializers.DateTimeField(), required=False)
    imaging = ImagingInput(required=False, allow_null=True)
    decision = serializers.DictField(required=False, allow_null=True)
    saw = serializers.DateTimeField(required=False, allow_null=True)


class BedsideView(APIView):
    """GET what the form needs, POST what was written."""

    @described("Read what the bedside form needs", gives=BEDSIDE)
    def get(self, request: Request, public_id: UUID) -> Response:
        """Answer the case with its baseline, who asks, and what was written there lately."""
        caller = caller_of(request)
        row = access_escalation(caller, public_id)
        refuse_drill(row)
        now = database_now()
        return Response({**bedside(row, caller.person, now), "form": _form(row.case), "you": _you(caller)})

    @described("Send what was written at the bedside", takes=BedsideInput, gives=BEDSIDE_ENTRY, status=(201, 200))
    def post(self, request: Request, public_id: UUID) -> Response:
        """Answer 201 with what became of each part; 200 for the same form again; 403 when its ticket is another person's."""
        caller = caller_of(request)
        row = access_escalation(caller, public_id)
        data = BedsideInput(data=request.data)
        data.is_valid(raise_exception=True)
        values = data.validated_data
        _refuse_others(values.get("ticket"), caller)
        if values.get("decision") and caller.via == Via.PIN.value:
            raise Denied("step_up", "A decision needs a log-in with the password: log in, and it is sent.")
        written = Written(
            public_id=values["id"],
            made_at=values["made_at"],
            sent_at=values.get("sent_at"),
            arrived_at=values.get("arrived_at"),
            exam=values.get("exam") or {},
            stones=_stones(values.get("milestones") or {}),
            imaging=dict(values.get("imaging") or {}),
            decision=values.get("decision") or None,
            saw=values.get("saw"),
        )
        entry, new = record_bedside(escalation=row, written=written, by=caller.actor(), now=database_now())
        return Response(entry_line(entry), status=201 if new else 200)


def _stones(given: dict[str, Any]) -> dict[Milestone, Any]:
    if unknown := sorted(set(given) - {stone.value for stone in STONES}):
        accepted = f"Accepted: {', '.join(STONES)}."
        raise Invalid(
            "invalid", accepted, [FieldError(f"milestones.{name}", "unknown_field", accepted) for name in unknown]
        )
    return {Milestone(name): at for name, at in given.items()}


def _refuse_others(ticket: str | None, caller: Caller) -> None:
    """What one person wrote is never stored as another's: the ticket names the one, the log-in the other."""
    if ticket is None:
        return
    holder = holders_of([ticket], caller)[ticket]
    maker = holder.user or holder.claimed
    if maker != caller.person:
        name = maker.get_full_name() if maker else "somebody else"
        raise Denied("other_person", f"This was written by {name}: it is sent once they are logged in on this device.")


def _you(caller: Caller) -> dict[str, Any]:
    user = caller.person
    return {
        "user": user.username,
        "name": user.get_full_name(),
        "language": user.language,
        "theme": user.theme,
        "ticket": ticket_for(user),
    }


def _form(procedure: Procedure) -> dict[str, Any]:
    """Return what is asked, and what was found before the procedure for each of it (as text; what is unknown is absent)."""
    baseline = baseline_of(procedure)
    muscles = muscles_for(row.level for row in procedure.levels.all())
    was: dict[str, str] = {}
    if baseline is not None:
        grades = {f"{muscle}_{side}": baseline.grade(f"{muscle}_{side}") for muscle in muscles for side in "lr"}
        signs = {name: getattr(baseline, name, None) for name in SIGNS}
        was = {name: str(value) for name, value in {**grades, **signs}.items() if value is not None}
    return {"muscles": list(muscles), "was": was}
