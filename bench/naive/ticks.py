"""One tick, one request, with the same duties as a batch: what a careful first version in DRF's own words does.

Token log-in, role at the site, the item and value checked against the published list, the run locked for its number, the
event by a ModelSerializer, the answer by `update_or_create`, the run's own row, the audit entry by the same
`audit_append`, all in one transaction. No query is there that DRF or these duties do not ask for. What it leaves out makes it
faster: merging of two tablets' answers, late and held ticks, the quarantine, facts of the procedure.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from rest_framework import authentication, exceptions, generics, permissions, serializers
from rest_framework.request import Request

from checklists.models import Answer, Event, Run
from checklists.queries.state import definitions_around, index_of
from checklists.rules.nodes import Key
from checklists.rules.values import key_fault, value_fault
from clinic.actions.audit import recording
from clinic.lib.canonical import canonical
from clinic.models import Actor, ApiToken, Membership
from clinic.vocabulary import Role, Via


class ByToken(authentication.BaseAuthentication):
    """The bearer token, found with its person in one query."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        """Return the person and the token."""
        kind, _, secret = request.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer":
            return None
        digest = hashlib.sha256(secret.encode()).hexdigest()
        try:
            token = ApiToken.objects.select_related("user").get(sha256=digest, revoked_at=None, user__is_active=True)
        except ApiToken.DoesNotExist:
            raise exceptions.AuthenticationFailed from None
        if token.expires_at <= datetime.now(UTC) or "runs:write" not in token.scopes:
            raise exceptions.AuthenticationFailed
        return token.user, token


class MayTick(permissions.BasePermission):
    """A role at the token's site that ticks."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Ask for the membership."""
        roles = [Role.NURSE, Role.SURGEON, Role.ANAESTHETIST]
        token: Any = request.auth
        return Membership.objects.filter(
            user=token.user, site=token.site_id, role__in=roles, is_active=True
        ).exists()  # fmt: skip


class TickSerializer(serializers.ModelSerializer[Event]):
    """What a tablet sends of a tick; the rest is the server's."""

    run: Any = serializers.SlugRelatedField(slug_field="public_id", queryset=Run.objects.select_related("procedure"))

    class Meta:
        model = Event
        fields = [
            *("public_id", "run", "item", "part", "level", "side", "instance", "value", "parent", "has_parent", "mode"),
            *("reason", "occurred_at", "clock", "seq", "outcome", "recorded_at"),
        ]
        read_only_fields = ["seq", "outcome", "recorded_at"]
        # The server gives the number.
        validators: list[Any] = []

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Check the run's site, the item and the value."""
        token: Any = self.context["request"].auth
        if attrs["run"].procedure.site_id != token.site_id:
            raise exceptions.NotFound
        index = index_of(definitions_around(attrs["run"]))
        key = key_of(attrs)
        fault = key_fault(index, key) or value_fault(index.nodes[key.node_id], attrs["value"])
        if fault is not None:
            raise serializers.ValidationError(fault.detail, fault.code)
        return attrs


class TickCreate(generics.CreateAPIView[Event]):
    """One tick, one request, one transaction."""

    authentication_classes = [ByToken]
    permission_classes = [permissions.IsAuthenticated, MayTick]
    serializer_class = TickSerializer
    queryset = Event.objects.all()

    @transaction.atomic
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        """Do all of it or nothing, as ATOMIC_REQUESTS would have it."""
        return super().create(request, *args, **kwargs)

    def perform_create(self, serializer: Any) -> None:
        """Store the event, its answer and its audit entry."""
        user: Any = self.request.user
        now = datetime.now(UTC)
        sent = serializer.validated_data
        run = Run.objects.select_for_update(no_key=True).get(pk=sent["run"].pk)
        content = {"run": str(run.public_id), "key": key_of(sent).text(), "value": sent["value"]}
        event = serializer.save(
            run=run,
            seq=run.last_seq + 1,
            outcome="applied",
            actor=user,
            sender=user,
            role=Role.NURSE.value,
            recorded_at=now,
            content_sha256=hashlib.sha256(canonical(content)).hexdigest(),
        )
        Answer.objects.update_or_create(
            run=run,
            **key_of(sent)._asdict(),
            defaults={
                "value": event.value,
                "event": event.public_id,
                "heads": [[str(event.public_id), event.value]],
                "actor": user,
                "occurred_at": event.occurred_at,
                "recorded_at": now,
            },
        )
        run.last_seq, run.revision = event.seq, run.revision + 1
        run.save(update_fields=["last_seq", "revision"])
        by = Actor(user=user, role=Role.NURSE.value, via=Via.TOKEN.value)
        with recording(by=by, now=now) as trail:
            trail.add(
                stream=f"procedure:{sent['run'].procedure.public_id}",
                action="answers.recorded",
                subject=f"run:{run.public_id}",
                data={"phase": run.phase, "events": [[str(event.public_id), event.seq, event.content_sha256]]},
            )


def key_of(sent: dict[str, Any]) -> Key:
    """Return the address of the answer."""
    return Key(*(sent.get(name, "") for name in Key._fields))
