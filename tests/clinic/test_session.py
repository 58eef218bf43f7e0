"""Who works at the tablet: switching, and what a switch may open."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import run_checks

from clinic.models import Site
from clinic.vocabulary import Role
from tests.make import PASSWORD, PIN, make_site, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def site() -> Site:
    return make_site()


def switch(client: Any, **given: str) -> dict[str, Any]:
    answer = client.send("POST", "/session/switch/", given)
    assert answer.status_code == 200, answer.content
    return dict(answer.json())


def test_a_pin_opens_less_than_a_log_in(as_: Any, site: Site) -> None:
    nurse, other = make_user(site, Role.NURSE), make_user(site, Role.NURSE)
    client = as_(nurse)
    assert switch(client, user=other.username, pin=PIN)["via"] == "pin"
    assert client.send("GET", "/follow-ups/").status_code == 403


def test_where_an_authenticator_is_asked_for_a_password_alone_opens_no_more_than_a_pin(
    as_: Any, site: Site, settings: Any
) -> None:
    nurse, admin = make_user(site, Role.NURSE), make_user(site, Role.ADMINISTRATOR)
    client = as_(nurse)
    assert switch(client, user=admin.username, password=PASSWORD)["via"] == "session"
    client = as_(nurse)
    assert switch(client, user=admin.username, pin=PIN)["via"] == "pin"
    settings.MFA_REQUIRED = True
    assert switch(client, user=admin.username, password=PASSWORD)["via"] == "pin"
    assert client.send("GET", "/tokens/").status_code == 403


def test_a_deployment_from_which_no_page_could_leave_is_refused(settings: Any) -> None:
    settings.DEMO, settings.EMAIL_HOST = False, ""
    assert "clinic.E020" in [found.id for found in run_checks(include_deployment_checks=True)]
    settings.EMAIL_HOST = "mail.example.org"
    assert "clinic.E020" not in [found.id for found in run_checks(include_deployment_checks=True)]


def test_what_the_person_before_still_asks_logs_nobody_out(as_: Any, site: Site, settings: Any) -> None:
    nurse, other = make_user(site, Role.NURSE), make_user(site, Role.NURSE)
    client = as_(nurse)
    name = settings.SESSION_COOKIE_NAME
    before = client.cookies[name].value
    switch(client, user=other.username, pin=PIN)
    after = client.cookies[name].value
    assert after != before
    # A request that was under way when the tablet changed hands: its answer comes after the new person's log-in.
    client.cookies[name] = before
    answer = client.send("GET", "/session/")
    assert answer.status_code == 401
    assert name not in answer.cookies
    client.cookies[name] = after
    assert client.send("GET", "/session/").json()["user"] == other.username
