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
from complications.access import access_drill, access_drill_plan
from complications.actions.drill_plans import end_drill_plan, set_drill_plan
from complications.actions.drills import start_drill, stop_drill
from complications.api.shapes import BRIEF, DRILL, DRILL_PLAN
from complications.models import Drill, DrillPlan
from complications.queries.escalations import brief, person
from complications.vocabulary import DrillEvery, Pathway, Tier

PAGE = 50


class DrillPlanInput(serializers.Serializer[Any]):
    """How urgent, whose pathway, and when on the site's clock: `weekday` 0 is Monday, `week` of the month (5 the last)."""

    tier = serializers.ChoiceField([str(one) for one in Tier], default=Tier.T0.value)
    pathway = serializers.ChoiceField([str(one) for one in Pathway], default=Pathway.SPINE.value)
    announced = serializers.BooleanField(default=False)
    every = serializers.ChoiceField([str(one) for one in DrillEvery])
    weekday = serializers.IntegerField(min_value=0, max_value=6)
    week = serializers.IntegerField(min_value=1, max_value=5, default=1)
    begin = serializers.TimeField(input_formats=["%H:%M"])
    end = serializers.TimeField(input_formats=["%H:%M"])


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
        "planned": drill.plan_id is not None,
        "amended_at": drill.amended_at,
    }


def drill_body(drill: Drill) -> dict[str, Any]:
    """Return one drill with how it stands and, once it has ended, its report."""
    return {**drill_line(drill), "escalation": brief(drill.escalation, database_now()), "report": drill.report}


def plan_line(plan: DrillPlan) -> dict[str, Any]:
    """Return one plan. When inside its window the next drill begins is nobody's to know."""
    return {
        "id": str(plan.public_id),
        "tier": plan.tier,
        "pathway": plan.pathway,
        "announced": plan.announced,
        "every": plan.every,
        "weekday": plan.weekday,
        "week": plan.week,
        "begin": f"{plan.begin:%H:%M}",
        "end": f"{plan.end:%H:%M}",
        "timezone": plan.site.timezone,
        "window_closes_at": plan.closes_at,
        "missed_at": plan.missed_at,
        "missed_why": plan.missed_why or None,
        "created_at": plan.created_at,
        "created_by": person(plan.created_by),
        "ended_at": plan.ended_at,
    }


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


class DrillPlansView(APIView):
    """The plans by which drills begin by themselves."""

    @described("List the plans of the site's drills, newest first", gives={"results": [DRILL_PLAN]})
    def get(self, request: Request) -> Response:
        """Answer `{results}`, ended ones too."""
        rows = DrillPlan.objects.at_site(caller_of(request).place).select_related("site", "created_by")
        return Response({"results": [plan_line(one) for one in rows.order_by("-pk")[:PAGE]]})

    @described("Let drills begin by a plan", takes=DrillPlanInput, gives=DRILL_PLAN, status=201)
    def post(self, request: Request) -> Response:
        """Answer 201; 409 `plan_exists` while one of the same kind runs."""
        caller = caller_of(request)
        data = DrillPlanInput(data=request.data)
        data.is_valid(raise_exception=True)
        values = data.validated_data
        plan = set_drill_plan(
            site=caller.place,
            tier=Tier(values["tier"]),
            pathway=Pathway(values["pathway"]),
            every=DrillEvery(values["every"]),
            weekday=values["weekday"],
            week=values["week"],
            begin=values["begin"],
            end=values["end"],
            announced=values["announced"],
            by=caller.actor(),
            now=database_now(),
        )
        return Response(plan_line(plan), status=201)


class DrillPlanEndView(APIView):
    """POST …/end/: no further drill begins by this plan."""

    @described("End a plan", gives=DRILL_PLAN, status=201)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Answer 201, the second time as well."""
        caller = caller_of(request)
        end_drill_plan(plan=access_drill_plan(caller, public_id), by=caller.actor(), now=database_now())
        return Response(plan_line(access_drill_plan(caller, public_id)), status=201)
