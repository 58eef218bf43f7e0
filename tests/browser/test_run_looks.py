"""What a person sees and hears: no barrier that axe finds, nothing that a policy forbids, nothing that moves the frame."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from checklists.models import Answer, Event, IdentityCheck
from clinic.lib.clock import database_now
from complications.actions.heartbeat import beat
from tests.browser.conftest import Clinic
from tests.browser.tablet import PHONE, WIDE, Tablet
from tests.make_checklists import answer, make_case
from tests.waiting import eventually

Hand = Callable[..., Tablet]
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


def barriers(page: Page) -> list[tuple[str, str]]:
    """What axe-core finds on the page as it stands."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [(one["id"], one["nodes"][0]["html"][:200]) for one in found]


@pytest.mark.parametrize("language", ["en", "tr"])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["tablet", "phone"])
def test_no_barrier_on_any_list(clinic: Clinic, tablets: Hand, theme: str, language: str, size: dict[str, int]) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    tablet = tablets(clinic.nurse, viewport=size)
    tablet.context.add_init_script(
        f"localStorage.setItem('theme', '{theme}'); localStorage.setItem('lang', '{language}')"
    )
    # First the question who the patient is, then the lists.
    tablet.page.goto(f"{tablet.url}/runs/{runs['sign_in'].public_id}/")
    expect(tablet.page.locator("dialog.ident")).to_be_visible()
    assert barriers(tablet.page) == []
    now = database_now()
    IdentityCheck.objects.create(
        public_id=uuid.uuid4(),
        run=runs["sign_in"],
        outcome="matched",
        by=clinic.nurse,
        occurred_at=now,
        recorded_at=now,
    )
    for phase in ("sign_in", "intra", "post"):
        tablet.page.goto(f"{tablet.url}/runs/{runs[phase].public_id}/")
        expect(tablet.page.locator("#items > li").first).to_be_visible()
        assert barriers(tablet.page) == []
        wide = tablet.page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{phase} scrolls sideways by {wide} px"
    assert tablet.said == []


def test_no_barrier_in_the_cement_moment_the_sheets_and_the_lock(clinic: Clinic, tablets: Hand) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    answer(runs["time_out"], {f"TOU-SUR-01|sides|{level}||": "both" for level in ("T12", "L1")})
    tablet = tablets(clinic.nurse)
    tablet.open(runs["intra"], worker=False)
    tablet.press("Cement")
    tablet.press("Mixing starts now")
    tablet.press("Start injection at", exact=False)
    for _ in range(3):
        tablet.press("0.5 mL more")
    tablet.press("0.1 mL less")
    tablet.connected()
    assert barriers(tablet.page) == []
    volume = Answer.objects.get(run=runs["intra"], item="INT-CMT-05", side="left")
    assert volume.value == 1.4
    tablet.press("Volume", exact=False)
    assert barriers(tablet.page) == []
    tablet.press("Close")
    tablet.press("Report complication")
    assert barriers(tablet.page) == []
    tablet.press("Close")
    tablet.press("More")
    assert barriers(tablet.page) == []
    tablet.press("Close")
    tablet.page.locator("#me").tap()
    assert barriers(tablet.page) == []
    tablet.press("Lock now")
    assert barriers(tablet.page) == []


def test_the_cement_moment_fits_a_phone(clinic: Clinic, tablets: Hand) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    answer(runs["time_out"], {f"TOU-SUR-01|sides|{level}||": "both" for level in ("T12", "L1")})
    beat(name="celery", now=database_now() - timedelta(seconds=40))
    tablet = tablets(clinic.nurse, viewport=PHONE)
    tablet.open(runs["intra"], worker=False)
    tablet.press("Cement")
    expect(tablet.page.locator("#stop")).to_be_visible()
    # Nobody pages: the strip that says so, with its numbers, has to fit as well.
    expect(tablet.page.locator("#strips")).to_contain_text("Paging has stopped")
    assert tablet.page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
    assert barriers(tablet.page) == []


def test_stop_keeps_its_time_first_and_asks_afterwards(clinic: Clinic, tablets: Hand) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    tablet = tablets(clinic.nurse)
    tablet.open(runs["intra"], worker=False)
    tablet.press("Cement")
    tablet.page.locator("#stop").tap()
    sheet = tablet.page.locator("dialog[open]")
    expect(sheet).to_contain_text("Stopped at")
    tablet.connected()
    stop = Event.objects.get(run=runs["intra"], item="INT-STP-01")
    assert stop.value == ["leak_seen"]
    sheet.get_by_role("button", name="In the canal (epidural)").tap()
    sheet.get_by_role("button", name="Keep", exact=True).tap()
    # "Connected" still stands there from before: the answer itself is what says that it arrived.
    eventually(lambda: Event.objects.filter(run=runs["intra"], item="INT-LEK-01").exists(), what="the leak is there")
    leak = Event.objects.get(run=runs["intra"], item="INT-LEK-01")
    assert leak.value == ["epidural"]
    assert leak.occurred_at == stop.occurred_at


def test_a_report_goes_by_the_queue_and_is_there_once(clinic: Clinic, tablets: Hand) -> None:
    from complications.models import Complication

    runs = make_case(clinic.site, clinic.surgeon)
    tablet = tablets(clinic.nurse)
    tablet.open(runs["intra"])
    tablet.cut()
    tablet.press("Report complication")
    tablet.page.get_by_label("What happened?").select_option("BLD-SUB")
    tablet.press("Send the report")
    expect(tablet.page.locator("#conn")).to_contain_text("1 on this tablet")
    tablet.page.reload()
    tablet.mend()
    tablet.connected()
    report = Complication.objects.get(procedure=runs["intra"].procedure)
    assert report.code == "BLD-SUB"
