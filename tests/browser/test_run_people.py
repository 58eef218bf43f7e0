"""People on one tablet, by touch: overriding, amending, standing by ticks, enrolling, unlocking, leaving."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from checklists.models import Amendment, Event, Override, Run
from clinic.lib.clock import database_now
from clinic.models import Tablet as Device
from clinic.models import User
from tests.browser.conftest import Clinic
from tests.browser.tablet import Tablet
from tests.make import PIN
from tests.make_checklists import answer, fill, make_case, pass_lists, send, tick
from tests.waiting import eventually

Hand = Callable[..., Tablet]
MARKED = "SIN-MRK-01"


def choose(tablet: Tablet, user: User) -> None:
    """Touch a person's tile."""
    tablet.page.locator("dialog[open]").get_by_role("button", name=user.full_name).first.tap()


def test_two_people_of_two_roles_let_a_stop_pass(clinic: Clinic, tablets: Hand) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    fill(runs["pre"])
    answer(runs["pre"], {"PRE-COA-01||||": 2.5})
    tablet = tablets(clinic.nurse)
    tablet.open(runs["pre"], worker=False)
    tablet.press("Override")
    sheet = tablet.page.locator("dialog[open]")
    sheet.get_by_label("Why").fill("The pain is unbearable and the risk was discussed.")
    sheet.get_by_role("button", name="The benefit outweighs the risk").tap()
    for person in (clinic.surgeon, clinic.nurse):
        choose(tablet, person)
        tablet.keys(PIN)
    expect(tablet.page.locator("#dock")).not_to_contain_text("Override", timeout=15_000)
    row = Override.objects.get()
    assert ({row.first, row.second}, row.reason) == ({clinic.surgeon, clinic.nurse}, "benefit_outweighs")
    assert tablet.said == []


def test_a_list_that_waits_for_the_one_before_it_leads_there_or_is_let_pass(clinic: Clinic, tablets: Hand) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    fill(runs["sign_in"])
    tablet = tablets(clinic.nurse)
    tablet.open(runs["sign_in"], worker=False)
    line = tablet.page.locator("#dock").get_by_role("link", name="“Before” is not signed yet")
    expect(line).to_contain_text("Operator")
    line.tap()
    tablet.page.wait_for_url(f"**/runs/{runs['pre'].public_id}/")
    pass_lists(runs, before="sign_in")
    tablet.open(runs["sign_in"], worker=False)
    expect(tablet.page.locator("#dock")).not_to_contain_text("is not signed yet")
    expect(tablet.page.get_by_role("button", name="Sign: Nurse")).to_be_visible()


def test_a_late_answer_becomes_an_amendment_of_the_signed_list(clinic: Clinic, tablets: Hand) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    answer(runs["sign_in"], {"SIN-MRK-01||||": "not_marked"}, by=clinic.nurse)
    Run.objects.filter(pk=runs["sign_in"].pk).update(status="signed", signed_at=database_now())
    send(runs["sign_in"], tick("SIN-MRK-01||||", "marked"), by=clinic.nurse)
    tablet = tablets(clinic.nurse)
    tablet.open(runs["sign_in"], worker=False)
    tablet.row(MARKED).get_by_role("button", name="Amend").tap()
    sheet = tablet.page.locator("dialog[open]")
    sheet.locator("textarea").fill("The mark was there; the tick came late.")
    sheet.get_by_role("button", name="Keep").tap()
    choose(tablet, clinic.surgeon)
    tablet.keys(PIN)
    eventually(lambda: Amendment.objects.exists(), what="the amendment is kept")
    row = Amendment.objects.get()
    assert (row.before, row.after, row.by) == ("not_marked", "marked", clinic.surgeon)
    expect(tablet.row(MARKED).get_by_role("button", name="Amend")).to_have_count(0)


def test_a_person_stands_by_what_was_sent_in_their_name(clinic: Clinic, tablets: Hand) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    send(runs["sign_in"], tick("SIN-MRK-01||||", "marked", actor=clinic.anaesthetist), by=clinic.nurse)
    tablet = tablets(clinic.nurse)
    tablet.open(runs["sign_in"], worker=False)
    tablet.row(MARKED).get_by_role("button", name="Countersign").tap()
    tablet.keys(PIN)
    expect(tablet.row(MARKED).get_by_role("radio", name="Marked", exact=True)).to_be_checked(timeout=10_000)
    counted = Event.objects.get(outcome="applied")
    assert (counted.actor, counted.role) == (clinic.anaesthetist, "anaesthetist")


