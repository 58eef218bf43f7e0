"""Every API view asks the authorization matrix."""

from typing import Any, cast

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from clinic.access import Caller, authorize
from clinic.actions.access import record_denial
from clinic.lib.clock import database_now
from clinic.lib.problems import Denied


class MatrixPermission(BasePermission):
    """Allow what `authorization.toml` allows; raise NotLoggedIn (401) or Denied (403) with a code otherwise."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Set `request.auth` to the caller, narrowed to own cases where the matrix says so."""
        caller = request.auth if isinstance(request.auth, Caller) else Caller()
        match = request.resolver_match
        name = match.view_name if match else ""
        try:
            request.auth = authorize(name, request.method or "GET", caller)
        except Denied as problem:
            record_denial(caller, name, problem.code, database_now())
            raise
        return True


def caller_of(request: Request) -> Caller:
    """Return the caller that the permission class let through."""
    return cast(Caller, request.auth)
