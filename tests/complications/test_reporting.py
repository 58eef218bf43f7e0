"""A report becomes an entry, an examination, an escalation and its audit, or nothing at all."""

import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from clinic.lib.problems import Invalid, Refused
from clinic.models import AuditEntry, NeuroExam, Notification
from complications.actions.reporting import (
    correct_complication,
    draft_complication,
    raise_triggers,
    report_complication,
)
from complications.models import Complication, Escalation, Timer
from complications.rules.report import Report
from complications.rules.triggers import FiredTrigger
from complications.vocabulary import ComplicationStatus, Setting, Source, Tier
from tests.make import make_actor, make_procedure, make_site
from tests.make_complications import Ward, make_baseline, make_report, make_ward, weak_leg

pytestmark = pytest.mark.django_db


@pytest.fixture
def ward(now: datetime) -> Ward:
    return make_ward(now)


def opened(ward: Ward) -> dict[str, str]:
    return {row.pathway: row.tier for row in Escalation.objects.filter(procedure=ward.procedure)}


def test_a_deficit_opens_an_escalation_in_the_same_transaction(ward: Ward, now: datetime) -> None:
    result = make_report(ward, now)
    assert result.escalation is not None
    assert (result.escalation.tier, result.escalation.status) == ("t0", "paging")
    assert result.escalation.next_due_at == now
    assert result.complication.status == "reported"
    assert NeuroExam.objects.filter(procedure=ward.procedure, kind="report").count() == 1
    actions = set(AuditEntry.objects.values_list("action", flat=True))
    assert {"complication.reported", "escalation.opened"} <= actions


def test_one_grade_is_urgent_and_two_are_an_emergency(ward: Ward, now: datetime) -> None:
    result = make_report(ward, now, neuro=weak_leg(4))
    assert result.escalation is not None
    assert result.escalation.tier == "t1"


def test_a_leak_without_a_deficit_calls_by_its_level(ward: Ward, now: datetime) -> None:
    result = make_report(ward, now, type="LEK-EPI", level="L1", fields={"canal_percent": 10})
    assert opened(ward) == {"spine": "t2"}
    assert result.complication.site_of_leak == "epidural"
    make_report(ward, now, type="LEK-EPI", level="T12")
    assert opened(ward) == {"spine": "t1"}


def test_a_leak_that_calls_nobody_is_a_first_class_record(ward: Ward, now: datetime) -> None:
    result = make_report(ward, now, type="LEK-DIS", level="L1", symptomatic=False, treatment={"therapies": ["none"]})
    assert result.escalation is None
    assert (result.grades.clavien, result.grades.sir, result.grades.cirse) == ("i", 1, 1)


def test_an_embolism_pages_the_medical_team_and_a_later_deficit_the_spine(ward: Ward, now: datetime) -> None:
    make_report(ward, now, type="EMB-PCS", fields={"spo2": 85})
    assert opened(ward) == {"medical": "t1"}
    make_report(ward, now)
    assert opened(ward) == {"medical": "t1", "spine": "t0"}


def test_arrest_and_stroke_page_nobody_and_say_whom_to_ring(ward: Ward, now: datetime) -> None:
    assert make_report(ward, now, type="EMB-CER").call == ["stroke"]
    assert make_report(ward, now, type="CVS-BCI", fields={"cpr": True}).call == ["arrest"]
    assert opened(ward) == {}


@pytest.mark.parametrize("missing", ["level", "occurred_at", "symptomatic", "setting", "type"])
def test_a_missing_field_never_refuses_a_deficit(ward: Ward, now: datetime, missing: str) -> None:
    values: dict[str, Any] = {
        "type": "NEU-COR",
        "level": "T12",
        "occurred_at": now,
        "symptomatic": True,
        "setting": Setting.IN_HOUSE,
        "neuro": weak_leg(2),
    }
    del values[missing]
    assert make_report(ward, now, **values).escalation is not None