def test_a_device_becomes_one_of_the_sites_tablets(clinic: Clinic, tablets: Hand) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    tablet = tablets(clinic.nurse)
    tablet.open(runs["sign_in"], worker=False)
    tablet.page.locator("#me").tap()
    sheet = tablet.page.locator("dialog[open]")
    sheet.get_by_role("button", name="Enrol").tap()
    tablet.page.locator("dialog[open] input").fill("Theatre 1, left")
    tablet.page.locator("dialog[open]").get_by_role("button", name="Enrol").tap()
    eventually(lambda: Device.objects.exists(), what="the tablet is enrolled")
    tablet.tap(MARKED, "Marked")
    tablet.connected()
    eventually(lambda: Event.objects.exists(), what="the tick has arrived")
    assert Event.objects.get().tablet == Device.objects.get(name="Theatre 1, left")


def test_what_waits_is_carried_to_another_tablet_as_a_file(clinic: Clinic, tablets: Hand, tmp_path: Path) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    broken, other = tablets(clinic.nurse), tablets(clinic.nurse)
    broken.open(runs["sign_in"], worker=False)
    broken.cut()
    broken.tap(MARKED, "Marked")
    strip = broken.page.locator("#strips .strip", has_text="No network")
    with broken.page.expect_download() as download:
        strip.get_by_role("button", name="Save").tap()
    file = tmp_path / "outbox.json"
    download.value.save_as(file)
    kept = json.loads(file.read_text())
    assert (kept["format"], len(kept["entries"])) == ("outbox/1", 1)
    patient = runs["sign_in"].procedure.patient
    assert not [word for word in (patient.family_name, patient.mrn) if word in file.read_text()]
    other.open(runs["sign_in"], worker=False)
    for _ in range(2):
        # Taken twice it is still one answer.
        other.page.locator("#me").tap()
        other.press("Waiting on this tablet")
        other.page.locator("#take-file").set_input_files(file)
        expect(other.page.locator("dialog[open]")).to_have_count(0)
    expect(other.row(MARKED).get_by_role("radio", name="Marked", exact=True)).to_be_checked(timeout=10_000)
    other.connected()
    broken.mend()
    broken.connected()
    event = Event.objects.get()
    assert (event.value, event.actor) == ("marked", clinic.nurse)


@pytest.mark.parametrize("where", ["accounts/logout/", "board/"])
def test_a_log_out_drops_the_key_of_what_was_cached_and_keeps_what_waits(
    where: str, clinic: Clinic, tablets: Hand
) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    tablet = tablets(clinic.nurse)
    tablet.open(runs["sign_in"])
    stored = """(name) => new Promise((done) => {
      const open = indexedDB.open("tablet");
      open.onsuccess = () => {
        const asked = open.result.transaction(name).objectStore(name).getAllKeys();
        asked.onsuccess = () => (open.result.close(), done(asked.result.length));
      };
    })"""
    eventually(lambda: tablet.page.evaluate(stored, "cache") > 0, what="the list is kept on the tablet")
    assert tablet.page.evaluate(stored, "keys") == 1
    tablet.cut()
    tablet.tap(MARKED, "Marked")
    eventually(lambda: tablet.page.evaluate(stored, "outbox") == 1, what="the tick is on the disk")
    # The log-out overtakes the queue: the server takes nothing for the moment.
    # (Routes of the browser driver do not hold for a page that a service worker controls.)
    lost = """(() => {
      const real = fetch;
      globalThis.fetch = async (url, ...rest) => {
        if (`${url}`.endsWith("/events/")) throw new TypeError("lost");
        return real(url, ...rest);
      };
    })()"""
    tablet.page.evaluate(lost)
    tablet.context.add_init_script(lost)
    tablet.mend()
    tablet.page.goto(f"{tablet.url}/{where}")
    if where == "board/":
        tablet.page.locator("header.top details.menu summary").tap()
    tablet.page.get_by_role("button", name="Log out").last.tap()
    tablet.page.wait_for_url(lambda url: where not in url)
    # Another page of the same device, which no navigation takes away.
    page = tablet.new_page()
    page.goto(f"{tablet.url}/healthz")
    eventually(lambda: page.evaluate(stored, "keys") == 0, what="the key is gone")
    assert page.evaluate(stored, "cache") == 0
    assert (page.evaluate(stored, "outbox"), Event.objects.count()) == (1, 0)


