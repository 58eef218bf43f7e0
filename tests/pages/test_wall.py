"""The screen on a theatre's wall: what is done here now, live, and never another theatre's or another site's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clinic.lib.clock import database_now
from clinic.models import Procedure, Room, Site, User
from tests.make import make_procedure, make_site, make_user
from tests.make_checklists import answer, make_runs
from tests.make_complications import report_deficit

pytestmark = pytest.mark.django_db
Clients = Callable[[User], Any]


@pytest.fixture
def site() -> Site:
    return make_site()


def booked(site: Site, name: str, **fields: Any) -> Procedure:
    """A case of today, whatever the hour."""
    values = {"scheduled_at": database_now(), "patient": {"family_name": name}, **fields}
    return make_procedure(site, **values)


def body(client: Any, **headers: str) -> str:
    response = client.get("/wall/or1/", headers=headers)
    assert response.status_code == 200, response.content[:300]
    return str(response.content.decode())


def test_the_case_at_work_stands_large_and_the_next_one_below(as_: Clients, site: Site) -> None:
    nurse = make_user(site, "nurse")
    first, second = booked(site, "Kaya"), booked(site, "Demir", scheduled_at=database_now() + timedelta(seconds=1))
    make_runs(second)
    answer(make_runs(first)["time_out"], {"TOU-SUR-01|sides|T12||": "left"}, by=nurse)
    page = body(as_(nurse))
    assert page.index("KAYA") < page.index("Next") < page.index("DEMIR")
    assert 'class="wnow live' in page
    assert "T12" in page


def test_an_unchanged_screen_is_not_drawn_again_and_a_tick_draws_it(as_: Clients, site: Site) -> None:
    nurse = make_user(site, "nurse")
    runs = make_runs(booked(site, "Kaya"))
    client = as_(nurse)
    etag = client.get("/wall/or1/")["ETag"]
    while client.get("/wall/or1/")["ETag"] != etag:  # the minute went by
        etag = client.get("/wall/or1/")["ETag"]
    with CaptureQueriesContext(connection) as captured:
        same = client.get("/wall/or1/", headers={"if-none-match": etag})
    assert (same.status_code, same.content, same["ETag"]) == (304, b"", etag)
    assert not [one for one in captured if "checklists_answer" in one["sql"]]
    answer(runs["sign_in"], {"SIN-MON-01|spo2|||": 97}, by=nurse)
    fresh = client.get("/wall/or1/", headers={"if-none-match": etag})
    assert fresh.status_code == 200
    assert fresh["ETag"] != etag


def test_a_deficit_stands_in_red(as_: Clients, site: Site) -> None:
    nurse = make_user(site, "nurse")
    procedure = booked(site, "Kaya")
    make_runs(procedure)
    client = as_(nurse)
    etag = client.get("/wall/or1/")["ETag"]
    report_deficit(procedure, nurse)
    fresh = client.get("/wall/or1/", headers={"if-none-match": etag})
    assert 'class="note red"' in fresh.content.decode()


def test_a_wall_shows_its_own_theatre_and_site_only(as_: Clients, site: Site) -> None:
    nurse = make_user(site, "nurse")
    Room.objects.create(site=site, code="or9", name="Theatre 9")
    booked(site, "Kaya", room="or9")
    booked(make_site(), "Demir")
    make_procedure(site, patient={"family_name": "Tekin"}, scheduled_at=database_now() - timedelta(days=2))
    make_procedure(site, patient={"family_name": "Polat"}, scheduled_at=database_now() + timedelta(days=2))
    page = body(as_(nurse))
    assert "No procedure here today" in page
    assert not [name for name in ("KAYA", "DEMIR", "TEKIN", "POLAT") if name in page]
    assert as_(make_user(make_site(), "nurse")).get("/wall/or9/").status_code == 404


def test_a_long_list_costs_no_more_than_a_short_one(as_: Clients, site: Site) -> None:
    client = as_(make_user(site, "nurse"))
    make_runs(booked(site, "Kaya"))
    body(client)
    with CaptureQueriesContext(connection) as one:
        body(client)
    for number in range(4):
        make_runs(booked(site, f"Kaya{number}"))
    with CaptureQueriesContext(connection) as five:
        page = body(client)
    assert len(five) == len(one)
    assert "and 2 more" in page
