"""What the rota and the policy would do together: the simulator and the check of the days to come."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from clinic.api.permissions import caller_of
from clinic.api.rota import colleague, read_instant
from clinic.api.rota_shapes import PERSON
from clinic.api.schema import Maybe, described
from clinic.lib.clock import database_now
from clinic.lib.problems import FieldError, Invalid
from clinic.vocabulary import Channel
from complications.queries.coverage import DAYS, check_coverage, coverage_body
from complications.queries.simulation import simulate, simulation_body
from complications.rules.policy import check
from complications.vocabulary import Pathway, Setting, Tier

PATHWAYS = [pathway for pathway in Pathway if pathway.pages]
REACHED: dict[str, Any] = {"post": "text", "name": "text", "channels": [Channel]}
SIMULATION: dict[str, Any] = {
    "at": "instant",
    "tier": Tier,
    "pathway": Pathway,
    "setting": Setting,
    "policy_version": "integer?",
    "paging_from": "instant",
    "told_now": [REACHED],
    "moments": [
        {
            "at": "instant",
            "after_s": "number",
            "what": "text",
            "round": "integer?",
            "step": "integer?",
            "repeat": "flag",
            "clock": "text?",
            "posts": ["text"],
            "to": [REACHED],
        }
    ],
    "clocks": [
        {
            "name": "text",
            "start_at": "instant?",
            "warn_at": "instant?",
            "target_at": "instant?",
            "limit_at": "instant?",
        }
    ],
}
COVERAGE: dict[str, Any] = {
    "from": "instant",
    "to": "instant",
    "policy_version": "integer",
    "red": "integer",
    "amber": "integer",
    "findings": [
        {
            "code": "text",
            "severity": "text",
            "start": "instant",
            "end": "instant",
            "post": "text?",
            "rank": "integer?",
            "person": Maybe(PERSON),
            "pathway": "text?",
            "step": "integer?",
            "tiers": [Tier],
        }
    ],
}


class SimulationInput(serializers.Serializer[Any]):
    """What is imagined: how urgent, which pathway, where the patient is, who operated."""

    tier = serializers.ChoiceField(choices=list(Tier), default=Tier.T0.value)
    pathway = serializers.ChoiceField(choices=PATHWAYS, default=Pathway.SPINE.value)
    setting = serializers.ChoiceField(choices=list(Setting), default=Setting.IN_HOUSE.value)
    operator = serializers.CharField(max_length=150, required=False, allow_blank=True, default="")


class DraftInput(SimulationInput):
    """The same, and the policy that is tried: the whole of it, as `GET /escalations/policy/` answers it in `data`."""

    at = serializers.DateTimeField(required=False)
    policy = serializers.DictField()


class DaysInput(serializers.Serializer[Any]):
    """How many days are looked at."""

    days = serializers.IntegerField(min_value=1, max_value=92, default=DAYS)


class SimulationView(APIView):
    """Who would be paged when, if somebody reported now or at another time; nothing is sent or written."""

    @described(
        "Say who would be paged when, without paging",
        gives=SIMULATION,
        query={
            "at": "when the report is made (RFC 3339), now where absent",
            "tier": "`t0` (default) to `t3`",
            "pathway": "`spine` (default), `medical`, `cardiac`, `operator`",
            "setting": "`in_house` (default), `at_home`, `other_hospital`",
            "operator": "the user name of who operated; nobody stands for that post where absent",
        },
    )
    def get(self, request: Request) -> Response:
        """Answer each step with who is reached by which channel, and each clock, until the repeat ran twice."""
        caller = caller_of(request)
        data = SimulationInput(data=request.query_params)
        data.is_valid(raise_exception=True)
        values = data.validated_data
        operator = colleague(caller, values["operator"], "operator") if values["operator"] else None
        found = simulate(
            site=caller.place,
            at=read_instant(request, "at", database_now()),
            tier=Tier(values["tier"]),
            pathway=Pathway(values["pathway"]),
            setting=Setting(values["setting"]),
            operator=operator,
        )
        return Response(simulation_body(found))

    @described("Say who would be paged when by a policy that nobody has set yet", takes=DraftInput, gives=SIMULATION)
    def post(self, request: Request) -> Response:
        """Answer as GET does, with `policy_version` null; 400 with the fields where the draft cannot be played."""
        caller = caller_of(request)
        data = DraftInput(data=request.data)
        data.is_valid(raise_exception=True)
        values = data.validated_data
        if faults := check(values["policy"]):
            raise Invalid("invalid", "This policy cannot be used.", [FieldError(*fault) for fault in faults])
        found = simulate(
            site=caller.place,
            at=values.get("at") or database_now(),
            tier=Tier(values["tier"]),
            pathway=Pathway(values["pathway"]),
            setting=Setting(values["setting"]),
            operator=colleague(caller, values["operator"], "operator") if values["operator"] else None,
            draft=values["policy"],
        )
        return Response(simulation_body(found))


class CoverageView(APIView):
    """What is wrong with the rota of the days to come."""

    @described(
        "Check the rota of the next days for gaps, people out of reach and loops",
        gives=COVERAGE,
        query={"days": "how many days, 14 where absent, at most 92"},
    )
    def get(self, request: Request) -> Response:
        """Answer the findings, red first, each with its time and place."""
        caller = caller_of(request)
        data = DaysInput(data=request.query_params)
        data.is_valid(raise_exception=True)
        found = check_coverage(caller.place, database_now(), data.validated_data["days"])
        return Response(coverage_body(found))