def test_a_field_that_cannot_be_read_never_refuses_a_deficit_and_comes_back_as_a_warning(
    ward: Ward, now: datetime
) -> None:
    result = make_report(ward, now, type="LEK-EPI", level="T99", fields={"canal_percent": 400}, neuro=weak_leg(2))
    assert result.escalation is not None
    assert [warning.field for warning in result.warnings] == ["level", "fields.canal_percent"]
    assert result.complication.fields == {"canal_percent": 400}


def test_without_anything_to_page_a_bad_field_is_refused_and_nothing_is_written(ward: Ward, now: datetime) -> None:
    with pytest.raises(Invalid) as refused:
        make_report(ward, now, type="LEK-DIS", fields={"canal_percent": 4})
    assert [error.field for error in refused.value.errors] == ["fields.canal_percent"]
    assert Complication.objects.count() == 0


def test_an_empty_report_is_refused_and_an_empty_deficit_is_not(ward: Ward, now: datetime) -> None:
    with pytest.raises(Invalid):
        make_report(ward, now, type="", neuro=None)
    result = make_report(ward, now, type="", neuro={})
    assert result.escalation is not None
    assert result.escalation.tier == "t1"


def test_a_neurological_part_without_content_does_not_page_for_a_leak(ward: Ward, now: datetime) -> None:
    assert make_report(ward, now, type="LEK-PVT", neuro={}).escalation is None


def test_the_same_report_again_is_the_same_report(ward: Ward, now: datetime) -> None:
    report = Report(public_id=uuid.uuid4(), raw_neuro=weak_leg(2))
    first = report_complication(report=report, procedure=ward.procedure, by=ward.by_nurse, now=now)
    later = now + timedelta(minutes=1)
    again = report_complication(report=report, procedure=ward.procedure, by=ward.by_nurse, now=later)
    assert (first.created, again.created) == (True, False)
    assert again.escalation == first.escalation
    assert Complication.objects.count() == 1
    assert Escalation.objects.get().events.count() == 1


def test_another_content_under_one_id_is_refused(ward: Ward, now: datetime) -> None:
    report = Report(public_id=uuid.uuid4(), raw_neuro=weak_leg(2))
    report_complication(report=report, procedure=ward.procedure, by=ward.by_nurse, now=now)
    with pytest.raises(Refused) as refused:
        report_complication(report=replace(report, narrative="x"), procedure=ward.procedure, by=ward.by_nurse, now=now)
    assert refused.value.code == "other_content"


def test_a_report_without_a_baseline_is_never_below_urgent(now: datetime) -> None:
    ward = make_ward(now, baseline=False)
    result = make_report(ward, now, neuro={"symptoms": ["new_leg_pain"]})
    assert result.escalation is not None
    assert (result.escalation.tier, result.escalation.chips) == ("t1", ["no_baseline"])


def test_of_two_baselines_the_better_counts(ward: Ward, now: datetime) -> None:
    make_baseline(ward.procedure, now + timedelta(seconds=1), source="clinic", mrc={"ankle_dorsiflexion_l": 3})
    found = make_report(ward, now, neuro=weak_leg(4)).escalation
    assert found is not None
    assert found.triggers[0]["reason"] == "left ankle dorsiflexion fell from 5 to 4"


def test_the_setting_follows_the_source_unless_somebody_says_it(ward: Ward, now: datetime) -> None:
    home = make_report(ward, now, source=Source.FOLLOW_UP)
    assert home.escalation is not None
    assert home.escalation.setting == "at_home"
    other = make_ward(now)
    said = make_report(other, now, source=Source.FOLLOW_UP, setting=Setting.IN_HOUSE)
    assert said.escalation is not None
    assert said.escalation.setting == "in_house"


def test_a_report_by_telephone_says_what_the_patient_says(ward: Ward, now: datetime) -> None:
    result = make_report(ward, now, neuro={"symptoms": ["leg_weakness"]}, detected_by="patient")
    assert result.escalation is not None
    assert result.escalation.triggers[0]["trigger"] == "NT-12"