def lock(tablet: Tablet) -> None:
    """Lock the tablet by its own button."""
    tablet.page.locator("#me").tap()
    tablet.press("Lock now")
    expect(tablet.page.get_by_role("dialog", name="Locked")).to_be_visible()


def test_without_a_network_a_locked_tablet_opens_by_a_pin_that_it_has_seen(clinic: Clinic, tablets: Hand) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    tablet = tablets(clinic.nurse)
    tablet.open(runs["pre"])
    locked = tablet.page.get_by_role("dialog", name="Locked")
    lock(tablet)
    tablet.cut()
    tablet.page.wait_for_function("() => tablet.offline")
    # It has never heard this person's PIN: neither a touch nor a guess opens it.
    tablet.press("Unlock")
    tablet.keys(PIN)
    expect(tablet.page.locator("dialog[open] [role=alert]")).to_contain_text("during this shift")
    expect(locked).to_be_visible()
    tablet.page.locator("dialog.sheet[open]").get_by_role("button", name="Close").tap()
    tablet.mend()
    tablet.page.wait_for_function("() => !tablet.offline", timeout=20_000)
    tablet.press("Unlock")
    tablet.keys(PIN)
    expect(locked).to_be_hidden(timeout=10_000)
    # Now it has, and the same PIN opens it under a cut network; five wrong ones, and only the server may.
    tablet.cut()
    tablet.page.wait_for_function("() => tablet.offline", timeout=20_000)
    lock(tablet)
    tablet.press("Unlock")
    tablet.keys("000000")
    expect(tablet.page.locator("dialog.sheet [role=alert]")).to_contain_text("not right", timeout=10_000)
    tablet.keys(PIN)
    expect(locked).to_be_hidden(timeout=10_000)
    lock(tablet)
    tablet.press("Unlock")
    alert = tablet.page.locator("dialog.sheet [role=alert]")
    for n in range(5):
        tablet.keys("000000")
        expect(alert).to_contain_text("Too many" if n == 4 else "not right", timeout=10_000)
    tablet.keys(PIN)
    expect(alert).to_contain_text("Too many", timeout=10_000)
    expect(locked).to_be_visible()
    tablet.mend()
    tablet.page.wait_for_function("() => !tablet.offline", timeout=20_000)
    tablet.keys(PIN)
    expect(locked).to_be_hidden(timeout=10_000)


def test_no_pin_is_kept_in_the_clear(clinic: Clinic, tablets: Hand) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    tablet = tablets(clinic.nurse)
    tablet.open(runs["pre"])
    lock(tablet)
    tablet.press("Unlock")
    tablet.keys(PIN)
    expect(tablet.page.get_by_role("dialog", name="Locked")).to_be_hidden(timeout=10_000)
    assert f"pin:{clinic.nurse.username}" in tablet.page.evaluate("() => tablet.shelved()")
    everything = """async () => {
      const base = await new Promise((done) => { const r = indexedDB.open("tablet"); r.onsuccess = () => done(r.result); });
      const found = [];
      for (const name of base.objectStoreNames) {
        const rows = await new Promise((done) => { const r = base.transaction(name).objectStore(name).getAll(); r.onsuccess = () => done(r.result); });
        for (const row of rows) found.push(row.box ? String.fromCharCode(...new Uint8Array(row.box)) : JSON.stringify(row));
      }
      base.close();
      return found.join("\\n");
    }"""
    kept = tablet.page.evaluate(everything)
    assert len(kept) > 100
    assert PIN not in kept


def test_an_unproven_tick_is_confirmed_by_whom_its_ticket_names(clinic: Clinic, tablets: Hand) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    unknown = tick("SIN-MRK-01||||", "marked", actor_unknown=True, claimed=clinic.anaesthetist)
    send(runs["sign_in"], unknown, by=clinic.nurse)
    tablet = tablets(clinic.nurse)
    tablet.open(runs["sign_in"], worker=False)
    tablet.row(MARKED).get_by_role("button", name="Countersign").tap()
    expect(tablet.page.locator("dialog[open]")).to_contain_text(clinic.anaesthetist.full_name)
    tablet.keys(PIN)
    expect(tablet.row(MARKED).get_by_role("radio", name="Marked", exact=True)).to_be_checked(timeout=10_000)
