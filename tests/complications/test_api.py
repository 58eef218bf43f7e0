"""The API as outside programs see it: reports, pages of the log, the surgeon's acts, follow-ups."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from clinic.lib.clock import database_now
from clinic.lib.problems import NotFound, Refused
from clinic.models import Notification
from clinic.vocabulary import Role
from complications.actions.engine import advance_due
from complications.actions.links import acknowledge_by_link, link_token, read_link
from complications.actions.sweeping import deliver_due
from complications.models import AcknowledgeLink, Complication, Escalation, FollowUp
from tests.clients import ApiClient
from tests.make import make_user
from tests.make_complications import Ward, make_escalation, make_report, make_ward, plan_visits, weak_leg

pytestmark = pytest.mark.django_db
LogIn = Callable[[Any], Any]


@pytest.fixture
def ward() -> Ward:
    return make_ward(database_now())


def body(ward: Ward, **values: Any) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), "procedure": str(ward.procedure.public_id), **values}


def report(client: ApiClient, ward: Ward, **values: Any) -> Any:
    return client.send("POST", "/complications/", body(ward, **values))


def test_a_deficit_answers_who_is_being_paged_and_when_the_next_person_will_be(ward: Ward, as_: LogIn) -> None:
    answer = report(as_(ward.nurse), ward, type="NEU-COR", level="T12", neuro=weak_leg(2))
    assert answer.status_code == 201
    escalation = answer.json()["escalation"]
    assert (escalation["tier"], escalation["urgency"], escalation["status"]) == ("t0", "Emergency", "paging")
    assert {one["post"] for one in escalation["paging"]} == {"on_call_rank_1", "operator", "nurse_in_charge"}
    assert ward.second.get_full_name() in {one["name"] for one in escalation["next"]}
    row = Escalation.objects.get()
    assert escalation["next_page_at"] == (row.origin + timedelta(minutes=5)).isoformat().replace("+00:00", "Z")


def test_sending_again_is_the_same_and_another_content_is_a_conflict(ward: Ward, as_: LogIn) -> None:
    client, sent = as_(ward.nurse), body(ward, type="LEK-DIS", level="L1")
    assert [client.send("POST", "/complications/", sent).status_code for _ in range(2)] == [201, 200]
    answer = client.send("POST", "/complications/", {**sent, "level": "L2"})
    assert (answer.status_code, answer.json()["code"]) == (409, "other_content")


def test_grades_come_with_the_answer(ward: Ward, as_: LogIn) -> None:
    treatment = {"therapies": ["surgery"], "anaesthesia": "general"}
    grades = report(as_(ward.nurse), ward, type="BLD-SUB", treatment=treatment).json()["grades"]
    assert (grades["clavien"], grades["sir"], grades["cirse"]) == ("iiib", 3, 3)


@pytest.mark.parametrize(
    ("values", "field", "code"),
    [
        ({"type": "LEK-XXX"}, "type", "unknown_code"),
        ({"type": "LEK-DIS", "level": "T99"}, "level", "unknown_level"),
        ({"type": "LEK-DIS", "symptomatic": "yes"}, "symptomatic", "not_a_boolean"),
        ({"type": "LEK-DIS", "occurred_at": "today"}, "occurred_at", "not_a_time"),
        ({"type": "LEK-DIS", "fields": {"volume_ml": "much"}}, "fields.volume_ml", "not_a_number"),
        ({"type": "LEK-DIS", "treatment": {"therapies": ["magic"]}}, "treatment.therapies", "not_a_choice"),
        ({"type": "LEK-DIS", "lewel": "T12"}, "lewel", "unknown_field"),
        ({"neuro": {"exam": {"mrc": {"hip_flexion_l": 9}}}}, "neuro.exam.mrc.hip_flexion_l", "out_of_range"),
        ({"id": "7"}, "id", "not_an_id"),
        ({}, "type", "missing"),
    ],
)
def test_what_cannot_be_read_is_named(values: dict[str, Any], field: str, code: str, ward: Ward, as_: LogIn) -> None:
    answer = report(as_(ward.nurse), ward, **values)
    assert answer.status_code == 400
    assert answer["Content-Type"].startswith("application/problem+json")
    assert (field, code) in {(error["field"], error["code"]) for error in answer.json()["errors"]}
    assert Complication.objects.count() == 0


def test_the_same_trouble_beside_a_deficit_is_a_warning(ward: Ward, as_: LogIn) -> None:
    answer = report(as_(ward.nurse), ward, type="LEK-XXX", level="T99", occurred_at="today", neuro=weak_leg(2))
    assert answer.status_code == 201
    assert {one["field"] for one in answer.json()["warnings"]} == {"type", "level", "occurred_at"}
    assert answer.json()["escalation"]["tier"] == "t0"


def test_a_foreign_procedure_looks_as_if_it_were_not_there(ward: Ward, as_: LogIn) -> None:
    stranger = make_ward(database_now())
    assert report(as_(stranger.nurse), ward, type="LEK-DIS").status_code == 404


def test_the_log_is_filtered_by_what_stands_in_it(ward: Ward, as_: LogIn) -> None:
    now = database_now()
    make_report(ward, now, type="LEK-DIS", level="L1", symptomatic=False, narrative="small drop in the disc")
    make_report(ward, now, type="BLD-SUB", symptomatic=True, treatment={"therapies": ["transfusion"]})
    client = as_(ward.operator)

    def found(query: str) -> list[str]:
        return [one["type"] for one in client.get(f"/api/v1/complications/?{query}").json()["results"]]

    assert sorted(found("")) == ["BLD-SUB", "LEK-DIS"]
    for query, expected in {
        "type=LEK-DIS": ["LEK-DIS"],
        "type=LEK-DIS,BLD-SUB&symptomatic=true": ["BLD-SUB"],
        "site_of_leak=intradiscal": ["LEK-DIS"],
        "clavien=II": ["BLD-SUB"],
        "sir=2": ["BLD-SUB"],
        "cirse=3": ["BLD-SUB"],
        "level=L1": ["LEK-DIS"],
        "kind=vertebroplasty": [],
        f"operator={ward.operator.username}&level=L1": ["LEK-DIS"],
        "status=draft": [],
        "q=disc": ["LEK-DIS"],
        f"q={ward.procedure.patient.family_name}": [],
        "from=2020-01-01T00:00:00Z&to=2021-01-01T00:00:00Z": [],
    }.items():
        assert found(query) == expected, query


@pytest.mark.parametrize("query", ["type=XXX", "sir=9", "from=today", "symptomatic=maybe", "after=zzz", "procedure=7"])
def test_a_senseless_filter_is_refused(query: str, ward: Ward, as_: LogIn) -> None:
    assert as_(ward.operator).get(f"/api/v1/complications/?{query}").status_code == 400


def test_pages_follow_each_other_without_a_gap(ward: Ward, as_: LogIn) -> None:
    now = database_now()
    for number in range(120):
        make_report(ward, now, type="LEK-DIS", level="L1", occurred_at=now - timedelta(minutes=number // 3))
    client, seen, after = as_(ward.operator), [], ""
    while True:
        page = client.get(f"/api/v1/complications/?after={after}").json()
        seen += [one["id"] for one in page["results"]]
        if not after:
            assert page["about"] == {"count": 120, "exact": True}
        if page["next"] is None:
            break
        after = page["next"]
    assert len(seen) == len(set(seen)) == 120


def test_a_page_of_the_log_costs_a_constant_number_of_queries(
    ward: Ward, as_: LogIn, django_assert_max_num_queries: Any
) -> None:
    now = database_now()
    for _ in range(20):
        make_report(ward, now, type="LEK-DIS", level="L1")
    client = as_(ward.operator)
    with django_assert_max_num_queries(12):
        assert len(client.get("/api/v1/complications/").json()["results"]) == 20


def test_a_correction_is_a_new_version(ward: Ward, as_: LogIn) -> None:
    row = make_report(ward, database_now(), type="LEK-DIS", level="L1").complication
    path = f"/complications/{row.public_id}/versions/"
    client = as_(ward.operator)
    sent = {"changes": {"level": "L2"}, "reason": "the disc below", "status": "under_review"}
    assert client.send("POST", path, sent).status_code == 201
    versions = client.get(f"/api/v1{path}").json()["results"]
    assert [(one["version"], one["level"], one["status"]) for one in versions] == [
        (1, "L1", "reported"),
        (2, "L2", "under_review"),
    ]
    assert versions[1]["changed_by"]["user"] == ward.operator.username
    assert client.send("POST", path, {"changes": {}, "status": "draft", "reason": "back"}).status_code == 409
    assert as_(ward.nurse).send("POST", path, sent).status_code == 403


def act(client: ApiClient, row: Escalation, name: str, sent: Any = None) -> Any:
    return client.send("POST", f"/escalations/{row.public_id}/{name}/", sent or {})


def test_the_surgeons_way_through_a_case(ward: Ward, as_: LogIn) -> None:
    row = make_escalation(ward, database_now())
    advance_due(now=database_now())
    surgeon, nurse = as_(ward.first), as_(ward.nurse)
    answered = act(surgeon, row, "acknowledgement", {"eta_minutes": 10})
    assert (answered.status_code, answered.json()["status"]) == (201, "acknowledged")
    second = act(as_(ward.second), row, "acknowledgement", {"eta_minutes": 5})
    assert (second.status_code, second.json()["code"]) == (409, "already_answered")
    assert ward.first.get_full_name() in second.json()["detail"]
    assert act(nurse, row, "arrival").json()["status"] == "at_bedside"
    assert act(nurse, row, "milestones", {"kind": "imaging_requested"}).status_code == 201
    assert act(surgeon, row, "decision", {"decision": "observe"}).status_code == 400
    decided = act(surgeon, row, "decision", {"decision": "decompress", "reason": "cement at T12"})
    assert (decided.status_code, decided.json()["status"]) == (201, "decided")
    closed = act(nurse, row, "milestones", {"kind": "in_theatre"}).json()
    assert closed["status"] == "closed"
    assert closed["intervals"]["report_to_decision"] is not None
    assert act(surgeon, row, "acknowledgement", {"eta_minutes": 1}).status_code == 409


def test_an_escalation_shows_clocks_steps_messages_and_events(ward: Ward, as_: LogIn) -> None:
    row = make_escalation(ward, database_now())
    advance_due(now=database_now())
    deliver_due(now=database_now())
    shown = as_(ward.nurse).get(f"/api/v1/escalations/{row.public_id}/").json()
    assert {clock["name"] for clock in shown["clocks"]} >= {"acknowledgement", "bedside", "decision"}
    assert [step["state"] for step in shown["steps"]] == ["paged", "waiting", "waiting", "waiting", "waiting"]
    assert {(one["recipient"], one["status"]) for one in shown["messages"]} == {
        (person.get_full_name(), "sent") for person in (ward.first, ward.operator, ward.nurse)
    }
    assert [event["kind"] for event in shown["events"]] == ["opened", "step_paged"]
    assert shown["baseline"]["exam"]["mrc"]["ankle_dorsiflexion_l"] == 5


def test_the_list_shows_open_cases_first(ward: Ward, as_: LogIn) -> None:
    now = database_now()
    make_report(ward, now, type="LEK-VEP", level="L1")
    make_escalation(ward, now)
    client = as_(ward.nurse)
    assert [one["tier"] for one in client.get("/api/v1/escalations/?status=open").json()["results"]] == ["t0", "t3"]
    assert client.get("/api/v1/escalations/?status=closed").json()["results"] == []
    assert client.get("/api/v1/escalations/?status=late").status_code == 400


def test_an_acknowledgement_needs_the_minutes(ward: Ward, as_: LogIn) -> None:
    row = make_escalation(ward, database_now())
    assert act(as_(ward.first), row, "acknowledgement").status_code == 400


def test_a_policy_without_a_backstop_is_refused_with_the_reason(ward: Ward, as_: LogIn) -> None:
    admin = as_(ward.manager)
    policy = admin.get("/api/v1/escalations/policy/").json()["data"]
    assert admin.send("POST", "/escalations/policy/", policy).json()["version"] == 2
    refused = admin.send("POST", "/escalations/policy/", {**policy, "backstop": {}})
    assert refused.status_code == 400
    assert "no_backstop" in {error["code"] for error in refused.json()["errors"]}
    assert admin.get("/api/v1/escalations/policy/").json()["version"] == 2


def link_of(ward: Ward, row: Escalation) -> str:
    advance_due(now=database_now())
    message = Notification.objects.get(reference=row.reference, recipient=ward.first)
    return link_token(message.context["link"])


def test_a_link_answers_once(ward: Ward) -> None:
    row = make_escalation(ward, database_now())
    token = link_of(ward, row)
    answered = acknowledge_by_link(token=token, eta_minutes=10, now=database_now())
    assert answered.responsible == ward.first
    with pytest.raises(Refused) as refused:
        acknowledge_by_link(token=token, eta_minutes=10, now=database_now())
    assert refused.value.code == "link_used"


def test_a_link_expires_and_cannot_be_forged(ward: Ward) -> None:
    row = make_escalation(ward, database_now())
    token = link_of(ward, row)
    with pytest.raises(Refused) as refused:
        acknowledge_by_link(token=token, eta_minutes=10, now=database_now() + timedelta(hours=25))
    assert refused.value.code == "link_expired"
    with pytest.raises(NotFound):
        read_link(token[:-3] + "abc")


def test_a_refused_answer_uses_no_link_up(ward: Ward) -> None:
    row = make_escalation(ward, database_now())
    token = link_of(ward, row)
    with pytest.raises(Exception, match="invalid"):
        acknowledge_by_link(token=token, eta_minutes=99_999, now=database_now())
    assert AcknowledgeLink.objects.filter(used_at=None).count() == 2


def test_the_patient_called(ward: Ward, as_: LogIn) -> None:
    nurse = make_user(ward.site, Role.FOLLOW_UP_NURSE)
    path = f"/procedures/{ward.procedure.public_id}/contacts/"
    answer = as_(nurse).send("POST", path, {"red_flags": ["saddle_numbness"], "note": "since this morning"})
    assert answer.status_code == 201
    assert (answer.json()["escalation"]["tier"], answer.json()["escalation"]["setting"]) == ("t0", "at_home")
    assert answer.json()["tell_patient"].startswith("Ambulance now")
    assert len(as_(nurse).get(f"/api/v1{path}").json()["results"]) == 1


def test_breathlessness_is_a_matter_for_the_emergency_number_and_drafted(ward: Ward, as_: LogIn) -> None:
    path = f"/procedures/{ward.procedure.public_id}/contacts/"
    answer = as_(ward.nurse).send("POST", path, {"red_flags": ["chest_or_breath"]})
    assert (answer.json()["escalation"], answer.json()["call"]) == (None, ["emergency"])
    assert Complication.objects.get().status == "draft"


def test_follow_ups_are_listed_claimed_tried_and_given_up_only_after_three_attempts(ward: Ward, as_: LogIn) -> None:
    visit = plan_visits(ward.procedure)
    nurse = make_user(ward.site, Role.FOLLOW_UP_NURSE)
    client = as_(nurse)
    listed = client.get("/api/v1/follow-ups/?kind=visit").json()["results"]
    assert [one["code"] for one in listed][:2] == ["FU-2H", "FU-24H"]
    assert "red_flags" in listed[0]["content"]
    path = f"/follow-ups/{visit.public_id}"
    assert client.send("POST", f"{path}/claim/").json()["owner"]["user"] == nurse.username
    closure = {"status": "lost_to_follow_up", "reason": "moved away"}
    for number in range(3):
        assert client.send("POST", f"{path}/closure/", closure).status_code == 400
        assert client.send("POST", f"{path}/contact-attempts/", {"outcome": "no_answer"}).status_code == 201
        assert client.get(f"/api/v1{path}/").json()["attempts"] == number + 1
    assert client.send("POST", f"{path}/closure/", closure).status_code == 201
    assert FollowUp.objects.get(pk=visit.pk).status == "lost_to_follow_up"


def test_a_red_flag_at_an_attempt_pages_at_once(ward: Ward, as_: LogIn) -> None:
    visit = plan_visits(ward.procedure)
    path = f"/follow-ups/{visit.public_id}/contact-attempts/"
    answer = as_(ward.nurse).send("POST", path, {"outcome": "reached", "red_flags": ["leg_weakness"]})
    assert answer.json()["escalation"]["tier"] == "t0"


@pytest.mark.parametrize("query", ["status=late", "kind=x", "due_before=soon", "procedure=1", "after=zzz"])
def test_a_senseless_question_about_follow_ups_is_refused(query: str, ward: Ward, as_: LogIn) -> None:
    assert as_(ward.nurse).get(f"/api/v1/follow-ups/?{query}").status_code == 400


def test_the_catalogue_tells_a_form_what_to_ask(ward: Ward, as_: LogIn) -> None:
    rows = as_(ward.nurse).get("/api/v1/complications/catalogue/").json()["results"]
    assert len(rows) == 47
    leak = next(row for row in rows if row["code"] == "LEK-EPI")
    assert [field["key"] for field in leak["fields"]] == ["yeom", "canal_percent", "volume_ml"]
