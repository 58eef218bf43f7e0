"""Where pages reach a person, what a site tells machines, and the receipts of providers and phones."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from rest_framework import serializers
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from clinic.access import access_colleague, access_contact, access_site_contact
from clinic.actions.contacts import (
    add_contact,
    add_site_contact,
    order_contacts,
    remove_contact,
    send_code,
    send_test,
    verify_contact,
)
from clinic.actions.receipts import record_receipt
from clinic.api.permissions import caller_of
from clinic.api.schema import described
from clinic.channels.receipts import read_receipt
from clinic.lib.clock import database_now
from clinic.lib.problems import Invalid
from clinic.lib.vapid import application_server_key
from clinic.models import ContactPoint
from clinic.models.contacts import OF_SITES
from clinic.queries.coverage import channels_here, coverage
from clinic.vocabulary import Channel

POINT = {
    "id": "uuid",
    "kind": Channel,
    "address": "text",
    "label": "text",
    "position": "integer",
    "verified_at": "instant?",
    "tested_at": "instant?",
    "disabled_at": "instant?",
    "disabled_reason": "text",
}
PERSON = {"user": "text", "name": "text", "on_call": "flag", "wrong": ["text"], "contacts": [POINT]}


class ContactInput(serializers.Serializer[Any]):
    """An address; `keys` are those of a browser's push subscription."""

    kind = serializers.ChoiceField(choices=[Channel.EMAIL.value, Channel.SMS.value, Channel.PUSH.value])
    address = serializers.CharField(max_length=1000)
    label = serializers.CharField(  # type: ignore[assignment]
        max_length=80, required=False, allow_blank=True, default=""
    )
    keys = serializers.DictField(child=serializers.CharField(max_length=200), required=False)


class SiteContactInput(serializers.Serializer[Any]):
    """A webhook or another service; with `user` a service of that person's."""

    kind = serializers.ChoiceField(choices=[kind.value for kind in OF_SITES])
    address = serializers.CharField(max_length=1000)
    label = serializers.CharField(  # type: ignore[assignment]
        max_length=80, required=False, allow_blank=True, default=""
    )
    user = serializers.CharField(max_length=150, required=False)


class OrderInput(serializers.Serializer[Any]):
    """All of one's contact points, the one to be tried first at the beginning."""

    ids = serializers.ListField(child=serializers.UUIDField(), max_length=20)


class CodeInput(serializers.Serializer[Any]):
    """The six digits that came."""

    code = serializers.CharField(max_length=10)


