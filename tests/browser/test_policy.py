"""The form of a new paging policy, tried before it is set."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from clinic.models import User
from complications.models import EscalationPolicy
from tests.browser.conftest import Clinic
from tests.browser.tablet import PHONE, WIDE, Tablet
from tests.browser.test_phone import picture
from tests.browser.test_run_looks import barriers
from tests.make_complications import make_ward


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["tablet", "phone"])
def test_what_is_typed_is_tried_by_touch(
    clinic: Clinic, tablets: Callable[..., Tablet], size: dict[str, int], theme: str
) -> None:
    ward = make_ward(site=clinic.site)
    User.objects.filter(pk=ward.manager.pk).update(theme=theme)
    desk = tablets(ward.manager, viewport=size)
    page = desk.page
    page.goto(f"{desk.url}/escalations/policy/new/")
    page.locator('[id="tiers.t0.steps.1.after_min"]').fill("4")
    page.get_by_role("button", name="Show who would be paged").tap()
    expect(page.locator("#played")).to_be_visible()
    expect(page.locator('[id="tiers.t0.steps.1.after_min"]')).to_have_value("4")
    assert barriers(page) == []
    assert page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
    picture(page, f"policy-trial-{size['width']}-{theme}")
    assert EscalationPolicy.objects.count() == 1
    assert desk.said == []
