"""The API's own description (OpenAPI 3.1): short shapes beside each view, problem details on every operation."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import cache
from typing import Any, Literal, TypeVar

from django.conf import settings
from django.urls import URLResolver, get_resolver
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, extend_schema

#: A shape: a word of WORDS (with `?` where null is possible), an enum, a list of one shape, or a mapping.
Shape = Any
View = TypeVar("View", bound=Callable[..., Any])

WORDS: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "flag": {"type": "boolean"},
    "uuid": {"type": "string", "format": "uuid"},
    "instant": {"type": "string", "format": "date-time"},
    "day": {"type": "string", "format": "date"},
    "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    "object": {"type": "object", "additionalProperties": True},
    "any": {},
}


def schema_of(shape: Shape) -> dict[str, Any]:
    """Return the JSON Schema of a shape.

    In a mapping a name with `?` may be absent; the key "*" gives the shape of all further members. Raise KeyError for
    an unknown word.
    """
    if isinstance(shape, str):
        schema = dict(WORDS[shape.removesuffix("?")])
        return _or_null(schema) if shape.endswith("?") else schema
    if isinstance(shape, type) and issubclass(shape, StrEnum):
        return {"type": "string", "enum": [str(word) for word in shape]}
    if isinstance(shape, (list, tuple)):
        return {"type": "array", "items": schema_of(shape[0])}
    if isinstance(shape, Maybe):
        return _or_null(schema_of(shape.shape))
    if isinstance(shape, Mapping):
        members = {name: inner for name, inner in shape.items() if name != "*"}
        schema = {
            "type": "object",
            "properties": {name.removesuffix("?"): schema_of(inner) for name, inner in members.items()},
            "required": [name for name in members if not name.endswith("?")],
        }
        if "*" in shape:
            schema["additionalProperties"] = schema_of(shape["*"])
        if not schema["required"]:
            del schema["required"]
        return schema
    raise TypeError(f"not a shape: {shape!r}")


class Maybe:
    """A shape, or null."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    if isinstance(schema.get("type"), str) and "enum" not in schema:
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]} if schema else {}


def described(
    summary: str,
    *,
    takes: Shape | type | None = None,
    gives: Shape | None = None,
    status: int | Sequence[int] = 200,
    query: Mapping[str, str] | None = None,
    also: Mapping[tuple[int, str], Any] | None = None,
) -> Callable[[View], View]:
    """Describe a view's method: what it takes (a shape, or a serializer) and gives, and its query parameters.

    `query` is name → sentence. `also` adds answers of other media types.
    """
    responses: dict[Any, Any] = dict(also or {})
    for code in [status] if isinstance(status, int) else status:
        if gives is not None:
            responses[code, "application/json"] = schema_of(gives)
    if takes is None:
        body: Any = None
    elif isinstance(takes, type) and not issubclass(takes, StrEnum):
        body = takes
    else:
        body = {"application/json": schema_of(takes)}
    return extend_schema(
        summary=summary,
        request=body,
        responses=responses or None,
        parameters=[
            OpenApiParameter(name, str, OpenApiParameter.QUERY, description=sentence)
            for name, sentence in (query or {}).items()
        ],
    )


PROBLEM = schema_of(
    {
        "type": "text",
        "title": "text",
        "status": "integer",
        "detail": "text",
        "code": "text",
        "errors": [{"field": "text", "code": "text", "detail": "text"}],
    }
)
PROBLEMS = {
    "400": "What was sent cannot be read or is not accepted; `errors` names each field.",
    "401": "Nobody is logged in, or the token is not valid.",
    "403": "The person is known and may not do this.",
    "404": "Not there, or at another site: both look the same.",
    "409": "The state of the record does not allow it, or somebody was first.",
    "429": "Too much at once; `Retry-After` says when to come back.",
}


@cache
def route_names() -> dict[str, str]:
    """Return the name of every route by its path as OpenAPI writes it."""
    found: dict[str, str] = {}
    waiting: list[tuple[str, Any]] = [("/", pattern) for pattern in get_resolver().url_patterns]
    while waiting:
        prefix, pattern = waiting.pop()
        path = f"{prefix}{pattern.pattern}"
        if isinstance(pattern, URLResolver):
            waiting += [(path, inner) for inner in pattern.url_patterns]
        else:
            found[re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path)] = pattern.name or path
    return found


class Described(AutoSchema):
    """Operation ids from the route's name, tags from the path, problem details on every operation."""

    def get_operation_id(self) -> str:
        """Return the route's name and the method, which do not change when a path does."""
        return f"{route_names()[self.path].replace('-', '_')}_{self.method.lower()}"

    def get_tags(self) -> list[str]:
        """Return the first word of the path."""
        return [self.path.removeprefix("/api/v1/").split("/")[0]]

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for code, sentence in PROBLEMS.items():
            content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
            bodies.setdefault(code, {"description": sentence, "content": content})
        return bodies


def add_problem(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:  # noqa: FBT001
    """Put the shape of problem details among the components (a hook of drf-spectacular)."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
    return result


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """`Authorization: Bearer …` for programs."""

    target_class = "clinic.api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        """Return OpenAPI's words for it."""
        return {"type": "http", "scheme": "bearer", "description": "Made by `manage.py token create`."}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The browser's session."""

    target_class = "clinic.api.authentication.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        """Return OpenAPI's words for it."""
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}
