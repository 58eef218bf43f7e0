"""The frame of every page."""

import gzip
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from clinic.models import User
from tests.make import make_site, make_user

STATIC = settings.BASE_DIR / "clinic" / "static" / "clinic"


def blocks(css: str) -> list[list[str]]:
    """The colours of the two dark blocks of tokens.css."""
    return [
        re.findall(r"--[a-z0-9-]+: [^;]+;", part)
        for part in re.findall(r"data-theme=(?:dark|auto)\] \{(.*?)\n\}", css, re.S)
    ]


def test_the_dark_theme_is_the_same_whether_chosen_or_taken_from_the_device() -> None:
    chosen, device = blocks((STATIC / "tokens.css").read_text())
    assert chosen == device


def test_the_style_sheets_stay_within_their_budget() -> None:
    sheets = b"".join(path.read_bytes() for path in sorted(STATIC.glob("*.css")))
    assert len(gzip.compress(sheets, 9)) < 14_000


def test_no_template_carries_inline_script_or_style() -> None:
    for path in Path(settings.BASE_DIR / "templates").rglob("*.html"):
        text = path.read_text()
        assert not re.search(r"<style|\sstyle=|<script(?![^>]*\ssrc=)(?![^>]*application/json)|\son[a-z]+=", text), path


@pytest.mark.django_db
def test_the_log_in_page_opens_without_a_person() -> None:
    answer = Client().get("/accounts/login/")
    assert answer.status_code == 200
    assert "i-log-in" in answer.content.decode()


@pytest.mark.django_db
def test_a_person_without_log_in_is_sent_to_the_log_in_page() -> None:
    answer = Client().get("/")
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/?next=/")


@pytest.mark.django_db
def test_preferences_are_kept_with_the_person_and_go_back_to_the_own_site_only() -> None:
    user = make_user(make_site(), "nurse")
    client = Client()
    client.force_login(user)
    answer = client.post("/preferences/", {"theme": "dark", "language": "tr", "next": "https://elsewhere.example/"})
    assert answer["Location"] == "/"
    user.refresh_from_db()
    assert (user.theme, user.language) == ("dark", "tr")
    page = client.get("/").content.decode()
    assert 'lang="tr" data-theme="dark"' in page


@pytest.mark.django_db
def test_the_start_page_says_that_the_content_is_not_approved() -> None:
    site = make_site()
    client = Client()
    client.force_login(make_user(site, "surgeon"))
    assert "Not for clinical use" in client.get("/").content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("role", "reports"),
    [
        ("auditor", {"intervals", "drills"}),
        ("surgeon", {"intervals", "drills"}),
        ("administrator", {"intervals", "drills"}),
        ("nurse", {"drills"}),
        ("follow_up_nurse", set()),
    ],
)
def test_who_may_read_the_reports_of_the_escalations_finds_them_in_the_menu(
    as_: Callable[[User], Any], role: str, reports: set[str]
) -> None:
    page = as_(make_user(make_site(), role)).get("/").content.decode()
    menu = page.split('<details class="menu">')[1].split("</details>")[0]
    assert {name for name in ("intervals", "drills") if f'href="/escalations/{name}/"' in menu} == reports
