"""The surgeon's acts over REST: a state change is a sub-resource that is created."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from clinic.access import access_colleague
from clinic.api.permissions import caller_of
from clinic.api.schema import described
from clinic.lib.clock import database_now
from clinic.lib.problems import Invalid, NotFound
from clinic.models import User
from complications.access import access_escalation
from complications.actions import escalation as acts
from complications.actions.declining import decline
from complications.actions.policy import set_policy
from complications.actions.raising import raise_tier
from complications.api.shapes import LINE, POLICY, POLICY_VERSION, WHOLE
from complications.models import Escalation, EscalationPolicy
from complications.models.escalation import OPEN
from complications.queries.escalations import line, open_first, person, whole
from complications.queries.policy import policy_in_force
from complications.rules.policy_review import differences
from complications.vocabulary import EscalationStatus, Milestone, Tier

PAGE = 100

QUERY = {"status": "`open`, or states separated by commas", "procedure": "the id of a procedure"}


class AcknowledgementInput(serializers.Serializer[Any]):
    """The minutes until the surgeon is at the bedside; there is no default, so that a scanner cannot answer."""

    eta_minutes = serializers.IntegerField(min_value=0, max_value=1440)


class ArrivalInput(serializers.Serializer[Any]):
    """Who arrived (where the ward records it) and when (where it is written down later)."""

    surgeon = serializers.CharField(max_length=150, required=False, allow_null=True)
    at = serializers.DateTimeField(required=False, allow_null=True)


class HandOverInput(serializers.Serializer[Any]):
    """Who is asked to take over."""

    to = serializers.CharField(max_length=150)


class TierInput(serializers.Serializer[Any]):
    """The tier that a person finds right, and why; a tier never falls."""

    tier = serializers.ChoiceField([str(one) for one in Tier])
    reason = serializers.CharField(max_length=300)


class MilestoneInput(serializers.Serializer[Any]):
    """A time on the way; without `at` it is now."""

    kind = serializers.ChoiceField([str(one) for one in Milestone])
    at = serializers.DateTimeField(required=False, allow_null=True)
    note = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")


class ErrorInput(serializers.Serializer[Any]):
    """Why it should not have been raised."""

    reason = serializers.CharField(max_length=1000)


class DecisionInput(serializers.Serializer[Any]):
    """The decision with its fields; `observe` needs the next examination, `transfer` the centre."""

    decision = serializers.CharField()
    reason = serializers.CharField(required=False)
    next_exam_at = serializers.DateTimeField(required=False)
    reexam_interval_minutes = serializers.IntegerField(required=False)
    exam = serializers.JSONField(required=False)
    centre = serializers.CharField(required=False)


class EscalationsView(APIView):
    """The escalations of the site."""

    @described("List the escalations, open ones first", gives={"results": [LINE]}, query=QUERY)
    def get(self, request: Request) -> Response:
        """Answer `{results}`: open ones first, the worst tier first. `status=open` means every open state."""
        caller = caller_of(request)
        rows = Escalation.objects.at_site(caller.place).cases()
        if caller.own_only:
            rows = rows.filter(procedure__operator=caller.person)
        if status := request.query_params.get("status"):
            words = OPEN if status == "open" else status.split(",")
            if any(word not in [str(one) for one in EscalationStatus] for word in words):
                accepted = ", ".join(["open", *EscalationStatus])
                raise Invalid.field("status", "not_a_choice", f"Accepted: {accepted}.")
            rows = rows.filter(status__in=words)
        if procedure := request.query_params.get("procedure"):
            try:
                rows = rows.filter(procedure__public_id=UUID(procedure))
            except ValueError:
                raise Invalid.field("procedure", "not_an_id", "Send a UUID.") from None
        now = database_now()
        return Response({"results": [line(row, now) for row in rows.for_display().order_by(*open_first())[:PAGE]]})


class EscalationView(APIView):
    """One escalation, with clocks, steps, messages and events."""

    @described("Read one escalation", gives=WHOLE)
    def get(self, request: Request, public_id: UUID) -> Response:
        """Answer everything about it."""
        return Response(whole(access_escalation(caller_of(request), public_id), database_now()))


def _answer(row: Escalation) -> Response:
    fresh = Escalation.objects.for_display().get(pk=row.pk)
    return Response(whole(fresh, database_now()), status=201)


class AcknowledgementView(APIView):
    """POST …/acknowledgement/: take responsibility."""

    @described("Take responsibility", takes=AcknowledgementInput, gives=WHOLE, status=201)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Answer 201; 409 with the sentence that says who was first."""
        caller = caller_of(request)
        row = access_escalation(caller, public_id)
        data = AcknowledgementInput(data=request.data)
        data.is_valid(raise_exception=True)
        eta = data.validated_data["eta_minutes"]
        return _answer(acts.acknowledge(escalation=row, eta_minutes=eta, by=caller.actor(), now=database_now()))


