"""The tablet's session: who is unlocked, who else may unlock it, and switching by PIN."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth import login
from django.middleware.csrf import get_token
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from clinic.access import Caller, access_colleague
from clinic.actions.audit import record_alone
from clinic.actions.credentials import check_credential
from clinic.api.permissions import caller_of
from clinic.api.schema import Maybe, described
from clinic.lib.clock import database_now
from clinic.models import Membership, Tablet
from clinic.vocabulary import Role, Via

SESSION = {
    "user": "text",
    "id": "uuid",
    "name": "text",
    "roles": [Role],
    "via": Via,
    "language": "text",
    "site": {
        "id": "uuid",
        "code": "text",
        "name": "text",
        "phone_list": [{"name": "text", "number": "text"}],
        "timezone": "text",
    },
    "tablet": Maybe({"id": "uuid", "name": "text"}),
    "people": [{"user": "text", "name": "text", "roles": [Role], "has_pin": "flag"}],
    "csrf_token": "text",
}


class SwitchInput(serializers.Serializer[Any]):
    """Who takes the tablet, by which credential."""

    user = serializers.CharField(max_length=150)
    pin = serializers.RegexField(r"^\d{6}$", required=False)
    password = serializers.CharField(required=False, trim_whitespace=False)


class TabletInput(serializers.Serializer[Any]):
    """The device that is being enrolled to the site."""

    name = serializers.CharField(max_length=100)
    public_key = serializers.JSONField(required=False)


class SessionView(APIView):
    """GET /session/: the person at work, their site and its phone list, and the colleagues who can switch."""

    @described("Who is at work here", gives=SESSION)
    def get(self, request: Request) -> Response:
        """Answer the session; the CSRF token is here because a tablet reads it only when it sends."""
        return Response(session_body(caller_of(request), get_token(request._request)))  # noqa: SLF001


class SwitchView(APIView):
    """POST /session/switch/: another person unlocks the tablet with a PIN; the session then does less than a full one."""

    @described("Unlock the tablet as another person", takes=SwitchInput, gives=SESSION)
    def post(self, request: Request) -> Response:
        """Answer the new session; 403 for a wrong credential, 404 for somebody of another site."""
        caller = caller_of(request)
        data = SwitchInput(data=request.data)
        data.is_valid(raise_exception=True)
        values = data.validated_data
        user = access_colleague(caller, values["user"])
        now = database_now()
        kind = check_credential(
            user=user, pin=values.get("pin", ""), password=values.get("password", ""), by=caller.actor(), now=now
        )
        kept = {key: request.session.get(key) for key in ("tablet_id",)}
        login(request._request, user, backend="django.contrib.auth.backends.ModelBackend")  # noqa: SLF001
        # Where an authenticator app is asked for, a password alone opens no more than a PIN does.
        reduced = kind == "pin" or settings.MFA_REQUIRED
        request.session.update(
            {**kept, "site_id": caller.place.pk, "via": Via.PIN.value if reduced else Via.SESSION.value}
        )
        record_alone(
            stream=f"user:{user.public_id}",
            action="session.switched",
            subject=f"user:{user.public_id}",
            data={"from": f"user:{caller.person.public_id}", "by": kind},
            by=caller.actor(),
            now=now,
        )
        roles = Membership.objects.filter(user=user, site=caller.place, is_active=True).values_list("role", flat=True)
        switched = Caller(
            user=user, site=caller.site, roles=frozenset(roles), via=request.session["via"], tablet=caller.tablet
        )
        return Response(session_body(switched, get_token(request._request)))  # noqa: SLF001


class TabletView(APIView):
    """POST /session/tablet/: enrol this device to the site."""

    @described("Enrol this device to the site", takes=TabletInput, gives={"id": "uuid", "name": "text"}, status=201)
    def post(self, request: Request) -> Response:
        """Answer the tablet's id (201); every later event of this session carries it."""
        caller = caller_of(request)
        data = TabletInput(data=request.data)
        data.is_valid(raise_exception=True)
        now = database_now()
        tablet = Tablet.objects.create(
            site=caller.place,
            name=data.validated_data["name"],
            public_key=data.validated_data.get("public_key"),
            enrolled_by=caller.person,
            enrolled_at=now,
        )
        request.session["tablet_id"] = tablet.pk
        record_alone(
            stream=f"site:{caller.place.public_id}",
            action="tablet.enrolled",
            subject=f"tablet:{tablet.public_id}",
            data={"name": tablet.name},
            by=caller.actor(),
            now=now,
        )
        return Response({"id": str(tablet.public_id), "name": tablet.name}, status=201)


def session_body(caller: Caller, csrf_token: str) -> dict[str, Any]:
    """Return the session as the tablet keeps it: names of colleagues and phone numbers, no patient data."""
    rows = (
        Membership.objects.filter(site=caller.place, is_active=True, user__is_active=True)
        .select_related("user")
        .order_by("user__full_name", "role")
    )
    people: dict[int, dict[str, Any]] = {}
    for row in rows:
        person = people.setdefault(
            row.user_id,
            {
                "user": row.user.username,
                "name": row.user.get_full_name(),
                "roles": [],
                "has_pin": bool(row.user.pin_hash),
            },
        )
        person["roles"].append(row.role)
    return {
        "user": caller.person.username,
        "id": str(caller.person.public_id),
        "name": caller.person.get_full_name(),
        "roles": sorted(caller.roles),
        "via": caller.via,
        "language": caller.person.language,
        "site": {
            "id": str(caller.place.public_id),
            "code": caller.place.code,
            "name": caller.place.name,
            "phone_list": caller.place.phone_list,
            "timezone": caller.place.timezone,
        },
        "tablet": {"id": str(caller.tablet.public_id), "name": caller.tablet.name} if caller.tablet else None,
        "people": list(people.values()),
        "csrf_token": csrf_token,
    }
