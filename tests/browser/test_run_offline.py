"""The queue that never loses: ticks under a cut network, reloads, cold starts, and exactly one delivery."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from checklists.models import Event
from tests.browser.conftest import Clinic, give_session
from tests.browser.tablet import Tablet
from tests.make import make_user
from tests.make_checklists import make_case
from tests.waiting import eventually

Hand = Callable[..., Tablet]
SPOKEN, BY, MARKED = "SIN-IDN-01.spoken", "SIN-IDN-01.by", "SIN-MRK-01"


def values(run: Any) -> list[tuple[str, Any]]:
    """What the server has of a run, in the order in which it came."""
    rows = Event.objects.filter(run=run).order_by("seq")
    return [(f"{row.item}.{row.part}" if row.part else row.item, row.value) for row in rows]


def test_a_tick_is_on_the_server_and_says_so(clinic: Clinic, tablets: Hand) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    tablet = tablets(clinic.nurse)
    tablet.open(runs["sign_in"], worker=False)
    tablet.tap(SPOKEN, "Yes")
    expect(tablet.row(SPOKEN)).to_contain_text("On the server")
    tablet.connected()
    event = Event.objects.get(run=runs["sign_in"])
    assert (event.item, event.part, event.value, event.outcome) == ("SIN-IDN-01", "spoken", True, "applied")
    assert event.actor == clinic.nurse
    assert tablet.said == []


def test_ticks_under_a_cut_network_survive_a_reload_and_a_cold_start_and_arrive_once(
    clinic: Clinic, tablets: Hand
) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    tablet = tablets(clinic.nurse)
    tablet.open(runs["sign_in"])
    tablet.cut()
    tablet.tap(SPOKEN, "Yes")
    expect(tablet.row(SPOKEN)).to_contain_text("On this tablet")
    expect(tablet.page.locator("#conn")).to_contain_text("Offline")
    tablet.page.reload()
    expect(tablet.row(SPOKEN)).to_contain_text("On this tablet")
    tablet.tap(BY, "Patient")
    expect(tablet.row(BY)).to_contain_text("On this tablet")
    # A cold start: the page is gone, another one is opened, and there is still no network.
    tablet.page.close()
    tablet.page = tablet.new_page()
    tablet.page.goto(f"{tablet.url}/runs/{runs['sign_in'].public_id}/")
    expect(tablet.page.locator("#who")).to_contain_text(runs["sign_in"].procedure.patient.given_name)
    expect(tablet.row(BY).get_by_role("radio", name="Patient", exact=True)).to_be_checked()
    tablet.tap(MARKED, "Marked")
    expect(tablet.page.locator("#conn")).to_contain_text("3 on this tablet")
    assert values(runs["sign_in"]) == []
    tablet.mend()
    tablet.connected()
    assert values(runs["sign_in"]) == [(SPOKEN, True), (BY, "patient"), (MARKED, "marked")]


def test_what_was_sent_but_not_answered_is_sent_again_and_stands_once(clinic: Clinic, tablets: Hand) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    tablet = tablets(clinic.nurse)
    tablet.open(runs["sign_in"], worker=False)
    lost: list[str] = []

    def lose(route: Any) -> None:
        if lost:
            route.continue_()
            return
        lost.append(route.fetch().text())
        route.abort()

    tablet.page.route("**/events/", lose)
    tablet.tap(SPOKEN, "Yes")
    expect(tablet.row(SPOKEN)).to_contain_text("On the server", timeout=15_000)
    tablet.connected()
    assert "applied" in lost[0]
    assert values(runs["sign_in"]) == [(SPOKEN, True)]


@pytest.mark.parametrize("status", [401, 403, 409, 429, 500, 503])
def test_no_answer_of_the_server_but_a_receipt_empties_the_queue(clinic: Clinic, tablets: Hand, status: int) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    tablet = tablets(clinic.nurse)
    tablet.open(runs["sign_in"], worker=False)
    tablet.page.route("**/events/", lambda route: route.fulfill(status=status, json={"code": "no", "detail": "No."}))
    with tablet.page.expect_response("**/events/"):
        tablet.tap(SPOKEN, "Yes")
    expect(tablet.page.locator("#conn")).to_contain_text("1 on this tablet")
    tablet.page.unroute("**/events/")
    tablet.page.reload()
    tablet.connected()
    assert values(runs["sign_in"]) == [(SPOKEN, True)]


@pytest.mark.parametrize("status", [400, 413])
def test_a_page_of_a_proxy_refuses_no_tick(clinic: Clinic, tablets: Hand, status: int) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    tablet = tablets(clinic.nurse)
    tablet.open(runs["sign_in"], worker=False)
    tablet.page.route("**/events/", lambda route: route.fulfill(status=status, body="<h1>Bad gateway</h1>"))
    with tablet.page.expect_response("**/events/"):
        tablet.tap(SPOKEN, "Yes")
    expect(tablet.page.locator("#conn")).to_contain_text("1 on this tablet")
    tablet.page.unroute("**/events/")
    eventually(lambda: values(runs["sign_in"]) == [(SPOKEN, True)], what="the tick is on the server")


def test_a_tick_that_breaks_the_server_holds_back_no_other_list_and_no_deficit(clinic: Clinic, tablets: Hand) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    tablet = tablets(clinic.nurse)

    def break_down(route: Any) -> None:
        if "breaks" in (route.request.post_data or ""):
            route.fulfill(status=500, body="<h1>Server Error</h1>")
        else:
            route.continue_()

    tablet.context.route("**/events/", break_down)
    add = r"""([item, part, value, run, more]) => import(document.querySelector('script[type=module]').src.replace(
        /checklists\/run[^/]*$/, 'clinic/js/queue.js')).then(({ queue, uuid7 }) => queue.add({ run, urgent: !!more.urgent, body: {
        id: uuid7(), item, part, value, parent: null, occurred_at: new Date().toISOString(), ...more.body } }))"""
    tablet.open(runs["post"], worker=False)
    post, sign_in = (str(runs[phase].public_id) for phase in ("post", "sign_in"))
    leg = {"urgent": True, "body": {"instance": "one"}}
    tablet.page.evaluate(add, ["POS-NEU-01", "spo2", 97, post, {"body": {"instance": "one", "reason": "breaks"}}])
    tablet.page.evaluate(add, ["POS-NEU-01", "leg_l", "weaker", post, leg])
    with tablet.page.expect_response(lambda answer: sign_in in answer.url and answer.ok, timeout=20_000):
        tablet.page.evaluate(add, ["SIN-IDN-01", "spoken", True, sign_in, {}])
    assert values(runs["sign_in"]) == [(SPOKEN, True)]
    assert values(runs["post"]) == [("POS-NEU-01.leg_l", "weaker")]


def test_a_deficit_that_was_refused_has_called_nobody_and_says_so(clinic: Clinic, tablets: Hand) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    tablet = tablets(clinic.nurse)
    tablet.open(runs["post"], worker=False)
    tablet.page.evaluate(
        "() => tablet.run.tick(tablet.run.nodes.get('POS-NEU-01.leg_l'), {instance: 'one'}, 'gone', {urgent: true})"
    )
    expect(tablet.page.locator("#strips")).to_contain_text("1 not accepted by the server, kept here")
    expect(tablet.page.get_by_role("alertdialog", name="NOT SENT: CALL")).to_be_visible(timeout=20_000)


def test_what_was_ticked_after_a_cold_start_stays_with_who_ticked_it(clinic: Clinic, tablets: Hand) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    tablet = tablets(clinic.nurse)
    tablet.open(runs["sign_in"])
    tablet.cut()
    tablet.page.close()
    tablet.page = tablet.new_page()
    tablet.page.goto(f"{tablet.url}/runs/{runs['sign_in'].public_id}/")
    tablet.tap(SPOKEN, "Yes")
    expect(tablet.page.locator("#conn")).to_contain_text("1 on this tablet")
    give_session(tablet, make_user(clinic.site, "nurse"))
    tablet.mend()
    eventually(lambda: Event.objects.filter(run=runs["sign_in"]).exists(), what="the tick is on the server")
    event = Event.objects.get(run=runs["sign_in"])
    assert (event.outcome, event.actor) == ("held", clinic.nurse)


def test_the_log_in_ends_and_nothing_is_lost(clinic: Clinic, tablets: Hand) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    tablet = tablets(clinic.nurse)
    tablet.open(runs["sign_in"])
    tablet.context.clear_cookies()
    tablet.tap(SPOKEN, "Yes")
    expect(tablet.page.locator("#conn")).to_contain_text("Log in again")
    expect(tablet.page.locator("#strips")).to_contain_text("Nothing is lost: 1 wait here")
    give_session(tablet, clinic.nurse)
    tablet.connected()
    assert values(runs["sign_in"]) == [(SPOKEN, True)]


def test_an_answer_that_the_server_refuses_stays_and_is_shown_with_its_reason(clinic: Clinic, tablets: Hand) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    tablet = tablets(clinic.nurse)
    tablet.open(runs["sign_in"], worker=False)
    tablet.page.evaluate(
        "() => tablet.run.tick(tablet.run.nodes.get('SIN-MON-01.spo2'), {}, 999, {label: 'SpO2 now', who: 'x'})"
    )
    expect(tablet.page.locator("#strips")).to_contain_text("1 not accepted by the server, kept here")
    tablet.page.reload()
    expect(tablet.page.locator("#strips")).to_contain_text("1 not accepted by the server, kept here")
    tablet.press("I have read it")
    expect(tablet.page.locator("#strips")).not_to_contain_text("not accepted")
    assert tablet.page.evaluate("() => tablet.kept().then((all) => all.length)") == 1


def test_the_other_lists_of_today_open_without_a_network(clinic: Clinic, tablets: Hand) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    tablet = tablets(clinic.nurse)
    tablet.open(runs["sign_in"])
    kept = f"run:{runs['time_out'].public_id}"
    eventually(lambda: kept in tablet.page.evaluate("() => tablet.shelved()"), what="the other list is on the tablet")
    tablet.cut()
    tablet.page.goto(f"{tablet.url}/board/")
    tablet.page.get_by_role("link", name="Time out").tap()
    tablet.tap("TOU-TEA-01", "Yes")
    expect(tablet.row("TOU-TEA-01")).to_contain_text("On this tablet")
    tablet.mend()
    tablet.connected()
    assert values(runs["time_out"]) == [("TOU-TEA-01", True)]


def test_an_unsent_deficit_says_so_with_the_numbers_to_call(clinic: Clinic, tablets: Hand) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    tablet = tablets(clinic.nurse)
    tablet.open(runs["post"])
    tablet.press("New observation")
    tablet.connected()
    tablet.cut()
    tablet.page.get_by_role("radio", name="Weaker", exact=True).first.tap()
    call = tablet.page.get_by_role("alertdialog", name="NOT SENT: CALL")
    expect(call).to_be_visible(timeout=20_000)
    expect(call.get_by_role("link")).to_contain_text("+90 555 000 0001")
    tablet.mend()
    expect(call).to_be_hidden(timeout=20_000)
    eventually(lambda: ("POS-NEU-01.leg_l", "weaker") in values(runs["post"]), what="the deficit is on the server")


def test_the_waiting_answers_can_be_carried_away_as_a_file(clinic: Clinic, tablets: Hand) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    tablet = tablets(clinic.nurse)
    tablet.open(runs["sign_in"])
    tablet.cut()
    tablet.tap(SPOKEN, "Yes")
    with tablet.page.expect_download() as download:
        tablet.press("Save as file")
    text = download.value.path().read_text()
    assert '"item": "SIN-IDN-01"' in text
    assert runs["sign_in"].procedure.patient.family_name not in text


def test_a_new_version_of_the_shell_keeps_the_queue(clinic: Clinic, tablets: Hand) -> None:
    runs = make_case(clinic.site, clinic.surgeon)
    tablet = tablets(clinic.nurse)
    tablet.open(runs["sign_in"])
    tablet.cut()
    tablet.tap(SPOKEN, "Yes")
    tablet.page.evaluate("() => caches.keys().then((all) => Promise.all(all.map((one) => caches.delete(one))))")
    tablet.page.evaluate("() => navigator.serviceWorker.getRegistration().then((one) => one.unregister())")
    tablet.mend()
    tablet.page.reload()
    tablet.connected()
    assert values(runs["sign_in"]) == [(SPOKEN, True)]
