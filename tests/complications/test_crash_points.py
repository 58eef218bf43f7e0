"""The connection dies at every statement boundary, and at every commit: after a restart the case goes on as promised (I4)."""

from __future__ import annotations

import os
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail

from clinic.actions.notification import LEASE, claim_due
from clinic.lib.clock import database_now
from clinic.lib.problems import Refused
from clinic.models import NeuroExam, Notification
from complications.actions.declining import decline
from complications.actions.engine import advance_due
from complications.actions.escalation import acknowledge, arrive, decide
from complications.actions.reporting import report_complication
from complications.actions.standing import rebuild, state_of
from complications.actions.sweeping import advance, deliver_due
from complications.models import Complication, Escalation
from complications.rules.report import Report
from tests.complications.crashing import crash_everywhere
from tests.make import make_procedure
from tests.make_complications import Ward, make_baseline, make_escalation, make_ward, weak_leg

pytestmark = pytest.mark.django_db(transaction=True)
LONG = os.environ.get("FAULTS") == "long"
STEPS = ("step_paged", "step_skipped")
LADDER = [(0, 0), (0, 1), (0, 2), (0, 3)]


@dataclass
class Scene:
    """A case of a patient of its own, and when it began."""

    ward: Ward
    row: Escalation
    began: datetime

    def at(self, minutes: float) -> datetime:
        """An instant of the case."""
        return self.began + timedelta(minutes=minutes)

    def engine(self, *minutes: float) -> None:
        """Let the engine look at this case at these minutes."""
        for minute in minutes:
            advance_due(now=self.at(minute), only=[self.row.pk])

    def steps(self) -> list[tuple[int, int]]:
        """The steps that ran."""
        return [(one.data["round"], one.data["step"]) for one in self.row.events.filter(kind__in=STEPS)]

    def kinds(self) -> Counter[str]:
        """How many events of each kind there are."""
        return Counter(self.row.events.values_list("kind", flat=True))

    def holds(self) -> None:
        """Assert what holds of every case: one event for each change, no step twice, no message twice."""
        row = Escalation.objects.get(pk=self.row.pk)
        events = list(row.events.all())
        assert rebuild(events) == state_of(row)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert len(self.steps()) == len(set(self.steps()))
        assert (row.next_due_at is None) == (row.closed_at is not None)

    def reaches_its_backstop(self) -> None:
        """Assert that the engine, started again, runs what is left of the ladder down to the backstop."""
        self.engine(0, 5, 10, 15)
        assert self.steps()[:4] == LADDER
        pages = Notification.objects.filter(reference=self.row.reference, kind="escalation_page")
        assert pages.filter(recipient=None, recipient_name="Clinical director").exists()
        for event in self.row.events.filter(kind__in=STEPS):
            part = f":{event.data['round']}:{event.data['step']}:"
            assert pages.filter(dedup_key__contains=part).count() == len(event.data["to"])


@pytest.fixture
def ward() -> Ward:
    return make_ward()


class Scenes:
    """Makes a new case each time, on a ward that is made once."""

    def __init__(self, ward: Ward) -> None:
        self.ward, self.began = ward, database_now()

    def patient(self) -> Ward:
        """The ward with another patient."""
        procedure = make_procedure(self.ward.site, self.ward.operator)
        make_baseline(procedure, self.began)
        return replace(self.ward, procedure=procedure)

    def reported(self) -> Scene:
        """A case that was reported just now."""
        ward = self.patient()
        return Scene(ward, make_escalation(ward, self.began), self.began)

    def paged(self) -> Scene:
        """A case whose first step has run."""
        scene = self.reported()
        scene.engine(0)
        return scene

    def at_bedside(self) -> Scene:
        """A case with a surgeon at the bedside."""
        scene = self.paged()
        arrive(escalation=scene.row, by=scene.ward.by(scene.ward.first), now=scene.at(4))
        return scene


def test_a_step_and_in_the_long_form_the_whole_ladder(ward: Ward) -> None:
    minutes = (0, 5, 10, 15, 30) if LONG else (0,)

    def restart(scene: Scene) -> None:
        scene.reaches_its_backstop()
        scene.holds()

    boundaries = crash_everywhere(Scenes(ward).reported, lambda scene: scene.engine(*minutes), restart)
    assert boundaries > 10 * len(minutes)


def test_an_answer(ward: Ward) -> None:
    def answer(scene: Scene) -> None:
        acknowledge(escalation=scene.row, eta_minutes=5, by=scene.ward.by(scene.ward.first), now=scene.at(2))

    def restart(scene: Scene) -> None:
        row = Escalation.objects.get(pk=scene.row.pk)
        if row.status == "paging":
            # It never was: the surgeon sees the button still, and nobody waits for them meanwhile.
            scene.reaches_its_backstop()
        else:
            pages = Notification.objects.filter(reference=row.reference, kind="escalation_page")
            claimed = pages.filter(pk__in=claim_due(now=scene.at(3), limit=1000))
            assert not claimed.exists(), "what was not sent is cancelled together with the answer"
            answer(scene)
            assert scene.kinds()["acknowledged"] <= 2
        scene.holds()

    assert crash_everywhere(Scenes(ward).paged, answer, restart) > 8


