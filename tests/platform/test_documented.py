"""What an operator must know stands in the documentation."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.service import TOP

READERS = re.compile(r"""(?:env\.(?:text|flag|number|items)|environ\.get|number)\(\s*"([A-Z][A-Z_]+)\"""")


def settings_read() -> set[str]:
    """Return the environment variables that the code reads."""
    found: set[str] = set()
    for package in ("clinic", "complications", "checklists"):
        for path in (TOP / package).rglob("*.py"):
            found |= set(READERS.findall(path.read_text()))
    return found - {"DJANGO_SETTINGS_MODULE"}


def test_every_setting_is_documented() -> None:
    text = (TOP / "docs" / "operations.md").read_text()
    assert settings_read() - set(re.findall(r"`([A-Z][A-Z_]+)`", text)) == set()


@pytest.mark.parametrize("name", ["requirements.in", "requirements-dev.in"])
def test_every_dependency_says_what_it_replaces(name: str) -> None:
    wanted = {
        re.split(r"[=<>;]", line)[0].strip()
        for line in (TOP / name).read_text().splitlines()
        if line.strip() and not line.startswith(("#", "-"))
    }
    text = (TOP / "docs" / "dependencies.md").read_text()
    rows = {
        package.strip()
        for line in text.splitlines()
        if line.startswith("| ") and len(line.split("|")[2].strip()) > 10
        for package in line.split("|")[1].split(",")
    }
    assert wanted - rows == set()


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_requirements_are_pinned_with_hashes_and_name_no_host(name: str) -> None:
    text = (TOP / name).read_text()
    pins = re.findall(r"^[a-z0-9][\w.\[\],-]*==\S+", text, re.M)
    assert pins
    assert "http" not in text
    assert "--find-links" not in text
    for block in re.split(r"\n(?=[a-z0-9])", text)[1:]:
        assert "--hash=sha256:" in block, block.splitlines()[0]


def test_only_declared_packages_are_imported() -> None:
    """Everything that the service imports stands in requirements.in, not merely in the environment of a developer."""
    done = subprocess.run(
        ["git", "ls-files", "clinic", "complications", "checklists"],
        cwd=TOP,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {
        match
        for path in done.stdout.split()
        if path.endswith(".py")
        for match in re.findall(r"^\s*(?:from|import) ([a-z_0-9]+)", Path(TOP / path).read_text(), re.M)
    }
    not_for_the_service = {"pytest", "hypothesis", "playwright", "schemathesis", "tomli_w", "requests", "httpx", "uv"}
    assert imported & not_for_the_service == set()
