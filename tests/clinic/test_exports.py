"""Exports: version rows, streamed, pseudonymised, hashed, and repeatable to the byte."""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import sys
import threading
from datetime import timedelta
from typing import Any

import psycopg
import pytest
import zstandard
from django.conf import settings
from django.db import connection

from clinic.actions.exports import end_abandoned
from clinic.actions.procedures import update_facts
from clinic.exports.registry import datasets
from clinic.lib.clock import database_now
from clinic.lib.stream import SLOTS, Reader, encoder
from clinic.lib.triples import Triple
from clinic.models import Actor, AuditEntry, Export, Procedure, Site, User
from clinic.queries import verify_audit
from clinic.vocabulary import Role
from tests.exporting import Pulled, pull, puller, settle
from tests.make import make_actor, make_export, make_procedure, make_site, make_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def site() -> Site:
    return make_site("alpha")


@pytest.fixture
def administrator(site: Site) -> User:
    return make_user(site, Role.ADMINISTRATOR)


def change(procedure: Procedure, **facts: Any) -> None:
    update_facts(procedure=procedure, facts=facts, level_facts={}, by=make_actor(), now=database_now())


def good(pulled: Pulled) -> Pulled:
    assert pulled.status == 200, pulled.body[:500]
    return pulled


def test_every_change_is_a_row_and_the_order_is_that_of_the_changes(site: Site, administrator: User) -> None:
    procedure = make_procedure(site)
    change(procedure, status="in_progress")
    change(procedure, status="completed", outcome="completed", cement_ml=7)
    settle()
    pulled = good(pull(puller(administrator), "procedures"))
    assert [row["status"] for row in pulled.rows] == ["booked", "in_progress", "completed"]
    assert {row["procedure"] for row in pulled.rows} == {str(procedure.public_id)}
    order = [tuple(int(row[f"change_{part}"]) for part in ("epoch", "xid", "seq")) for row in pulled.rows]
    assert order == sorted(order)
    assert pulled.rows[2]["cement"] == "7.0"


def test_only_the_last_version_of_each_record_when_asked(site: Site, administrator: User) -> None:
    procedure, other = make_procedure(site), make_procedure(site)
    change(procedure, status="in_progress")
    settle()
    client = puller(administrator)
    first = good(pull(client, "procedures", versions="last"))
    assert {row["procedure"]: row["status"] for row in first.rows} == {
        str(procedure.public_id): "in_progress",
        str(other.public_id): "booked",
    }
    change(other, status="cancelled")
    settle()
    again = good(pull(client, "procedures", versions="last", as_of=first.headers["Export-As-Of"]))
    assert again.body == first.body


def test_csv_and_ndjson_hold_the_same_values(site: Site, administrator: User) -> None:
    procedure = make_procedure(site)
    change(procedure, on_antithrombotic=True, started_at=database_now(), cement_ml="4.5")
    settle()
    client = puller(administrator)
    lines = good(pull(client, "procedures", format="ndjson")).rows
    table = good(pull(client, "procedures")).rows
    assert [list(row) for row in lines] == [list(row) for row in table]
    for line, row in zip(lines, table, strict=True):
        for name, value in line.items():
            text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
            assert row[name] == text, name
    assert lines[1]["on_antithrombotic"] is True
    assert lines[1]["cement"] == 4.5
    assert isinstance(lines[1]["change_xid"], int)
    assert lines[1]["started_at"].endswith("Z")


def test_an_export_never_leaves_its_site(site: Site, administrator: User) -> None:
    foreign = make_procedure(make_site("beta"))
    own = make_procedure(site)
    settle()
    client = puller(administrator)
    for dataset in datasets():
        body = good(pull(client, dataset)).body
        assert str(foreign.public_id).encode() not in body, dataset
    assert str(own.public_id).encode() in good(pull(client, "audit")).body