def test_a_decline(ward: Ward) -> None:
    def cannot(scene: Scene) -> None:
        decline(escalation=scene.row, by=scene.ward.by(scene.ward.first), now=scene.at(1))

    def restart(scene: Scene) -> None:
        cannot(scene)
        assert scene.kinds()["declined"] == 1
        scene.engine(1)
        assert scene.steps() == [(0, 0), (0, 1)]
        scene.holds()

    assert crash_everywhere(Scenes(ward).paged, cannot, restart) > 6


def test_a_review(ward: Ward) -> None:
    data: dict[str, Any] = {"decision": "observe", "reexam_interval_minutes": 60, "exam": weak_leg(1)["exam"]}

    def review(scene: Scene) -> None:
        decide(escalation=scene.row, data=data, by=scene.ward.by(scene.ward.first), now=scene.at(10))

    def restart(scene: Scene) -> None:
        decided = scene.kinds()["decided"]
        exams = NeuroExam.objects.filter(procedure=scene.ward.procedure, kind="review").count()
        assert decided == exams, "the examination and the decision are kept together or not at all"
        if not decided:
            review(scene)
        row = Escalation.objects.get(pk=scene.row.pk)
        assert (row.status, row.decision) == ("decided", "observe")
        assert row.reexamine_at == scene.at(70)
        # And nobody forgets the patient: unanswered, the case pages again down to its backstop.
        scene.engine(70, 81, 86, 91, 96)
        assert scene.steps()[-4:] == [(1, step) for step in range(4)]
        scene.holds()

    assert crash_everywhere(Scenes(ward).at_bedside, review, restart) > 15


def test_a_report(ward: Ward) -> None:
    scenes = Scenes(ward)

    def prepare() -> tuple[Ward, Report]:
        return scenes.patient(), Report(public_id=uuid.uuid4(), raw_neuro=weak_leg(2))

    def send(scene: tuple[Ward, Report]) -> None:
        patient, report = scene
        report_complication(report=report, procedure=patient.procedure, by=patient.by_nurse, now=scenes.began)

    def restart(scene: tuple[Ward, Report]) -> None:
        send(scene)
        (row,) = Escalation.objects.filter(procedure=scene[0].procedure)
        assert Complication.objects.filter(procedure=scene[0].procedure).count() == 1
        assert list(row.events.values_list("kind", flat=True)) == ["opened"]
        Scene(scene[0], row, scenes.began).reaches_its_backstop()

    assert crash_everywhere(prepare, send, restart, every=1 if LONG else 4) > 15


class Posted:
    """A mail server's view of a scene: everything left once, but for what was just being sent."""

    def __init__(self, settings: Any, scene: Callable[[], Scene]) -> None:
        settings.EMAIL_HOST, settings.DEMO = "mail.example.org", False
        self.scene = scene

    def prepare(self) -> Scene:
        """A scene whose letters are counted from here."""
        mail.outbox.clear()
        return self.scene()

    def restart(self, scene: Scene) -> None:
        """Let another worker go on, and assert that no page is lost or went to two people."""
        while advance(now=scene.at(0) + LEASE):
            pass
        rows = Notification.objects.filter(reference=scene.row.reference)
        assert set(rows.values_list("status", flat=True)) == {"sent"}, "no message is lost"
        went: dict[str, set[str]] = {}
        for message in mail.outbox:
            went.setdefault(message.extra_headers["Message-ID"], set()).update(message.to)
        assert sorted(went) == sorted(rows.values_list("provider_id", flat=True))
        assert all(len(people) == 1 for people in went.values()), "no message id went to two people"
        assert len(mail.outbox) <= rows.count() + 1, "only what was just being sent goes out again"


def test_sending(ward: Ward, settings: Any) -> None:
    posted = Posted(settings, Scenes(ward).paged)

    def go(scene: Scene) -> None:
        deliver_due(now=scene.at(0))

    # Before and after the lease, before and after the outcome: there is nothing else.
    assert crash_everywhere(posted.prepare, go, posted.restart) == 4


def test_a_step_and_its_pages_in_one_go(ward: Ward, settings: Any) -> None:
    posted = Posted(settings, Scenes(ward).reported)

    def restart(scene: Scene) -> None:
        posted.restart(scene)
        assert scene.steps() == [(0, 0)]
        scene.holds()

    def go(scene: Scene) -> None:
        advance(now=scene.at(0), only=[scene.row.pk])

    assert crash_everywhere(posted.prepare, go, restart) > 15


def test_two_who_answer_while_one_of_them_dies(ward: Ward) -> None:
    def answer(scene: Scene) -> None:
        acknowledge(escalation=scene.row, eta_minutes=5, by=scene.ward.by(scene.ward.first), now=scene.at(2))

    def restart(scene: Scene) -> None:
        with suppress(Refused):
            acknowledge(escalation=scene.row, eta_minutes=5, by=scene.ward.by(scene.ward.second), now=scene.at(3))
        row = Escalation.objects.get(pk=scene.row.pk)
        assert row.responsible in (scene.ward.first, scene.ward.second)
        assert scene.kinds()["acknowledged"] == 1
        scene.holds()

    assert crash_everywhere(Scenes(ward).paged, answer, restart, every=1 if LONG else 3) > 8
