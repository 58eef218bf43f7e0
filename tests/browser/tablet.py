"""A tablet in a nurse's hands: a touch browser of 1180×820, logged in, driven by what stands on the screen."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.waiting import eventually

WIDE = {"width": 1180, "height": 820}
PHONE = {"width": 390, "height": 844}
# How many files the service worker keeps once it is in charge of the page.
KEPT = """async () => {
  if (!navigator.serviceWorker.controller) return 0;
  const all = await Promise.all((await caches.keys()).map(async (name) => (await (await caches.open(name)).keys()).length));
  return Math.max(0, ...all);
}"""


class Tablet:
    """One device with one page; `said` collects what the browser complained of."""

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        self.url = url
        self.patient = ("", "")
        self.context: BrowserContext = browser.new_context(
            **{"viewport": WIDE, "has_touch": True, "locale": "en-GB", "timezone_id": "UTC", **options}
        )
        self.said: list[str] = []
        self.page: Page = self.new_page()

    def new_page(self) -> Page:
        """Open another page of the same device."""
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("console", lambda one: self.said.append(one.text) if one.type == "error" else None)
        return page

    def take_session(self, name: str, value: str) -> None:
        """Give the device the cookie of a log-in."""
        host = urlsplit(self.url).hostname or "localhost"
        self.context.add_cookies([{"name": name, "value": value, "domain": host, "path": "/"}])

    def log_in(self, username: str, password: str) -> None:
        """Log in as a person does, on the page for it."""
        self.page.goto(f"{self.url}/accounts/login/")
        self.page.locator("input[name=login]").fill(username)
        self.page.locator("input[name=password]").fill(password)
        self.page.locator("input[name=password]").press("Enter")
        self.page.wait_for_url(lambda url: "/login/" not in url)

    def open(self, run: Any, *, worker: bool = True) -> None:
        """Open a run (the row or its id) and wait until it can be worked on (and, unless told otherwise, would start offline)."""
        self.page.goto(f"{self.url}/runs/{getattr(run, 'public_id', run)}/")
        if hasattr(run, "procedure"):
            patient = run.procedure.patient
            self.patient = (f"{patient.family_name}, {patient.given_name}", patient.birth_date.strftime("%d %m %Y"))
        self.identify()
        self.connected()
        expect(self.page.locator("#items > li").first).to_be_visible()
        if worker:
            eventually(lambda: self.page.evaluate(KEPT) > 5, what="the shell is kept on the tablet")

    def identify(self) -> None:
        """Say name and birth date of the patient, where the page asks for them."""
        box = self.page.get_by_role("dialog", name="Who is the patient?")
        expect(box.or_(self.page.locator("#items > li")).first).to_be_visible(timeout=15_000)
        if box.is_visible():
            name, born = self.patient
            box.get_by_label("Full name").fill(name)
            box.get_by_label("Date of birth").fill(born)
            box.get_by_role("button", name="Open the list").tap()

    def connected(self) -> None:
        """Wait until everything typed here is on the server, as the tablet says it."""
        expect(self.page.locator("#conn")).to_contain_text("Connected", timeout=15_000)

    def cut(self) -> None:
        """Pull the network cable."""
        self.context.set_offline(True)

    def mend(self) -> None:
        """Plug it in again."""
        self.context.set_offline(False)

    def row(self, item: str, instance: str = "") -> Locator:
        """Return the row of an item or part."""
        name = f"i-{item}-{instance}" if instance else f"i-{item}"
        return self.page.locator(f'[id="{name}"]')

    def tap(self, item: str, option: str, *, level: str = "", side: str = "") -> None:
        """Touch an option of an item."""
        row = self.row(item)
        if level:
            row = row.locator("tr", has_text=level)
        if side:
            row = row.filter(has_text=side)
        row.get_by_label(option, exact=True).first.tap()

    def press(self, name: str, *, exact: bool = True) -> None:
        """Touch a button by its words."""
        self.page.get_by_role("button", name=name, exact=exact).first.tap()

    def keys(self, digits: str) -> None:
        """Type on the pad of the sheet that is open."""
        for digit in digits:
            self.page.locator("dialog[open] .pad").get_by_role("button", name=digit, exact=True).tap()

    def fill(self, item: str, text: str) -> None:
        """Write into the field of an item and leave it."""
        field = self.row(item).locator("input.field, textarea.field").first
        field.fill(text)
        field.dispatch_event("change")

    def close(self) -> None:
        """Put the device away."""
        self.context.close()