def test_names_and_numbers_leave_only_with_their_scope_and_a_reason(site: Site, administrator: User) -> None:
    procedure = make_procedure(site, patient={"mrn": "MRN-SECRET", "family_name": "Özgür", "phone": "+905550001122"})
    settle()
    words = ["MRN-SECRET", "Özgür", "+905550001122", "1948-03-14", procedure.operator.full_name]
    plain = puller(administrator)
    for dataset in datasets():
        for format in ("csv", "ndjson"):
            body = good(pull(plain, dataset, format=format)).body.decode()
            assert not [word for word in words if word in body], dataset
    hidden = pull(plain, "procedures", fields="procedure,family_name")
    assert (hidden.status, b"Only identified exports hold: family_name" in hidden.body) == (400, True)
    path = "/api/v1/exports/procedures/identified"
    assert pull(plain, "", path=path, reason="the registry asks").status == 403
    identified = puller(administrator, "exports:identified", "exports:read")
    assert pull(identified, "", path=path).status == 400
    pulled = good(pull(identified, "", path=path, reason="the national registry asks for names"))
    assert [word for word in words if word in pulled.body.decode()] == words
    assert Export.objects.get(identified=True).reason == "the national registry asks for names"
    entry = AuditEntry.objects.get(action="export.started", subject=f"export:{pulled.headers['Export-Id']}")
    assert "the national registry asks for names" in entry.canonical


def test_a_browser_session_confirms_itself_before_names_leave(as_: Any, site: Site, administrator: User) -> None:
    answer = as_(administrator).get("/api/v1/exports/procedures/identified", {"reason": "the registry asks"})
    assert (answer.status_code, answer.json()["code"]) == (403, "step_up_required")


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"format": "xlsx"}, "format"),
        ({"fields": "procedure,nonsense"}, "fields"),
        ({"since": "yesterday"}, "since"),
        ({"kind": "appendectomy"}, "kind"),
        ({"from_": "2026-03-02"}, "from"),
        ({"procedure": "1; DROP TABLE"}, "procedure"),
        ({"colour": "blue"}, "colour"),
        ({"versions": "some"}, "versions"),
        ({"as_of": "9.1.0"}, "as_of"),
    ],
)
def test_what_cannot_be_read_is_named_and_nothing_starts(
    site: Site, administrator: User, params: dict[str, str], field: str
) -> None:
    pulled = pull(puller(administrator), "procedures", **params)
    assert pulled.status == 400
    assert f'"field":"{field}"'.encode() in pulled.body
    assert not Export.objects.exists()


def test_filters_choose_rows(site: Site, administrator: User) -> None:
    kypho, vertebro = make_procedure(site), make_procedure(site, kind="vertebroplasty")
    settle()
    client = puller(administrator)
    rows = good(pull(client, "procedures", kind="vertebroplasty")).rows
    assert [row["procedure"] for row in rows] == [str(vertebro.public_id)]
    later = (database_now() + timedelta(days=1)).isoformat()
    assert good(pull(client, "procedures", from_=later)).rows == []
    assert len(good(pull(client, "treated_levels", procedure=str(kypho.public_id), level="T12,L1")).rows) == 2
    assert good(pull(client, "procedures", fields="kind,procedure")).body.startswith(b"kind,procedure\n")


def test_each_unknown_dataset_is_named_with_those_that_exist(site: Site, administrator: User) -> None:
    pulled = pull(puller(administrator), "patients")
    assert (pulled.status, b"procedures, treated_levels" in pulled.body) == (404, True)


@pytest.mark.parametrize("name", list(datasets()))
def test_every_dataset_can_be_read_whole_by_real_readers(name: str, site: Site, administrator: User) -> None:
    make_procedure(site)
    settle()
    client = puller(administrator, "exports:read", "audit:read", "exports:identified")
    for path in (f"/api/v1/exports/{name}", f"/api/v1/exports/{name}/identified"):
        table = good(pull(client, "", path=path, reason="a test of every column"))
        lines = good(pull(client, "", path=path, format="ndjson", reason="a test of every column"))
        columns = [column.name for column in datasets()[name].all_columns]
        if path.endswith("/identified"):
            assert table.body.decode().splitlines()[0] == ",".join(columns)
        for declared in datasets()[name].filters:
            value = {"words": "x", "instant": "2026-01-01T00:00:00Z", "uuid": "0" * 32, "flag": "true"}
            asked = declared.choices[0] if declared.choices else value[declared.takes.value]
            good(pull(client, "", path=path, reason="a test of every filter", **{declared.name: asked}))
        if name not in {"audit"}:
            assert len(table.rows) == len(lines.rows)


