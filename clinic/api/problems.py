"""Every error of the API as problem details (RFC 9457)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, DataError, OperationalError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from clinic.lib.problems import Denied, FieldError, Invalid, NotFound, NotLoggedIn, Problem, TooMany

log = logging.getLogger("clinic.api")


def problem_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """Return the answer to an exception of an API view; None lets a fault of our own become a plain 500."""
    problem = as_problem(error)
    if problem is None:
        if not isinstance(error, DatabaseError):
            return None
        # The message of a database error can hold a row's values: its class alone is logged.
        log.error("database_error", extra={"error": type(error).__name__})
        problem = Problem("unavailable", "The service could not store this now. Send it again; nothing was changed.")
        problem.status, problem.title = (
            (503, "Not available now") if isinstance(error, OperationalError) else (500, "Fault")
        )
    set_rollback()
    body = problem_body(problem)
    headers = {"WWW-Authenticate": "Bearer"} if problem.status == 401 else {}
    if isinstance(problem, TooMany):
        headers["Retry-After"] = str(problem.retry_after)
    return Response(body, status=problem.status, headers=headers, content_type="application/problem+json")


def problem_body(problem: Problem) -> dict[str, Any]:
    """Return the members of problem details: type, title, status, detail, code and errors per field."""
    return {
        "type": f"urn:problem:{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "errors": [{"field": e.field, "code": e.code, "detail": e.detail} for e in problem.errors],
    }


def as_problem(error: Exception) -> Problem | None:
    """Translate Django's and DRF's exceptions into ours."""
    match error:
        case Problem():
            return error
        case DataError():
            # NUL in a text, a number that no column holds: the input is at fault, and its words stay unsaid.
            return Invalid("unreadable", "A value holds what cannot be stored, e.g. the character NUL.")
        case Http404():
            return NotFound()
        case PermissionDenied() | exceptions.PermissionDenied():
            return Denied("role_not_allowed", "Your role may not do this.")
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            return NotLoggedIn("not_logged_in", "Log in again; what you typed is kept.")
        case exceptions.ValidationError():
            return Invalid("invalid", "Some fields were not accepted.", list(field_errors(error.detail)))
        case exceptions.ParseError():
            return Invalid("unreadable", "The body is not valid JSON in UTF-8.")
        case exceptions.Throttled():
            return TooMany(
                "throttled", "Too many requests: wait and send again.", int(getattr(error, "wait", None) or 1)
            )
        case exceptions.APIException():
            problem = Problem(str(error.default_code), str(error.detail))
            problem.status = error.status_code
            return problem
    return None


def field_errors(detail: Any, path: str = "") -> Iterator[FieldError]:
    """Flatten DRF's nested error detail into one line per field, named by its path."""
    if isinstance(detail, dict):
        for key, inner in detail.items():
            name = "" if key == "non_field_errors" else str(key)
            yield from field_errors(inner, f"{path}.{name}".strip("."))
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            nested = isinstance(inner, dict | list)
            yield from field_errors(inner, f"{path}.{index}".strip(".") if nested else path)
    else:
        yield FieldError(path, str(getattr(detail, "code", "invalid")), str(detail))
