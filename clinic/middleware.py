"""What happens around every view: a request id, and the authorization matrix."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.db import DataError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from whitenoise.middleware import WhiteNoiseMiddleware

from clinic.access import Caller, authorize, session_caller
from clinic.actions.access import record_denial
from clinic.lib import logs
from clinic.lib.clock import database_now
from clinic.lib.problems import Invalid, NotLoggedIn, Problem
from clinic.models import User
from clinic.vocabulary import Via

REQUEST_ID = re.compile(r"^[A-Za-z0-9._-]{8,64}$")
Handler = Callable[[HttpRequest], HttpResponseBase]


# Nothing inline, nothing from elsewhere; the one Trusted Types policy registers the service worker.
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types sw"
)
# The schema browser brings styles of its own, and holds no data.
DOCS_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; "
    "frame-ancestors 'none'"
)


class StaticMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc]
    """Serve the static files, those whose name is their content without a date: nobody asks whether they have changed."""

    def get_static_file(self, path: str, url: str, stat_cache: Any = None) -> Any:
        """Return the file with the headers of each encoding."""
        found = super().get_static_file(path, url, stat_cache)
        if self.immutable_file_test(path, url):
            found.alternatives = [
                (encoding, name, [one for one in headers if one[0] != "Last-Modified"])
                for encoding, name, headers in found.alternatives
            ]
        return found


class SessionCookieMiddleware:
    """Let no answer of the API take a log-in's cookie away; this stands outside of Django's own session middleware.

    When a tablet changes hands, a request of the person before may still be under way. Its log-in is gone when it
    arrives, and the answer's order to drop the cookie would reach the tablet after the new person's log-in.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        cookie = response.cookies.get(settings.SESSION_COOKIE_NAME)
        if cookie is not None and not cookie.value and request.path.startswith("/api/"):
            del response.cookies[settings.SESSION_COOKIE_NAME]
        return response


class HeadersMiddleware:
    """Give every answer the content policy, and keep pages and data out of every cache."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        policy = DOCS_POLICY if request.path.startswith("/api/docs/") else CONTENT_POLICY
        response.headers.setdefault("Content-Security-Policy", policy)
        response.headers.setdefault("Cache-Control", "no-store")
        return response


class RequestIdMiddleware:
    """Give every request an id (or keep the caller's) and answer with it."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get("X-Request-Id", "")
        request_id = given if REQUEST_ID.match(given) else uuid.uuid4().hex
        request.META["clinic.request_id"] = request_id
        token = logs.request_id.set(request_id)
        try:
            response = self.get_response(request)
        finally:
            logs.request_id.reset(token)
        response["X-Request-Id"] = request_id
        return response


class MatrixMiddleware:
    """Apply the authorization matrix to every page; API views do the same through their permission class."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponseBase | None:
        """Refuse before the view runs; `request.caller` is set for those that go on."""
        if request.path.startswith("/api/v1/") or request.path == "/metrics":
            return None
        match = request.resolver_match
        caller = session_caller(request)
        request.caller = caller  # type: ignore[attr-defined] # the frame of a refusal shows who is logged in
        try:
            request.caller = authorize(match.view_name if match else "", request.method or "GET", caller)  # type: ignore[attr-defined]
        except NotLoggedIn:
            return redirect_to_login(request.get_full_path())
        except Problem as problem:
            record_denial(caller, match.view_name if match else "", problem.code, database_now())
            return problem_page(request, problem)
        return None

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Turn a refusal that a page raised into a sentence with a remedy."""
        if isinstance(error, NotLoggedIn):
            return redirect_to_login(request.get_full_path())
        if isinstance(error, DataError):
            error = Invalid("unreadable", _("A value holds what cannot be stored. Go back and correct it."))
        return problem_page(request, error) if isinstance(error, Problem) else None


class SecondFactorMiddleware:
    """Where MFA_REQUIRED is on, let nobody go on with a password alone: the authenticator app is set up first."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        user = request.user if isinstance(request.user, User) else None
        if (
            settings.MFA_REQUIRED
            and user is not None
            and request.session.get("via") != Via.PIN.value
            and not request.path.startswith(("/accounts/", "/static/", "/healthz"))
            and not is_mfa_enabled(user)
        ):
            if request.path.startswith("/api/"):
                body = {"status": 403, "code": "second_factor_needed", "title": "Not allowed", "type": "about:blank"}
                detail = "Set up your authenticator app first: open the start page in the browser."
                return JsonResponse(
                    {**body, "detail": detail, "errors": []}, status=403, content_type="application/problem+json"
                )
            return redirect("mfa_activate_totp")
        return self.get_response(request)


class ReaderMiddleware:
    """Show pages in the reader's language and in the time of their site; the API stays in UTC and English."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        try:
            return self.get_response(request)
        finally:
            # Both are kept per thread: the next request of this thread may be the API's.
            timezone.deactivate()

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        """Activate what the caller's person and site say."""
        caller: Caller | None = getattr(request, "caller", None)
        if caller and caller.user and caller.user.language in dict(settings.LANGUAGES):
            translation.activate(caller.user.language)
            request.LANGUAGE_CODE = caller.user.language
        if caller and caller.site:
            timezone.activate(ZoneInfo(caller.site.timezone))


def problem_page(request: HttpRequest, problem: Problem) -> HttpResponse:
    """Render a refusal as a page."""
    return render(request, "problem.html", {"problem": problem}, status=problem.status)
