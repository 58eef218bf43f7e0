"""Follow-ups: the list, attempts to reach somebody, and the call that a patient makes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from clinic.access import access_procedure
from clinic.api.permissions import caller_of
from clinic.api.schema import described
from clinic.lib.clock import database_now
from clinic.lib.problems import FieldError, Invalid
from clinic.models import Procedure
from complications.access import access_follow_up
from complications.actions.follow_up import claim_follow_up, end_follow_up, record_contact
from complications.api.shapes import CONTACT, CONTACTED, FOLLOW_UP
from complications.models import ContactAttempt, FollowUp
from complications.queries.escalations import brief
from complications.queries.follow_ups import after, contact_line, follow_ups_of, line
from complications.queries.log import make_after, read_after, read_instant
from complications.vocabulary import AttemptOutcome, FollowUpStatus, RedFlag

PAGE = 100

QUERY = {
    "due_before": "whose window opens until this instant",
    "status": "planned where nothing is given",
    "kind": "visit or observation",
    "procedure": "the id of a procedure",
    "after": "the `next` of the page before",
}


class ContactInput(serializers.Serializer[Any]):
    """How somebody was reached, or not, and which red flags were answered with yes."""

    channel = serializers.ChoiceField(["phone", "ward", "clinic", "form", "other"], required=False, default="phone")
    outcome = serializers.ChoiceField([str(one) for one in AttemptOutcome], required=False, default="reached")
    note = serializers.CharField(max_length=1000, required=False, allow_blank=True, default="")
    red_flags = serializers.ListField(
        child=serializers.ChoiceField([str(one) for one in RedFlag]), required=False, default=list
    )


class ClosureInput(serializers.Serializer[Any]):
    """Cancel a contact, or declare the patient lost."""

    status = serializers.ChoiceField([FollowUpStatus.CANCELLED.value, FollowUpStatus.LOST.value])
    reason = serializers.CharField(max_length=500)


class FollowUpsView(APIView):
    """GET /follow-ups/: what is to be done."""

    @described("List the follow-ups, the earliest first", gives={"results": [FOLLOW_UP], "next": "text?"}, query=QUERY)
    def get(self, request: Request) -> Response:
        """Answer `{results, next}`, the earliest target first; without `status` those that are planned."""
        caller = caller_of(request)
        given = request.query_params
        faults: list[FieldError] = []
        status, kind, procedure = given.get("status", ""), given.get("kind", ""), given.get("procedure", "")
        if status and status not in [str(one) for one in FollowUpStatus]:
            faults.append(FieldError("status", "not_a_choice", f"Accepted: {', '.join(FollowUpStatus)}."))
        if kind not in ("", "visit", "observation"):
            faults.append(FieldError("kind", "not_a_choice", "Accepted: visit, observation."))
        before = read_instant("due_before", given["due_before"], faults) if given.get("due_before") else None
        try:
            procedure = str(UUID(procedure)) if procedure else ""
        except ValueError:
            faults.append(FieldError("procedure", "not_an_id", "Send a UUID."))
        if faults:
            raise Invalid("invalid", "Some filters were not accepted.", faults)
        rows = follow_ups_of(caller.place, due_before=before, status=status, kind=kind, procedure=procedure)
        if caller.own_only:
            rows = rows.filter(procedure__operator=caller.person)
        if given.get("after"):
            rows = after(rows, *read_after(given["after"]))
        now = database_now()
        found = list(rows[: PAGE + 1])
        more = found[PAGE - 1] if len(found) > PAGE else None
        following = make_after(more.target_at, more.pk) if more else None
        return Response({"results": [line(row, now) for row in found[:PAGE]], "next": following})


class FollowUpView(APIView):
    """One follow-up with its attempts."""

    @described("Read one follow-up", gives={**FOLLOW_UP, "contacts": [CONTACT]})
    def get(self, request: Request, public_id: UUID) -> Response:
        """Answer it."""
        row = access_follow_up(caller_of(request), public_id)
        contacts = [contact_line(one) for one in row.attempts.select_related("by", "follow_up").order_by("at")]
        return Response({**line(row, database_now()), "attempts": len(contacts), "contacts": contacts})


class ClaimView(APIView):
    """POST …/claim/: take a contact onto one's own list."""

    @described("Take a contact onto one's own list", gives=FOLLOW_UP, status=201)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Answer 201."""
        caller = caller_of(request)
        row = claim_follow_up(follow_up=access_follow_up(caller, public_id), by=caller.actor(), now=database_now())
        return Response(line(row, database_now()), status=201)


class ClosureView(APIView):
    """POST …/closure/: cancel, or lost to follow-up with a reason and the attempts."""

    @described("Cancel a contact, or give a patient up", takes=ClosureInput, gives=FOLLOW_UP, status=201)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Answer 201; 400 where the attempts are too few."""
        caller = caller_of(request)
        row = access_follow_up(caller, public_id)
        data = ClosureInput(data=request.data)
        data.is_valid(raise_exception=True)
        to = FollowUpStatus(data.validated_data["status"])
        reason = data.validated_data["reason"]
        ended = end_follow_up(follow_up=row, to=to, reason=reason, by=caller.actor(), now=database_now())
        return Response(line(ended, database_now()), status=201)


class ContactAttemptsView(APIView):
    """POST /follow-ups/{id}/contact-attempts/: one attempt to reach the patient."""

    @described("Record an attempt to reach the patient", takes=ContactInput, gives=CONTACTED, status=201)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Answer 201 with the attempt and, for a red flag, the escalation."""
        row = access_follow_up(caller_of(request), public_id)
        return _record(request, row.procedure, row)


class ContactsView(APIView):
    """/procedures/{id}/contacts/: the patient called, outside of any plan; and everything that was tried."""

    @described("Read the contacts of a procedure", gives={"results": [CONTACT]})
    def get(self, request: Request, public_id: UUID) -> Response:
        """Answer the contacts of a procedure, newest first."""
        procedure = access_procedure(caller_of(request), public_id)
        rows = (
            ContactAttempt.objects.filter(procedure=procedure).select_related("by", "follow_up").order_by("-at", "-id")
        )
        return Response({"results": [contact_line(row) for row in rows[:PAGE]]})

    @described("Record that the patient called", takes=ContactInput, gives=CONTACTED, status=201)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Answer 201 with the contact and, for a red flag, the escalation."""
        return _record(request, access_procedure(caller_of(request), public_id), None)


def _record(request: Request, procedure: Procedure, follow_up: FollowUp | None) -> Response:
    data = ContactInput(data=request.data)
    data.is_valid(raise_exception=True)
    values = data.validated_data
    now = database_now()
    attempt, escalation = record_contact(
        procedure=procedure,
        follow_up=follow_up,
        channel=values["channel"],
        outcome=AttemptOutcome(values["outcome"]),
        note=values["note"],
        red_flags=values["red_flags"],
        by=caller_of(request).actor(),
        now=now,
    )
    body: dict[str, Any] = {
        "contact": contact_line(attempt),
        "escalation": brief(escalation, now) if escalation else None,
    }
    if RedFlag.CHEST_OR_BREATH in values["red_flags"]:
        body["call"] = ["emergency"]
    if escalation is not None and escalation.setting != "in_house" and escalation.tier == "t0":
        department = procedure.site.emergency_department or procedure.site.name
        body["tell_patient"] = f"Ambulance now, to {department}. Do not drive."
    return Response(body, status=201)
