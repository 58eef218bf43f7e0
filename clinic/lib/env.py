"""Typed readers of environment variables: a senseless value stops the start with one clear line."""

import json
import os
from collections.abc import Sequence
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str) -> str:
    """Return the variable, or `default` where it is absent or empty."""
    return os.environ.get(name) or default


def flag(name: str, *, default: bool) -> bool:
    """Return a yes/no variable (1, 0, true, false, yes, no); raise ImproperlyConfigured for anything else."""
    raw = os.environ.get(name, "").strip().lower()
    if not raw:
        return default
    if raw in {"1", "true", "yes", "on"}:
        return True
    if raw in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name}={raw!r} is neither yes nor no: set it to 1 or 0.")


def number(name: str, *, default: int, low: int, high: int) -> int:
    """Return a whole number between `low` and `high`; raise ImproperlyConfigured otherwise."""
    raw = os.environ.get(name, "").strip()
    if not raw:
        return default
    try:
        value = int(raw)
    except ValueError:
        raise ImproperlyConfigured(f"{name}={raw!r} is not a whole number.") from None
    if not low <= value <= high:
        raise ImproperlyConfigured(f"{name}={value} must lie between {low} and {high}.")
    return value


def items(name: str, default: list[str]) -> list[str]:
    """Return a comma-separated variable as a list without empty entries."""
    raw = os.environ.get(name)
    return default if raw is None else [part.strip() for part in raw.split(",") if part.strip()]


def choice(name: str, default: str, words: Sequence[str]) -> str:
    """Return one of `words`; raise ImproperlyConfigured for anything else."""
    value = os.environ.get(name, "").strip() or default
    if value not in words:
        raise ImproperlyConfigured(f"{name}={value!r} must be one of {', '.join(words)}.")
    return value


def mapping(name: str, default: dict[str, str]) -> dict[str, str]:
    """Return a JSON object of texts; raise ImproperlyConfigured for anything else."""
    raw = os.environ.get(name, "").strip()
    if not raw:
        return default
    try:
        value = json.loads(raw)
    except ValueError:
        value = None
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise ImproperlyConfigured(f"{name} must be a JSON object of texts, such as {json.dumps(default)}.")
    return value


def url(name: str) -> str:
    """Return an http or https address, or an empty text; raise ImproperlyConfigured for anything else."""
    value = os.environ.get(name, "").strip()
    parts = urlsplit(value)
    if value and (parts.scheme not in {"http", "https"} or not parts.hostname):
        raise ImproperlyConfigured(f"{name} must be an http or https address.")
    return value


def secret(name: str, *, least: int) -> str:
    """Return a secret of at least `least` characters, or an empty text; raise ImproperlyConfigured for a shorter one."""
    value = os.environ.get(name, "").strip()
    if value and len(value) < least:
        raise ImproperlyConfigured(f"{name} is too short to be a secret: use at least {least} random characters.")
    return value


def owner_url(embedded: str) -> str:
    """Return the URL that migrations use: DATABASE_OWNER_URL, or the embedded server's where no URL is given at all."""
    if url := os.environ.get("DATABASE_OWNER_URL"):
        return url
    if os.environ.get("DATABASE_URL"):
        raise ImproperlyConfigured(
            "This command changes tables: set DATABASE_OWNER_URL to the role that owns them (DATABASE_URL may not)."
        )
    return embedded


def database(url: str) -> dict[str, object]:
    """Return Django's DATABASES entry for a postgresql:// URL; `?host=/dir` names a socket directory."""
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured(
            f"DATABASE_URL has the scheme {parts.scheme!r}: use postgresql://user:password@host:port/name."
        )
    query = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "clinic.lib.database",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", "") or unquote(parts.hostname or ""),
        "PORT": query.pop("port", "") or str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        # Counts for the few statements of clinic.lib.prepared: the ORM's own go out with their values written in.
        "OPTIONS": {**query, "prepare_threshold": 1},
    }
