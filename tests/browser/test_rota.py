"""The rota, the policy and the simulator by touch, on a tablet and on a phone: no barrier, nothing that moves the frame."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import expect
from psycopg.types.range import TimestamptzRange

from clinic.lib.clock import database_now
from clinic.models import Shift, ShiftOverride, ShiftSwap, User
from tests.browser.tablet import PHONE, WIDE, Tablet
from tests.browser.test_run_looks import barriers
from tests.make_complications import Ward, make_ward

Hand = Callable[..., Tablet]
PAGES = (
    "/rota/?days=7",
    "/rota/shifts/",
    "/rota/overrides/?post=on_call_spine&rank=2",
    "/rota/leave/",
    "/rota/swaps/",
    "/rota/import/",
    "/escalations/policy/",
    "/escalations/policy/new/",
    "/escalations/simulation/",
)


@pytest.fixture
def ward(transactional_db: None) -> Ward:
    """A site with a rota of three weeks and a gap at the second rank."""
    ward = make_ward()
    now = database_now()
    Shift.objects.update(period=TimestamptzRange(now - timedelta(days=1), now + timedelta(days=21)))
    Shift.objects.filter(user=ward.second).update(period=TimestamptzRange(now, now + timedelta(days=2)))
    return ward


@pytest.mark.parametrize(
    ("theme", "language", "size"),
    [("light", "en", WIDE), ("dark", "tr", WIDE), ("light", "tr", PHONE), ("dark", "en", PHONE)],
    ids=["tablet", "tablet-dark-tr", "phone-tr", "phone-dark"],
)
def test_no_barrier_on_any_page_of_the_rota(
    ward: Ward, tablets: Hand, theme: str, language: str, size: dict[str, int]
) -> None:
    User.objects.filter(pk=ward.manager.pk).update(theme=theme, language=language)
    tablet = tablets(ward.manager, viewport=size)
    for path in PAGES:
        tablet.page.goto(f"{tablet.url}{path}")
        assert barriers(tablet.page) == [], path
        wide = tablet.page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{path} scrolls sideways by {wide} px"
    assert tablet.said == []


def test_a_gap_is_filled_by_touch_from_the_phone(ward: Ward, tablets: Hand) -> None:
    tablet = tablets(ward.manager, viewport=PHONE)
    page = tablet.page
    page.goto(f"{tablet.url}/rota/")
    gap = page.locator(".pce.red").first
    expect(gap).to_contain_text("nobody")
    gap.tap()
    page.locator("#user").select_option(ward.head.username)
    page.get_by_role("button", name="Call this person instead").tap()
    expect(page.locator("main")).to_contain_text("is called instead")
    assert ShiftOverride.objects.get().user == ward.head


def test_a_swap_is_proposed_and_accepted_by_touch(ward: Ward, tablets: Hand) -> None:
    first, head = tablets(ward.first, viewport=PHONE), tablets(ward.head, viewport=PHONE)
    begin = (database_now() + timedelta(days=3)).strftime("%Y-%m-%dT")
    first.page.goto(f"{first.url}/rota/swaps/")
    first.page.locator("#post").select_option("on_call_spine")
    first.page.locator("#asked").select_option(ward.head.username)
    first.page.locator("#start").fill(f"{begin}08:00")
    first.page.locator("#end").fill(f"{begin}20:00")
    first.page.get_by_role("button", name="Ask the colleague").tap()
    expect(first.page.locator("main")).to_contain_text("Until they accept, you stay on call")
    head.page.goto(f"{head.url}/rota/")
    head.page.get_by_role("button", name="Accept").tap()
    expect(head.page.locator("main")).to_contain_text("the rota has changed")
    assert ShiftSwap.objects.get().status == "accepted"
    assert ShiftOverride.objects.get().user == ward.head
