"""The first moments of a run's page: it is drawn from what came with it, while the tablet's store is still being opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from checklists.models import Answer, Event, Run
from tests.browser.conftest import Clinic
from tests.browser.tablet import PHONE, WIDE, Tablet
from tests.make_checklists import make_case
from tests.waiting import eventually

Hand = Callable[..., Tablet]
SPOKEN, MARKED = "SIN-IDN-01.spoken", "SIN-MRK-01"
# The store opens when the test lets it: `disk()` is the browser's answer that has come and is held back.
HELD = """
const open = IDBFactory.prototype.open;
IDBFactory.prototype.open = function (...given) {
  const real = open.apply(this, given);
  const held = { get result() { return real.result; }, get error() { return real.error; } };
  real.onupgradeneeded = (event) => held.onupgradeneeded?.(event);
  real.onsuccess = (event) => {
    if (window.disk === "open") held.onsuccess(event);
    else (window.waiting ??= []).push(() => held.onsuccess(event));
  };
  return held;
};
window.openDisk = () => { window.disk = "open"; for (const go of window.waiting ?? []) go(); };
"""
# Where a row stands, each time that it stands somewhere else.
WATCHED = """
window.places = [];
const look = () => {
  const row = document.querySelector('[id="i-SIN-IDN-01.spoken"]');
  const top = row && Math.round(row.getBoundingClientRect().top);
  if (row && window.places.at(-1) !== top) window.places.push(top);
  requestAnimationFrame(look);
};
look();
"""


def without_worker(clinic: Clinic, tablets: Hand, **options: Any) -> tuple[Tablet, Run]:
    """A tablet that gets its pages from the server, in front of a list whose patient was made sure of."""
    run = make_case(clinic.site, clinic.surgeon)["sign_in"]
    tablet = tablets(clinic.nurse, service_workers="block", **options)
    tablet.open(run, worker=False)
    return tablet, run


def asked(page: Page) -> list[str]:
    """Collect the addresses that the page asks the API for."""
    found: list[str] = []
    page.on("request", lambda one: found.append(one.url) if "/api/v1/" in one.url else None)
    return found


def answers(run: Run) -> list[tuple[str, Any]]:
    return list(Answer.objects.filter(run=run).values_list("item", "value"))


def test_the_list_is_drawn_without_asking_for_it(clinic: Clinic, tablets: Hand) -> None:
    tablet, run = without_worker(clinic, tablets)
    tablet.page.route("**/api/v1/runs/**", lambda route: route.abort())
    tablet.page.route("**/api/v1/session/", lambda route: route.abort())
    requests = asked(tablet.page)
    tablet.page.reload()
    expect(tablet.row(SPOKEN)).to_be_visible()
    expect(tablet.page.locator("#who")).to_contain_text(run.procedure.patient.given_name)
    expect(tablet.page.locator("#me")).to_contain_text(clinic.nurse.get_full_name())
    assert not [one for one in requests if "/definitions/" in one or one.endswith("/session/")]


def test_a_tick_before_the_store_is_open_is_kept_and_sent_once_it_is(clinic: Clinic, tablets: Hand) -> None:
    tablet, run = without_worker(clinic, tablets)
    tablet.page.add_init_script(HELD)
    tablet.page.reload()
    tablet.tap(SPOKEN, "Yes")
    expect(tablet.row(SPOKEN).get_by_role("radio", name="Yes")).to_be_checked()
    # Nothing is claimed of a disk that has not answered.
    expect(tablet.row(SPOKEN)).not_to_contain_text("On this tablet")
    expect(tablet.page.locator("#conn")).not_to_contain_text("all on the server")
    expect(tablet.page.locator("#conn")).not_to_contain_text("nothing waits")
    assert answers(run) == []
    tablet.page.evaluate("openDisk()")
    expect(tablet.row(SPOKEN)).to_contain_text("On the server")
    tablet.connected()
    event = Event.objects.get(run=run)
    assert (event.value, event.outcome, event.actor) == (True, "applied", clinic.nurse)
    assert tablet.said == []


def test_a_tick_before_the_store_is_open_follows_what_waited_in_it(clinic: Clinic, tablets: Hand) -> None:
    tablet, run = without_worker(clinic, tablets)
    tablet.page.route("**/events/", lambda route: route.fulfill(status=503, body=""))
    tablet.tap(SPOKEN, "Yes")
    expect(tablet.row(SPOKEN)).to_contain_text("On this tablet")
    tablet.page.add_init_script(HELD)
    tablet.page.reload()
    tablet.tap(SPOKEN, "No")
    tablet.page.unroute("**/events/")
    tablet.page.evaluate("openDisk()")
    tablet.connected()
    # One person changed their mind: two events in a row, and no conflict between them.
    events = Event.objects.filter(run=run).order_by("seq")
    assert [(one.value, one.outcome) for one in events] == [(True, "applied"), (False, "applied")]
    assert not Answer.objects.get(run=run).is_conflict


def test_a_store_that_never_opens_is_said_and_loses_no_tick(clinic: Clinic, tablets: Hand) -> None:
    tablet, run = without_worker(clinic, tablets)
    tablet.page.add_init_script(HELD)
    tablet.page.reload()
    tablet.tap(SPOKEN, "Yes")
    expect(tablet.page.locator("#strips")).to_contain_text("This tablet cannot keep answers now", timeout=15_000)
    eventually(lambda: answers(run) == [("SIN-IDN-01", True)], seconds=30, what="the tick is on the server")


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["tablet", "phone"])
def test_no_question_moves_once_it_is_shown(clinic: Clinic, tablets: Hand, size: dict[str, int]) -> None:
    tablet, _ = without_worker(clinic, tablets, viewport=size)
    tablet.page.add_init_script(WATCHED)
    tablet.page.reload()
    expect(tablet.row(SPOKEN)).to_be_visible()
    # The rail leads to all six lists.
    expect(tablet.page.locator("#phases a[href]")).to_have_count(6)
    expect(tablet.page.locator("#dock")).to_contain_text("to answer")
    tablet.connected()
    # The second script is there as well.
    tablet.page.wait_for_function("() => tablet.lock")
    assert len(tablet.page.evaluate("places")) == 1
