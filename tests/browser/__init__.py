"""Where the browser tests find their Chromium, and what happens where there is none."""

import os
import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LEFT_OUT = pytest.StashKey[int]()


def browser_path() -> str | None:
    """Return the path of a Chromium: BROWSER_PATH, or the first one on the system."""
    given = os.environ.get("BROWSER_PATH")
    return given or next((found for name in NAMES if (found := shutil.which(name))), None)


def without_browser(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the browser tests out where there is no Chromium; with REQUIRE_BROWSER=1 fail instead."""
    if browser_path():
        return
    browser = [item for item in items if item.get_closest_marker("browser")]
    if not browser:
        return
    if os.environ.get("REQUIRE_BROWSER") == "1":
        raise pytest.UsageError("REQUIRE_BROWSER=1, and there is no Chromium: install it or set BROWSER_PATH.")
    config.stash[LEFT_OUT] = len(browser)
    config.hook.pytest_deselected(items=browser)
    items[:] = [item for item in items if item not in browser]
