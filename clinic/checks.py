"""What must hold before the service starts."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.urls import URLPattern, URLResolver, get_resolver

from clinic.access import matrix


@register("security")
def every_route_has_a_rule(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Refuse to start with a route that the authorization matrix does not name, or a line that names no route."""
    try:
        table = matrix()
    except (ValueError, OSError) as error:
        return [Error(str(error), id="clinic.E002")]
    names = set(route_names(get_resolver().url_patterns))
    faults: list[CheckMessage] = [
        Error(
            f"The route {name!r} has no line in clinic/authorization.toml.",
            hint="Say there which role may call it with which method.",
            id="clinic.E001",
        )
        for name in sorted(names - set(table))
    ]
    faults += [
        Error(f"clinic/authorization.toml has a line for {name!r}, and no route has that name.", id="clinic.E003")
        for name in sorted(set(table) - names)
    ]
    return faults


def route_names(patterns: Sequence[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    """Yield the name of every route, its path where it has none."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from route_names(pattern.url_patterns, f"{prefix}{pattern.pattern}")
        else:
            yield pattern.name or f"{prefix}{pattern.pattern}"


@register("security", deploy=True)
def pages_can_leave(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Refuse a deployment from which no message could reach anybody: only the demo has a page to read them on."""
    if settings.DEMO or settings.EMAIL_HOST or settings.SMS_URL:
        return []
    return [
        Error(
            "No page could leave: set EMAIL_HOST or SMS_URL, or nobody without a push phone is called.",
            id="clinic.E020",
        )
    ]
