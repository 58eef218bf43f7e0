"""Drills over REST: begin one, see how it stands, stop it, read its report."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from clinic.api.permissions import caller_of
from clinic.api.schema import Maybe, described
from clinic.lib.clock import database_now
from complications.access import access_drill
from complications.actions.drills import start_drill, stop_drill
from complications.api.shapes import BRIEF, DRILL
from complications.models import Drill
from complications.queries.escalations import brief
from complications.vocabulary import Pathway, Tier

PAGE = 50


class DrillInput(serializers.Serializer[Any]):
    """What is rehearsed, and whether people were told of it."""

    tier = serializers.ChoiceField([str(one) for one in Tier], default=Tier.T0.value)
    pathway = serializers.ChoiceField([str(one) for one in Pathway], default=Pathway.SPINE.value)
    announced = serializers.BooleanField(default=False)


def drill_line(drill: Drill) -> dict[str, Any]:
    """Return one row of the list."""
    row = drill.escalation
    return {
        "id": str(row.public_id),
        "reference": row.short,
        "tier": row.tier,
        "pathway": row.pathway,
        "status": row.status,
        "announced": drill.announced,
        "started_at": row.opened_at,
        "ended_at": row.closed_at,
        "passed": drill.passed,
    }


def drill_body(drill: Drill) -> dict[str, Any]:
    """Return one drill with how it stands and, once it has ended, its report."""
    return {**drill_line(drill), "escalation": brief(drill.escalation, database_now()), "report": drill.report}


ONE: dict[str, Any] = {**DRILL, "escalation": BRIEF, "report": Maybe({"passed": "flag", "*": "any"})}


class DrillsView(APIView):
    """The site's drills."""

    @described("List the drills, newest first", gives={"results": [DRILL]})
    def get(self, request: Request) -> Response:
        """Answer `{results}`."""
        rows = Drill.objects.filter(escalation__site=caller_of(request).place).select_related("escalation")
        return Response({"results": [drill_line(one) for one in rows.order_by("-pk")[:PAGE]]})

    @described("Begin a drill: the real ladder, for nobody's patient", takes=DrillInput, gives=ONE, status=201)
    def post(self, request: Request) -> Response:
        """Answer 201; 409 `drill_running` while the last one has not ended."""
        caller = caller_of(request)
        data = DrillInput(data=request.data)
        data.is_valid(raise_exception=True)
        values = data.validated_data
        row = start_drill(
            site=caller.place,
            tier=Tier(values["tier"]),
            pathway=Pathway(values["pathway"]),
            announced=values["announced"],
            by=caller.actor(),
            now=database_now(),
        )
        return Response(drill_body(access_drill(caller, row.public_id)), status=201)


class DrillView(APIView):
    """One drill."""

    @described("Read one drill with its report", gives=ONE)
    def get(self, request: Request, public_id: UUID) -> Response:
        """Answer it; `report` is null until it has ended."""
        return Response(drill_body(access_drill(caller_of(request), public_id)))


class DrillEndView(APIView):
    """POST …/end/: stop a drill that nobody has answered yet."""

    @described("Stop a drill", gives=ONE, status=201)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Answer 201, the second time as well."""
        caller = caller_of(request)
        drill = access_drill(caller, public_id)
        stop_drill(escalation=drill.escalation, by=caller.actor(), now=database_now())
        return Response(drill_body(access_drill(caller, public_id)), status=201)
