"""How the API knows its caller: a bearer token of an outside program, or the browser's session."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from rest_framework.authentication import BaseAuthentication, CSRFCheck
from rest_framework.request import Request

from clinic.access import Caller, caller_of_token, find_token, session_caller
from clinic.lib.problems import Denied, NotLoggedIn
from clinic.models import ApiToken, User


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer <token>`; the token's SHA-256 is looked up, so a stolen table opens nothing."""

    def authenticate(self, request: Request) -> tuple[User, Caller] | None:
        """Return the person and the caller, None without the header; raise NotLoggedIn for a bad token."""
        header = request.headers.get("Authorization", "")
        if not header:
            return None
        kind, _, secret = header.partition(" ")
        if kind.lower() != "bearer" or not secret:
            raise NotLoggedIn("bad_authorization", "Send the token as: Authorization: Bearer <token>.")
        found = find_token(secret.strip())
        if found is None or found[0].expires_at <= found[2]:
            raise NotLoggedIn("token_not_valid", "The token is unknown, expired or revoked. Ask for a new one.")
        token, roles, now = found
        if token.last_used_at is None or now - token.last_used_at > timedelta(minutes=1):
            # Of many requests at once only one writes; the others find another time than they read.
            ApiToken.objects.filter(pk=token.pk, last_used_at=token.last_used_at).update(last_used_at=now)
        return token.user, caller_of_token(token, roles, request_id=request.META.get("clinic.request_id", ""))

    def authenticate_header(self, request: Request) -> str:
        """Name the scheme, so that DRF answers 401 rather than 403."""
        return "Bearer"


class SessionAuthentication(BaseAuthentication):
    """The browser's session, with CSRF protection on everything that writes."""

    def authenticate(self, request: Request) -> tuple[User, Caller] | None:
        """Return the person and the caller, None where nobody is logged in; raise Denied without a CSRF token."""
        inner: Any = request._request  # noqa: SLF001 - DRF's own session authentication reads it too
        if not isinstance(inner.user, User):
            return None
        check = CSRFCheck(lambda _: None)  # type: ignore[arg-type]
        check.process_request(inner)
        if check.process_view(inner, None, (), {}):  # type: ignore[arg-type]
            raise Denied("csrf", "The page is too old to send from. Reload it; what you typed is kept.")
        return inner.user, session_caller(inner)
