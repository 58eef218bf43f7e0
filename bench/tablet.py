"""The tablet's page: what it weighs, when it can be worked on, and how soon a touch is painted.

Ready is the first frame in which a row of the list has been painted, counted from the request; a tick given then is kept (`tests/browser/test_run_start.py`
gives one even earlier). The page says so itself. Playwright, which used to be asked, looks again after 20, 50, 100, 100 and then every 500 ms, and brings scripts
of its own into the slowed page: what it sees stands beside the figure, from rounds of their own.
"""

import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from bench.figures import Figure, Missing, median, ratio
from tests.browser import browser_path
from tests.browser.tablet import Tablet
from tests.service import RunningService
from tests.waiting import eventually

GOALS = {
    "P17a": "all bytes until the sign-in can be worked on, compressed",
    "P17b": "JavaScript until then, compressed",
    "P17c": "ready at 4x slowed processor and 10 Mbit/s",
    "P17d": "against LHC-Forms with the same items",
    "P18a": "tap to paint at 4x slowed processor",
    "P18b": "tap to paint with a server that takes 1 s, against a quick one",
    "P18c": "tap to paint without a server, against a quick one",
}
ROUNDS = 5
# Even: a round ends on "No", so that the next never touches what is chosen already (that asks whether to take it back).
TAPS = 12
SLOWED = 4
MEGABIT = 1_000_000 / 8
# The page's own word for the first frame with a row in it.
READY = """(() => {
  const seen = new MutationObserver(() => {
    if (!document.querySelector("#items > li")) return;
    seen.disconnect();
    const look = () => {
      if (!document.querySelector("#items > li")?.getBoundingClientRect().height) return requestAnimationFrame(look);
      const after = new MessageChannel();
      after.port1.onmessage = () => console.debug(`ready ${performance.timeOrigin + performance.now()}`);
      after.port2.postMessage(0);
    };
    requestAnimationFrame(look);
  });
  seen.observe(document, { childList: true, subtree: true });
})()"""
# From the finger's touch to the first frame after the browser has handled it.
WATCH = """() => {
  window.painted = [];
  addEventListener("pointerdown", () => { window.began = performance.now(); }, { capture: true });
  addEventListener("change", () => requestAnimationFrame(() => {
    const after = new MessageChannel();
    after.port1.onmessage = () => window.painted.push(performance.now() - window.began);
    after.port2.postMessage(0);
  }), { capture: true });
}"""


