"""The form of a follow-up: what it asks, and its answers."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID, uuid5

import rfc8785
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from checklists.access import access_follow_up
from checklists.actions.follow_up import answer_follow_up
from checklists.actions.sync import Incoming
from checklists.api.events import batch_body
from checklists.api.procedures import YEARS
from checklists.api.shapes import FORM, FORM_ANSWERED
from checklists.models import Answer, Definition, Run
from checklists.queries.runs import answer_body
from checklists.rules.nodes import Key
from clinic.api.permissions import caller_of
from clinic.api.schema import described
from clinic.lib.clock import database_now
from clinic.lib.problems import Invalid, NotFound
from complications.models import FollowUp


class AnswerInput(serializers.Serializer[Any]):
    """One answer of the form."""

    id = serializers.UUIDField(required=False)
    item = serializers.CharField(max_length=20)
    part = serializers.CharField(max_length=60, required=False, allow_blank=True, allow_null=True)
    value = serializers.JSONField(allow_null=True)
    occurred_at = serializers.DateTimeField(required=False)


class AnswersInput(serializers.Serializer[Any]):
    """The answers of one contact; `complete: false` keeps the contact open."""

    answers = AnswerInput(many=True)
    complete = serializers.BooleanField(default=True)


class FollowUpAnswersView(APIView):
    """POST /follow-ups/{id}/answers/: opens the form's run, stores the answers, finishes the follow-up, pages for red flags."""

    @described("Answer the form of a follow-up", takes=AnswersInput, gives=FORM_ANSWERED)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Answer as a batch of ticks does, with the follow-up's status and the escalation, if any."""
        caller = caller_of(request)
        follow_up = access_follow_up(caller, public_id)
        form_of(follow_up)
        data = AnswersInput(data=request.data)
        data.is_valid(raise_exception=True)
        values = data.validated_data
        if len(values["answers"]) > 100:
            raise Invalid("too_many_events", "At most 100 answers at once.")
        now = database_now()
        events = [
            Incoming(
                id=str(one.get("id") or _id_of(follow_up, one)),
                key=Key(one["item"], one.get("part") or ""),
                value=one["value"],
                occurred_at=at if (at := one.get("occurred_at")) is not None and at.year in YEARS else None,
            )
            for one in values["answers"]
        ]
        done = answer_follow_up(
            follow_up=follow_up,
            events=events,
            complete=values["complete"],
            by=caller.actor(),
            tablet=caller.tablet,
            now=now,
        )
        follow_up.refresh_from_db(fields=["status"])
        escalation = done.escalation
        return Response(
            {
                **batch_body(done.run, done.results),
                "follow_up": {"id": str(follow_up.public_id), "code": follow_up.code, "status": follow_up.status},
                "escalation": {"id": str(escalation.public_id), "tier": escalation.tier} if escalation else None,
            }
        )


class FollowUpFormView(APIView):
    """GET /follow-ups/{id}/form/: the questions of a contact and what was answered; writes nothing."""

    @described("Read the form of a follow-up", gives=FORM)
    def get(self, request: Request, public_id: UUID) -> Response:
        """Answer `{follow_up, run, definition, answers}`; `run` is null until the first answer."""
        follow_up = access_follow_up(caller_of(request), public_id)
        run = Run.objects.filter(follow_up=follow_up.public_id).select_related("definition").first()
        definition = run.definition if run else form_of(follow_up)
        rows = Answer.objects.filter(run=run).select_related("actor") if run else []
        return Response(
            {
                "follow_up": {"id": str(follow_up.public_id), "code": follow_up.code, "status": follow_up.status},
                "run": str(run.public_id) if run else None,
                "definition": {"id": definition.name, "sha256": definition.sha256, "content": definition.content},
                "answers": [answer_body(row) for row in rows],
            }
        )


def form_of(follow_up: FollowUp) -> Definition:
    """Return the newest published form of a follow-up's code; raise NotFound for one that has none (ward observations)."""
    definition = Definition.objects.filter(code=follow_up.code).newest().first()
    if definition is None:
        raise NotFound("no_form", "This contact has no form of its own; observations are ticked on the recovery list.")
    return definition


def _id_of(follow_up: FollowUp, answer: dict[str, Any]) -> UUID:
    """Return an id that the same answer to the same follow-up always gets, for senders that make none."""
    at = answer.get("occurred_at")
    content = [answer["item"], answer.get("part") or "", answer["value"], at.isoformat() if at else None]
    try:
        digest = hashlib.sha256(rfc8785.dumps(content)).hexdigest()
    except rfc8785.CanonicalizationError as error:
        raise Invalid.field("answers", "out_of_range", "A number is too large to be meant.") from error
    return uuid5(follow_up.public_id, digest)