class TestIncrements:
    def test_since_takes_up_where_the_last_pull_ended(self, site: Site, administrator: User) -> None:
        make_procedure(site)
        settle()
        client = puller(administrator)
        first = good(pull(client, "procedures"))
        make_procedure(site)
        settle()
        second = good(pull(client, "procedures", since=first.headers["Export-As-Of"]))
        third = good(pull(client, "procedures", since=second.headers["Export-As-Of"]))
        assert (len(first.rows), len(second.rows), len(third.rows)) == (1, 1, 0)
        whole = good(pull(client, "procedures", as_of=second.headers["Export-As-Of"]))
        assert whole.body == first.body + second.body.split(b"\n", 1)[1]

    def test_a_broken_off_pull_goes_on_after_its_last_row(self, site: Site, administrator: User) -> None:
        for _ in range(5):
            make_procedure(site)
        settle()
        client = puller(administrator)
        whole = good(pull(client, "procedures", format="ndjson"))
        last = whole.rows[1]
        after = str(Triple(last["change_epoch"], last["change_xid"], last["change_seq"]))
        as_of = whole.headers["Export-As-Of"]
        rest = good(pull(client, "procedures", format="ndjson", after=after, as_of=as_of))
        assert whole.rows[2:] == rest.rows

    def test_the_slower_of_two_writers_is_not_lost(self, site: Site, administrator: User) -> None:
        make_procedure(site)
        slow, fast = make_procedure(site), make_procedure(site)
        client = puller(administrator)
        writer = connection.get_new_connection(connection.get_connection_params())
        try:
            writer.autocommit = False
            writer.execute("UPDATE clinic_procedure SET status = 'in_progress' WHERE id = %s", [slow.pk])
            change(fast, status="in_progress")
            first = good(pull(client, "procedures", status="in_progress"))
            assert first.rows == []
            writer.commit()
        finally:
            writer.close()
        settle()
        second = good(pull(client, "procedures", status="in_progress", since=first.headers["Export-As-Of"]))
        assert {row["procedure"] for row in second.rows} == {str(slow.public_id), str(fast.public_id)}

    def test_a_restore_begins_an_epoch_and_the_increments_go_on(self, site: Site, administrator: User) -> None:
        before = make_procedure(site)
        settle()
        client = puller(administrator)
        first = good(pull(client, "procedures"))
        # What a dump brings into a fresh cluster: rows whose transactions lie far ahead of its own.
        with psycopg.connect(os.environ["DATABASE_RESET_URL"], autocommit=True) as superuser:
            superuser.execute("SET session_replication_role = replica")
            superuser.execute("UPDATE clinic_procedureversion SET change_xid = '99999999'::xid8")
        assert good(pull(client, "procedures")).rows == []
        program = [sys.executable, "manage.py", "restored"]
        done = subprocess.run(program, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, "Changes from now on belong to epoch 2.\n"), done.stderr
        after = make_procedure(site)
        settle()
        rows = good(pull(client, "procedures")).rows
        assert [row["procedure"] for row in rows] == [str(before.public_id), str(after.public_id)]
        assert [row["change_epoch"] for row in rows] == ["1", "2"]
        increment = good(pull(client, "procedures", since="1.99999999.99999999"))
        assert [row["procedure"] for row in increment.rows] == [str(after.public_id)]
        assert first.rows[0]["procedure"] == str(before.public_id)
        assert verify_audit().exit_code == 0

    def test_the_same_as_of_gives_the_same_bytes(self, site: Site, administrator: User) -> None:
        procedure = make_procedure(site)
        settle()
        client = puller(administrator)
        first = good(pull(client, "procedures"))
        change(procedure, status="cancelled")
        settle()
        again = good(pull(client, "procedures", as_of=first.headers["Export-As-Of"]))
        assert again.body == first.body
        now = Export.objects.get(public_id=first.headers["Export-Id"])
        manifest = dict(now.manifest or {}, pseudonym_key_id="another")
        Export.objects.filter(pk=now.pk).update(manifest=manifest)
        Export.objects.exclude(pk=now.pk).delete()
        expired = pull(client, "procedures", as_of=first.headers["Export-As-Of"])
        assert (expired.status, b"as_of_expired" in expired.body) == (409, True)


