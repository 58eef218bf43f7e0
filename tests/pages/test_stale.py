"""When nothing has completed a sweep for half a minute, every page says so, with the numbers to call by hand."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from clinic.access import matrix
from clinic.lib.clock import database_now
from complications.actions.heartbeat import beat
from tests.make import make_user
from tests.matrix_targets import ARGUMENTS, QUERIES, Place

pytestmark = pytest.mark.django_db

NUMBER = "+90 555 000 0001"
#: Pages that know nobody, so that no site's numbers could stand there; and files.
OF_NOBODY = {
    "page-answer-link",
    "page-bedside-shell",
    "page-definition-questionnaire",
    "page-manifest",
    "page-phone-manifest",
    "page-phone-worker",
    "page-rota-mine",
    "page-run-shell",
    "page-service-worker",
}
#: The tablet's page and the phone's form are shells without data: they ask /healthz and show the numbers that they keep.
SHELLS = {"page-run", "page-escalation-bedside"}
ACCOUNT = ("account_change_password", "account_logout", "mfa_index")
PAGES = sorted(
    name
    for name, methods in matrix().items()
    if "GET" in methods and (name in ACCOUNT or (name.startswith("page-") and name not in {*OF_NOBODY, *SHELLS}))
)


@pytest.fixture
def place() -> Place:
    return Place.make()


def open_as_somebody(name: str, place: Place) -> Any:
    """The page, as the first person whom the matrix lets in."""
    cell = matrix()[name]["GET"]
    role = next((role for role in place.people if role in cell), "nurse")
    user = place["shift"].user if name in ARGUMENTS and "rota" in name else place.people[role]
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    path = reverse(name, kwargs=ARGUMENTS[name](place)) if name in ARGUMENTS else reverse(name)
    return client.get(path, QUERIES[name](place) if name in QUERIES else {})


@pytest.mark.parametrize("name", PAGES)
def test_every_page_shows_whom_to_call_when_paging_has_stopped(name: str, place: Place) -> None:
    beat(name="celery", now=database_now() - timedelta(seconds=31))
    answer = open_as_somebody(name, place)
    assert answer.status_code == 200, answer.status_code
    said = answer.content.decode()
    assert 'data-state="stale"' in said
    assert 'class="alarm"' in said
    assert NUMBER in said
    beat(name="celery", now=database_now())
    assert 'data-state="stale"' not in open_as_somebody(name, place).content.decode()


def test_a_refusal_shows_whom_to_call_as_well(place: Place) -> None:
    client = Client()
    client.force_login(make_user(place.site, "auditor"), backend="django.contrib.auth.backends.ModelBackend")
    answer = client.get(reverse("page-board"))
    assert answer.status_code == 403
    assert 'data-state="stale"' in answer.content.decode()
    assert NUMBER in answer.content.decode()
