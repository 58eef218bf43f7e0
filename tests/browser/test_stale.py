"""Tablet and phone say that paging has stopped, with the numbers to call, and take it back when it goes on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from playwright.sync_api import expect

from clinic.lib.clock import database_now
from complications.actions.heartbeat import beat
from tests.browser.conftest import Clinic
from tests.browser.tablet import PHONE, Tablet
from tests.make import make_procedure
from tests.make_checklists import make_runs
from tests.make_complications import report_deficit

NUMBER = "+90 555 000 0001"


def test_the_tablet_shows_whom_to_call_until_paging_goes_on(clinic: Clinic, tablets: Callable[..., Tablet]) -> None:
    beat(name="celery", now=database_now() - timedelta(seconds=40))
    run = make_runs(make_procedure(clinic.site, clinic.surgeon))["pre"]
    tablet = tablets(clinic.nurse)
    tablet.open(run, worker=False)
    strip = tablet.page.locator("#strips .strip", has_text="Paging has stopped. Call by hand:")
    expect(strip).to_be_visible(timeout=15_000)
    expect(strip.get_by_role("link")).to_have_text(f"Spine surgeon on call {NUMBER}")
    assert (strip.get_by_role("link").get_attribute("href") or "") == "tel:+905550000001"
    beat(name="celery", now=database_now() + timedelta(minutes=5))
    expect(strip).to_be_hidden(timeout=30_000)


def test_every_page_of_the_phone_shows_whom_to_call(clinic: Clinic, tablets: Callable[..., Tablet]) -> None:
    beat(name="celery", now=database_now() - timedelta(seconds=40))
    row = report_deficit(make_procedure(clinic.site, clinic.surgeon), clinic.nurse)
    phone = tablets(clinic.surgeon, viewport=PHONE)
    for page in ("", "examination/", "decision/"):
        phone.page.goto(f"{phone.url}/escalations/{row.public_id}/{page}")
        alarm = phone.page.locator("#alarm")
        expect(alarm).to_be_visible()
        expect(alarm).to_contain_text(NUMBER)
        assert phone.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    phone.page.goto(f"{phone.url}/escalations/{row.public_id}/bedside/")
    alarm = phone.page.locator("#stopped")
    expect(alarm).to_be_visible(timeout=15_000)
    expect(alarm).to_contain_text(NUMBER)
    beat(name="celery", now=database_now() + timedelta(minutes=5))
    expect(alarm).to_be_hidden(timeout=30_000)
