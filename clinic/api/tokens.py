"""Tokens of outside programs: made for oneself, shown once, listed and revoked by the site's administrators."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from clinic.access import access_token
from clinic.actions.tokens import MOST_DAYS, create_token, revoke_token
from clinic.api.permissions import caller_of
from clinic.api.schema import described
from clinic.lib.clock import database_now
from clinic.models import ApiToken
from clinic.vocabulary import Scope

TOKEN = {
    "id": "uuid",
    "user": "text",
    "name": "text",
    "scopes": [Scope],
    "created_at": "instant",
    "expires_at": "instant",
    "revoked_at": "instant?",
    "last_used_at": "instant?",
}


class TokenInput(serializers.Serializer[Any]):
    """What the token may do, and for how long."""

    name = serializers.CharField(max_length=100)
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=list(Scope)), allow_empty=False)
    days = serializers.IntegerField(min_value=1, max_value=MOST_DAYS, default=30)


class TokenListView(APIView):
    """The site's tokens."""

    @described("List the site's tokens", gives={"results": [TOKEN]})
    def get(self, request: Request) -> Response:
        """Answer the tokens, newest first; never their secrets, which are not kept."""
        rows = ApiToken.objects.filter(site=caller_of(request).place).select_related("user").order_by("-id")
        return Response({"results": [token_body(row) for row in rows]})

    @described("Make a token for oneself", takes=TokenInput, gives={**TOKEN, "token": "text"}, status=201)
    def post(self, request: Request) -> Response:
        """Answer the token with its secret (201); it acts as the caller, in the caller's roles at this site."""
        caller = caller_of(request)
        data = TokenInput(data=request.data)
        data.is_valid(raise_exception=True)
        values = data.validated_data
        token, secret = create_token(
            user=caller.person,
            site=caller.place,
            scopes=values["scopes"],
            days=values["days"],
            name=values["name"],
            by=caller.actor(),
            now=database_now(),
        )
        return Response({**token_body(token), "token": secret}, status=201)


class TokenRevocationView(APIView):
    """The end of a token."""

    @described("Revoke a token at once", gives=TOKEN, status=200)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Answer the token as it is now; a second call changes nothing."""
        caller = caller_of(request)
        token = access_token(caller, public_id)
        revoke_token(token=token, by=caller.actor(), now=database_now())
        token.refresh_from_db()
        return Response(token_body(token))


def token_body(token: ApiToken) -> dict[str, Any]:
    """Return a token without its secret."""
    return {
        "id": str(token.public_id),
        "user": token.user.username,
        "name": token.name,
        "scopes": token.scopes,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
        "last_used_at": token.last_used_at,
    }
