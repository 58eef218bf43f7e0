"""One's own calendar by touch: the address appears once, and stops."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from clinic.models import User
from tests.browser.conftest import Clinic
from tests.browser.tablet import PHONE, WIDE, Tablet
from tests.browser.test_phone import picture
from tests.browser.test_run_looks import barriers


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["tablet", "phone"])
def test_a_surgeon_makes_and_stops_the_address(
    clinic: Clinic, tablets: Callable[..., Tablet], size: dict[str, int], theme: str
) -> None:
    User.objects.filter(pk=clinic.surgeon.pk).update(theme=theme)
    phone = tablets(clinic.surgeon, viewport=size)
    page = phone.page
    page.goto(f"{phone.url}/rota/")
    page.get_by_role("link", name="My calendar").tap()
    page.get_by_role("button", name="Make an address").tap()
    expect(page.locator("#address")).to_contain_text("/rota/mine.ics?key=")
    assert barriers(page) == []
    assert page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
    picture(page, f"calendar-{size['width']}-{theme}")
    page.get_by_role("button", name="Stop it").tap()
    expect(page.locator("#none")).to_be_visible()
    expect(page.locator("#address")).to_have_count(0)
    assert phone.said == []