def test_a_site_where_nothing_was_set_up_still_pages(now: datetime) -> None:
    procedure = make_procedure(make_site(phone_list=[]))
    report = Report(public_id=uuid.uuid4(), raw_neuro=weak_leg(2))
    result = report_complication(report=report, procedure=procedure, by=make_actor(), now=now)
    assert result.escalation is not None
    assert (result.escalation.policy_version, bool(result.escalation.policy["backstop"])) == (0, True)


def test_measured_retention_sets_the_timer_and_the_examination_drops_it(ward: Ward, now: datetime) -> None:
    result = make_report(ward, now, neuro={"pvr_ml": 400})
    assert result.escalation is not None
    assert result.escalation.tier == "t2"
    timer = Timer.objects.get(procedure=ward.procedure)
    assert (timer.trigger, timer.due_at) == ("NT-04a", now + timedelta(minutes=30))


def test_a_report_joins_the_open_escalation_and_raises_its_tier(ward: Ward, now: datetime) -> None:
    first = make_report(ward, now, neuro=weak_leg(4)).escalation
    second = make_report(ward, now + timedelta(minutes=3), neuro=weak_leg(2)).escalation
    assert first is not None
    assert second is not None
    assert (second.pk, second.tier, second.round, second.step) == (first.pk, "t0", 1, 0)
    assert second.origin == now + timedelta(minutes=3)
    assert [event.kind for event in second.events.all()] == ["opened", "tier_raised"]
    assert second.complications.count() == 2


def test_a_second_report_of_the_same_tier_pages_again(ward: Ward, now: datetime) -> None:
    make_report(ward, now)
    make_report(ward, now + timedelta(minutes=1))
    again = Notification.objects.filter(context__again=True)
    assert {message.recipient for message in again} == {ward.first, ward.operator, ward.nurse}


def tick(ward: Ward, now: datetime, *triggers: FiredTrigger, **values: Any) -> Escalation | None:
    values = {"source": "run:1:2", "occurred_at": now, "exam": None, **values}
    return raise_triggers(procedure=ward.procedure, triggers=list(triggers), by=ward.by_nurse, now=now, **values)


def test_a_tick_raises_what_the_list_says(ward: Ward, now: datetime) -> None:
    escalation = tick(ward, now, FiredTrigger("NT-14", Tier.T0, "a leg does not move on command"))
    assert escalation is not None
    assert (escalation.tier, escalation.setting) == ("t0", "in_house")


def test_a_tick_with_an_examination_is_compared_here_as_well(ward: Ward, now: datetime) -> None:
    escalation = tick(ward, now, exam=weak_leg(2)["exam"])
    assert escalation is not None
    assert escalation.tier == "t0"
    assert tick(make_ward(now), now, exam={"mrc": {"hip_flexion_l": 5}}) is None


def test_the_same_finding_at_the_next_observation_pages_nobody_again(ward: Ward, now: datetime) -> None:
    tick(ward, now, exam=weak_leg(4)["exam"])
    escalation = tick(ward, now + timedelta(minutes=15), exam=weak_leg(4)["exam"])
    assert escalation is not None
    assert [event.data.get("news") for event in escalation.events.all()] == [None, False]
    assert Notification.objects.filter(context__again=True).count() == 0


def test_a_tick_from_a_tablet_without_network_counts_from_when_it_was_made(ward: Ward, now: datetime) -> None:
    pressed = now - timedelta(minutes=12)
    fired = FiredTrigger("NT-14", Tier.T0, "x")
    escalation = tick(ward, now, fired, occurred_at=pressed, reported_at=pressed)
    assert escalation is not None
    assert escalation.origin == pressed


