"""The audit trail: chained, append-only, written with the change or not at all."""

from __future__ import annotations

import threading
from datetime import datetime

import pytest
from django.db import DatabaseError, connection, transaction

from clinic.actions.audit import recording, rfc3339
from clinic.lib.audit_chain import GENESIS, entry_hash
from clinic.lib.clock import database_now
from clinic.models import AuditEntry, Site
from clinic.queries.audit import verify_audit
from tests.make import make_actor, make_procedure, make_site


def write(stream: str, *actions: str, now: datetime | None = None) -> None:
    with recording(by=make_actor(), now=now or database_now()) as trail:
        for action in actions:
            trail.add(stream=stream, action=action, subject="test:1", data={"was": None, "is": 1})


@pytest.mark.django_db
def test_a_chain_recomputes_from_its_published_preimage(now: datetime) -> None:
    write("user:1", "a.done", "b.done", now=now)
    write("user:1", "c.done", now=now)
    prev = GENESIS
    entries = list(AuditEntry.objects.order_by("seq"))
    assert [entry.seq for entry in entries] == [1, 2, 3]
    for entry in entries:
        assert bytes(entry.prev) == prev
        prev = entry_hash(entry.stream, entry.seq, prev, entry.canonical)
        assert bytes(entry.hash) == prev
    assert entries[0].action == "a.done"
    assert entries[0].at == rfc3339(now) == "2026-03-02T09:00:00.000000Z"
    assert verify_audit().exit_code == 0


@pytest.mark.django_db
def test_no_entry_no_change_and_no_change_no_entry(now: datetime) -> None:
    def fail_half_way() -> None:
        with recording(by=make_actor(), now=now) as trail:
            make_site("gone")
            trail.add(stream="user:1", action="site.made", subject="site:gone", data={})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert not Site.objects.filter(code="gone").exists()
    assert not AuditEntry.objects.exists()


@pytest.mark.django_db
def test_a_nested_action_joins_the_outer_one(now: datetime) -> None:
    with recording(by=make_actor(), now=now) as outer:
        write("b:1", "inner.done", now=now)
        assert not AuditEntry.objects.exists()
        outer.add(stream="a:1", action="outer.done", subject="a:1", data={})
    assert list(AuditEntry.objects.order_by("id").values_list("stream", flat=True)) == ["a:1", "b:1"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE clinic_auditentry SET canonical = '{}'",
        "DELETE FROM clinic_auditentry",
        "TRUNCATE clinic_auditentry",
        "INSERT INTO clinic_auditentry (stream, seq, prev, hash, canonical) VALUES ('x', 1, '', '', '{}')",
        "UPDATE clinic_audithead SET seq = 0",
        "DELETE FROM clinic_procedureversion",
        "UPDATE clinic_procedureversion SET kind = 'vertebroplasty'",
        "DELETE FROM clinic_neuroexam",
    ],
)
def test_the_services_own_role_can_neither_change_nor_forge_history(statement: str) -> None:
    make_procedure()
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.django_db(transaction=True)
def test_many_writers_of_one_stream_leave_one_unbroken_chain() -> None:
    start = threading.Barrier(6)

    def work(number: int) -> None:
        try:
            start.wait()
            for _ in range(10):
                with recording(by=make_actor(), now=database_now()) as trail:
                    for stream in ("user:b", f"user:{number}", "user:a"):
                        trail.add(stream=stream, action="tick.recorded", subject="run:1", data={})
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    result = verify_audit()
    assert (result.entries, result.exit_code) == (180, 0)


@pytest.mark.django_db
def test_a_booking_writes_one_entry_into_the_procedures_stream() -> None:
    procedure = make_procedure()
    entry = AuditEntry.objects.get(stream=f"procedure:{procedure.public_id}")
    assert entry.action == "procedure.booked"
    assert "Yılmaz" not in entry.canonical
