"""What the browser tests share: a site with its people, and tablets that are put away at the end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser

from clinic.lib.clock import database_now
from clinic.models import Site, User
from complications.actions.heartbeat import beat
from tests.browser.tablet import Tablet
from tests.make import make_site, make_user

# Playwright keeps an event loop in the thread of the test, and Django would refuse to touch the database there.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


@dataclass
class Clinic:
    """One site and whom a case needs there."""

    site: Site
    nurse: User
    surgeon: User
    anaesthetist: User


def give_session(tablet: Tablet, user: User) -> None:
    """Log the tablet in as a person, without the log-in page."""
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    tablet.take_session(settings.SESSION_COOKIE_NAME, client.cookies[settings.SESSION_COOKIE_NAME].value)


@pytest.fixture
def clinic(transactional_db: None) -> Clinic:
    """A site with a nurse, a surgeon and an anaesthetist, where paging runs: without an engine every page would say so."""
    site = make_site()
    beat(name="celery", now=database_now() + timedelta(hours=1))
    people = {role: make_user(site, role) for role in ("nurse", "surgeon", "anaesthetist")}
    return Clinic(site, **people)


@pytest.fixture
def tablets(browser: Browser, live_server: Any) -> Iterator[Callable[..., Tablet]]:
    """Return a function that hands a person a tablet."""
    handed: list[Tablet] = []

    def hand(user: User, **options: Any) -> Tablet:
        handed.append(Tablet(browser, live_server.url, **options))
        give_session(handed[-1], user)
        return handed[-1]

    yield hand
    for tablet in handed:
        tablet.close()