def read(shape: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    """Return what was sent, or raise what is wrong with it."""
    data = shape(data=request.data)
    data.is_valid(raise_exception=True)
    found: dict[str, Any] = data.validated_data
    return found


class ContactsView(APIView):
    """One's own contact points."""

    @described(
        "List one's contact points in their order", gives={"results": [POINT], "push_key": "text", "channels": "object"}
    )
    def get(self, request: Request) -> Response:
        """Answer them with the key to which a browser subscribes, and which channels this installation has."""
        rows = ContactPoint.objects.kept().filter(user=caller_of(request).person)
        key = application_server_key(settings.VAPID_PRIVATE_KEY) if settings.VAPID_PRIVATE_KEY else ""
        return Response({"results": [point_body(row) for row in rows], "push_key": key, "channels": channels_here()})

    @described("Add a contact point, or renew a phone's subscription", takes=ContactInput, gives=POINT, status=201)
    def post(self, request: Request) -> Response:
        """Answer the point (201); it counts once its code came back."""
        caller = caller_of(request)
        values = read(ContactInput, request)
        point = add_contact(
            user=caller.person,
            kind=Channel(values["kind"]),
            address=values["address"],
            label=values["label"],
            keys=values.get("keys"),
            by=caller.actor(),
            now=database_now(),
        )
        return Response(point_body(point), status=201)


class ContactOrderView(APIView):
    """In which order one wants to be tried."""

    @described("Put one's contact points into an order", takes=OrderInput, gives={"results": [POINT]})
    def post(self, request: Request) -> Response:
        """Answer the points in their new order."""
        caller = caller_of(request)
        ids = [str(one) for one in read(OrderInput, request)["ids"]]
        order_contacts(user=caller.person, ids=ids, by=caller.actor(), now=database_now())
        rows = ContactPoint.objects.kept().filter(user=caller.person)
        return Response({"results": [point_body(row) for row in rows]})


class ContactView(APIView):
    """One of one's contact points."""

    @described("Remove a contact point", query={"anyway": "1: also the last one of somebody on call"})
    def delete(self, request: Request, public_id: UUID) -> Response:
        """Answer 204; 409 `last_while_on_call` where no page would reach the person any more."""
        caller = caller_of(request)
        point = access_contact(caller, public_id)
        anyway = request.query_params.get("anyway") == "1"
        remove_contact(point=point, anyway=anyway, by=caller.actor(), now=database_now())
        return Response(status=204)


class ContactCodeView(APIView):
    """A code on its way."""

    @described("Send a code there", gives=POINT, status=201)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Answer the point (201); the code counts for 15 minutes and five tries."""
        caller = caller_of(request)
        point = access_contact(caller, public_id)
        send_code(point=point, site=caller.place, by=caller.actor(), now=database_now())
        return Response(point_body(point), status=201)


class ContactVerificationView(APIView):
    """The code that came back."""

    @described("Verify a contact point by its code", takes=CodeInput, gives=POINT, status=201)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Answer the point as verified (201)."""
        caller = caller_of(request)
        point = access_contact(caller, public_id)
        code = read(CodeInput, request)["code"]
        verify_contact(point=point, code=code, by=caller.actor(), now=database_now())
        point.refresh_from_db()
        return Response(point_body(point), status=201)


class ContactTestView(APIView):
    """A test message."""

    @described("Send a test message there", gives=POINT, status=201)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Answer the point (201); `tested_at` follows once the message left."""
        caller = caller_of(request)
        point = access_contact(caller, public_id)
        send_test(point=point, site=caller.place, by=caller.actor(), now=database_now())
        return Response(point_body(point), status=201)


class SiteContactsView(APIView):
    """What the site tells machines, and whom no page would reach."""

    @described(
        "List the site's webhooks and services, and how well its people are reached",
        gives={"results": [POINT], "people": [PERSON]},
    )
    def get(self, request: Request) -> Response:
        """Answer both; addresses of people only as they see them themselves."""
        caller = caller_of(request)
        rows = ContactPoint.objects.kept().filter(site=caller.place)
        people = coverage(caller.place, database_now())
        return Response(
            {
                "results": [point_body(row) for row in rows],
                "people": [
                    {
                        "user": one.user.username,
                        "name": one.user.get_full_name(),
                        "on_call": one.on_call,
                        "wrong": one.wrong,
                        "contacts": [point_body(point) for point in one.points],
                    }
                    for one in people
                ],
            }
        )

    @described("Add a webhook or a service", takes=SiteContactInput, gives={**POINT, "secret": "text"}, status=201)
    def post(self, request: Request) -> Response:
        """Answer the point (201), a webhook's with its key, which is shown this once."""
        caller = caller_of(request)
        values = read(SiteContactInput, request)
        kind, now = Channel(values["kind"]), database_now()
        secret = ""
        if "user" in values:
            if kind is not Channel.APPRISE:
                raise Invalid.field("user", "not_a_choice", "A webhook belongs to the site, not to a person.")
            user = access_colleague(caller, values["user"])
            point = add_contact(
                user=user, kind=kind, address=values["address"], label=values["label"], by=caller.actor(), now=now
            )
        else:
            point, secret = add_site_contact(
                site=caller.place,
                kind=kind,
                address=values["address"],
                label=values["label"],
                by=caller.actor(),
                now=now,
            )
        return Response({**point_body(point), "secret": secret}, status=201)


class SiteContactView(APIView):
    """One webhook or service."""

    @described("Remove a webhook or a service")
    def delete(self, request: Request, public_id: UUID) -> Response:
        """Answer 204."""
        caller = caller_of(request)
        point = access_site_contact(caller, public_id)
        remove_contact(point=point, by=caller.actor(), now=database_now())
        return Response(status=204)


class SiteContactTestView(APIView):
    """A test message to a machine."""

    @described("Send a test message to a webhook or a service", gives=POINT, status=201)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Answer the point (201); `tested_at` follows once the message left."""
        caller = caller_of(request)
        point = access_site_contact(caller, public_id)
        send_test(point=point, site=caller.place, by=caller.actor(), now=database_now())
        return Response(point_body(point), status=201)


class ReceiptView(APIView):
    """What a provider or a phone says of one message; its address is signed and good for this message only."""

    parser_classes = (JSONParser, FormParser, MultiPartParser)

    @described(
        "Say what became of a message",
        takes={"*": "any"},
        gives={"id": "uuid", "delivered_at": "instant?"},
    )
    def post(self, request: Request, token: str) -> Response:
        """Answer how the message stands, also to words that mean neither delivered nor failed."""
        message = read_receipt(token)
        if not isinstance(request.data, dict):
            raise Invalid("unreadable", "Send an object, or a form.")
        said = {str(name): str(value)[:200] for name, value in list(request.data.items())[:50]}
        delivered_at = record_receipt(message=message, said=said, now=database_now())
        return Response({"id": str(message), "delivered_at": delivered_at})


def point_body(point: ContactPoint) -> dict[str, Any]:
    """Return a contact point without its secrets."""
    return {
        "id": str(point.public_id),
        "kind": point.kind,
        "address": point.shown,
        "label": point.label,
        "position": point.position,
        "verified_at": point.verified_at,
        "tested_at": point.tested_at,
        "disabled_at": point.disabled_at,
        "disabled_reason": point.disabled_reason,
    }