class TestRecord:
    def test_start_and_end_are_written_with_rows_and_hash(self, site: Site, administrator: User) -> None:
        make_procedure(site)
        settle()
        client = puller(administrator)
        pulled = good(pull(client, "procedures"))
        export = Export.objects.get(public_id=pulled.headers["Export-Id"])
        digest = hashlib.sha256(pulled.body).hexdigest()
        assert (export.status, export.rows, export.bytes, export.sha256) == ("finished", 1, len(pulled.body), digest)
        entries = AuditEntry.objects.filter(subject=f"export:{export.public_id}").order_by("seq")
        assert [entry.action for entry in entries] == ["export.started", "export.finished"]
        assert digest in entries[1].canonical
        manifest = client.get(f"/api/v1/exports/procedures/manifest?export={export.public_id}").json()
        assert (manifest["rows"], manifest["sha256"], manifest["dataset"]) == (1, digest, "procedures")
        assert manifest["audit"]["started"]["hash"] == bytes(entries[0].hash).hex()
        cement = next(column for column in manifest["columns"] if column["name"] == "cement")
        assert (cement["type"], cement["unit"]) == ("decimal", "mL")

    def test_a_reader_that_goes_away_leaves_an_entry_and_no_statement(self, site: Site, administrator: User) -> None:
        fill(site, 4000)
        settle()
        client = puller(administrator)
        response = client.get("/api/v1/exports/procedures")
        next(iter(response.streaming_content))  # type: ignore[attr-defined]
        assert backends() == 1
        # What the server does when the reader's socket breaks; Django's own close() would end the test's connection.
        response._iterator.close()  # type: ignore[attr-defined]
        assert gone_within(1)
        export = Export.objects.get()
        assert export.status == "aborted"
        assert (export.rows or 0) > 0
        entries = AuditEntry.objects.filter(subject=f"export:{export.public_id}").order_by("seq")
        assert [entry.action for entry in entries] == ["export.started", "export.aborted"]

    def test_what_a_killed_process_left_running_is_ended(self, site: Site, administrator: User) -> None:
        began = database_now() - timedelta(minutes=5)
        export = make_export(site, administrator, status="running", started_at=began, manifest=None)
        sending = Reader("test", slot=False)
        sending.hold(export.pk)
        try:
            assert end_abandoned(by=Actor.system("sweep"), now=database_now()) == 0
        finally:
            sending.close()
        assert end_abandoned(by=Actor.system("sweep"), now=began) == 0
        assert end_abandoned(by=Actor.system("sweep"), now=database_now()) == 1
        export.refresh_from_db()
        assert export.status == "aborted"
        assert '"why":"service_stopped"' in AuditEntry.objects.get(action="export.aborted").canonical

    def test_the_third_export_at_once_is_told_when_to_come_back(self, site: Site, administrator: User) -> None:
        client = puller(administrator)
        readers = [Reader("test") for _ in range(SLOTS)]
        try:
            busy = pull(client, "procedures")
        finally:
            for reader in readers:
                reader.close()
        assert (busy.status, b"exports_busy" in busy.body) == (429, True)
        assert int(busy.headers["Retry-After"]) > 0
        good(pull(client, "procedures"))


@pytest.mark.parametrize(
    ("accepts", "name"), [("gzip, deflate, br, zstd", "zstd"), ("gzip", "gzip"), ("zstd;q=0, gzip", "gzip"), ("br", "")]
)
def test_a_reader_gets_the_best_compression_it_understands(
    accepts: str, name: str, site: Site, administrator: User
) -> None:
    make_procedure(site)
    settle()
    client = puller(administrator)
    plain = good(pull(client, "procedures"))
    pulled = good(pull(client, "procedures", encoding=accepts, as_of=plain.headers["Export-As-Of"]))
    assert pulled.headers.get("Content-Encoding", "") == name == encoder(accepts).name
    body = pulled.body
    if name:
        body = (
            gzip.decompress(body) if name == "gzip" else zstandard.ZstdDecompressor().decompressobj().decompress(body)
        )
    assert body == plain.body
    assert Export.objects.latest("id").sha256 == hashlib.sha256(plain.body).hexdigest()