def run() -> list[Figure | Missing]:
    """Measure on a service of our own with the demo clinic."""
    with tempfile.TemporaryDirectory(prefix="clinic-bench-") as scratch, sync_playwright() as playwright:
        Path(scratch).chmod(0o711)
        service = RunningService(Path(scratch) / "data").start()
        browser = playwright.chromium.launch(
            executable_path=browser_path(), args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        try:
            # The demo's past year is written beside the service when it has started, on the same cores.
            eventually(lambda: _is_quiet(service), seconds=900, what="the demo's past year is written")
            return [*_weight(browser, service), *_painting(browser, service)]
        finally:
            browser.close()
            service.stop()


def _is_quiet(service: RunningService) -> bool:
    log = service.places.logs / "demo.log"
    return "past cases written" in log.read_text() and not service.pid("demo")


def _new_run(service: RunningService) -> str:
    """Book a case and return the id of its sign-in."""
    headers = {"Authorization": f"Bearer {service.accounts()['nurse']['token']}"}
    procedure = str(uuid.uuid4())
    body: dict[str, Any] = {
        "id": procedure,
        "patient": {
            "mrn": f"B{procedure[:8]}",
            "family_name": "Bench",
            "given_name": "Ada",
            "birth_date": "1950-01-01",
            "sex": "female",
        },
        "kind": "kyphoplasty",
        "indication": "osteoporotic_vcf",
        "anaesthesia": "general",
        "levels": ["T12", "L1"],
        "scheduled_at": datetime.now(UTC).isoformat(),
        "operator": "surgeon",
    }
    base = f"{service.url}/api/v1/procedures/"
    requests.post(base, json=body, headers=headers, timeout=30).raise_for_status()
    runs = requests.get(f"{base}{procedure}/runs/", headers=headers, timeout=30).json()["results"]
    run = str(next(one["id"] for one in runs if one["phase"] == "sign_in"))
    # Who the patient is was made sure of a moment ago: what is measured is the list.
    said = {"id": str(uuid.uuid4()), "name": "Bench, Ada", "birth_date": "1950-01-01"}
    path = f"{service.url}/api/v1/runs/{run}/identity/"
    requests.post(path, json=said, headers=headers, timeout=30).raise_for_status()
    return run


@contextmanager
def _tablet(browser: Browser, service: RunningService) -> Iterator[tuple[Tablet, CDPSession]]:
    device = Tablet(browser, service.url)
    nurse = service.accounts()["nurse"]
    device.log_in(nurse["username"], nurse["password"])
    try:
        yield device, device.context.new_cdp_session(device.page)
    finally:
        device.close()


def _weight(browser: Browser, service: RunningService) -> list[Figure | Missing]:
    sign_in = _new_run(service)
    seconds: list[float] = []
    asked: list[float] = []
    sizes: dict[str, int] = {}
    for number in range(2 * ROUNDS):
        with _tablet(browser, service) as (device, wire):
            wire.send("Network.enable")
            wire.send("Network.clearBrowserCache")
            _network(wire, latency=20, megabits=10)
            wire.send("Emulation.setCPUThrottlingRate", {"rate": SLOWED})
            names: dict[str, str] = {}
            got: dict[str, int] = {}
            wire.on(
                "Network.responseReceived", lambda one, n=names: n.update({one["requestId"]: one["response"]["url"]})
            )
            wire.on(
                "Network.loadingFinished", lambda one, g=got: g.update({one["requestId"]: one["encodedDataLength"]})
            )
            address = f"{service.url}/runs/{sign_in}/"
            if number % 2:
                asked.append(_seen_from_outside(device.page, address))
                continue
            seconds.append(_told_by_the_page(device.page, address))
            sizes = {names[one]: int(size) for one, size in got.items() if one in names}
    scripts = sum(size for url, size in sizes.items() if url.endswith(".js"))
    detail: dict[str, Any] = {"files": {url.removeprefix(service.url)[:80]: size for url, size in sizes.items()}}
    total = sum(sizes.values()) / 1000
    return [
        Figure("P17a", GOALS["P17a"], total, 60, total, 0, "kB", detail=detail),
        Figure("P17b", GOALS["P17b"], scripts / 1000, 20, scripts / 1000, 0, "kB"),
        Figure("P17c", GOALS["P17c"], median(seconds) * 1000, 600, median(seconds) * 1000, 0, "ms",
               detail={"rounds": seconds, "seen_by_playwright": asked, "seen_by_playwright_median": median(asked)}),
        Missing("P17d", GOALS["P17d"], "LHC-Forms is not part of the project"),
    ]  # fmt: skip


def _told_by_the_page(page: Page, address: str) -> float:
    """Return the seconds from the request until the page has painted a row."""
    page.add_init_script(READY)
    with page.expect_console_message(lambda one: one.text.startswith("ready ")) as said:
        began = time.time()
        page.goto(address, wait_until="commit")
    return float(said.value.text.split()[1]) / 1000 - began


def _seen_from_outside(page: Page, address: str) -> float:
    """Return the seconds from the request until Playwright finds a row to be visible."""
    began = time.time()
    page.goto(address, wait_until="commit")
    page.locator("#items > li").first.wait_for()
    return time.time() - began


def _taps(page: Page, *, back: bool) -> list[float]:
    """Touch yes and no in turn and return the milliseconds from touch to paint."""
    page.evaluate("() => { window.painted = []; }")
    row = page.locator('[id="i-SIN-IDN-01.spoken"]')
    for number in range(TAPS):
        row.get_by_label("Yes" if number % 2 == back else "No", exact=True).tap()
        page.wait_for_function("(n) => window.painted.length > n", arg=number)
        page.wait_for_timeout(120)
    painted: list[float] = page.evaluate("() => window.painted")
    # The first touch of a round warms what the later ones use.
    return painted[1:]


def _painting(browser: Browser, service: RunningService) -> list[Figure | Missing]:
    quick: list[float] = []
    slow: list[float] = []
    gone: list[float] = []
    for _ in range(ROUNDS):
        with _tablet(browser, service) as (device, wire):
            device.open(_new_run(service), worker=False)
            wire.send("Emulation.setCPUThrottlingRate", {"rate": SLOWED})
            device.page.evaluate(WATCH)
            quick += _taps(device.page, back=False)
            wire.send("Network.enable")
            _network(wire, latency=1000)
            slow += _taps(device.page, back=False)
            _network(wire, latency=0)
            device.cut()
            gone += _taps(device.page, back=False)
    return [
        Figure("P18a", GOALS["P18a"], median(quick), 50, median(quick), 0, "ms", detail={"all": quick}),
        ratio("P18b", GOALS["P18b"], median(slow), median(quick), 1.2, "ms"),
        ratio("P18c", GOALS["P18c"], median(gone), median(quick), 1.2, "ms"),
    ]


def _network(wire: CDPSession, *, latency: float, megabits: float = -1) -> None:
    """Let every answer take `latency` milliseconds more, at a rate (-1 = as it comes)."""
    rate = megabits if megabits < 0 else megabits * MEGABIT
    wire.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": latency, "downloadThroughput": rate, "uploadThroughput": rate},
    )
