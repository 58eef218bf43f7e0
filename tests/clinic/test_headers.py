"""Every answer says how a browser must treat it."""

from __future__ import annotations

import importlib
import os
from typing import Any

import pytest

from clinic import settings as source
from clinic.access import matrix
from clinic.vocabulary import Role
from tests.clinic.test_authorization import address, call, logged_in
from tests.matrix_targets import NOT_OURS, Place

pytestmark = pytest.mark.django_db

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types sw"
)
#: Without data, and the same for everybody: these may be kept. Lists never change under their hash.
KEPT = {"page-service-worker", "page-phone-worker", "page-manifest", "page-run-shell", "page-run", "api-definition"}
PAGES = sorted(name for name, cell in matrix().items() if "GET" in cell and not name.startswith(NOT_OURS))


@pytest.mark.parametrize("name", PAGES)
def test_every_answer_carries_the_policy_and_stays_out_of_caches(name: str) -> None:
    place = Place.make()
    cell = matrix()[name]["GET"]
    role = next(role for role in Role if str(role) in cell or "everybody" in cell or "anonymous" in cell)
    answer = call(logged_in(place.people[str(role)]), "GET", name, place)
    assert answer.status_code < 500
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["X-Request-Id"]
    if name == "api-docs":
        assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]
    else:
        assert answer["Content-Security-Policy"] == POLICY, address(name, place)
    if name not in KEPT:
        assert "no-store" in answer["Cache-Control"], address(name, place)


def test_a_refusal_carries_them_too(anonymous: Any) -> None:
    for path in ("/nowhere/", "/api/v1/nowhere/", "/api/v1/exports/", "/audit/"):
        answer = anonymous.get(path)
        assert answer["Content-Security-Policy"] == POLICY, path
        assert answer["Cache-Control"] == "no-store", path


def test_cookies_are_bound_to_the_host_where_tls_is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "BASE_URL", "https://spine.example.org")
    monkeypatch.setitem(os.environ, "DEMO", "0")
    with_tls = importlib.reload(source)
    try:
        assert with_tls.SESSION_COOKIE_NAME.startswith("__Host-")
        assert with_tls.CSRF_COOKIE_NAME.startswith("__Host-")
        assert with_tls.SESSION_COOKIE_SECURE
        assert with_tls.CSRF_COOKIE_SECURE
        assert with_tls.SECURE_HSTS_SECONDS >= 365 * 24 * 3600
    finally:
        monkeypatch.undo()
        importlib.reload(source)
