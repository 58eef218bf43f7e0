"""The demo's inbox."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clinic.lib.clock import database_now
from clinic.models import Notification, Site, User
from tests.make import make_site, make_user

pytestmark = pytest.mark.django_db


def make_message(site: Site, recipient: User, number: int, **fields: Any) -> Notification:
    """A message of the outbox with the words of templates/notices/test."""
    now = database_now()
    return Notification.objects.create(
        **{
            "dedup_key": f"test:{number}",
            "kind": "test",
            "channel": "inbox",
            "site": site,
            "recipient": recipient,
            "recipient_name": recipient.full_name,
            "reference": "escalation:1",
            "created_at": now - timedelta(minutes=number),
            "due_at": now,
            **fields,
        }
    )


def test_each_person_has_a_lane_with_their_messages(as_: Callable[[User], Any]) -> None:
    site = make_site()
    nurse = make_user(site, "nurse", full_name="Sr Quinn")
    make_message(site, nurse, 1)
    page = as_(nurse).get("/inbox/").content.decode()
    assert "Sr Quinn" in page
    assert "A test of the paging service" in page


def test_a_message_whose_words_are_gone_is_shown_by_its_kind(as_: Callable[[User], Any]) -> None:
    site = make_site()
    nurse = make_user(site, "nurse")
    make_message(site, nurse, 1, kind="of_an_older_version")
    assert "of an older version" in as_(nurse).get("/inbox/").content.decode()


def test_another_sites_messages_are_not_there(as_: Callable[[User], Any]) -> None:
    site = make_site()
    other = make_user(make_site(), "nurse")
    make_message(site, make_user(site, "nurse", full_name="Hidden Person"), 1)
    assert "Hidden Person" not in as_(other).get("/inbox/").content.decode()


def test_outside_the_demo_there_is_no_inbox(as_: Callable[[User], Any], settings: Any) -> None:
    settings.DEMO = False
    settings.MFA_REQUIRED = False
    assert as_(make_user(make_site(), "nurse")).get("/inbox/").status_code == 404


def test_ten_messages_cost_as_many_queries_as_one(as_: Callable[[User], Any]) -> None:
    site = make_site()
    nurse = make_user(site, "nurse")
    make_message(site, nurse, 0)
    client = as_(nurse)
    with CaptureQueriesContext(connection) as one:
        client.get("/inbox/")
    for number in range(1, 10):
        make_message(site, nurse, number)
    with CaptureQueriesContext(connection) as ten:
        client.get("/inbox/")
    assert len(ten) == len(one)
