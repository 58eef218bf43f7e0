"""Outside the plain course, by touch: emergency mode, long pauses, levels and cases that are not treated."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from playwright.sync_api import expect

from checklists.models import Pause, Run
from clinic.lib.clock import database_now
from tests.browser.conftest import Clinic
from tests.browser.tablet import Tablet
from tests.browser.test_run_looks import barriers
from tests.make_checklists import answer, make_case
from tests.waiting import eventually

Hand = Callable[..., Tablet]


def more(tablet: Tablet, name: str) -> None:
    """Open the sheet of what is seldom and touch one of it."""
    tablet.press("More")
    tablet.page.locator("dialog[open]").get_by_role("button", name=name).tap()


def test_emergency_mode_shortens_the_list_without_a_network_as_well_and_lists_the_debt(
    clinic: Clinic, tablets: Hand
) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    tablet = tablets(clinic.nurse)
    tablet.open(runs["sign_in"], worker=False)
    tablet.cut()
    more(tablet, "Emergency mode")
    tablet.press("Yes: emergency")
    strip = tablet.page.locator("#strips .strip", has_text="Emergency mode: the short list")
    expect(strip).to_contain_text("points are owed until an hour from now")
    tablet.mend()
    eventually(lambda: Run.objects.get(pk=runs["sign_in"].pk).is_emergency, what="the server knows of the emergency")
    expect(strip).not_to_contain_text("an hour from now", timeout=15_000)
    strip.get_by_role("button").tap()
    sheet = tablet.page.get_by_role("dialog", name="Safety debt")
    expect(sheet).to_contain_text("is not signed yet")
    sheet.get_by_role("link", name="Is the site marked?").tap()
    expect(sheet).to_be_hidden()
    expect(tablet.row("SIN-MRK-01")).to_be_in_viewport()
    expect(tablet.row("SIN-MRK-01")).to_be_focused()
    tablet.tap("SIN-MRK-01", "Marked")
    strip.get_by_role("button").tap()
    expect(sheet).not_to_contain_text("Is the site marked?")


def test_after_a_long_pause_nothing_goes_on_before_patient_levels_and_sides_were_said_again(
    clinic: Clinic, tablets: Hand
) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    answer(runs["pre"], {"PRE-LVL-01||||": ["T12", "L1"]})
    answer(runs["time_out"], {"TOU-SUR-01|sides|T12||": "both", "TOU-SUR-01|sides|L1||": "left"})
    tablet = tablets(clinic.nurse)
    tablet.open(runs["intra"], worker=False)
    tablet.press("Pause")
    tablet.page.locator("dialog[open]").get_by_role("button", name="Equipment").tap()
    strip = tablet.page.locator("#strips .strip", has_text="Paused since")
    expect(strip).to_be_visible()
    # Eleven minutes pass.
    Run.objects.filter(pk=runs["intra"].pk).update(paused_at=database_now() - timedelta(minutes=11))
    strip.get_by_role("button", name="Resume").tap()
    box = tablet.page.get_by_role("dialog", name="After the pause: say it again")
    expect(box).to_be_visible()
    tablet.page.keyboard.press("Escape")
    expect(box).to_be_visible()
    assert barriers(tablet.page) == []
    confirm = box.get_by_role("button", name="Confirm and go on")
    confirm.tap()
    expect(box.get_by_role("alert")).to_contain_text("Patient, Levels, counted again, Side")
    box.get_by_role("button", name=runs["intra"].procedure.patient.given_name).tap()
    for level in ("T11", "L1"):
        box.get_by_role("button", name=level, exact=True).tap()
    confirm.tap()
    expect(box.get_by_role("alert")).to_contain_text("Not as at the time out: Levels, counted again, Side")
    for level in ("T11", "T12"):
        box.get_by_role("button", name=level, exact=True).tap()
    box.get_by_role("group", name="T12: side").get_by_label("Both").tap()
    box.get_by_role("group", name="L1: side").get_by_label("Patient’s right").tap()
    confirm.tap()
    expect(box.get_by_role("alert")).to_contain_text("Not as at the time out: Side")
    assert list(Pause.objects.order_by("id").values_list("kind", flat=True)) == ["paused", "resumed"]
    box.get_by_role("group", name="L1: side").get_by_label("Patient’s left").tap()
    confirm.tap()
    expect(box).to_be_hidden()
    eventually(lambda: Pause.objects.filter(kind="confirmed").exists(), what="the server has the confirmation")
    assert Run.objects.get(pk=runs["intra"].pk).ask_again_since is None
    tablet.page.wait_for_function("() => tablet.run.state.pauses.length === 3")
    more(tablet, "Pauses")
    ledger = tablet.page.get_by_role("dialog", name="Pauses")
    for words in ("Paused", "Equipment", "Resumed", "Patient, levels and side said again"):
        expect(ledger).to_contain_text(words)
    assert tablet.said == []


def test_a_level_is_left_and_the_case_given_up_with_a_reason(clinic: Clinic, tablets: Hand) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    tablet = tablets(clinic.nurse)
    tablet.open(runs["intra"], worker=False)
    expect(tablet.row("INT-LEK-01")).to_contain_text("L1")
    more(tablet, "A level is not treated")
    sheet = tablet.page.locator("dialog[open]")
    # Without a reason nothing happens, and the field is where the finger goes next.
    sheet.get_by_role("button", name="L1: do not treat").tap()
    expect(sheet.get_by_label("Why, in a few words")).to_be_focused()
    sheet.get_by_label("Why, in a few words").fill("The balloon would not pass.")
    sheet.get_by_role("button", name="L1: do not treat").tap()
    expect(tablet.row("INT-LEK-01")).not_to_contain_text("L1")
    assert runs["intra"].procedure.levels.get(level="L1").status == "not_treated"
    more(tablet, "Abandon or convert")
    sheet.get_by_label("Why, in a few words").fill("The pressure fell twice.")
    sheet.get_by_role("button", name="Abandoned").tap()
    expect(tablet.page.locator("#strips")).to_contain_text("Abandoned")
    runs["intra"].procedure.refresh_from_db()
    assert runs["intra"].procedure.outcome == "abandoned"
    more(tablet, "It goes on after all")
    sheet.get_by_label("Why, in a few words").fill("Touched by mistake.")
    sheet.get_by_role("button", name="It goes on after all").tap()
    expect(tablet.page.locator("#strips")).not_to_contain_text("Abandoned")
    assert tablet.said == []
