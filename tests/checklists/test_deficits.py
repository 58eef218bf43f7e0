"""A tick that shows a deficit pages somebody, whatever became of the tick; leaks are drafted; timers wait."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest

from checklists.actions.ending import procedure_ended, sweep_unsigned
from checklists.models import Answer, Run
from clinic.lib.clock import database_now
from clinic.models import Notification
from complications.actions.follow_up import plan_follow_ups
from complications.models import Complication, Escalation, FollowUp, Timer
from tests.clients import ApiClient
from tests.make import make_user
from tests.make_checklists import answer, make_runs, send, tick
from tests.make_complications import Ward, make_ward

pytestmark = pytest.mark.django_db


@pytest.fixture
def ward() -> Ward:
    return make_ward(baseline=False, levels=["T12", "L1"])


@pytest.fixture
def runs(ward: Ward) -> dict[str, Run]:
    runs = make_runs(ward.procedure)
    answer(
        runs["pre"],
        {
            "PRE-NEU-01|leg_l|||": "full",
            "PRE-NEU-01|leg_r|||": "full",
            "PRE-NEU-03|perianal|||": "normal",
            "PRE-NEU-03|bladder|||": "normal",
        },
    )
    return runs


def observation(**parts: Any) -> dict[str, Any]:
    one = str(uuid.uuid4())
    return {f"POS-NEU-01|{part}|||{one}": value for part, value in parts.items()}


def triggers(escalation: Escalation) -> set[str]:
    return {one["trigger"] for one in escalation.triggers}


def test_a_normal_observation_calls_nobody(runs: dict[str, Run]) -> None:
    answer(runs["post"], observation(leg_l="as_baseline", leg_r="as_baseline", light_touch="as_baseline", nrs_back=2))
    assert Escalation.objects.count() == 0


def test_a_weaker_leg_is_urgent_at_once_and_an_emergency_with_its_grades(ward: Ward, runs: dict[str, Run]) -> None:
    seen = observation(leg_l="weaker", leg_r="as_baseline")
    answer(runs["post"], seen, by=ward.nurse)
    escalation = Escalation.objects.get()
    assert (escalation.tier, escalation.pathway) == ("t1", "spine")
    assert "NT-01" in triggers(escalation)
    (key,) = (key for key in seen if "leg_l" in key)
    answer(runs["post"], {key.replace("leg_l", "ankle_dorsiflexion_l"): "2"}, by=ward.nurse)
    escalation.refresh_from_db()
    assert escalation.tier == "t0"
    assert "NT-02" in triggers(escalation)
    assert Escalation.objects.count() == 1
    assert escalation.next_due_at is not None


def test_grades_that_arrive_before_their_leg_page_too(runs: dict[str, Run]) -> None:
    one = str(uuid.uuid4())
    answer(runs["post"], {f"POS-NEU-01|ankle_dorsiflexion_l|||{one}": "2"})
    answer(runs["post"], {f"POS-NEU-01|leg_l|||{one}": "weaker"})
    assert Escalation.objects.get().tier == "t0"


@pytest.mark.parametrize(
    ("phase", "key", "value", "tier", "trigger"),
    [
        ("intra", "INT-NEU-01||T12||", "does_not_move", "t0", "NT-14"),
        ("intra", "INT-NEU-01||T12||", "moves_new_pain", "t2", "NT-08b"),
        ("intra", "INT-STP-01||T12||", ["leg_symptom"], "t1", "NT-13"),
        ("sign_out", "SOU-IMG-01|leak|T12||", ["epidural"], "t1", "NT-10a"),
        ("sign_out", "SOU-IMG-01|leak|L1||", ["foraminal"], "t2", "NT-10b"),
        ("post", "POS-NEU-01|saddle|||1", "worse", "t0", "NT-03"),
        ("post", "POS-NEU-01|light_touch|||1", "worse_left", "t1", "NT-15"),
        ("post", "POS-NEU-01|light_touch|||1", "worse_both", "t0", "NT-06"),
        ("post", "POS-URI-01|new_incontinence|||", True, "t0", "NT-04a"),
        ("post", "POS-MOB-01||||", "worse_legs", "t1", "NT-16"),
    ],
)
def test_each_answer_that_calls_somebody(
    runs: dict[str, Run], phase: str, key: str, value: Any, tier: str, trigger: str
) -> None:
    answer(runs[phase], {key: value})
    escalation = Escalation.objects.get()
    assert trigger in triggers(escalation)
    assert escalation.tier == tier


@pytest.mark.parametrize("how", ["late", "held", "conflict"])
def test_a_deficit_pages_whatever_became_of_its_tick(ward: Ward, runs: dict[str, Run], how: str) -> None:
    post = runs["post"]
    event = tick("POS-NEU-01|saddle|||1", "worse", parent=None)
    if how == "late":
        Run.objects.filter(pk=post.pk).update(status="signed", signed_at=database_now())
    elif how == "held":
        event = tick("POS-NEU-01|saddle|||1", "worse", actor=make_user(ward.site))
    else:
        send(post, tick("POS-NEU-01|saddle|||1", "as_baseline", parent=None))
    (result,) = send(post, event, by=ward.nurse)
    assert result.outcome == how
    assert Escalation.objects.get().tier == "t0"


def test_a_tick_sent_again_pages_once(runs: dict[str, Run]) -> None:
    event = tick("POS-NEU-01|saddle|||1", "worse")
    send(runs["post"], event)
    messages = Notification.objects.count()
    send(runs["post"], event)
    assert (Escalation.objects.count(), Notification.objects.count()) == (1, messages)


def test_the_page_says_what_was_found_and_when(runs: dict[str, Run]) -> None:
    found_at = database_now() - timedelta(minutes=8)
    send(runs["intra"], tick("INT-NEU-01||T12||", "does_not_move", at=found_at))
    escalation = Escalation.objects.get()
    assert escalation.found_at == found_at
    assert "T12" in json.dumps(escalation.triggers)
    assert escalation.setting == "in_house"


def test_a_leak_is_drafted_once_for_its_level_and_kind(runs: dict[str, Run]) -> None:
    answer(runs["intra"], {"INT-LEK-01||L1||": ["epidural", "venous_segmental"]})
    answer(runs["sign_out"], {"SOU-IMG-01|leak|L1||": ["epidural"]})
    drafts = Complication.objects.order_by("code").values_list("code", "level", "status")
    assert list(drafts) == [("LEK-EPI", "L1", "draft"), ("LEK-VSG", "L1", "draft")]


def test_a_wrong_level_caught_at_time_out_is_a_near_miss(runs: dict[str, Run]) -> None:
    answer(runs["pre"], {"PRE-LVL-01||||": ["T11"]})
    answer(runs["time_out"], {"TOU-LVL-01|levels|||": ["T10"]})
    assert [one.code for one in Complication.objects.all()] == ["NRM-NEA"]


def test_a_patient_who_sleeps_sets_a_timer_that_an_examination_ends(runs: dict[str, Run]) -> None:
    wakes_at = database_now() + timedelta(minutes=30)
    answer(runs["sign_out"], {"SOU-NEU-01||||": "not_awake", "SOU-NEU-01|assessable_at|||": wakes_at.isoformat()})
    timer = Timer.objects.get(trigger="NT-09")
    assert (timer.due_at, timer.status) == (wakes_at + timedelta(minutes=60), "pending")
    assert Escalation.objects.count() == 0
    answer(runs["post"], observation(leg_l="as_baseline", leg_r="better"))
    timer.refresh_from_db()
    assert timer.status == "dropped"


def test_six_hours_without_urine_are_watched_from_the_end_of_the_procedure(runs: dict[str, Run]) -> None:
    ended_at = database_now() - timedelta(minutes=5)
    answer(runs["sign_out"], {"SOU-CNT-01|ended_at|||": ended_at.isoformat()})
    timer = Timer.objects.get(trigger="NT-04b")
    assert timer.due_at == ended_at + timedelta(hours=6)
    answer(runs["post"], {"POS-URI-01||||": "voided"})
    timer.refresh_from_db()
    assert timer.status == "dropped"


def test_signing_sign_out_plans_the_follow_ups(ward: Ward, runs: dict[str, Run]) -> None:
    answer(runs["sign_out"], {"SOU-NAM-01||||": "completed", "SOU-CNT-01|ended_at|||": database_now().isoformat()})
    procedure_ended(procedure=runs["sign_out"].procedure, by=ward.by_nurse, now=database_now())
    codes = set(FollowUp.objects.visits().values_list("code", flat=True))
    assert {"FU-2H", "FU-24H", "FU-7D", "FU-12M"} <= codes
    assert FollowUp.objects.filter(kind="observation").exists()


def test_a_sign_out_that_nobody_signs_is_planned_for_after_two_hours(runs: dict[str, Run]) -> None:
    answer(runs["intra"], {"INT-LEK-01||T12||": ["none"]})
    now = database_now()
    assert sweep_unsigned(now=now + timedelta(minutes=119)) == 0
    assert sweep_unsigned(now=now + timedelta(minutes=121)) == 1
    assert sweep_unsigned(now=now + timedelta(minutes=122)) == 0
    first = FollowUp.objects.visits().order_by("target_at").first()
    assert first is not None
    assert (first.code, first.target_at) == ("FU-2H", runs["intra"].events.get().recorded_at + timedelta(hours=2))


def test_one_list_that_cannot_be_planned_leaves_the_other_patients_their_watch(
    ward: Ward, runs: dict[str, Run]
) -> None:
    answer(runs["intra"], {"INT-LEK-01||T12||": ["none"]})
    other = make_ward(baseline=False, levels=["T12"])
    answer(make_runs(other.procedure)["intra"], {"INT-LEK-01||T12||": ["none"]})
    ward.site.timezone = "Nowhere/Land"
    ward.site.save()
    assert sweep_unsigned(now=database_now() + timedelta(minutes=121)) == 1
    assert FollowUp.objects.filter(procedure=other.procedure).exists()


class TestFollowUp:
    """A contact answered by its form."""

    @pytest.fixture
    def contact(self, ward: Ward, runs: dict[str, Run]) -> FollowUp:
        now = database_now()
        plan_follow_ups(procedure=ward.procedure, ended_at=now - timedelta(hours=24), by=ward.by_nurse, now=now)
        return FollowUp.objects.get(code="FU-24H")

    def post(self, ward: Ward, contact: FollowUp, answers: dict[str, Any], **more: Any) -> Any:
        client = ApiClient()
        client.force_login(ward.nurse, backend="django.contrib.auth.backends.ModelBackend")
        some = [
            {"item": key.split(".")[0], "part": key.partition(".")[2], "value": value} for key, value in answers.items()
        ]
        return client.send("POST", f"/follow-ups/{contact.public_id}/answers/", {"answers": some, **more})

    def test_answers_open_the_form_and_finish_the_contact_once(self, ward: Ward, contact: FollowUp) -> None:
        answers = {"FUP-RED-01.leg_weakness": False, "FUP-PAI-01": 3}
        first = self.post(ward, contact, answers)
        assert first.status_code == 200, first.content
        body = json.loads(first.content)
        assert (body["follow_up"]["status"], body["escalation"]) == ("done", None)
        again = json.loads(self.post(ward, contact, answers).content)
        assert [one["outcome"] for one in again["results"]] == ["replayed", "replayed"]
        assert Run.objects.filter(follow_up=contact.public_id).count() == 1
        assert Escalation.objects.count() == 0

    def test_a_red_flag_pages_for_a_patient_at_home(self, ward: Ward, contact: FollowUp) -> None:
        body = json.loads(self.post(ward, contact, {"FUP-RED-01.leg_weakness": True}).content)
        assert body["escalation"]["tier"] == "t0"
        escalation = Escalation.objects.get()
        assert (escalation.setting, escalation.tier) == ("at_home", "t0")

    def test_a_red_flag_pages_even_where_another_answer_is_refused(self, ward: Ward, contact: FollowUp) -> None:
        body = json.loads(self.post(ward, contact, {"FUP-RED-01.saddle_numbness": True, "FUP-PAI-01": 77}).content)
        assert [one["outcome"] for one in body["results"]] == ["applied", "refused"]
        assert body["follow_up"]["status"] == "planned"
        assert Escalation.objects.get().tier == "t0"

    def test_a_red_flag_said_before_the_contact_is_finished_pages(self, ward: Ward, contact: FollowUp) -> None:
        body = json.loads(self.post(ward, contact, {"FUP-RED-01.leg_weakness": True}, complete=False).content)
        assert body["follow_up"]["status"] == "planned"
        assert Escalation.objects.get().setting == "at_home"

    @pytest.mark.parametrize("pain", [3, 77])
    def test_a_red_flag_that_the_same_batch_takes_back_pages_all_the_same(
        self, pain: int, ward: Ward, contact: FollowUp
    ) -> None:
        client = ApiClient()
        client.force_login(ward.nurse, backend="django.contrib.auth.backends.ModelBackend")
        weak = {"item": "FUP-RED-01", "part": "leg_weakness"}
        said = [{**weak, "value": True}, {**weak, "value": False}, {"item": "FUP-PAI-01", "value": pain}]
        body = json.loads(client.send("POST", f"/follow-ups/{contact.public_id}/answers/", {"answers": said}).content)
        assert Escalation.objects.get().tier == "t0"
        contact.refresh_from_db()
        # What stands is the correction; that it was said once stays with the contact.
        assert Answer.objects.get(item="FUP-RED-01").value is False
        if pain == 3:
            assert (contact.status, contact.red_flags) == ("done", ["leg_weakness"])
        else:
            assert [one["outcome"] for one in body["results"]] == ["applied", "applied", "refused"]

    def test_the_form_is_read_without_opening_anything(self, ward: Ward, contact: FollowUp) -> None:
        client = ApiClient()
        client.force_login(ward.nurse, backend="django.contrib.auth.backends.ModelBackend")
        body = json.loads(client.send("GET", f"/follow-ups/{contact.public_id}/form/").content)
        assert body["run"] is None
        assert body["definition"]["content"]["code"] == "FU-24H"
        observation = FollowUp.objects.filter(kind="observation").first()
        assert observation is not None
        assert client.send("GET", f"/follow-ups/{observation.public_id}/form/").status_code == 404


def test_a_deficit_that_a_later_tick_of_the_same_batch_takes_back_pages_all_the_same(
    ward: Ward, runs: dict[str, Run]
) -> None:
    one = str(uuid.uuid4())
    key = f"POS-NEU-01|leg_l|||{one}"
    found_at = database_now() - timedelta(minutes=30)
    send(
        runs["post"],
        tick(key, "weaker", at=found_at),
        tick(f"POS-NEU-01|leg_r|||{one}", "as_baseline"),
        tick(key, "as_baseline"),
        by=ward.nurse,
    )
    escalation = Escalation.objects.get()
    assert "NT-01" in triggers(escalation)
    assert escalation.found_at == found_at


def test_a_symptom_that_was_unticked_before_the_tablet_found_the_network_pages_all_the_same(
    ward: Ward, runs: dict[str, Run]
) -> None:
    one = str(uuid.uuid4())
    key = f"POS-NEU-01|leg_r|||{one}"
    send(runs["post"], tick(key, "weaker"), tick(key, None), by=ward.nurse)
    assert Escalation.objects.count() == 1


@pytest.mark.parametrize(
    "asleep", [{"awake": "no_sedated"}, {"awake": "no_block", "leg_l": "not_testable", "leg_r": "not_testable"}]
)
def test_an_observation_of_a_patient_who_cannot_be_examined_is_no_examination(
    ward: Ward, runs: dict[str, Run], asleep: dict[str, Any]
) -> None:
    now = database_now()
    plan_follow_ups(procedure=ward.procedure, ended_at=now - timedelta(hours=1), by=ward.by_nurse, now=now)
    due = FollowUp.objects.filter(kind="observation", target_at__lte=now)
    planned = due.count()
    answer(runs["post"], observation(**asleep, spo2=97), by=ward.nurse)
    timer = Timer.objects.get(trigger="NT-09")
    assert timer.due_at - database_now() <= timedelta(minutes=60)
    assert due.filter(status="planned").count() == planned > 0
    answer(runs["post"], observation(**asleep), by=ward.nurse)
    assert Timer.objects.get(trigger="NT-09").due_at == timer.due_at
    answer(runs["post"], observation(awake="yes", leg_l="as_baseline", leg_r="as_baseline"), by=ward.nurse)
    timer.refresh_from_db()
    assert timer.status == "dropped"
    assert due.filter(status="planned").count() < planned


def test_a_saturation_alone_answers_no_planned_observation(ward: Ward, runs: dict[str, Run]) -> None:
    now = database_now()
    plan_follow_ups(procedure=ward.procedure, ended_at=now - timedelta(hours=1), by=ward.by_nurse, now=now)
    answer(runs["post"], observation(spo2=97, nrs_back=3), by=ward.nurse)
    assert not FollowUp.objects.filter(kind="observation", status="done").exists()