class ArrivalView(APIView):
    """POST …/arrival/: a surgeon is at the bedside."""

    @described("Record that a surgeon is at the bedside", takes=ArrivalInput, gives=WHOLE, status=201)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Answer 201."""
        caller = caller_of(request)
        row = access_escalation(caller, public_id)
        data = ArrivalInput(data=request.data)
        data.is_valid(raise_exception=True)
        name = data.validated_data.get("surgeon")
        surgeon = _colleague(caller, name, "surgeon") if name else None
        at = data.validated_data.get("at")
        return _answer(acts.arrive(escalation=row, surgeon=surgeon, at=at, by=caller.actor(), now=database_now()))


def _colleague(caller: Any, name: str, field: str) -> User:
    try:
        return access_colleague(caller, name)
    except NotFound as error:
        raise Invalid.field(field, error.code, error.detail) from None


class DeclineView(APIView):
    """POST …/decline/: who was paged cannot come."""

    @described("Say that one cannot come: the next step pages at once", gives=WHOLE, status=201)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Answer 201, the second time as well; 409 where somebody has taken it meanwhile."""
        caller = caller_of(request)
        row = access_escalation(caller, public_id)
        return _answer(decline(escalation=row, by=caller.actor(), now=database_now()))


class TierView(APIView):
    """POST …/tier/: a person raises the case."""

    @described("Raise the case to a more urgent tier", takes=TierInput, gives=WHOLE, status=201)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Answer 201; 409 for a tier that is not above the present one."""
        caller = caller_of(request)
        row = access_escalation(caller, public_id)
        data = TierInput(data=request.data)
        data.is_valid(raise_exception=True)
        tier, reason = Tier(data.validated_data["tier"]), data.validated_data["reason"]
        return _answer(raise_tier(escalation=row, tier=tier, reason=reason, by=caller.actor(), now=database_now()))


class HandOverView(APIView):
    """POST …/handover/: ask another surgeon to take over."""

    @described("Ask another surgeon to take over", takes=HandOverInput, gives=WHOLE, status=201)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Answer 201; until the other answers, the first stays responsible."""
        caller = caller_of(request)
        row = access_escalation(caller, public_id)
        data = HandOverInput(data=request.data)
        data.is_valid(raise_exception=True)
        to = _colleague(caller, data.validated_data["to"], "to")
        return _answer(acts.hand_over(escalation=row, to=to, by=caller.actor(), now=database_now()))


class MilestonesView(APIView):
    """POST …/milestones/: record a time on the way."""

    @described("Record a time on the way", takes=MilestoneInput, gives=WHOLE, status=201)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Answer 201; the start of theatre closes a case whose operation is decided."""
        caller = caller_of(request)
        row = access_escalation(caller, public_id)
        data = MilestoneInput(data=request.data)
        data.is_valid(raise_exception=True)
        values = data.validated_data
        return _answer(
            acts.record_milestone(
                escalation=row,
                kind=Milestone(values["kind"]),
                at=values.get("at"),
                note_text=values["note"],
                by=caller.actor(),
                now=database_now(),
            )
        )


class DecisionView(APIView):
    """POST …/decision/: the surgeon's decision."""

    @described("Record the decision", takes=DecisionInput, gives=WHOLE, status=201)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Answer 201; 400 naming what the decision lacks, 409 before anybody is at the bedside."""
        caller = caller_of(request)
        row = access_escalation(caller, public_id)
        data = request.data if isinstance(request.data, dict) else {}
        return _answer(acts.decide(escalation=row, data=data, by=caller.actor(), now=database_now()))


class RaisedInErrorView(APIView):
    """POST …/raised-in-error/: withdraw an escalation that should not have been."""

    @described("Withdraw an escalation raised in error", takes=ErrorInput, gives=WHOLE, status=201)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Answer 201; only a surgeon may, with a reason."""
        caller = caller_of(request)
        row = access_escalation(caller, public_id)
        data = ErrorInput(data=request.data)
        data.is_valid(raise_exception=True)
        reason = data.validated_data["reason"]
        return _answer(acts.raise_in_error(escalation=row, reason=reason, by=caller.actor(), now=database_now()))


class PolicyView(APIView):
    """The site's paging policy: the one in force, and a new version of it."""

    @described("Read the paging policy in force", gives=POLICY)
    def get(self, request: Request) -> Response:
        """Answer `{version, data}`; version 0 is the one that ships with the product."""
        data, version = policy_in_force(caller_of(request).place)
        return Response({"version": version, "data": data})

    @described("Set a new version of the paging policy", takes="object", gives=POLICY, status=201)
    def post(self, request: Request) -> Response:
        """Answer 201; 400 with every reason why this policy could strand somebody (no backstop above all)."""
        caller = caller_of(request)
        data = dict(request.data) if isinstance(request.data, dict) else {}
        reason = data.pop("reason", "")
        if not isinstance(reason, str):
            raise Invalid.field("reason", "not_a_text", "Say in words why this version is set.")
        row = set_policy(site=caller.place, data=data, reason=reason, by=caller.actor(), now=database_now())
        return Response({"version": row.version, "data": row.data}, status=201)


class PolicyVersionsView(APIView):
    """The versions of the site's paging policy."""

    @described("List the versions of the paging policy, newest first", gives={"results": [POLICY_VERSION]})
    def get(self, request: Request) -> Response:
        """Answer each version with who set it, when and why, and what it changed in the one before."""
        rows = list(
            EscalationPolicy.objects.filter(site=caller_of(request).place)
            .select_related("created_by")
            .order_by("version")
        )
        found: list[dict[str, Any]] = []
        for before, row in zip([None, *rows], rows, strict=False):
            changes = differences(before.data, row.data) if before else []
            found.append(
                {
                    "version": row.version,
                    "created_at": row.created_at,
                    "by": person(row.created_by),
                    "reason": row.reason,
                    "changes": [{"field": one.field, "was": one.was, "now": one.now} for one in changes],
                    "data": row.data,
                }
            )
        return Response({"results": found[::-1]})
