"""From the theatre list to an exported record, by touch, on the real service, with the network cut in the middle."""

from __future__ import annotations

import json
import urllib.request
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from checklists.management.demo.answers import Story, Ticked, ticks
from checklists.rules.nodes import PHASES
from tests.browser.hands import Hands
from tests.browser.tablet import PHONE, Tablet
from tests.service import RunningService
from tests.waiting import eventually

#: who signs what, in the words of the page, with the demo's accounts
SIGNS = {
    "pre": [("Operator", "surgeon")],
    "sign_in": [("Nurse", "nurse"), ("Anaesthesia", "anaesthetist")],
    "time_out": [("Nurse", "nurse"), ("Anaesthesia", "anaesthetist"), ("Operator", "surgeon")],
    "intra": [("Nurse", "nurse"), ("Operator", "surgeon")],
    "sign_out": [("Nurse", "nurse"), ("Anaesthesia", "anaesthetist"), ("Operator", "surgeon")],
}


class Case:
    """One vertebroplasty under local anaesthesia, booked through the API as a theatre system would."""

    def __init__(self, service: RunningService) -> None:
        self.service, self.accounts = service, service.accounts()
        self.id, self.mrn = str(uuid.uuid4()), f"T{uuid.uuid4().hex[:8]}"
        now = datetime.now(UTC)
        self.api(
            "POST",
            "/procedures/",
            {
                "id": self.id,
                "patient": {
                    "mrn": self.mrn,
                    "family_name": f"Yıldız {self.mrn}",
                    "given_name": "Ayşe",
                    "birth_date": "1948-03-14",
                    "sex": "female",
                },
                "kind": "vertebroplasty",
                "indication": "osteoporotic_vcf",
                "anaesthesia": "local",
                "levels": ["L1"],
                "scheduled_at": now.isoformat(),
                "room": "or1",
                "operator": "surgeon",
                "team": [{"user": "nurse", "role": "nurse"}, {"user": "anaesthetist", "role": "watcher"}],
            },
        )
        self.runs = {run["phase"]: run["id"] for run in self.api("GET", f"/procedures/{self.id}/runs/")["results"]}
        story = Story(
            kind="vertebroplasty",
            indication="osteoporotic_vcf",
            anaesthesia="local",
            levels=["L1"],
            incision_at=now,
            operator="surgeon",
            surgeon="surgeon",
            second_surgeon="surgeon2",
            nurse="nurse",
            watcher="anaesthetist",
            age=78,
            instead={"SIN-IDN-01": self.mrn},
        )
        self.answers: dict[str, list[Ticked]] = ticks(story, PHASES)

    def api(self, method: str, path: str, body: Any = None, account: str = "nurse") -> Any:
        """Call the API as an outside program of that account does; return the JSON."""
        request = urllib.request.Request(  # noqa: S310 - our own service
            f"{self.service.url}/api/v1{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.accounts[account]['token']}",
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            text = answer.read().decode()
        return json.loads(text) if text.startswith(("{", "[")) else text

    def run(self, phase: str) -> Any:
        """Return a run as the API shows it."""
        return self.api("GET", f"/runs/{self.runs[phase]}/?definition=0")


@pytest.fixture
def case(service: RunningService) -> Case:
    """A case on today's list."""
    return Case(service)


@pytest.fixture
def tablet(service: RunningService, browser: Browser, case: Case) -> Iterator[Tablet]:
    """The theatre's tablet, with the nurse logged in."""
    device = Tablet(browser, service.url)
    device.log_in(case.accounts["nurse"]["username"], case.accounts["nurse"]["password"])
    yield device
    device.close()


@pytest.fixture
def phone(service: RunningService, browser: Browser, case: Case) -> Iterator[Tablet]:
    """The surgeon's phone."""
    device = Tablet(browser, service.url, viewport=PHONE)
    device.log_in(case.accounts["surgeon"]["username"], case.accounts["surgeon"]["password"])
    yield device
    device.close()


def sign(tablet: Tablet, case: Case, phase: str) -> None:
    """Everybody who is named signs on the one tablet, each with their own PIN."""
    for part, account in SIGNS[phase]:
        person = case.accounts[account]
        tablet.press(f"Sign: {part}")
        tablet.page.locator("dialog[open]").get_by_role("button", name=person["name"]).tap()
        if part != "Nurse" and phase in ("time_out", "intra", "sign_out"):
            tablet.press("Signs with own PIN")
        tablet.keys(person["pin"])
        expect(tablet.page.locator("dialog[open]")).to_have_count(0)
    expect(tablet.page.locator("#dock")).to_contain_text("Signed by everyone needed", timeout=15_000)


def test_from_the_theatre_list_to_an_exported_record(tablet: Tablet, phone: Tablet, case: Case) -> None:
    hands = Hands(tablet, {name: account["name"] for name, account in case.accounts.items()})
    tablet.patient = (f"Yıldız {case.mrn}, Ayşe", "14 03 1948")
    # From the board to the first list.
    tablet.page.goto(f"{case.service.url}/board/")
    tablet.page.get_by_role("link").filter(has_text=case.mrn.upper()).first.tap()
    tablet.page.wait_for_url("**/runs/**")
    for phase in PHASES[:-1]:
        tablet.open(case.runs[phase], worker=phase == "sign_in")
        answers = case.answers[phase]
        half = len(answers) // 2
        hands.give_all(answers[:half])
        if phase == "time_out":
            # In the middle of the time out the network goes, and the tablet is started anew.
            tablet.connected()
            before = case.run(phase)["seq"]
            tablet.cut()
            hands.give_all(answers[half:-2])
            tablet.page.reload()
            hands.give_all(answers[-2:])
            expect(tablet.page.locator("#conn")).to_contain_text("Offline")
            assert case.run(phase)["seq"] == before
            tablet.mend()
        hands.give_all(answers[half:])
        tablet.connected()
        sign(tablet, case, phase)
        state = case.run(phase)
        assert state["status"] == "signed"
        assert (len(state["answers"]), state["conflicts"], state["waiting"]) == (len(answers), [], [])

    # Recovery: the first look finds nothing new, the second a weak foot.
    tablet.open(case.runs["post"], worker=False)
    tablet.press("New observation")
    tablet.press("All as before")
    expect(tablet.page.locator(".fold").first).to_contain_text("As before")
    tablet.press("New observation")
    expect(tablet.page.locator(".fold")).to_have_count(2)
    instance = tablet.page.evaluate("() => tablet.run.instances(tablet.run.nodes.get('POS-NEU-01')).at(-1)")

    def say(part: str, option: str) -> None:
        tablet.page.locator(f'[data-key="POS-NEU-01|{part}|||{instance}"]').get_by_label(option, exact=True).tap()

    say("awake", "Yes")
    say("leg_l", "Weaker")
    for muscle in ("hip_flexion_l", "knee_extension_l", "great_toe_extension_l", "plantarflexion_l"):
        say(muscle, "5 full")
    say("ankle_dorsiflexion_l", "2 gravity eliminated")
    tablet.connected()

    # The engine pages; the surgeon answers on the phone and decides.
    def escalations() -> Any:
        return case.api("GET", f"/escalations/?procedure={case.id}", account="surgeon")["results"]

    eventually(escalations, seconds=30, what="the deficit has opened an escalation")
    escalation = escalations()[0]["id"]
    detail = f"/escalations/{escalation}/"
    eventually(
        lambda: any(one["status"] == "sent" for one in case.api("GET", detail, account="surgeon")["messages"]),
        seconds=60,
        what="a message has gone out",
    )
    phone.page.goto(f"{case.service.url}/inbox/")
    expect(phone.page.locator("main")).to_contain_text(case.accounts["surgeon"]["name"])
    phone.page.goto(f"{case.service.url}{detail}")
    phone.page.locator("#take summary").tap()
    phone.page.locator("button[name=eta_minutes]").nth(1).tap()
    expect(phone.page.locator("#body")).to_contain_text(case.accounts["surgeon"]["name"])
    phone.press("I am at the bedside")
    phone.page.get_by_role("link", name="Record the decision").tap()
    phone.page.locator("input[name=decision][value=decompress]").check()
    phone.page.locator("textarea[name=reason]").fill(
        "New weakness of the foot after cement: the canal is opened tonight."
    )
    phone.press("Record")
    eventually(
        lambda: case.api("GET", detail, account="surgeon")["decision"] is not None, what="the decision is recorded"
    )

    # The record leaves as a file: the answers are in it, the patient's name is not.
    rows = case.api("GET", f"/exports/answers?format=csv&procedure={case.id}", account="admin")
    assert "POS-NEU-01" in rows
    assert case.mrn not in rows
    verified = case.service.manage("audit", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
