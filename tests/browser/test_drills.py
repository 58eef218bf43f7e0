"""Drills as an administrator plans them, on a desk's tablet and on a phone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from clinic.lib.clock import database_now
from clinic.models import User
from complications.actions.drill_plans import start_planned
from complications.models import DrillPlan
from tests.browser.conftest import Clinic
from tests.browser.tablet import PHONE, WIDE, Tablet
from tests.browser.test_phone import picture
from tests.browser.test_run_looks import barriers
from tests.make import make_user


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["tablet", "phone"])
def test_an_administrator_plans_drills_by_touch(
    clinic: Clinic, tablets: Callable[..., Tablet], size: dict[str, int], theme: str
) -> None:
    manager = make_user(clinic.site, "administrator", theme=theme)
    User.objects.filter(pk=manager.pk).update(language="tr" if theme == "dark" else "en")
    desk = tablets(manager, viewport=size)
    page = desk.page
    page.goto(f"{desk.url}/escalations/drills/")
    assert barriers(page) == []
    page.locator('a[href$="/drills/plans/"]').tap()
    page.locator("#begin").fill("22:00")
    page.locator("#end").fill("22:10")
    page.locator("#plan button").tap()
    expect(page.locator(".err")).to_be_visible()
    assert barriers(page) == []
    picture(page, f"drill-plan-{size['width']}-{theme}")
    page.locator("#end").fill("06:00")
    page.locator("#plan button").tap()
    expect(page.locator("#h-plan")).to_be_visible()
    plan = DrillPlan.objects.get()
    # Nothing ran while its window was open.
    start_planned(now=plan.closes_at + timedelta(minutes=1))
    DrillPlan.objects.filter(pk=plan.pk).update(missed_at=database_now())
    page.reload()
    expect(page.locator(".note.amber")).to_contain_text("22:00–06:00")
    assert barriers(page) == []
    assert page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
    picture(page, f"drills-{size['width']}-{theme}")
    page.locator("form[action$='/end/'] button").tap()
    expect(page.locator(".note.amber")).to_have_count(0)
    assert DrillPlan.objects.get().ended_at is not None
