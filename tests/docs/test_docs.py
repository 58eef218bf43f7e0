"""What must be documented is tested to be: commands, endpoints, audit names, and that named tests exist."""

import ast
import csv
import re
from pathlib import Path

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

TOP = Path(__file__).resolve().parent.parent.parent
DOCS = TOP / "docs"
PACKAGES = ("clinic", "complications", "checklists")


def text(*names: str) -> str:
    """The text of some documents."""
    return "\n".join((DOCS / name).read_text(encoding="utf-8") for name in names)


def everything() -> str:
    """The text of all documents."""
    return "\n".join(path.read_text(encoding="utf-8") for path in [TOP / "README.md", *sorted(DOCS.rglob("*.md"))])


def commands() -> list[str]:
    """The names of our management commands."""
    found = (path for package in PACKAGES for path in (TOP / package).glob("management/commands/*.py"))
    return sorted(path.stem for path in found if path.stem != "__init__")


@pytest.mark.parametrize("command", commands())
def test_every_command_is_documented(command: str) -> None:
    assert re.search(rf"manage\.py {command}\b", everything()), f"Say in docs/ what manage.py {command} does."


def routes(patterns: list[URLPattern | URLResolver], before: str = "/") -> list[tuple[str, str]]:
    """Every url name of ours with its path, arguments as {name}."""
    found = []
    for pattern in patterns:
        path = before + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(pattern.pattern)).replace("public_id", "id")
        if isinstance(pattern, URLResolver):
            found += routes(pattern.url_patterns, path)
        elif pattern.name and pattern.name.startswith(("api-", "page-", "healthz")):
            found.append((pattern.name, path))
    return sorted(set(found))


@pytest.mark.parametrize(("name", "path"), sorted(set(routes(get_resolver().url_patterns))))
def test_every_endpoint_and_page_is_documented(name: str, path: str) -> None:
    # Any name stands for an argument: /runs/{id}/ and /runs/{run}/ are one.
    wanted = re.sub(r"\\\{\w+\\\}", r"\\{\\w+\\}", re.escape(path.removeprefix("/api/v1")))
    documented = text("endpoints.md")
    assert re.search(rf"`{wanted}`", documented), f"{name}: write a line for {path} into docs/endpoints.md."


def audit_names() -> dict[str, str]:
    """Every action name that our code writes into the trail → where."""
    found = {}
    for package in PACKAGES:
        for path in sorted((TOP / package).rglob("*.py")):
            if "migrations" in path.parts:
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call):
                    continue
                for keyword in node.keywords:
                    if keyword.arg == "action" and isinstance(keyword.value, ast.Constant):
                        found[str(keyword.value.value)] = f"{path.relative_to(TOP)}:{node.lineno}"
    return {name: where for name, where in found.items() if re.fullmatch(r"[a-z_]+\.[a-z_]+", name)}


@pytest.mark.parametrize(("name", "where"), sorted(audit_names().items()))
def test_every_audit_name_is_documented(name: str, where: str) -> None:
    assert f"`{name}`" in text("audit-names.md"), f"{where}: write a line for {name} into docs/audit-names.md."


def requirements() -> list[dict[str, str]]:
    """The rows of the security requirements."""
    with (DOCS / "security" / "asvs.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("row", requirements(), ids=lambda row: row["id"])
def test_every_test_that_a_requirement_names_exists(row: dict[str, str]) -> None:
    assert row["test"]
    for named in row["test"].split("; "):
        path, _, function = named.partition("::")
        source = (TOP / path).read_text(encoding="utf-8")
        assert re.search(rf"^(async )?def {function}\(", source, re.MULTILINE), named


def links() -> list[tuple[str, str]]:
    """Every relative link of a document."""
    found = []
    for path in [TOP / "README.md", *sorted(DOCS.rglob("*.md"))]:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
            if "://" not in target:
                found.append((str(path.relative_to(TOP)), target))
    return sorted(set(found))


@pytest.mark.parametrize(("document", "target"), links())
def test_every_link_leads_somewhere(document: str, target: str) -> None:
    assert ((TOP / document).parent / target).exists()


def test_the_line_that_who_asks_for_stands_where_people_read() -> None:
    line = "(c) World Health Organization 2008"
    for name in ("README.md", "docs/clinical-content.md"):
        written = " ".join(
            (TOP / name)
            .read_text(encoding="utf-8")
            .replace("World Health\nOrganization", "World Health Organization")
            .split()
        )
        assert line in written
        assert "Not for clinical use" in written


def test_no_document_claims_a_certificate() -> None:
    claims = re.findall(
        r"\b(?:HIPAA|GDPR|KVKK|DCB0129|Part 11)[ -]compliant\b|\bcompliant with\b", everything(), re.IGNORECASE
    )
    assert claims == []
