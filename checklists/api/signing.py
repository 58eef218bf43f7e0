"""Sign, countersign, override, pause, amend, declare an emergency: several people on one tablet."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from checklists.access import access_run
from checklists.actions.countersigning import countersign_held
from checklists.actions.exceptions import amend_run, decide_level, declare_emergency, override_stop
from checklists.actions.outcome import EARLY, end_early
from checklists.actions.pausing import Confirmed, confirm_run, pause_run
from checklists.actions.signing import Credential, sign_phase
from checklists.api.events import batch_body
from checklists.api.shapes import AMENDMENT, BATCH, OVERRIDE, SIGNATURE, STATUS
from checklists.models import Run
from checklists.queries.runs import amendment_body, override_body, signature_body
from checklists.rules.nodes import Key
from checklists.vocabulary import PauseKind, SignatureRole
from clinic.access import access_colleague
from clinic.api.permissions import caller_of
from clinic.api.schema import described
from clinic.lib.clock import database_now
from clinic.lib.problems import Invalid


class CredentialInput(serializers.Serializer[Any]):
    """The signer's own PIN or password."""

    pin = serializers.CharField(max_length=12, required=False, allow_blank=True, default="")
    password = serializers.CharField(
        max_length=200, required=False, allow_blank=True, default="", trim_whitespace=False
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Ask for one of the two."""
        if not attrs.get("pin") and not attrs.get("password"):
            raise serializers.ValidationError("Send pin or password.", code="required")
        return attrs


class KeyInput(serializers.Serializer[Any]):
    """The address of an answer."""

    item = serializers.CharField(max_length=20)
    part = serializers.CharField(max_length=60, required=False, allow_blank=True, allow_null=True)
    level = serializers.CharField(max_length=3, required=False, allow_blank=True, allow_null=True)
    side = serializers.CharField(max_length=8, required=False, allow_blank=True, allow_null=True)
    instance = serializers.CharField(max_length=40, required=False, allow_blank=True, allow_null=True)


class SignatureInput(serializers.Serializer[Any]):
    """One signature: who, in which part, with what, over which content."""

    user = serializers.CharField(max_length=150)
    role = serializers.ChoiceField([str(role) for role in SignatureRole])
    credential = CredentialInput()
    content_sha256 = serializers.RegexField(r"^[0-9a-f]{64}$")
    witnessed_by = serializers.CharField(max_length=150, required=False, allow_null=True)


class PersonInput(serializers.Serializer[Any]):
    """One of the two people of an override."""

    user = serializers.CharField(max_length=150)
    role = serializers.ChoiceField(["operator", "anaesthetist", "surgeon", "nurse", "ward_nurse"])
    credential = CredentialInput()


class OverrideInput(KeyInput):
    """Which stop, why, and the two people."""

    reason = serializers.CharField(max_length=40)
    text = serializers.CharField(max_length=2000)
    people = PersonInput(many=True)


class PauseInput(serializers.Serializer[Any]):
    """The team stops, goes on, or says again who lies there and where the needles go (`confirmed`)."""

    kind = serializers.ChoiceField([str(kind) for kind in PauseKind])
    patient = serializers.BooleanField(required=False, default=False)
    levels = serializers.ListField(
        child=serializers.CharField(max_length=3), required=False, max_length=30, default=list
    )
    sides = serializers.DictField(child=serializers.CharField(max_length=10), required=False, default=dict)
    reason = serializers.CharField(max_length=40, required=False, allow_blank=True, default="")
    text = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")


class LevelInput(serializers.Serializer[Any]):
    """Whether a planned level is treated."""

    level = serializers.CharField(max_length=3)
    treat = serializers.BooleanField()
    reason = serializers.CharField(max_length=500)


class OutcomeInput(serializers.Serializer[Any]):
    """The case is given up or goes on as open surgery; empty = it goes on after all."""

    outcome = serializers.ChoiceField(EARLY, allow_blank=True)
    reason = serializers.CharField(max_length=500)


class AmendmentInput(KeyInput):
    """A correction of a signed list."""

    id = serializers.UUIDField()
    value = serializers.JSONField(allow_null=True)
    reason = serializers.CharField(max_length=2000)
    event = serializers.UUIDField(required=False, allow_null=True)
    user = serializers.CharField(max_length=150)
    credential = CredentialInput()


class CountersignatureInput(serializers.Serializer[Any]):
    """Who stands by what was ticked in their name; `events` names those of which nobody proved whose they are."""

    user = serializers.CharField(max_length=150)
    credential = CredentialInput()
    events = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=100, default=list)


def read(serializer: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    """Return the checked input."""
    data = serializer(data=request.data)
    data.is_valid(raise_exception=True)
    values: dict[str, Any] = data.validated_data
    return values


def key_in(values: dict[str, Any]) -> Key:
    """Return the key among checked values."""
    return Key(*(values.get(name) or "" for name in Key._fields))


class RunSignaturesView(APIView):
    """POST /runs/{id}/signatures/."""

    @described("Sign a list", takes=SignatureInput, gives={**SIGNATURE, "run": STATUS}, status=201)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Answer 201 with the signature and the run's status; 409 where content, gate or state do not allow it."""
        caller = caller_of(request)
        run = access_run(caller, public_id)
        values = read(SignatureInput, request)
        signature = sign_phase(
            run=run,
            user=access_colleague(caller, values["user"]),
            role=values["role"],
            credential=Credential(**values["credential"]),
            content_sha256=values["content_sha256"],
            witnessed_by=access_colleague(caller, values["witnessed_by"]) if values.get("witnessed_by") else None,
            by=caller.actor(),
            tablet=caller.tablet,
            now=database_now(),
        )
        return Response({**signature_body(signature, current=True), "run": status_body(run)}, status=201)


class RunCountersignaturesView(APIView):
    """POST /runs/{id}/countersignatures/: the held ticks of a person count from now on."""

    @described("Stand by what was ticked in one's name", takes=CountersignatureInput, gives=BATCH)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Answer what became of each held tick, as a batch does."""
        caller = caller_of(request)
        run = access_run(caller, public_id)
        values = read(CountersignatureInput, request)
        results = countersign_held(
            run=run,
            user=access_colleague(caller, values["user"]),
            credential=Credential(**values["credential"]),
            events=values["events"],
            by=caller.actor(),
            tablet=caller.tablet,
            now=database_now(),
        )
        return Response(batch_body(run, results))


class RunOverridesView(APIView):
    """POST /runs/{id}/overrides/: two people, two roles, own credentials."""

    @described("Let one stop pass, as two people", takes=OverrideInput, gives={**OVERRIDE, "run": STATUS}, status=201)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Answer 201 with the override."""
        caller = caller_of(request)
        run = access_run(caller, public_id)
        values = read(OverrideInput, request)
        if len(values["people"]) != 2:
            raise Invalid.field("people", "two_people_two_roles", "An override needs two people in two roles.")
        first, second = (
            (access_colleague(caller, one["user"]), one["role"], Credential(**one["credential"]))
            for one in values["people"]
        )
        row = override_stop(
            run=run,
            key=key_in(values),
            reason=values["reason"],
            text=values["text"],
            people=(first, second),
            by=caller.actor(),
            now=database_now(),
        )
        return Response({**override_body(row), "run": status_body(run)}, status=201)


class RunPausesView(APIView):
    """POST /runs/{id}/pauses/: stop, or go on."""

    @described(
        "Stop, or go on",
        takes=PauseInput,
        gives={"paused_at": "instant?", "ask_again": "flag", "run": STATUS},
        status=201,
    )
    def post(self, request: Request, public_id: UUID) -> Response:
        """Answer 201; `ask_again`: patient, levels and side must be `confirmed` anew; 409 `not_confirmed` where they differ."""
        caller = caller_of(request)
        run = access_run(caller, public_id)
        values = read(PauseInput, request)
        said = Confirmed(**{name: values.pop(name) for name in ("patient", "levels", "sides")})
        if values["kind"] == PauseKind.CONFIRMED:
            confirm_run(run=run, said=said, by=caller.actor(), now=database_now())
            ask_again = False
        else:
            ask_again = pause_run(run=run, **values, by=caller.actor(), now=database_now())
        return Response({"paused_at": run.paused_at, "ask_again": ask_again, "run": status_body(run)}, status=201)


class RunEmergencyView(APIView):
    """POST /runs/{id}/emergency/: the short list now, the rest as debt."""

    @described("Declare an emergency", gives={"is_emergency": "flag", "run": STATUS}, status=201)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Answer 201 with the run's status."""
        caller = caller_of(request)
        run = access_run(caller, public_id)
        declare_emergency(run=run, by=caller.actor(), now=database_now())
        return Response({"is_emergency": True, "run": status_body(run)}, status=201)


class RunLevelsView(APIView):
    """POST /runs/{id}/levels/: a planned level is not treated, or is after all."""

    @described("Decide that a level is not treated", takes=LevelInput, gives={"run": STATUS}, status=201)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Answer 201 with the run's status; the level's questions are no longer asked."""
        caller = caller_of(request)
        run = access_run(caller, public_id)
        decide_level(run=run, **read(LevelInput, request), by=caller.actor(), now=database_now())
        return Response({"run": status_body(run)}, status=201)


class RunOutcomeView(APIView):
    """POST /runs/{id}/outcome/: the case is given up, or goes on as open surgery."""

    @described("Give a case up, or convert it", takes=OutcomeInput, gives={"run": STATUS}, status=201)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Answer 201 with the run's status; what cannot be answered any more is no longer asked."""
        caller = caller_of(request)
        run = access_run(caller, public_id)
        end_early(run=run, **read(OutcomeInput, request), by=caller.actor(), now=database_now())
        return Response({"run": status_body(run)}, status=201)


class RunAmendmentsView(APIView):
    """POST /runs/{id}/amendments/: a correction beside a signed list."""

    @described("Correct a signed list beside it", takes=AmendmentInput, gives={**AMENDMENT, "run": STATUS}, status=201)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Answer 201 with the amendment."""
        caller = caller_of(request)
        run = access_run(caller, public_id)
        values = read(AmendmentInput, request)
        row = amend_run(
            run=run,
            amendment=values["id"],
            key=key_in(values),
            value=values["value"],
            reason=values["reason"],
            event=values.get("event"),
            user=access_colleague(caller, values["user"]),
            credential=Credential(**values["credential"]),
            by=caller.actor(),
            now=database_now(),
        )
        return Response({**amendment_body(row), "run": status_body(run)}, status=201)


def status_body(run: Run) -> dict[str, Any]:
    """Return the state of a run after an act."""
    return {
        "id": str(run.public_id),
        "phase": run.phase,
        "status": run.status,
        "seq": run.last_seq,
        "revision": run.revision,
        "signed_at": run.signed_at,
    }
