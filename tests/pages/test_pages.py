"""The pages of the day, each as the person who uses it, at a constant cost in queries."""

from __future__ import annotations

import gzip
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import brotli
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clinic.lib.clock import database_now
from clinic.models import AuditEntry, User
from complications.actions.escalation import acknowledge, arrive
from complications.actions.links import link_token
from complications.models import AcknowledgeLink, Complication, Escalation
from complications.vocabulary import EscalationStatus
from tests.make import make_procedure, make_site, make_user
from tests.make_checklists import make_runs
from tests.make_complications import make_escalation, make_report, make_ward

pytestmark = pytest.mark.django_db
Clients = Callable[[User], Any]


def text(client: Any, address: str, status: int = 200) -> str:
    """The page's HTML."""
    answer = client.get(address)
    assert answer.status_code == status, answer.content[:400]
    return str(answer.content.decode())


def queries(client: Any, address: str) -> int:
    """How many statements the page costs."""
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


def test_the_board_shows_each_procedure_of_today_in_its_room(as_: Clients) -> None:
    site = make_site()
    nurse = make_user(site, "nurse")
    make_runs(make_procedure(site, patient={"family_name": "Demir", "language": "tr"}))
    page = text(as_(nurse), "/board/")
    assert "DEMİR, Ayşe" in page
    assert "Theatre 1" in page


def test_the_board_costs_the_same_for_one_procedure_and_for_five(as_: Clients) -> None:
    site = make_site()
    client = as_(make_user(site, "nurse"))
    make_runs(make_procedure(site))
    text(client, "/board/")
    one = queries(client, "/board/")
    for _number in range(4):
        make_runs(make_procedure(site))
    assert queries(client, "/board/") == one


def test_an_open_emergency_stands_on_the_board_in_red(as_: Clients) -> None:
    ward = make_ward()
    make_runs(ward.procedure)
    make_escalation(ward, database_now())
    page = text(as_(ward.nurse), "/board/?only=now")
    assert "Emergency: Paging" in page


def test_the_log_filters_by_what_stands_in_its_address(as_: Clients) -> None:
    ward = make_ward()
    now = database_now()
    make_report(ward, now, type="LEK-DIS", level="L1", narrative="cement in the disc")
    make_report(ward, now, type="INF-SUP", level="T12", narrative="redness")
    client = as_(ward.operator)
    assert "Superficial wound infection" in text(client, "/complications/")
    page = text(client, "/complications/?level=L1")
    assert "Intradiscal" in page
    assert ">Superficial wound infection</a>" not in page
    assert ">Intradiscal</a>" in text(client, "/complications/?q=disc")
    assert "No record fits these filters" in text(client, "/complications/?q=embolism")


def test_the_log_costs_the_same_for_one_record_and_for_nine(as_: Clients) -> None:
    ward = make_ward()
    client = as_(ward.operator)
    make_report(ward, database_now(), type="LEK-DIS", level="L1")
    text(client, "/complications/")
    one = queries(client, "/complications/")
    for number in range(8):
        make_report(ward, database_now() + timedelta(seconds=number), type="LEK-DIS", level="T12")
    assert queries(client, "/complications/") == one


def test_a_record_opens_beside_the_list_and_moves_with_a_reason(as_: Clients) -> None:
    ward = make_ward()
    row = make_report(ward, database_now(), type="LEK-DIS", level="L1").complication
    client = as_(ward.operator)
    assert "Cement leak: intradiscal" in text(client, f"/complications/?open={row.public_id}")
    client.post(f"/complications/{row.public_id}/", {"status": "under_review", "reason": "read with the team"})
    assert Complication.objects.get(pk=row.pk).status == "under_review"
    assert "read with the team" in text(client, f"/complications/{row.public_id}/")


def test_a_report_with_a_deficit_leads_to_who_is_being_paged(as_: Clients) -> None:
    ward = make_ward()
    client = as_(ward.nurse)
    address = f"/complications/new/?procedure={ward.procedure.public_id}&level=T12"
    assert "Legs, saddle, bladder" in text(client, address)
    body = {
        "id": str(uuid.uuid4()),
        "type": "LEK-EPI",
        "level": "T12",
        "occurred_at": "2026-03-02T09:00",
        "fields.LEK-EPI.canal_percent": "15",
        "mrc.ankle_dorsiflexion_l": "2",
        "symptoms": ["saddle_numbness"],
    }
    answer = client.post(address, body)
    escalation = Escalation.objects.get()
    assert answer["Location"] == f"/escalations/{escalation.public_id}/"
    assert escalation.tier == "t0"
    assert client.post(address, body)["Location"] == answer["Location"], "sent twice is one report"
    assert Escalation.objects.count() == 1


def test_a_report_that_cannot_be_read_names_the_field_and_keeps_what_was_typed(as_: Clients) -> None:
    ward = make_ward()
    address = f"/complications/new/?procedure={ward.procedure.public_id}"
    body = {"type": "LEK-DIS", "level": "L1", "fields.LEK-DIS.volume_ml": "much", "narrative": "into the disc"}
    answer = as_(ward.nurse).post(address, body)
    assert answer.status_code == 400
    assert "Send a number" in answer.content.decode()
    assert "into the disc" in answer.content.decode()
    assert not Complication.objects.exists()


def test_the_page_of_an_escalation_says_who_what_and_how_long(as_: Clients) -> None:
    ward = make_ward()
    row = make_escalation(ward, database_now())
    page = text(as_(ward.first), f"/escalations/{row.public_id}/")
    assert "Emergency" in page
    assert "I take responsibility" in page
    assert "YILMAZ, Ayşe" in page
    assert page.count('name="eta_minutes"') == 4, "the answer needs a button with minutes"
    assert ">t0<" not in page.lower()


