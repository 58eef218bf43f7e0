"""Hold every JSON answer that a test receives against the API's own description."""

from __future__ import annotations

from functools import cache
from typing import Any

import jsonschema_rs
from drf_spectacular.generators import SchemaGenerator

from clinic.api.schema import PROBLEM


@cache
def description() -> dict[str, Any]:
    """The OpenAPI document of this source."""
    document: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return document


@cache
def operations() -> dict[str, dict[str, Any]]:
    """Operations by id."""
    return {
        operation["operationId"]: operation
        for methods in description()["paths"].values()
        for method, operation in methods.items()
        if method != "parameters"
    }


@cache
def _validator(operation: str, status: str, media: str) -> Any:
    if media == "application/problem+json" and status[0] in "45":
        return jsonschema_rs.Draft202012Validator(PROBLEM, validate_formats=True)
    content = operations()[operation]["responses"].get(status, {}).get("content", {})
    if media not in content:
        return None
    schema = {**content[media]["schema"], "components": description()["components"]}
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


@cache
def described(operation: str) -> bool:
    """Whether the operation says what it gives, more than that it is an object."""
    answers = operations().get(operation, {}).get("responses", {})
    shapes = [
        media["schema"]
        for code, answer in answers.items()
        if code[0] == "2"
        for media in answer.get("content", {}).values()
    ]
    return any(shape.keys() - {"type", "additionalProperties"} for shape in shapes)


def hold_to_description(response: Any, method: str) -> None:
    """Raise AssertionError where an answer of the API is not as it is described; other answers pass."""
    match = response.wsgi_request.resolver_match
    media = response.headers.get("Content-Type", "").partition(";")[0]
    if match is None or not match.route.startswith("api/v1/") or response.streaming or not media.endswith("json"):
        return
    operation = f"{match.view_name.replace('-', '_')}_{method.lower()}"
    if not described(operation):
        return
    validator = _validator(operation, str(response.status_code), media)
    assert validator is not None, f"{operation} does not say that it answers {response.status_code} {media}"
    body = response.json()
    found = [f"{'/'.join(map(str, error.instance_path))}: {error.message}" for error in validator.iter_errors(body)]
    assert not found, f"{operation} {response.status_code} is not as described: {found[:5]}"
