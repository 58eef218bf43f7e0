"""Outside the plain course: long pauses, safety debt, cases that end early, and what nobody countersigns."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from checklists.actions.countersigning import countersign_held
from checklists.actions.exceptions import declare_emergency
from checklists.actions.pausing import Confirmed, confirm_run, pause_run
from checklists.actions.reminding import remind_debts, remind_waiting
from checklists.actions.signing import Credential, sign_phase
from checklists.models import Pause, Run
from checklists.queries.debts import outstanding
from checklists.queries.runs import content_hash, gate_now, look_at
from clinic.actions.notification import claim_due, deliver
from clinic.lib.clock import database_now
from clinic.lib.problems import Refused
from clinic.models import AuditEntry, Notification
from tests.make import PIN
from tests.make_checklists import answer, fill, make_runs, pass_lists, send, tick
from tests.make_complications import Ward, make_ward

pytestmark = pytest.mark.django_db
LogIn = Callable[[Any], Any]
MINUTE, DAY = timedelta(minutes=1), timedelta(hours=24)


@pytest.fixture
def ward() -> Ward:
    # On duty until the day after tomorrow, so that a reminder after a day still finds somebody.
    return make_ward(database_now() + 20 * 60 * MINUTE, baseline=False, levels=["T12", "L1"])


@pytest.fixture
def runs(ward: Ward) -> dict[str, Run]:
    return make_runs(ward.procedure)


def told(kind: str) -> set[str]:
    rows = Notification.objects.filter(kind=kind).select_related("recipient")
    return {row.recipient.username for row in rows if row.recipient}


def read(run: Run) -> Run:
    return Run.objects.select_related("procedure__site", "procedure__patient", "procedure__operator").get(pk=run.pk)


class TestPause:
    """More than ten minutes: patient, levels and sides are said again before anything goes on."""

    def pause(self, ward: Ward, run: Run, minutes: float) -> bool:
        now = database_now()
        pause_run(run=run, kind="paused", reason="equipment", text="", by=ward.by_nurse, now=now)
        later = now + minutes * MINUTE
        return pause_run(run=run, kind="resumed", reason="", text="", by=ward.by_nurse, now=later)

    def said(self, levels: list[str], sides: dict[str, str] | None = None, *, patient: bool = True) -> Confirmed:
        return Confirmed(patient, levels, sides or {"T12": "both", "L1": "left"})

    @pytest.fixture
    def intra(self, runs: dict[str, Run]) -> Run:
        answer(runs["time_out"], {"TOU-SUR-01|sides|T12||": "both", "TOU-SUR-01|sides|L1||": "left"})
        return runs["intra"]

    def closed(self, run: Run) -> list[str]:
        gate = gate_now(read(run), look_at(read(run), database_now()))
        return [one.kind for one in gate.blockers if one.code == "ask_again"]

    def test_a_short_pause_asks_nothing(self, ward: Ward, intra: Run) -> None:
        assert self.pause(ward, intra, 9) is False
        assert self.closed(intra) == []

    def test_a_long_one_closes_the_gate_until_all_three_were_said_again(self, ward: Ward, intra: Run) -> None:
        assert self.pause(ward, intra, 11) is True
        assert self.closed(intra) == ["hard"]
        for wrong in (
            self.said(["T12", "L1"], patient=False),
            self.said(["T11", "L1"]),
            self.said(["T12"]),
            self.said(["T12", "L1"], {"T12": "both", "L1": "right"}),
        ):
            with pytest.raises(Refused, match="not_confirmed"):
                confirm_run(run=read(intra), said=wrong, by=ward.by_nurse, now=database_now())
        confirm_run(run=read(intra), said=self.said(["L1", "T12"]), by=ward.by_nurse, now=database_now())
        assert self.closed(intra) == []
        assert list(Pause.objects.order_by("id").values_list("kind", flat=True)) == ["paused", "resumed", "confirmed"]
        assert AuditEntry.objects.filter(action="run.confirmed").count() == 1
        # Sent again by a tablet that did not hear the answer.
        confirm_run(run=read(intra), said=self.said(["L1", "T12"]), by=ward.by_nurse, now=database_now())
        assert Pause.objects.count() == 3

    def test_no_emergency_lets_it_pass(self, ward: Ward, intra: Run) -> None:
        self.pause(ward, intra, 11)
        declare_emergency(run=read(intra), by=ward.by_nurse, now=database_now())
        assert self.closed(intra) == ["hard"]

    def test_the_api_says_so_and_names_what_differs(self, ward: Ward, intra: Run, as_: LogIn) -> None:
        self.pause(ward, intra, 11)
        client, path = as_(ward.nurse), f"/runs/{intra.public_id}/"
        assert client.send("GET", f"{path}?definition=0").json()["ask_again"] is True
        body = {"kind": "confirmed", "patient": True, "levels": ["T12", "L1"], "sides": {"T12": "both", "L1": "right"}}
        refused = client.send("POST", f"{path}pauses/", body)
        assert (refused.status_code, refused.json()["code"]) == (409, "not_confirmed")
        assert [one["field"] for one in refused.json()["errors"]] == ["sides"]
        body["sides"] = {"T12": "both", "L1": "left"}
        assert client.send("POST", f"{path}pauses/", body).json()["ask_again"] is False


class TestDebt:
    """What an emergency left out is due in an hour, told to those who can pay it, and told further when they do not."""

    @pytest.fixture
    def since(self, ward: Ward, runs: dict[str, Run]) -> datetime:
        now = database_now()
        declare_emergency(run=runs["sign_in"], by=ward.by_nurse, now=now)
        return now

    def test_it_is_reminded_after_an_hour_and_escalated_after_another_without_a_word_about_the_patient(
        self, ward: Ward, runs: dict[str, Run], since: datetime
    ) -> None:
        assert remind_debts(now=since + 59 * MINUTE) == 0
        assert remind_debts(now=since + 61 * MINUTE) == 1
        assert remind_debts(now=since + 62 * MINUTE) == 0
        assert told("debt_due") == {ward.operator.username, ward.nurse.username}
        assert told("debt_overdue") == set()
        assert remind_debts(now=since + 125 * MINUTE) == 1
        everybody = {ward.operator.username, ward.nurse.username, ward.head.username, ward.manager.username}
        assert told("debt_overdue") == everybody
        assert remind_debts(now=since + 2 * DAY) == 1
        assert remind_debts(now=since + 9 * DAY) == 0
        assert AuditEntry.objects.filter(action="debt.reminded").count() == 3
        for key in claim_due(now=database_now() + 10 * DAY):
            assert deliver(key=key, now=database_now())
        patient = ward.procedure.patient
        for row in Notification.objects.all():
            assert row.status == "sent", row.error
            for word in (patient.family_name, patient.mrn):
                assert word not in str(row.context)

    def test_what_is_answered_in_time_is_told_to_nobody(
        self, ward: Ward, runs: dict[str, Run], since: datetime
    ) -> None:
        fill(runs["sign_in"])
        assert {one.key.item for one in outstanding(read(runs["sign_in"]), database_now())} == {"LIST"}
        pass_lists(runs, before="sign_in")
        assert remind_debts(now=since + 61 * MINUTE) == 1
        assert Notification.objects.filter(kind__startswith="debt").count() == 0
        assert AuditEntry.objects.filter(action="debt.settled").count() == 1
        assert remind_debts(now=since + 3 * DAY) == 0

    def test_on_a_signed_list_an_amendment_pays(
        self, ward: Ward, runs: dict[str, Run], since: datetime, as_: LogIn
    ) -> None:
        run = runs["sign_in"]
        Run.objects.filter(pk=run.pk).update(status="signed", signed_at=since)
        before = {one.key.text() for one in outstanding(read(run), database_now())}
        assert "SIN-MRK-01||||" in before
        body = {
            "id": "0192f0a0-0000-7000-8000-000000000001",
            "item": "SIN-MRK-01",
            "value": "marked",
            "reason": "Looked at when the patient was stable.",
            "user": ward.nurse.username,
            "credential": {"pin": PIN},
        }
        assert as_(ward.nurse).send("POST", f"/runs/{run.public_id}/amendments/", body).status_code == 201
        assert before - {one.key.text() for one in outstanding(read(run), database_now())} == {"SIN-MRK-01||||"}

    def test_the_list_says_until_when(self, ward: Ward, runs: dict[str, Run], since: datetime, as_: LogIn) -> None:
        shown = as_(ward.nurse).send("GET", f"/runs/{runs['sign_in'].public_id}/?definition=0").json()
        assert shown["debt_due_at"] == (since + 60 * MINUTE).isoformat().replace("+00:00", "Z")
        assert shown["gate"]["debt"]


class TestCountersigning:
    """A day later whoever has not stood by a tick or a spoken signature is reminded once."""

    def test_ticks_in_another_persons_name(self, ward: Ward, runs: dict[str, Run]) -> None:
        now = database_now()
        for value in (3, 4):
            send(runs["pre"], tick("PRE-PAI-01|rest|||", value, actor=ward.anaesthetist), by=ward.nurse)
        send(runs["pre"], tick("PRE-PAI-01|leg|||", 1, actor_unknown=True, claimed=ward.first), by=ward.nurse)
        send(runs["pre"], tick("PRE-PAI-01|movement|||", 1, actor_unknown=True), by=ward.second)
        assert remind_waiting(now=now + DAY - MINUTE) == 0
        assert remind_waiting(now=now + DAY + MINUTE) == 3
        assert remind_waiting(now=now + 2 * DAY) == 0
        # Nobody knows whose the last one is: the nurse in charge asks around.
        assert told("countersign_ticks") == {ward.anaesthetist.username, ward.first.username, ward.nurse.username}
        counts = Notification.objects.filter(recipient=ward.anaesthetist).values_list("context__count", flat=True)
        assert list(counts) == [2]

    def test_who_has_stood_by_them_is_left_alone(self, ward: Ward, runs: dict[str, Run]) -> None:
        send(runs["pre"], tick("PRE-PAI-01|rest|||", 3, actor=ward.anaesthetist), by=ward.nurse)
        countersign_held(
            run=runs["pre"],
            user=ward.anaesthetist,
            credential=Credential(pin=PIN),
            by=ward.by_nurse,
            tablet=None,
            now=database_now(),
        )
        assert remind_waiting(now=database_now() + 2 * DAY) == 0

    def test_a_spoken_signature(self, ward: Ward, runs: dict[str, Run]) -> None:
        run = runs["pre"]
        fill(run)

        def sign(now: datetime, **witness: Any) -> None:
            sign_phase(
                run=read(run),
                user=ward.operator,
                role="operator",
                credential=Credential(pin=PIN),
                content_sha256=content_hash(run, run.definition.sha256, "en"),
                by=ward.by_nurse,
                tablet=None,
                now=now,
                **{"witnessed_by": None, **witness},
            )

        now = database_now()
        sign(now, witnessed_by=ward.nurse)
        assert remind_waiting(now=now + DAY - MINUTE) == 0
        assert remind_waiting(now=now + DAY + MINUTE) == 1
        assert remind_waiting(now=now + 3 * DAY) == 0
        assert told("countersign_signature") == {ward.operator.username}

    def test_one_that_was_signed_in_time(self, ward: Ward, runs: dict[str, Run]) -> None:
        self.test_a_spoken_signature(ward, runs)
        assert Notification.objects.count() == 1


class TestEndingEarly:
    """Given up or converted: the procedure says so at once, and asks what can still be answered."""

    def post(self, client: Any, run: Run, **body: str) -> Any:
        return client.send("POST", f"/runs/{run.public_id}/outcome/", {"reason": "The needle would not pass.", **body})

    def test_an_abandoned_case_is_no_longer_asked_for_cement(
        self, ward: Ward, runs: dict[str, Run], as_: LogIn
    ) -> None:
        client, intra = as_(ward.nurse), runs["intra"]

        def asked() -> int:
            shown = client.send("GET", f"/runs/{intra.public_id}/?definition=0").json()
            return int(shown["progress"]["required"])

        before = asked()
        assert self.post(client, intra, outcome="abandoned").status_code == 201
        assert asked() < before
        ward.procedure.refresh_from_db()
        assert ward.procedure.outcome == "abandoned"
        assert self.post(client, intra, outcome="").status_code == 201
        assert asked() == before
        assert AuditEntry.objects.filter(action="outcome.decided").count() == 2

    def test_it_needs_a_reason_a_known_word_and_a_case_that_goes_on(
        self, ward: Ward, runs: dict[str, Run], as_: LogIn
    ) -> None:
        client = as_(ward.nurse)
        assert self.post(client, runs["intra"], outcome="abandoned", reason=" ").status_code == 400
        assert self.post(client, runs["intra"], outcome="died").status_code == 400
        ward.procedure.ended_at = database_now()
        ward.procedure.save()
        assert self.post(client, runs["intra"], outcome="abandoned").json()["code"] == "procedure_ended"
        Run.objects.filter(pk=runs["intra"].pk).update(status="signed", signed_at=database_now())
        assert self.post(client, runs["intra"], outcome="abandoned").json()["code"] == "phase_signed"
