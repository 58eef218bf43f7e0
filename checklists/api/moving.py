"""GET and POST /runs/{id}/move/: what a newer version would change for an open run, and going on with it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from checklists.access import access_definition, access_run
from checklists.actions.moving import move_run, plan_for, target_of
from checklists.actions.signing import Credential
from checklists.api.shapes import MOVE_PLAN, STATUS
from checklists.api.signing import CredentialInput, read, status_body
from checklists.models import Definition, Run
from clinic.access import access_colleague
from clinic.api.permissions import caller_of
from clinic.api.schema import described
from clinic.lib.clock import database_now


class MoveInput(serializers.Serializer[Any]):
    """Who moves a run, to which version, over which plan."""

    user = serializers.CharField(max_length=150)
    credential = CredentialInput()
    definition = serializers.RegexField(r"^[0-9a-f]{64}$")
    plan_sha256 = serializers.RegexField(r"^[0-9a-f]{64}$")


def plan_body(run: Run, becomes: Definition) -> dict[str, Any]:
    """Return what becomes of each answer."""
    plan = plan_for(run, becomes)
    return {
        "definition": {"id": becomes.name, "version": becomes.version, "sha256": becomes.sha256},
        "plan_sha256": plan.sha256(str(run.public_id)),
        "kept": [{"key": key.text(), "value": value} for key, value in plan.kept],
        "unfit": [{"key": key.text(), "value": value, "detail": why} for key, value, why in plan.unfit],
        "retired": [{"key": key.text(), "value": value} for key, value in plan.retired],
        "new": list(plan.new),
    }


class RunMoveView(APIView):
    """GET and POST /runs/{id}/move/."""

    @described("Read what moving an open run would change", gives={"plan": MOVE_PLAN})
    def get(self, request: Request, public_id: UUID) -> Response:
        """Answer the plan; null where the run is signed or on the version in force."""
        run = access_run(caller_of(request), public_id)
        becomes = target_of(run)
        return Response({"plan": plan_body(run, becomes) if becomes else None})

    @described("Move an open run to the version in force", takes=MoveInput, gives={"run": STATUS}, status=201)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Answer 201; 409 where the answers changed, the list is signed, or another version is in force."""
        caller = caller_of(request)
        run = access_run(caller, public_id)
        values = read(MoveInput, request)
        move_run(
            run=run,
            becomes=access_definition(caller, values["definition"]),
            plan_sha256=values["plan_sha256"],
            user=access_colleague(caller, values["user"]),
            credential=Credential(**values["credential"]),
            by=caller.actor(),
            tablet=caller.tablet,
            now=database_now(),
        )
        return Response({"run": status_body(run)}, status=201)
