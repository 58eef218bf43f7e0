"""A delivered file is checked against its manifest, without the service."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from clinic.lib import export_file
from clinic.lib.embedded.places import Places
from clinic.vocabulary import Role
from tests.exporting import pull, puller, settle
from tests.make import make_procedure, make_site, make_user

pytestmark = pytest.mark.django_db(transaction=True)

Delivered = tuple[Path, Path]


@pytest.fixture
def deliver(settings: Any, tmp_path: Path) -> Callable[..., Delivered]:
    """Return a function that pulls an export into a file, with its manifest beside it."""
    settings.PLACES = Places(tmp_path / "data")
    site = make_site("alpha")
    client = puller(make_user(site, Role.ADMINISTRATOR))

    def work(format: str, procedures: int = 2) -> Delivered:
        for _ in range(procedures):
            make_procedure(site)
        settle()
        pulled = pull(client, "procedures", format=format)
        file, manifest = tmp_path / f"file.{format}", tmp_path / "manifest.json"
        file.write_bytes(pulled.body)
        answer = client.get(f"/api/v1/exports/procedures/manifest?export={pulled.headers['Export-Id']}")
        manifest.write_bytes(answer.content)
        return file, manifest

    return work


def verify(file: Path, manifest: Path, *more: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("export", "verify", str(file), str(manifest), *more, stdout=out, stderr=out)
    except SystemExit as end:
        return int(str(end.code)), out.getvalue()
    raise AssertionError("the command always exits")


@pytest.mark.parametrize("format", ["csv", "ndjson"])
@pytest.mark.parametrize("procedures", [0, 3])
def test_what_was_delivered_verifies(deliver: Callable[..., Delivered], format: str, procedures: int) -> None:
    code, said = verify(*deliver(format, procedures))
    assert (code, f"{procedures} rows" in said) == (0, True), said


@pytest.mark.parametrize("format", ["csv", "ndjson"])
def test_one_altered_value_is_found(deliver: Callable[..., Delivered], format: str) -> None:
    file, manifest = deliver(format)
    file.write_bytes(file.read_bytes().replace(b"kyphoplasty", b"vertebropla", 1))
    code, said = verify(file, manifest)
    assert (code, "SHA-256" in said) == (1, True)


@pytest.mark.parametrize("format", ["csv", "ndjson"])
def test_a_cut_file_is_found(deliver: Callable[..., Delivered], format: str) -> None:
    file, manifest = deliver(format)
    file.write_bytes(file.read_bytes().rsplit(b"\n", 2)[0] + b"\n")
    code, said = verify(file, manifest)
    assert (code, "1 rows" in said) == (1, True), said


def test_a_manifest_made_to_fit_fails_its_signature(deliver: Callable[..., Delivered]) -> None:
    file, manifest = deliver("csv")
    file.write_bytes(file.read_bytes().replace(b"kyphoplasty", b"vertebropla", 1))
    size, digest = export_file.measure(file)
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "bytes": size, "sha256": digest}))
    code, said = verify(file, manifest)
    assert (code, "signature" in said) == (1, True)


def test_another_key_is_not_trusted(deliver: Callable[..., Delivered]) -> None:
    code, said = verify(*deliver("csv"), "--key", "00" * 32)
    assert (code, "another key" in said) == (1, True)


@pytest.mark.parametrize("text", ["", "[]", "{}", "<html>", '{"rows": 1}'])
def test_what_is_no_manifest_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    (tmp_path / "file.csv").write_text("a\n")
    assert verify(tmp_path / "file.csv", tmp_path / "manifest.json")[0] == 2
    assert verify(tmp_path / "absent.csv", tmp_path / "manifest.json")[0] == 2


def test_the_receiver_needs_python_alone(deliver: Callable[..., Delivered]) -> None:
    file, manifest = deliver("csv")
    program = [sys.executable, "-I", "-S", export_file.__file__, str(file), str(manifest)]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert (done.returncode, "signature not checked" in done.stdout) == (0, True), done.stdout + done.stderr