def test_drafts_page_nobody_and_one_is_enough(ward: Ward, now: datetime) -> None:
    for note in ("first look", "final pictures", "final pictures"):
        draft_complication(
            procedure=ward.procedure,
            code="LEK-EPI",
            level="T12",
            note=note,
            source="run:1:2",
            by=ward.by_nurse,
            now=now,
        )
    draft = Complication.objects.get()
    assert (draft.status, draft.narrative, draft.version) == ("draft", "first look\nfinal pictures", 2)
    assert opened(ward) == {}


def correct(
    row: Complication, ward: Ward, now: datetime, status: ComplicationStatus | None = None, **changes: Any
) -> Any:
    return correct_complication(
        complication=row, changes=changes, status=status, reason="seen again", by=ward.by(ward.operator), now=now
    )


def test_a_confirmed_draft_is_reported_and_pages_what_it_calls_for(ward: Ward, now: datetime) -> None:
    draft = draft_complication(
        procedure=ward.procedure, code="LEK-EPI", level="T12", note="", source="", by=ward.by_nurse, now=now
    )
    result = correct(draft, ward, now, ComplicationStatus.REPORTED, fields={"canal_percent": 15})
    assert result.escalation is not None
    assert (result.complication.status, result.complication.version, result.escalation.tier) == ("reported", 2, "t1")


def test_a_rejected_draft_is_kept_with_its_reason(ward: Ward, now: datetime) -> None:
    draft = draft_complication(
        procedure=ward.procedure, code="LEK-EPI", level="T12", note="", source="", by=ward.by_nurse, now=now
    )
    row = correct(draft, ward, now, ComplicationStatus.NOT_REPORTABLE).complication
    assert (row.status, row.change_reason) == ("not_reportable", "seen again")
    assert [version.status for version in row.versions.order_by("pgh_id")] == ["draft", "not_reportable"]


def test_a_correction_is_a_version_and_keeps_the_worst_grade(ward: Ward, now: datetime) -> None:
    treated = {"therapies": ["surgery"], "anaesthesia": "general"}
    row = make_report(ward, now, type="BLD-SUB", treatment=treated).complication
    changed = correct(row, ward, now, treatment={"therapies": ["none"]}).complication
    assert (changed.clavien, changed.worst_clavien, changed.version) == ("i", "iiib", 2)
    assert [version.clavien for version in changed.versions.order_by("pgh_id")] == ["iiib", "i"]


def test_a_correction_needs_a_reason_and_an_arrow(ward: Ward, now: datetime) -> None:
    row = make_report(ward, now, type="BLD-SUB").complication
    with pytest.raises(Invalid):
        correct_complication(complication=row, changes={}, status=None, reason="", by=ward.by_nurse, now=now)
    with pytest.raises(Refused):
        correct(row, ward, now, ComplicationStatus.REOPENED)
    with pytest.raises(Invalid):
        correct(row, ward, now, procedure="other")


def test_what_was_reported_is_never_deleted(ward: Ward, now: datetime) -> None:
    escalation = make_report(ward, now).escalation
    assert escalation is not None
    with pytest.raises(Exception, match=r"append.only|permission denied"):
        escalation.events.all().delete()


def test_an_edited_text_wakes_nobody_and_a_worse_fact_does(ward: Ward, now: datetime) -> None:
    row = make_report(ward, now, type="LEK-EPI", level="L1", fields={"canal_percent": 10}).complication
    Escalation.objects.update(status="raised_in_error", next_due_at=None, closed_at=now)
    assert correct(row, ward, now, narrative="seen on CT", fields={"canal_percent": 12}).escalation is None
    worse = correct(row, ward, now, fields={"canal_percent": 30})
    assert worse.escalation is not None
    assert worse.escalation.tier == "t1"


def test_who_has_left_the_hospital_is_at_home(ward: Ward, now: datetime) -> None:
    ward.procedure.left_hospital_at = now - timedelta(hours=1)
    ward.procedure.save()
    found = make_report(ward, now).escalation
    assert found is not None
    assert found.setting == "at_home"
