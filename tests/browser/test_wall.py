"""The wall's screen in a browser: it follows the tablets, and says so when it does not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from clinic.lib.clock import database_now
from tests.browser.conftest import Clinic
from tests.browser.tablet import Tablet
from tests.make_checklists import answer, make_case
from tests.make_complications import report_deficit

Hand = Callable[..., Tablet]
SCREEN = {"width": 1920, "height": 1080}
#: The smallest letter of a screen of 1,920 pixels that is read from four metres.
LEAST_PX = 42


@pytest.fixture
def screen(clinic: Clinic, tablets: Hand) -> Tablet:
    """The screen of a theatre, opened by a nurse."""
    return tablets(clinic.nurse, viewport=SCREEN)


def test_the_wall_follows_a_tick_a_pause_and_a_deficit(clinic: Clinic, screen: Tablet) -> None:
    runs = make_case(clinic.site, clinic.surgeon, scheduled_at=database_now())
    screen.page.goto(f"{screen.url}/wall/or1/")
    case = screen.page.locator(".wnow")
    expect(case).to_contain_text("planned for")
    answer(runs["intra"], {"INT-CMT-02|mixed_at|||1": database_now().isoformat()}, by=clinic.nurse)
    expect(case).to_contain_text("Procedure")
    expect(case).to_contain_text("since mixing")
    report_deficit(runs["intra"].procedure, clinic.nurse)
    expect(case.locator(".note.red")).to_be_visible()
    assert not Axe().run(screen.page).response["violations"]
    small = screen.page.evaluate(
        """(least) => [...document.querySelectorAll("main *, header *")].filter((e) => [...e.childNodes].some(
          (n) => n.nodeType === 3 && n.textContent.trim()) && e.checkVisibility() && parseFloat(getComputedStyle(e).fontSize) < least
        ).map((e) => e.textContent.trim())""",
        LEAST_PX,
    )
    assert small == []
    folder = os.environ.get("PICTURES")
    if folder:
        screen.page.screenshot(path=Path(folder) / "wall.png")


def test_a_wall_that_is_cut_off_says_since_when(clinic: Clinic, screen: Tablet) -> None:
    make_case(clinic.site, clinic.surgeon, scheduled_at=database_now())
    screen.page.goto(f"{screen.url}/wall/or1/")
    off = screen.page.locator("#off")
    expect(screen.page.locator(".wnow")).to_be_visible()
    expect(off).to_be_hidden()
    screen.cut()
    expect(off).to_contain_text("Not live", timeout=15_000)
    screen.mend()
    expect(off).to_be_hidden(timeout=15_000)
    # A log-in that ran out answers with another page: that is not live either.
    screen.context.clear_cookies()
    expect(off).to_contain_text("This is how it stood at", timeout=15_000)
