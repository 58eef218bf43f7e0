"""Worker, beat, watchman, broker (wiped) and PostgreSQL die while a case is paged: every page goes out, none is lost."""

from __future__ import annotations

import json
import os
import shutil
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.service import RunningService
from tests.waiting import eventually

pytestmark = [pytest.mark.service, pytest.mark.faults]


class Hospital:
    """The demo clinic of a running service, over its API and with its own accounts."""

    def __init__(self, service: RunningService) -> None:
        self.service = service
        self.people = service.accounts()

    def call(self, who: str, method: str, path: str, body: Any = None) -> Any:
        """Call the API as a person of the demo, again while the service is coming back; return the answer."""
        request = urllib.request.Request(  # noqa: S310 - our own address
            f"{self.service.url}/api/v1{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.people[who]['token']}", "Content-Type": "application/json"},
        )
        found: list[Any] = []

        def ask() -> bool:
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                    found.append(json.loads(answer.read()))
                    return True
            except urllib.error.HTTPError as error:
                if error.code < 500:
                    raise AssertionError(error.read().decode()) from error
                return False
            except OSError:
                return False

        eventually(ask, seconds=60, what=f"{method} {path}")
        return found[-1]

    def book(self) -> str:
        """Book a procedure for now."""
        body = {
            "id": str(uuid.uuid4()),
            "patient": {
                "mrn": f"F{uuid.uuid4().hex[:8]}",
                "family_name": "Fault",
                "given_name": "Test",
                "birth_date": "1950-01-01",
                "sex": "female",
            },
            "kind": "kyphoplasty",
            "indication": "osteoporotic_vcf",
            "anaesthesia": "general",
            "levels": ["T12"],
            "scheduled_at": datetime.now(UTC).isoformat(),
            "operator": "surgeon",
        }
        return str(self.call("nurse", "POST", "/procedures/", body)["id"])

    def report(self) -> str:
        """Report a deficit of a new patient; return the escalation."""
        neuro = {"symptoms": ["saddle_numbness"]}
        body = {"id": str(uuid.uuid4()), "procedure": self.book(), "type": "NEU-CES", "neuro": neuro}
        return str(self.call("nurse", "POST", "/complications/", body)["escalation"]["id"])

    def sent(self, escalation: str) -> list[str]:
        """The keys of the pages that have left."""
        shown = self.call("nurse", "GET", f"/escalations/{escalation}/")
        return [one["key"] for one in shown["messages"] if one["status"] == "sent" and one["kind"] == "escalation_page"]


def wipe_the_broker(service: RunningService) -> None:
    """Kill the broker and take its file away."""
    service.kill("valkey")
    for path in service.places.valkey.glob("**/appendonlydir"):
        shutil.rmtree(path, ignore_errors=True)


def alive(service: RunningService) -> bool:
    """Whether every part of the service runs."""
    try:
        for name in ("postgres", "valkey", "web", "worker", "beat", "watchman"):
            os.kill(service.pid(name) or 2**30, 0)
    except (ProcessLookupError, OverflowError):
        return False
    return True


ACCIDENTS: dict[str, Callable[[RunningService], Any]] = {
    "worker": lambda service: service.kill("worker"),
    "beat": lambda service: service.kill("beat"),
    "watchman": lambda service: service.kill("watchman"),
    "broker": wipe_the_broker,
    "postgres": lambda service: service.kill("postgres"),
}


def test_every_page_goes_out_whatever_dies_meanwhile(start_service: Callable[..., RunningService]) -> None:
    service = start_service(DEMO="1")
    hospital = Hospital(service)
    for name, accident in ACCIDENTS.items():
        eventually(lambda: alive(service), seconds=60, what=f"everything runs before: {name}")
        accident(service)
        escalation = hospital.report()
        eventually(lambda case=escalation: hospital.sent(case), seconds=60, what=f"pages after: {name}")  # type: ignore[misc]
        keys = hospital.sent(escalation)
        assert len(keys) == len(set(keys)), name
