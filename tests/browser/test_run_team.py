"""Several people and several tablets on one run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import APIResponse, Route, expect

from checklists.models import Answer, Event
from tests.browser.conftest import Clinic
from tests.browser.tablet import Tablet
from tests.make import PIN
from tests.make_checklists import make_case

Hand = Callable[..., Tablet]
MARKED = "SIN-MRK-01"


def test_what_one_tablet_ticks_appears_on_the_other(clinic: Clinic, tablets: Hand) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    one, other = tablets(clinic.nurse), tablets(clinic.anaesthetist)
    one.open(runs["sign_in"], worker=False)
    other.open(runs["sign_in"], worker=False)
    one.tap(MARKED, "Marked")
    expect(other.row(MARKED).get_by_role("radio", name="Marked", exact=True)).to_be_checked(timeout=10_000)
    expect(other.row(MARKED)).to_contain_text("Seen by the team")


def test_two_tablets_that_differ_leave_both_answers_until_one_person_decides(clinic: Clinic, tablets: Hand) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    one, other = tablets(clinic.nurse), tablets(clinic.anaesthetist)
    one.open(runs["sign_in"])
    other.open(runs["sign_in"], worker=False)
    one.cut()
    one.tap(MARKED, "Marked")
    other.tap(MARKED, "Not marked")
    other.connected()
    one.mend()
    for tablet in (one, other):
        expect(tablet.row(MARKED)).to_contain_text("Two answers", timeout=15_000)
    assert Answer.objects.get(run=runs["sign_in"], item=MARKED).is_conflict
    other.press("Keep Marked")
    for tablet in (one, other):
        expect(tablet.row(MARKED).get_by_role("radio", name="Marked", exact=True)).to_be_checked(timeout=15_000)
        expect(tablet.row(MARKED)).not_to_contain_text("Two answers", timeout=15_000)
    answer = Answer.objects.get(run=runs["sign_in"], item=MARKED)
    assert (answer.value, answer.is_conflict) == ("marked", False)
    assert Event.objects.filter(run=runs["sign_in"], item=MARKED).count() == 3


def test_a_slip_is_undone_within_ten_seconds_without_a_reason(clinic: Clinic, tablets: Hand) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    tablet = tablets(clinic.nurse)
    tablet.open(runs["sign_in"], worker=False)
    tablet.tap(MARKED, "Not marked")
    tablet.row(MARKED).get_by_role("button", name="Undo").tap()
    expect(tablet.row(MARKED).get_by_role("radio", name="Not marked", exact=True)).not_to_be_checked()
    tablet.connected()
    assert Answer.objects.get(run=runs["sign_in"], item=MARKED).value is None


def test_another_person_takes_the_tablet_with_a_pin_and_ticks_as_themselves(clinic: Clinic, tablets: Hand) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    tablet = tablets(clinic.nurse)
    tablet.open(runs["sign_in"], worker=False)
    tablet.tap(MARKED, "Marked")
    tablet.connected()
    # A reading that the nurse asked for comes back late: the ticket in it must not go with the next person's ticks.
    late: list[tuple[Route, APIResponse]] = []

    def hold(route: Route) -> None:
        if late:
            route.continue_()
        else:
            late.append((route, route.fetch()))

    reading = f"**/api/v1/runs/{runs['sign_in'].public_id}/?*"
    tablet.page.route(reading, hold)
    tablet.page.wait_for_function("() => tablet.polling")
    tablet.page.locator("#me").tap()
    tablet.press(clinic.anaesthetist.full_name, exact=False)
    tablet.keys("000000")
    expect(tablet.page.get_by_role("alert")).not_to_be_empty()
    tablet.keys(PIN)
    expect(tablet.page.locator("#me")).to_contain_text(clinic.anaesthetist.full_name)
    for route, response in late:
        route.fulfill(response=response)
    tablet.tap("SIN-ALG-01", "No")
    tablet.connected()
    who: dict[str, Any] = dict(Event.objects.values_list("item", "actor__username"))
    assert who[MARKED] == clinic.nurse.username
    assert who["SIN-ALG-01"] == clinic.anaesthetist.username


def test_the_lock_hides_the_patient_and_goes_on_sending(clinic: Clinic, tablets: Hand) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    tablet = tablets(clinic.nurse)
    tablet.open(runs["sign_in"])
    tablet.cut()
    tablet.tap(MARKED, "Marked")
    tablet.page.locator("#me").tap()
    tablet.press("Lock now")
    expect(tablet.page.get_by_role("dialog", name="Locked")).to_be_visible()
    assert "blur" in tablet.page.locator("header.pb").evaluate("(el) => getComputedStyle(el).filter")
    tablet.mend()
    expect(tablet.page.locator("#conn")).to_contain_text("Connected", timeout=15_000)
    tablet.press("Touch to show")
    expect(tablet.page.get_by_role("dialog", name="Locked")).to_be_hidden()
    assert Event.objects.filter(item=MARKED).count() == 1
