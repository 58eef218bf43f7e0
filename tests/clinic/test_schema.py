"""The API describes itself, completely and validly, and answers as it says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import yaml
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.module_loading import import_string
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.validation import validate_schema

from clinic.access import matrix
from clinic.vocabulary import Role
from tests.clients import ApiClient
from tests.described import description
from tests.make import make_site, make_user

#: the packages that say of each of their views what it takes and gives
PACKAGES = ("clinic", "complications", "checklists")


def urlpatterns_of(packages: Sequence[str]) -> list[URLPattern | URLResolver]:
    """The API routes that these packages own."""
    return [pattern for package in packages for pattern in import_string(f"{package}.urls.api_urlpatterns")]


def api_routes(patterns: Sequence[URLPattern | URLResolver], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield (url name, path) of every route under /api/v1/."""
    for pattern in patterns:
        path = f"{prefix}{pattern.pattern}"
        if isinstance(pattern, URLResolver):
            yield from api_routes(pattern.url_patterns, path)
        elif path.startswith("api/v1/"):
            yield pattern.name or "", path


def test_the_description_is_valid_openapi_without_a_guess() -> None:
    GENERATOR_STATS.reset()
    validate_schema(description())  # type: ignore[no-untyped-call]
    assert description()["openapi"].startswith("3.1")
    complaints = [*GENERATOR_STATS._warn_cache, *GENERATOR_STATS._error_cache]
    assert not [complaint for complaint in complaints if any(f"/{name}/api/" in complaint for name in PACKAGES)]


def test_every_route_and_method_of_the_api_is_described() -> None:
    named = {
        operation["operationId"] for methods in description()["paths"].values() for method, operation in methods.items()
    }
    wanted = {
        f"{name.replace('-', '_')}_{method.lower()}"
        for name, _ in api_routes(get_resolver().url_patterns)
        for method in matrix()[name]
    }
    assert wanted == named


def test_every_operation_says_what_it_gives_and_how_it_refuses() -> None:
    ours = {name.replace("-", "_") for name, _ in api_routes(urlpatterns_of(PACKAGES), "api/v1/")}
    for path, methods in description()["paths"].items():
        for method, operation in methods.items():
            if operation["operationId"].rpartition("_")[0] not in ours:
                continue
            place = f"{method.upper()} {path}"
            good = {code: answer for code, answer in operation["responses"].items() if code.startswith("2")}
            assert good, place
            assert all("content" in answer or code == "204" for code, answer in good.items()), f"{place} gives no shape"
            assert operation["summary"], f"{place} has no summary"
            refusal = operation["responses"]["403"]["content"]["application/problem+json"]["schema"]
            assert refusal == {"$ref": "#/components/schemas/Problem"}, place


@pytest.mark.django_db
def test_anybody_can_read_the_description_and_browse_it(anonymous: Client) -> None:
    answer = anonymous.get("/api/schema/")
    assert answer.status_code == 200
    assert yaml.safe_load(answer.content)["openapi"].startswith("3.1")
    page = anonymous.get("/api/docs/")
    assert (page.status_code, b"swagger-ui" in page.content) == (200, True)
    assert b"https://" not in page.content
    assert "script-src 'self'" in page["Content-Security-Policy"]


@pytest.mark.django_db
class TestTokens:
    @pytest.fixture
    def client(self, as_: Any) -> Any:
        return as_(make_user(make_site(), Role.ADMINISTRATOR, "lund"))

    def test_a_token_is_shown_once_works_and_ends(self, client: Any) -> None:
        made = client.send("POST", "/tokens/", {"name": "registry", "scopes": ["exports:read"], "days": 2})
        assert made.status_code == 201
        secret, public_id = made.json()["token"], made.json()["id"]
        program: Any = ApiClient(headers={"authorization": f"Bearer {secret}"})
        assert program.get("/api/v1/exports/").status_code == 200
        listed = client.get("/api/v1/tokens/").json()["results"]
        assert [(row["id"], row["user"], row["revoked_at"]) for row in listed] == [(public_id, "lund", None)]
        assert secret not in str(listed)
        assert listed[0]["last_used_at"] is not None
        for _ in range(2):
            ended = client.send("POST", f"/tokens/{public_id}/revocation/")
            assert ended.status_code == 200
            assert ended.json()["revoked_at"] is not None
        assert program.get("/api/v1/exports/").status_code == 401

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"name": "x", "scopes": ["everything"]}, "scopes.0"),
            ({"name": "x", "scopes": []}, "scopes"),
            ({"name": "x", "scopes": ["read"], "days": 1000}, "days"),
            ({"scopes": ["read"]}, "name"),
        ],
    )
    def test_a_senseless_token_is_refused_by_field(self, client: Any, body: dict[str, Any], field: str) -> None:
        answer = client.send("POST", "/tokens/", body)
        assert answer.status_code == 400
        assert field in {error["field"] for error in answer.json()["errors"]}

    def test_a_token_does_not_make_tokens(self, client: Any) -> None:
        made = client.send("POST", "/tokens/", {"name": "x", "scopes": ["read"], "days": 2}).json()
        program: Any = ApiClient(headers={"authorization": f"Bearer {made['token']}"})
        assert program.send("POST", "/tokens/", {"name": "y", "scopes": ["read"]}).status_code == 403