def test_taking_responsibility_needs_the_minutes_of_a_touched_button(as_: Clients) -> None:
    ward = make_ward()
    row = make_escalation(ward, database_now())
    client = as_(ward.first)
    client.post(f"/escalations/{row.public_id}/acknowledgement/")
    assert Escalation.objects.get(pk=row.pk).status == EscalationStatus.PAGING.value
    client.post(f"/escalations/{row.public_id}/acknowledgement/", {"eta_minutes": "20"})
    assert Escalation.objects.get(pk=row.pk).responsible == ward.first


def test_the_ward_records_the_arrival_and_the_surgeon_decides(as_: Clients) -> None:
    ward = make_ward()
    row = make_escalation(ward, database_now())
    acknowledge(escalation=row, eta_minutes=10, by=ward.by(ward.first), now=database_now())
    as_(ward.nurse).post(f"/escalations/{row.public_id}/arrival/")
    surgeon = as_(ward.first)
    exam = {"mrc.ankle_dorsiflexion_l": "1", "perianal_sensation": "absent"}
    surgeon.post(f"/escalations/{row.public_id}/examination/", exam)
    answer = surgeon.post(f"/escalations/{row.public_id}/decision/", {"decision": "observe", "reason": "stable"})
    assert "Say when the patient is examined again" in answer.content.decode()
    surgeon.post(
        f"/escalations/{row.public_id}/decision/",
        {"decision": "decompress", "reason": "cement in the canal", "family_told": "true", "canal_percent": "45"},
    )
    row.refresh_from_db()
    assert (row.status, row.decision) == ("decided", "decompress")
    assert "family_told" in row.milestones


def test_the_list_of_escalations_costs_the_same_for_one_and_for_four(as_: Clients) -> None:
    ward = make_ward()
    client = as_(ward.first)
    make_escalation(ward, database_now())
    text(client, "/escalations/")
    one = queries(client, "/escalations/")
    for _number in range(3):
        ward.procedure = make_procedure(ward.site, ward.operator)
        make_escalation(ward, database_now())
    assert queries(client, "/escalations/") == one


def test_opening_a_link_answers_nothing_and_shows_no_patient(anonymous: Any) -> None:
    ward = make_ward()
    now = database_now()
    row = make_escalation(ward, now)
    link = AcknowledgeLink.objects.create(
        escalation=row, user=ward.first, created_at=now, expires_at=now + timedelta(hours=1)
    )
    address = f"/a/{link_token(link.public_id)}/"
    page = text(anonymous, address)
    assert "YILMAZ" not in page
    assert page.count('name="eta_minutes"') == 4
    assert Escalation.objects.get(pk=row.pk).status == EscalationStatus.PAGING.value
    assert anonymous.post(address).status_code == 400, "a scanner that sends the form names no minutes"
    assert Escalation.objects.get(pk=row.pk).status == EscalationStatus.PAGING.value
    assert "You have it" in anonymous.post(address, {"eta_minutes": "10"}).content.decode()
    assert Escalation.objects.get(pk=row.pk).responsible == ward.first
    assert "no longer answers" in text(anonymous, address)
    assert "no longer answers" in text(anonymous, "/a/forged/", 404)


def test_the_timeline_tells_the_case_and_leaves_out_what_came_later(as_: Clients) -> None:
    ward = make_ward()
    make_runs(ward.procedure)
    row = make_escalation(ward, database_now())
    arrive(escalation=row, by=ward.by(ward.first), now=database_now())
    address = f"/procedures/{ward.procedure.public_id}/"
    page = text(as_(ward.operator), address)
    assert "Ankle dorsiflexion left 5 → 2" in page
    assert "At the bedside" in page
    before = text(as_(ward.operator), f"{address}?at=2020-01-01T00:00")
    assert "Ankle dorsiflexion left" not in before


def test_the_export_page_counts_before_anything_starts(as_: Clients) -> None:
    ward = make_ward()
    client = as_(make_user(ward.site, "administrator"))
    page = text(client, "/exports/?dataset=procedures")
    assert "rows, " in page
    assert "/api/v1/exports/procedures?format=csv&amp;versions=last" in page
    wrong = text(client, "/exports/?dataset=procedures&f.from=yesterday")
    assert "Give the time as RFC 3339" in wrong
    assert "Start the export" not in wrong


def test_the_audit_page_shows_the_own_sites_entries_only(as_: Clients) -> None:
    ward, other = make_ward(), make_ward()
    client = as_(make_user(ward.site, "auditor"))
    entry = AuditEntry.objects.filter(stream=f"procedure:{ward.procedure.public_id}").first()
    assert entry is not None
    page = text(client, "/audit/")
    assert str(ward.procedure.public_id)[:20] in page
    assert str(other.procedure.public_id)[:20] not in page
    assert "This chain is whole" in text(client, f"/audit/?stream={entry.stream}")
    foreign = text(client, f"/audit/?stream=procedure:{other.procedure.public_id}")
    assert "No entry fits" in foreign
    assert "whole" not in foreign


def test_the_shell_is_the_same_in_every_encoding(as_: Clients) -> None:
    client = as_(make_user(make_site(), "nurse"))
    plain = client.get("/runs/shell/")
    assert "Content-Encoding" not in plain
    for name, unpack in (("br", brotli.decompress), ("gzip", gzip.decompress)):
        packed = client.get("/runs/shell/", headers={"Accept-Encoding": f"{name}, deflate"})
        assert packed["Content-Encoding"] == name
        assert "Accept-Encoding" in packed["Vary"]
        assert unpack(packed.content) == plain.content
    assert len(client.get("/runs/shell/", headers={"Accept-Encoding": "br"}).content) < len(plain.content) / 3
