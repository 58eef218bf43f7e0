"""The editor of lists and the move of an open list by touch, on a tablet and on a phone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from checklists.actions.drafts import withdraw_definition
from checklists.models import Draft, DraftVersion, Run
from clinic.lib.clock import database_now
from clinic.models import User
from complications.actions.heartbeat import beat
from tests.browser.tablet import PHONE, WIDE, Tablet
from tests.browser.test_run_looks import barriers
from tests.checklists.test_drafts import item
from tests.checklists.test_moving import Case
from tests.make import PIN, make_actor

Hand = Callable[..., Tablet]


@pytest.fixture
def case(transactional_db: None) -> Case:
    """A site with two administrators, a published second version, and an open list on the first."""
    beat(name="celery", now=database_now() + timedelta(hours=1))
    return Case()


def broken(content: dict[str, object]) -> None:
    item(content, "PRE-PAI-01.rest")["applies"] = {"item": "PRE-GONE-01", "op": "exists", "value": True}
    item(content, "PRE-PAI-01.movement")["title"] = "Pain on moving"


@pytest.mark.parametrize(
    ("theme", "language", "size"),
    [("light", "en", WIDE), ("dark", "tr", WIDE), ("light", "tr", PHONE), ("dark", "en", PHONE)],
    ids=["tablet", "tablet-dark-tr", "phone-tr", "phone-dark"],
)
def test_no_barrier_on_any_page_of_the_editor(
    case: Case, tablets: Hand, theme: str, language: str, size: dict[str, int]
) -> None:
    User.objects.filter(pk__in=[case.author.pk, case.surgeon.pk]).update(theme=theme, language=language)
    draft = case.draft(broken)
    where = f"/definitions/drafts/{draft.public_id}/"
    pages = ["/definitions/", f"/definitions/{case.new.sha256}/", f"/definitions/{case.old.sha256}/"]
    pages += [
        where,
        f"{where}items/PRE-PAI-01.rest/",
        f"{where}items/PRE-LVL-01/",
        f"{where}text/",
        "/definitions/import/",
    ]
    tablet = tablets(case.author, viewport=size)
    for path in pages:
        tablet.page.goto(f"{tablet.url}{path}")
        assert barriers(tablet.page) == [], path
        wide = tablet.page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{path} scrolls sideways by {wide} px"
    assert tablet.said == []
    surgeon = tablets(case.surgeon, viewport=size)
    surgeon.page.goto(f"{surgeon.url}/runs/{case.run.public_id}/move/")
    assert barriers(surgeon.page) == []
    assert surgeon.page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0


def test_a_question_is_changed_and_published_by_touch(case: Case, tablets: Hand) -> None:
    author = tablets(case.author, viewport=PHONE)
    page = author.page
    page.goto(f"{author.url}/definitions/")
    page.locator("section", has_text="sign_in").get_by_role("button", name="New draft").tap()
    page.locator("#items a").first.tap()
    page.locator("#title").fill("Who is this?")
    page.get_by_role("button", name="Save", exact=True).tap()
    expect(page.locator("#items")).to_contain_text("Who is this?")
    page.get_by_role("button", name="Put up for approval").tap()
    expect(page.locator("main")).to_contain_text("Another administrator publishes it")
    approver = tablets(case.approver, viewport=PHONE)
    approver.page.goto(page.url)
    approver.page.get_by_role("button", name="Approve and publish").tap()
    expect(approver.page.locator("main")).to_contain_text("in force")
    draft = Draft.objects.get(name="sign_in")
    assert (draft.status, draft.approved_by) == ("published", case.approver)
    assert DraftVersion.objects.filter(draft=draft).count() == 2


def test_an_open_list_is_moved_by_touch(case: Case, tablets: Hand) -> None:
    surgeon = tablets(case.surgeon, viewport=PHONE)
    page = surgeon.page
    page.goto(f"{surgeon.url}/runs/{case.run.public_id}/move/")
    expect(page.locator("#unfit")).to_contain_text("8")
    page.locator("#pin").fill(PIN)
    page.get_by_role("button", name="Go on with").tap()
    expect(page.locator("main")).to_contain_text("goes on with version 1.1.0")
    assert Run.objects.get(pk=case.run.pk).definition == case.new


def test_a_tablet_that_is_open_shows_the_new_version_and_the_warning_of_a_withdrawn_one(
    case: Case, tablets: Hand
) -> None:
    nurse = tablets(case.nurse)
    nurse.open(case.run, worker=False)
    expect(nurse.row("PRE-IDX-01")).to_be_visible()
    case.move()
    expect(nurse.row("PRE-NEW-01")).to_have_count(1, timeout=30_000)
    withdraw_definition(
        definition=case.new, reason="The wording misleads", by=make_actor(case.author), now=database_now()
    )
    expect(nurse.page.locator("body")).to_contain_text("The wording misleads", timeout=30_000)
    assert nurse.said == []
