"""Every cell of the authorization matrix: route × method × role × own or other site, by session and by token."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.urls import NoReverseMatch, reverse

from clinic.access import METHODS, matrix
from clinic.actions.tokens import create_token
from clinic.lib.clock import database_now
from clinic.models import AuditEntry, User
from clinic.vocabulary import Role
from tests.make import make_actor
from tests.matrix_targets import ARGUMENTS, BODIES, NOT_OURS, QUERIES, SAME_EVERYWHERE, Place

pytestmark = [pytest.mark.django_db, pytest.mark.matrix]

ROUTES = sorted(name for name in matrix() if not name.startswith(NOT_OURS))
LOGIN = "/accounts/login/"


def address(name: str, place: Place) -> str:
    """The route's address of this place's record."""
    path = reverse(name, kwargs=ARGUMENTS[name](place)) if name in ARGUMENTS else reverse(name)
    return f"{path}?{urlencode(QUERIES[name](place))}" if name in QUERIES else path


def takes_arguments(name: str) -> bool:
    """Whether the route names a record."""
    if name in ARGUMENTS:
        return True
    try:
        reverse(name)
    except NoReverseMatch:
        pytest.fail(f"{name} takes arguments: say in tests/matrix_targets.py which")
    return False


def call(client: Client, method: str, name: str, place: Place, **headers: str) -> Any:
    """Call the route, with the body that tests/matrix_targets.py gives it."""
    body = BODIES[name](place) if name in BODIES and method != "GET" else {}
    data = "" if method == "GET" else json.dumps(body, default=str)
    response = client.generic(method, address(name, place), data, content_type="application/json", headers=headers)
    if response.streaming:
        b"".join(response.streaming_content)  # type: ignore[attr-defined]
    return response


def logged_in(user: User) -> Client:
    """A browser of this person; a fault of our own answers 500 instead of stopping the test."""
    client = Client(raise_request_exception=False)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def cells() -> Iterator[tuple[str, str]]:
    """Every route with every method that the matrix gives it."""
    for name in ROUTES:
        for method in sorted(matrix()[name]):
            yield name, method


@pytest.fixture
def home() -> Place:
    """The caller's own site."""
    return Place.make()


@pytest.fixture
def elsewhere() -> Place:
    """Another site."""
    return Place.make()


def granted(cell: dict[str, Any], role: str) -> bool:
    """Whether the cell lets the role in."""
    return bool(cell.get("anonymous") or cell.get("everybody") or role in cell)


@pytest.mark.parametrize(("name", "method"), list(cells()))
def test_each_role_is_let_in_or_refused_as_the_matrix_says(name: str, method: str, home: Place) -> None:
    takes_arguments(name)
    cell = matrix()[name][method]
    for role, user in home.people.items():
        response = call(logged_in(user), method, name, home)
        if granted(cell, role):
            refused = response.status_code == 403 and b"role_not_allowed" in response.content
            assert not refused, f"{role} is let in by the matrix and was refused: {response.content[:200]!r}"
            assert response.status_code not in {401, 500}, f"{role}: {response.status_code} {response.content[:300]!r}"
            if cell.get(role) == "site":
                assert response.status_code != 404, f"{role} cannot find the record of the own site"
        else:
            assert response.status_code == 403, f"{role} is not in the matrix and got {response.status_code}"


@pytest.mark.parametrize(("name", "method"), list(cells()))
def test_nobody_gets_in_without_a_log_in(name: str, method: str, home: Place) -> None:
    cell = matrix()[name][method]
    response = call(Client(raise_request_exception=False), method, name, home)
    if cell.get("anonymous"):
        assert response.status_code not in {401, 403, 500}
    elif name.startswith("api-"):
        assert response.status_code == 401
        assert response["Content-Type"].startswith("application/problem+json")
    else:
        assert response.status_code == 302
        assert response["Location"].startswith(LOGIN)


@pytest.mark.parametrize(("name", "method"), list(cells()))
def test_another_sites_record_looks_as_if_it_were_not_there(
    name: str, method: str, home: Place, elsewhere: Place
) -> None:
    if not takes_arguments(name) or name in SAME_EVERYWHERE or matrix()[name][method].get("anonymous"):
        return
    cell = matrix()[name][method]
    for role, user in home.people.items():
        if not granted(cell, role):
            continue
        response = call(logged_in(user), method, name, elsewhere)
        assert response.status_code == 404, f"{role} got {response.status_code} for another site's record"
        for secret in ("Yılmaz", "MRN", str(elsewhere.site.code)):
            assert secret.encode() not in response.content


@pytest.mark.parametrize("name", ROUTES)
def test_a_method_without_a_line_is_refused_to_everybody(name: str, home: Place) -> None:
    if matrix()[name].get("GET", {}).get("anonymous"):
        return
    for method in sorted(METHODS - set(matrix()[name])):
        response = call(logged_in(home.people["administrator"]), method, name, home)
        assert response.status_code in {403, 405}, f"{method} answered {response.status_code}"


@pytest.mark.parametrize(("name", "method"), list(cells()))
def test_a_token_without_the_scope_is_refused(name: str, method: str, home: Place) -> None:
    cell = matrix()[name][method]
    if cell.get("anonymous") or not address(name, home).startswith("/api/"):
        return
    role = next((role for role in home.people if granted(cell, role)), str(Role.ADMINISTRATOR))
    user = home.people[role]
    other = "audit:read" if cell.get("scope") != "audit:read" else "runs:write"
    _, secret = create_token(
        user=user, site=home.site, scopes=[other], days=1, name="", by=make_actor(), now=database_now()
    )
    response = call(Client(raise_request_exception=False), method, name, home, authorization=f"Bearer {secret}")
    assert response.status_code == 403


def test_a_denial_is_written_into_the_callers_own_site_stream(home: Place) -> None:
    nurse = home.people["nurse"]
    call(logged_in(nurse), "DELETE", "api-session", home)
    entry = AuditEntry.objects.get(action="access.denied")
    assert entry.stream == f"site:{home.site.public_id}"
    assert entry.actor == f"user:{nurse.public_id}"
