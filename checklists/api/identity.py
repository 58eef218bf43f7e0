"""POST /runs/{id}/identity/: two identifiers before a list is worked on."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from checklists.access import access_run
from checklists.actions.identity import MISMATCHED, WAIVERS, Said, check_identity
from checklists.api.signing import read
from checklists.queries.identity import known_until
from checklists.rules.identity import IDENTIFIERS
from clinic.api.permissions import caller_of
from clinic.api.schema import described
from clinic.lib.clock import database_now
from clinic.lib.problems import FieldError, Refused

CHECKED = {"id": "uuid", "outcome": "text", "until": "instant?"}


class IdentityInput(serializers.Serializer[Any]):
    """Two of name, birth date and record number; or why nobody can be asked; or what a tablet compared by itself."""

    id = serializers.UUIDField()
    name = serializers.CharField(max_length=200, required=False, allow_blank=True)
    birth_date = serializers.DateField(required=False, allow_null=True)
    mrn = serializers.CharField(max_length=100, required=False, allow_blank=True)
    compared = serializers.DictField(child=serializers.BooleanField(), required=False, allow_null=True)
    reason = serializers.ChoiceField(WAIVERS, required=False, allow_blank=True)
    other_patient = serializers.BooleanField(required=False, default=False)
    occurred_at = serializers.DateTimeField(required=False, allow_null=True)

    def validate_compared(self, value: dict[str, bool] | None) -> dict[str, bool] | None:
        """Take no other words than the identifiers'."""
        if value and set(value) - set(IDENTIFIERS):
            raise serializers.ValidationError(f"Use: {', '.join(IDENTIFIERS)}.", code="unknown_identifier")
        return value


class RunIdentityView(APIView):
    """POST /runs/{id}/identity/."""

    @described("Make sure that a list is this patient's", takes=IdentityInput, gives=CHECKED, status=201)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Answer 201 and until when nobody asks again; 409 `identity_mismatch` names what differs, which is kept."""
        caller = caller_of(request)
        run = access_run(caller, public_id)
        values = read(IdentityInput, request)
        now = database_now()
        said = Said(
            values={name: values[name] for name in IDENTIFIERS if values.get(name)},
            compared=values.get("compared"),
            reason=values.get("reason") or "",
            other_patient=values["other_patient"],
            occurred_at=values.get("occurred_at"),
        )
        row = check_identity(run=run, check=values["id"], said=said, by=caller.actor(), tablet=caller.tablet, now=now)
        if row.outcome == MISMATCHED and not row.on_tablet:
            raise Refused(
                "identity_mismatch",
                "This is not the patient of this list. Stop; look at the wristband and at the list again.",
                [FieldError(name, "differs", "Not this patient's.") for name in row.differing],
            )
        until = known_until(run, user=caller.user, tablet=caller.tablet, now=now)
        return Response({"id": str(row.public_id), "outcome": row.outcome, "until": until}, status=201)
