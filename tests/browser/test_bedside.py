"""The bedside form on a surgeon's phone under a cut network: kept as it is typed, sent once, and honest all the while."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from clinic.lib.clock import database_now
from clinic.models import NeuroExam, User
from complications.actions.escalation import acknowledge, arrive, decide
from complications.actions.links import link_token
from complications.models import AcknowledgeLink, BedsideEntry, Escalation
from tests.browser.conftest import Clinic, give_session
from tests.browser.tablet import KEPT, PHONE, WIDE, Tablet
from tests.browser.test_phone import picture
from tests.browser.test_run_looks import barriers
from tests.make import make_actor, make_procedure, make_shift, make_user
from tests.make_complications import make_baseline, report_deficit
from tests.waiting import eventually

Hand = Callable[..., Tablet]


@pytest.fixture
def case(clinic: Clinic) -> Escalation:
    """An emergency that nobody has answered."""
    make_shift(clinic.site, clinic.surgeon)
    procedure = make_procedure(clinic.site, clinic.surgeon)
    make_baseline(procedure, database_now())
    return report_deficit(procedure, clinic.nurse)


def fresh(case: Escalation) -> Escalation:
    return Escalation.objects.get(pk=case.pk)


def form(phone: Tablet, case: Escalation) -> Page:
    """Open the form while there is a network, and wait until it would open without one."""
    phone.page.goto(f"{phone.url}/escalations/{case.public_id}/bedside/")
    expect(phone.page.locator("#net")).to_contain_text("Connected")
    eventually(lambda: phone.page.evaluate(KEPT) > 3, what="the form is kept on the phone")
    return phone.page


def grade(page: Page, muscle: str, key: str) -> None:
    """Touch a muscle, then its grade."""
    page.locator(f'[data-mrc="{muscle}"]').tap()
    page.locator(f'#keypad [data-key="{key}"]').tap()


def decide_by_touch(page: Page, decision: str, reason: str) -> None:
    page.locator("#decide .opt", has_text=re.compile(f"^{decision}$")).tap()
    page.get_by_label("Reason").fill(reason)


def record(page: Page) -> None:
    page.get_by_role("button", name="Record", exact=True).tap()


def test_a_form_under_a_cut_network_survives_reload_and_restart_and_arrives_once(
    clinic: Clinic, tablets: Hand, case: Escalation
) -> None:
    phone = tablets(clinic.surgeon, viewport=PHONE)
    page = form(phone, case)
    phone.cut()
    page.reload()
    expect(page.locator("#who")).to_contain_text(case.case.patient.family_name.upper())
    expect(page.locator("#net")).to_contain_text("No connection")
    # Nobody has answered, and this phone cannot tell anybody: the numbers stand there.
    expect(page.locator("#unsent")).to_contain_text("Paging goes on")
    expect(page.locator("#unsent a").first).to_contain_text(clinic.site.first_phone[1])
    page.get_by_role("button", name="I am at the bedside").tap()
    page.get_by_role("button", name="Right: all full").tap()
    grade(page, "ankle_dorsiflexion_l", "3")
    page.get_by_role("group", name="Bladder").get_by_role("radio", name="Normal").tap()
    page.get_by_role("button", name="Imaging requested").tap()
    decide_by_touch(page, "Decompress", "cement at T12")
    expect(page.locator("#kept")).to_contain_text("Kept on this phone")
    # The page dies half way; what was typed is there again.
    page.reload()
    expect(page.get_by_label("Reason")).to_have_value("cement at T12")
    expect(page.locator('[data-mrc="ankle_dorsiflexion_l"] b')).to_have_text("3")
    expect(page.locator("#arrived")).to_contain_text("At the bedside since")
    picture(page, "bedside-offline-filled")
    record(page)
    expect(page.locator("#sent")).to_contain_text("On this phone, not yet sent")
    expect(page.get_by_label("Reason")).to_have_value("")
    assert barriers(page) == []
    picture(page, "bedside-offline-waiting")
    assert not BedsideEntry.objects.exists()
    # The phone is started anew, still without a network.
    page.close()
    page = phone.page = phone.new_page()
    page.goto(f"{phone.url}/escalations/{case.public_id}/bedside/")
    expect(page.locator("#sent")).to_contain_text("On this phone, not yet sent")
    phone.mend()
    expect(page.locator("#sent")).to_contain_text("Sent, stored", timeout=30_000)
    expect(page.locator("#sent")).not_to_contain_text("not yet sent")
    picture(page, "bedside-stored")
    entry = BedsideEntry.objects.get()
    assert entry.sent_at is not None
    assert entry.made_at < entry.sent_at <= entry.received_at
    assert set(entry.outcome["parts"].values()) == {"stored"}
    now = fresh(case)
    assert (now.status, now.decision, now.responsible) == ("decided", "decompress", clinic.surgeon)
    assert now.events.filter(kind="decided").count() == 1
    assert NeuroExam.objects.filter(procedure=case.procedure, kind="review").count() == 1


def test_an_answer_that_was_lost_is_asked_for_again_and_stands_once(
    clinic: Clinic, tablets: Hand, case: Escalation
) -> None:
    arrive(escalation=case, by=make_actor(clinic.surgeon, "surgeon"), now=database_now())
    phone = tablets(clinic.surgeon, viewport=PHONE)
    page = form(phone, case)
    lost: list[str] = []

    def lose(route: Any) -> None:
        if route.request.method != "POST" or lost:
            route.continue_()
            return
        lost.append(route.fetch().text())
        route.abort()

    phone.context.route("**/api/v1/escalations/*/bedside/", lose)
    decide_by_touch(page, "Decompress", "seen")
    # A second page of the same phone stands open beside it.
    other = phone.new_page()
    other.goto(f"{phone.url}/escalations/")
    record(page)
    expect(page.locator("#sent")).to_contain_text("Sent, stored", timeout=30_000)
    assert "stored" in lost[0]
    assert BedsideEntry.objects.count() == 1
    assert fresh(case).events.filter(kind="decided").count() == 1


def test_another_page_of_the_phone_sends_what_waits(clinic: Clinic, tablets: Hand, case: Escalation) -> None:
    arrive(escalation=case, by=make_actor(clinic.surgeon, "surgeon"), now=database_now())
    phone = tablets(clinic.surgeon, viewport=PHONE)
    page = form(phone, case)
    phone.cut()
    decide_by_touch(page, "Decompress", "seen")
    record(page)
    expect(page.locator("#sent")).to_contain_text("not yet sent")
    page.close()
    phone.mend()
    phone.page = phone.new_page()
    phone.page.goto(f"{phone.url}/escalations/")
    eventually(BedsideEntry.objects.exists, what="the list has sent it")
    assert fresh(case).decision == "decompress"


def test_what_one_surgeon_wrote_is_never_sent_as_another(clinic: Clinic, tablets: Hand, case: Escalation) -> None:
    arrive(escalation=case, by=make_actor(clinic.surgeon, "surgeon"), now=database_now())
    other = make_user(clinic.site, "surgeon", full_name="Dr Other")
    phone = tablets(clinic.surgeon, viewport=PHONE)
    page = form(phone, case)
    phone.cut()
    page.get_by_label("Transfer to").fill("half typed")
    expect(page.locator("#kept")).to_be_visible()
    decide_by_touch(page, "Decompress", "seen")
    page.get_by_label("Transfer to").fill("")
    record(page)
    expect(page.locator("#sent")).to_contain_text("not yet sent")
    decide_by_touch(page, "Transfer", "typed and not recorded")
    expect(page.locator("#kept")).to_be_visible()
    phone.mend()
    # The log-in is gone: nothing of the patient is shown, and nothing leaves.
    phone.context.clear_cookies()
    page.reload()
    expect(page.locator("#net")).to_contain_text("Logged out")
    expect(page.locator("#who")).to_be_hidden()
    expect(page.locator("#sent")).to_contain_text("not yet sent")
    picture(page, "bedside-logged-out")
    assert barriers(page) == []
    assert not BedsideEntry.objects.exists()
    give_session(phone, other)
    page.reload()
    expect(page.locator("#sent")).to_contain_text(f"{clinic.surgeon.get_full_name()}'s record waits on this phone")
    expect(page.get_by_label("Reason")).to_have_value("")
    picture(page, "bedside-other-person")
    assert not BedsideEntry.objects.exists()
    give_session(phone, clinic.surgeon)
    page.reload()
    expect(page.locator("#sent")).to_contain_text("Sent, stored", timeout=30_000)
    assert BedsideEntry.objects.get().by == clinic.surgeon
    # What was half typed is theirs, and waits for them.
    expect(page.get_by_label("Reason")).to_have_value("typed and not recorded")


def test_a_log_out_takes_the_patient_and_the_half_typed_form_and_leaves_what_waits(
    clinic: Clinic, tablets: Hand, case: Escalation
) -> None:
    arrive(escalation=case, by=make_actor(clinic.surgeon, "surgeon"), now=database_now())
    phone = tablets(clinic.surgeon, viewport=PHONE)
    page = form(phone, case)
    phone.context.route(
        "**/api/v1/escalations/*/bedside/",
        lambda route: route.abort() if route.request.method == "POST" else route.continue_(),
    )
    decide_by_touch(page, "Decompress", "seen")
    record(page)
    expect(page.locator("#sent")).to_contain_text("not yet sent")
    page.get_by_label("Reason").fill("half typed")
    expect(page.locator("#kept")).to_be_visible()
    page.goto(f"{phone.url}/accounts/logout/")
    page.get_by_role("button", name="Log out").tap()
    page.wait_for_url(lambda url: "logout" not in url)
    phone.context.unroute("**/api/v1/escalations/*/bedside/")
    phone.cut()
    page.goto(f"{phone.url}/escalations/{case.public_id}/bedside/")
    expect(page.locator("#sent")).to_contain_text("not yet sent")
    expect(page.locator("#who")).to_be_hidden()
    assert "half typed" not in page.content()
    phone.mend()
    give_session(phone, clinic.surgeon)
    page.reload()
    expect(page.locator("#sent")).to_contain_text("Sent, stored", timeout=30_000)
    expect(page.get_by_label("Reason")).to_have_value("")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_decision_made_elsewhere_meanwhile_is_shown_beside_ones_own(
    clinic: Clinic, tablets: Hand, case: Escalation, theme: str
) -> None:
    User.objects.filter(pk=clinic.surgeon.pk).update(theme=theme)
    other = make_user(clinic.site, "surgeon", full_name="Dr Other")
    arrive(escalation=case, by=make_actor(clinic.surgeon, "surgeon"), now=database_now())
    phone = tablets(clinic.surgeon, viewport=PHONE)
    page = form(phone, case)
    phone.cut()
    decide_by_touch(page, "Decompress", "cement in the canal")
    record(page)
    expect(page.locator("#sent")).to_contain_text("not yet sent")
    observe = {"decision": "observe", "reexam_interval_minutes": 30, "reason": "strength came back"}
    decide(escalation=case, data=observe, by=make_actor(other, "surgeon"), now=database_now())
    phone.mend()
    expect(page.locator("#sent")).to_contain_text("Somebody else decided meanwhile", timeout=30_000)
    expect(page.locator("#sent")).to_contain_text("strength came back")
    expect(page.locator("#sent")).to_contain_text("cement in the canal")
    assert fresh(case).decision == "observe"
    assert barriers(page) == []
    picture(page, f"bedside-conflict-{theme}")
    page.get_by_role("button", name="Make mine the decision").tap()
    eventually(lambda: fresh(case).decision == "decompress", what="the decision is changed")
    expect(page.locator("#sent")).not_to_contain_text("Somebody else decided meanwhile")
    page.goto(f"{phone.url}/escalations/{case.public_id}/")
    expect(page.locator("#story")).to_contain_text("not in force")


def test_what_the_service_refuses_is_shown_at_its_field_and_nothing_is_lost(
    clinic: Clinic, tablets: Hand, case: Escalation
) -> None:
    arrive(escalation=case, by=make_actor(clinic.surgeon, "surgeon"), now=database_now())
    phone = tablets(clinic.surgeon, viewport=PHONE)
    page = form(phone, case)
    # First what the phone says itself.
    decide_by_touch(page, "Observe", "wait")
    record(page)
    expect(page.locator("#err-reexam")).to_contain_text("examined again")
    assert barriers(page) == []
    picture(page, "bedside-error")
    page.locator("#decide .opt", has_text=re.compile("^Decompress$")).tap()

    def refuse(route: Any) -> None:
        if route.request.method != "POST":
            route.continue_()
            return
        errors = [{"field": "reason", "code": "too_short", "detail": "Say it in a whole sentence."}]
        route.fulfill(status=400, json={"code": "invalid", "detail": "The decision lacks something.", "errors": errors})

    phone.context.route("**/api/v1/escalations/*/bedside/", refuse)
    record(page)
    expect(page.locator("#sent")).to_contain_text("Not accepted; it is still on this phone")
    expect(page.locator("#sent")).to_contain_text("Say it in a whole sentence.")
    picture(page, "bedside-refused")
    phone.context.unroute("**/api/v1/escalations/*/bedside/")
    page.get_by_role("button", name="Correct it").tap()
    expect(page.get_by_label("Reason")).to_have_value("wait")
    expect(page.locator("#err-reason")).to_contain_text("Say it in a whole sentence.")
    page.get_by_label("Reason").fill("cement in the canal at T12")
    record(page)
    expect(page.locator("#sent")).to_contain_text("Sent, stored", timeout=30_000)
    assert fresh(case).decision_data["reason"] == "cement in the canal at T12"


def test_an_answer_that_does_not_leave_the_phone_says_so_and_stops_nothing(
    clinic: Clinic, tablets: Hand, case: Escalation
) -> None:
    phone = tablets(clinic.surgeon, viewport=PHONE)
    page = phone.page
    page.goto(f"{phone.url}/escalations/{case.public_id}/")
    eventually(lambda: page.evaluate(KEPT) > 3, what="the form is kept on the phone")
    phone.cut()
    page.locator("#take > summary").tap()
    page.get_by_role("button", name="20").tap()
    expect(page.locator("#not-sent")).to_contain_text("paging goes on")
    expect(page.locator("#not-sent a").first).to_contain_text(clinic.site.first_phone[1])
    assert barriers(page) == []
    picture(page, "not-sent")
    assert fresh(case).responsible is None
    phone.mend()
    # Nothing was kept to be sent later: the person touches again.
    page.get_by_role("button", name="Try again").tap()
    expect(page.locator("#live")).to_contain_text("You have it")
    assert fresh(case).responsible == clinic.surgeon
    # The time at the bedside may come late; it stays true.
    phone.cut()
    page.get_by_role("button", name="I am at the bedside").tap()
    expect(page.locator("#not-sent")).to_contain_text("Kept on this phone: at the bedside since")
    # Without a network the address of the case shows what the phone holds.
    page.reload()
    expect(page.locator("#sent")).to_contain_text("On this phone, not yet sent")
    page.goto(f"{phone.url}/escalations/")
    expect(page.locator("#shelf-list")).to_contain_text(case.case.patient.family_name.upper())
    assert barriers(page) == []
    picture(page, "shelf")
    phone.mend()
    eventually(lambda: fresh(case).status == "at_bedside", what="the arrival is stored")


def test_the_link_of_a_page_says_that_the_answer_did_not_arrive(
    clinic: Clinic, tablets: Hand, case: Escalation
) -> None:
    now = database_now()
    link = AcknowledgeLink.objects.create(
        escalation=case, user=clinic.surgeon, created_at=now, expires_at=now + timedelta(hours=1)
    )
    phone = tablets(clinic.nurse, viewport=PHONE)
    page = phone.page
    page.goto(f"{phone.url}/a/{link_token(link.public_id)}/")
    phone.cut()
    page.get_by_role("button", name="20").tap()
    expect(page.locator("#not-sent")).to_contain_text("paging goes on")
    expect(page.locator("#not-sent a").first).to_contain_text(clinic.site.first_phone[1])
    assert barriers(page) == []
    picture(page, "not-sent-link")
    assert fresh(case).responsible is None
    phone.mend()
    page.get_by_role("button", name="Try again").tap()
    expect(page.get_by_role("heading", name="You have it")).to_be_visible()
    expect(page.locator("#not-sent")).to_be_hidden()
    assert fresh(case).responsible == clinic.surgeon


@pytest.mark.parametrize("language", ["en", "tr"])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["tablet", "phone"])
def test_no_barrier_on_the_form(
    clinic: Clinic, tablets: Hand, case: Escalation, size: dict[str, int], theme: str, language: str
) -> None:
    User.objects.filter(pk=clinic.surgeon.pk).update(theme=theme, language=language)
    acknowledge(escalation=case, eta_minutes=10, by=make_actor(clinic.surgeon, "surgeon"), now=database_now())
    phone = tablets(clinic.surgeon, viewport=size)
    page = phone.page
    page.goto(f"{phone.url}/escalations/{case.public_id}/bedside/")
    expect(page.locator("#who")).to_contain_text(case.case.patient.family_name.upper())
    expect(page.locator(f"html[data-theme={theme}]")).to_have_count(1)
    grade(page, "ankle_dorsiflexion_l", "3")
    assert barriers(page) == []
    assert page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
    picture(page, f"bedside-{size['width']}-{theme}-{language}")
    assert phone.said == []
