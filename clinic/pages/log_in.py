"""What a log-in leaves in the audit trail; django-allauth does the rest."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest

from clinic.access import session_caller
from clinic.actions.access import record_session
from clinic.lib.clock import database_now
from clinic.models import Actor, User
from clinic.vocabulary import Via


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc] # allauth ships no types
    """Write an entry for each log-in, log-out and wrong password of a known person."""

    def login(self, request: HttpRequest, user: User) -> None:
        """Log the person in; password and second factor have been right."""
        super().login(request, user)
        record_session(user=user, action="session.opened", by=_actor(request, user), now=database_now())

    def logout(self, request: HttpRequest) -> None:
        """Log the person out."""
        user = request.user if isinstance(request.user, User) else None
        by = session_caller(request).actor() if user is not None else None
        super().logout(request)
        if user is not None and by is not None:
            record_session(user=user, action="session.closed", by=by, now=database_now())

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Note a wrong password. A name that nobody has leaves nothing: it may be a password in the wrong field."""
        user = User.objects.filter(username=str(credentials.get("username", ""))).first()
        if user is not None:
            nobody = Actor(user=None, role="log_in", request_id=_request_id(request))
            record_session(user=user, action="session.refused", by=nobody, now=database_now())


def _actor(request: HttpRequest, user: User) -> Actor:
    return Actor(user=user, via=Via.SESSION.value, request_id=_request_id(request))


def _request_id(request: HttpRequest) -> str:
    return str(request.META.get("clinic.request_id", ""))
