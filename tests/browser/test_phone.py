"""The surgeon's phone: where pages reach them, and a push that opens the minutes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from clinic.channels.push import payload
from clinic.lib.clock import database_now
from clinic.models import ContactPoint, Notification, User
from complications.actions.sweeping import advance, deliver_due
from complications.models import Escalation
from tests.browser.conftest import Clinic
from tests.browser.tablet import PHONE, WIDE, Tablet
from tests.browser.test_run_looks import barriers
from tests.make import make_contact, make_procedure, make_shift, make_user
from tests.make_complications import report_deficit
from tests.waiting import eventually

Hand = Callable[..., Tablet]


def picture(page: Page, name: str) -> None:
    """Keep a picture where PICTURES says, for a person who looks."""
    if place := os.environ.get("PICTURES"):
        page.screenshot(path=f"{place}/{name}.png", full_page=True)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["tablet", "phone"])
def test_a_surgeon_adds_a_number_and_verifies_it_by_touch(
    clinic: Clinic, tablets: Hand, settings: Any, size: dict[str, int], theme: str
) -> None:
    settings.VAPID_PRIVATE_KEY = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA"
    User.objects.filter(pk=clinic.surgeon.pk).update(theme=theme)
    make_contact(clinic.surgeon, "email", "surgeon@example.org", disabled_at=database_now(), disabled_reason="gone")
    phone = tablets(clinic.surgeon, viewport=size)
    page = phone.page
    page.goto(f"{phone.url}/me/contacts/")
    page.get_by_label("Number or address").fill("0090 555 000 00 02")
    phone.press("Add, and send a code")
    expect(page.locator("#points")).to_contain_text("+905550000002")
    deliver_due(now=database_now())
    page.goto(f"{phone.url}/inbox/")
    said = page.locator(".bub", has_text="your code is").first.inner_text()
    code = said.split("your code is ")[1][:7]
    page.goto(f"{phone.url}/me/contacts/")
    row = page.locator("#points > li").last
    row.get_by_label("Code").fill(code)
    row.get_by_role("button", name="Verify").tap()
    expect(page.locator("#points > li").last.locator(".tag.green")).to_contain_text("verified")
    page.locator("#points > li").last.get_by_role("button", name="Try this one earlier").tap()
    expect(page.locator("#points > li").first).to_contain_text("+905550000002")
    assert barriers(page) == []
    assert page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
    picture(page, f"contacts-{size['width']}-{theme}")
    make_shift(clinic.site, clinic.surgeon)
    page.locator("#points > li").first.get_by_role("button", name="Remove").tap()
    expect(page.locator("#points")).to_contain_text("no page would reach you any more")
    picture(page, f"contacts-remove-{size['width']}-{theme}")
    page.get_by_role("link", name="Keep it").tap()
    assert ContactPoint.objects.kept().filter(user=clinic.surgeon).count() == 2
    assert phone.said == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["tablet", "phone"])
def test_an_administrator_sees_whom_no_page_would_reach(
    clinic: Clinic, tablets: Hand, settings: Any, size: dict[str, int], theme: str
) -> None:
    settings.WEBHOOK_HOSTS = ["hooks.example.org"]
    manager = make_user(clinic.site, "administrator", theme=theme)
    nobody = make_user(clinic.site, "surgeon", email="", full_name="Dr Unreached")
    make_shift(clinic.site, nobody)
    make_contact(clinic.surgeon, "sms", "+905550000003", tested_at=database_now())
    desk = tablets(manager, viewport=size)
    page = desk.page
    page.goto(f"{desk.url}/site/contacts/")
    expect(page.locator("#people > li").first).to_contain_text("Dr Unreached")
    expect(page.locator("#people > li").first).to_contain_text("no page reaches them")
    page.get_by_label("Address").fill("https://hooks.example.org/paging")
    desk.press("Add")
    expect(page.locator("#secret")).to_contain_text("whsec_")
    assert barriers(page) == []
    assert page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
    picture(page, f"site-{size['width']}-{theme}")
    assert desk.said == []


def test_a_push_is_shown_and_its_answer_takes_the_minutes_and_nothing_less(
    clinic: Clinic, tablets: Hand, settings: Any
) -> None:
    # A headless Chromium has no push service to subscribe to, but its worker takes what a push service would hand it.
    settings.VAPID_PRIVATE_KEY = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA"
    make_shift(clinic.site, clinic.surgeon)
    row = report_deficit(make_procedure(clinic.site, clinic.surgeon), clinic.nurse)
    advance(now=database_now())
    deliver_due(now=database_now())
    message = Notification.objects.filter(reference=row.reference, recipient=clinic.surgeon).latest("id")
    phone = tablets(clinic.surgeon, viewport=PHONE)
    phone.context.grant_permissions(["notifications"], origin=phone.url)
    page = phone.page
    page.goto(f"{phone.url}/me/contacts/")
    picture(page, "push-off")
    page.evaluate(
        """async () => {
          const policy = globalThis.trustedTypes?.createPolicy("sw", { createScriptURL: (text) => text });
          const url = document.getElementById("push").dataset.worker;
          const made = await navigator.serviceWorker.register(policy ? policy.createScriptURL(url) : url, { scope: "/escalations/" });
          // A page that is opened before the worker is active stays without it.
          const worker = made.active ?? made.waiting ?? made.installing;
          while (worker.state !== "activated") await new Promise((done) => worker.addEventListener("statechange", done, { once: true }));
        }"""
    )
    page.goto(f"{phone.url}/escalations/")
    controlled = "() => navigator.serviceWorker.controller?.scriptURL ?? ''"
    eventually(lambda: page.evaluate(controlled).endswith("/escalations/sw.js"), what="the worker has the page")
    deliver(page, phone.url, payload(message).decode())
    shown = """async () => (await (await navigator.serviceWorker.ready).getNotifications()).map(
      (one) => ({ title: one.title, body: one.body, actions: one.actions?.map((act) => act.action), data: one.data })
    )"""
    eventually(lambda: page.evaluate(shown), what="the notification is shown")
    (one,) = page.evaluate(shown)
    assert one["title"].startswith(f"EMERGENCY spine, {clinic.site.name}")
    assert clinic.site.first_phone[1] in one["body"]
    eventually(
        lambda: Notification.objects.get(pk=message.pk).delivered_at is not None, what="the phone says that it arrived"
    )
    # What a touch on "Acknowledge" opens: the minutes, and still nobody has it.
    page.goto(f"{phone.url}{one['data']['answer']}")
    picture(page, "answer")
    assert Escalation.objects.get(pk=row.pk).responsible is None
    page.get_by_role("button", name="20").tap()
    expect(page.get_by_role("heading")).to_contain_text("You have it")
    assert Escalation.objects.get(pk=row.pk).responsible == clinic.surgeon


def deliver(page: Page, url: str, data: str) -> None:
    """Hand the worker of the page a push, as the browser does when its push service has one."""
    parts = urlsplit(url)
    session = page.context.new_cdp_session(page)
    found: list[Any] = []
    session.on("ServiceWorker.workerRegistrationUpdated", lambda event: found.extend(event["registrations"]))
    session.send("ServiceWorker.enable")
    eventually(
        lambda: page.evaluate("1") and [one for one in found if "/escalations/" in one["scopeURL"]], what="the worker"
    )
    registration = next(one for one in found if "/escalations/" in one["scopeURL"])["registrationId"]
    assert json.loads(data)
    session.send(
        "ServiceWorker.deliverPushMessage",
        {"origin": f"{parts.scheme}://{parts.netloc}", "registrationId": registration, "data": data},
    )