WIDE = ["\uff1d1", "\uff0b1", "\uff0d1", "\uff20x"]
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", '=HYPERLINK("http://x")', *WIDE]
HARMLESS = ["", "lot 4711", "'=1", "a=1", " -", "ÖÄÜ ş ı 😀", 'quote " and, comma', "line\nbreak", "back\\slash", "\\."]


@pytest.mark.parametrize("lot", [*FORMULAS, *HARMLESS])
def test_no_text_becomes_a_formula_and_json_keeps_it_as_it_is(lot: str, site: Site, administrator: User) -> None:
    procedure = make_procedure(site, levels=["T12"])
    update_facts(
        procedure=procedure, facts={}, level_facts={"T12": {"cement_lot": lot}}, by=make_actor(), now=database_now()
    )
    settle()
    client = puller(administrator)
    table, lines = (good(pull(client, "treated_levels", versions="last", format=kind)) for kind in ("csv", "ndjson"))
    assert table.rows[0]["cement_lot"] == (f"'{lot}" if lot in FORMULAS else lot)
    assert lines.rows[0]["cement_lot"] == lot


def test_numbers_are_never_quoted_and_excel_gets_its_mark(site: Site, administrator: User) -> None:
    procedure = make_procedure(site)
    change(procedure, cement_ml="-1.5")
    settle()
    pulled = good(pull(puller(administrator), "procedures", versions="last", bom="true"))
    assert pulled.rows[0]["cement"] == "-1.5"
    assert pulled.body.startswith(b"\xef\xbb\xbfchange_epoch")
    assert Export.objects.get().sha256 == hashlib.sha256(pulled.body).hexdigest()


def fill(site: Site, versions: int) -> None:
    """Make many versions of one procedure, quickly."""
    procedure = make_procedure(site)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute WHERE attnum > 0 AND attname <> 'pgh_id' "
            "AND attrelid = 'clinic_procedureversion'::regclass AND NOT attisdropped"
        )
        columns = cursor.fetchone()[0]
        cursor.execute(
            f"INSERT INTO clinic_procedureversion ({columns}) SELECT {columns} FROM clinic_procedureversion, "  # noqa: S608
            "generate_series(1, %s) WHERE public_id = %s",
            [versions, procedure.public_id],
        )


def backends() -> int:
    """How many exports the server is working on."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'export'"
        )
        return int(cursor.fetchone()[0])


def gone_within(seconds: int) -> bool:
    """Whether the server stops working on exports in time."""
    end = database_now() + timedelta(seconds=seconds)
    while database_now() < end:
        if not backends():
            return True
    return False


def test_increments_pulled_while_others_write_add_up_to_the_whole(site: Site, administrator: User) -> None:
    procedures = [make_procedure(site) for _ in range(4)]
    client = puller(administrator)
    done = threading.Event()

    def write(number: int) -> None:
        """Write in transactions of very different lengths, so that they commit in another order than they began."""
        mine = connection.get_new_connection(connection.get_connection_params())
        try:
            mine.autocommit = False
            turn = 0
            while not done.is_set():
                turn += 1
                for value in range(1 + (turn * number) % 5):
                    mine.execute(
                        "UPDATE clinic_procedure SET baseline_systolic = %s WHERE id = %s",
                        [100 + (turn + value) % 100, procedures[number].pk],
                    )
                if turn % 3 == number % 3:
                    mine.execute("SELECT pg_sleep(0.02)")
                mine.commit()
        finally:
            mine.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    parts: list[bytes] = []
    since: dict[str, str] = {}
    try:
        for _ in range(15):
            pulled = good(pull(client, "procedures", **since))
            parts.append(pulled.body.split(b"\n", 1)[1])
            since = {"since": pulled.headers["Export-As-Of"]}
    finally:
        done.set()
        for thread in threads:
            thread.join()
    settle()
    last = good(pull(client, "procedures", **since))
    parts.append(last.body.split(b"\n", 1)[1])
    whole = good(pull(client, "procedures", as_of=last.headers["Export-As-Of"]))
    assert b"".join(parts) == whole.body.split(b"\n", 1)[1]
    assert len(whole.rows) > 100
    assert sum(1 for part in parts if part) > 3
