"""Opening a list: two identifiers, a clear stop for another patient, and ten minutes in which nobody asks again."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from checklists.models import IdentityCheck, Run
from clinic.lib.clock import database_now
from complications.models import Complication
from tests.browser.conftest import Clinic
from tests.browser.tablet import Tablet
from tests.make_checklists import make_case
from tests.waiting import eventually

Hand = Callable[..., Tablet]


def asked(tablet: Tablet, run: Run) -> Locator:
    tablet.page.goto(f"{tablet.url}/runs/{run.public_id}/")
    box = tablet.page.get_by_role("dialog", name="Who is the patient?")
    expect(box).to_be_visible()
    return box


def test_two_identifiers_open_the_list_and_the_next_one_for_ten_minutes(clinic: Clinic, tablets: Hand) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    patient = runs["sign_in"].procedure.patient
    tablet = tablets(clinic.nurse)
    box = asked(tablet, runs["sign_in"])
    # Nothing that could be copied off the screen is on it.
    for word in (patient.given_name, patient.mrn, str(patient.birth_date.year)):
        expect(tablet.page.locator("body")).not_to_contain_text(word)
    assert patient.given_name not in tablet.page.title()
    # A scanner types and ends with Enter; the page then asks for the second one.
    box.get_by_label("Record number").fill(patient.mrn)
    box.get_by_label("Record number").press("Enter")
    expect(box.get_by_role("alert")).to_contain_text("Two of the three")
    expect(box.get_by_label("Full name")).to_be_focused()
    box.get_by_label("Date of birth").fill("99 99 1948")
    box.get_by_role("button", name="Open the list").tap()
    expect(box.get_by_role("alert")).to_contain_text("not a date")
    box.get_by_label("Date of birth").fill(patient.birth_date.strftime("%d.%m.%Y"))
    box.get_by_role("button", name="Open the list").tap()
    expect(tablet.page.locator("#who")).to_contain_text(patient.given_name)
    tablet.page.goto(f"{tablet.url}/runs/{runs['time_out'].public_id}/")
    expect(tablet.page.locator("#who")).to_contain_text(patient.given_name)
    row = IdentityCheck.objects.get()
    assert (row.outcome, row.identifiers, row.by) == ("matched", ["birth_date", "mrn"], clinic.nurse)
    assert tablet.said == []


def test_another_patient_stops_everything_and_the_near_miss_is_reported_with_one_touch(
    clinic: Clinic, tablets: Hand
) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    tablet = tablets(clinic.nurse)
    box = asked(tablet, runs["time_out"])
    box.get_by_label("Full name").fill("Baykal, Nermin")
    box.get_by_label("Date of birth").fill("01 02 1950")
    box.get_by_role("button", name="Open the list").tap()
    expect(box).to_contain_text("Stop: not this patient")
    expect(box).to_contain_text("Full name, Date of birth")
    expect(tablet.page.locator("#items > li")).to_have_count(0)
    box.get_by_role("button", name="Mistyped").tap()
    box.get_by_label("Full name").fill("Baykal, Nermin")
    box.get_by_label("Date of birth").fill("01 02 1950")
    box.get_by_role("button", name="Open the list").tap()
    box.get_by_role("button", name="another patient").tap()
    tablet.page.wait_for_url("**/board/")
    eventually(lambda: Complication.objects.exists(), what="the near miss is drafted")
    assert set(IdentityCheck.objects.values_list("outcome", flat=True)) == {"mismatched"}
    assert Complication.objects.get().code == "NRM-NEA"


@pytest.mark.parametrize("same", [True, False])
def test_without_a_network_the_tablet_compares_by_itself_and_says_so_later(
    same: bool,  # noqa: FBT001
    clinic: Clinic,
    tablets: Hand,
) -> None:
    first, second = make_case(clinic.site, clinic.surgeon), make_case(clinic.site, clinic.surgeon)
    patient = second["sign_in"].procedure.patient
    tablet = tablets(clinic.nurse)
    tablet.open(first["sign_in"])
    held = f"run:{second['sign_in'].public_id}"
    eventually(lambda: held in tablet.page.evaluate("() => tablet.shelved()"), what="the other case is on the tablet")
    tablet.cut()
    box = asked(tablet, second["sign_in"])
    expect(box.get_by_label("Record number")).to_be_hidden()
    box.get_by_label("Full name").fill(patient.display_name)
    box.get_by_label("Date of birth").fill(patient.birth_date.strftime("%d %m %Y") if same else "01 02 1950")
    box.get_by_role("button", name="Open the list").tap()
    if same:
        expect(tablet.page.locator("#who")).to_contain_text(patient.given_name)
    else:
        expect(box).to_contain_text("Stop: not this patient")
    tablet.mend()
    eventually(lambda: IdentityCheck.objects.filter(run=second["sign_in"]).exists(), what="the server has heard of it")
    row = IdentityCheck.objects.get(run=second["sign_in"])
    assert (row.outcome, row.on_tablet) == ("matched" if same else "mismatched", True)
    assert row.identifiers == ["birth_date", "name"]


def test_in_an_emergency_one_touch_opens_the_list_and_the_reason_is_kept(clinic: Clinic, tablets: Hand) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    tablet = tablets(clinic.nurse)
    box = asked(tablet, runs["sign_in"])
    box.get_by_text("Nobody can be asked").tap()
    box.get_by_role("button", name="Emergency").tap()
    expect(tablet.page.locator("#who")).to_contain_text(runs["sign_in"].procedure.patient.given_name)
    eventually(lambda: IdentityCheck.objects.exists(), what="the reason is kept")
    assert IdentityCheck.objects.get().reason == "emergency"


def test_whom_a_colleague_has_asked_in_this_room_nobody_asks_again(clinic: Clinic, tablets: Hand) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    patient = runs["sign_in"].procedure.patient
    tablet = tablets(clinic.nurse)
    box = asked(tablet, runs["sign_in"])
    now = database_now()
    check = {"outcome": "matched", "by": clinic.nurse, "occurred_at": now, "recorded_at": now}
    IdentityCheck.objects.create(public_id=uuid.uuid4(), run=runs["pre"], **check)
    Run.objects.filter(pk=runs["sign_in"].pk).update(revision=7)
    # The question goes by itself, and does not come back with the copy on the disk.
    expect(box).to_be_hidden(timeout=10_000)
    expect(tablet.page.locator("#who")).to_contain_text(patient.given_name)
    tablet.page.reload()
    expect(tablet.page.locator("#who")).to_contain_text(patient.given_name)
    expect(box).to_be_hidden()
