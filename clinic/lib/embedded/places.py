"""Where everything of one running service lies inside its data directory."""

import hashlib
import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

# The kernel's limit is 107 bytes for the whole socket path; PostgreSQL adds "/.s.PGSQL.5432.lock" while starting.
SOCKET_DIRECTORY_LIMIT = 80

DATABASE = "clinic"
OWNER = "clinic_owner"
APP = "clinic_app"
SUPERUSER = "postgres"


@dataclass(frozen=True)
class Places:
    """The files below one data directory; making the object touches nothing on the disk."""

    root: Path

    @property
    def lock(self) -> Path:
        """The file that a running supervisor holds locked."""
        return self.root / "lock"

    @property
    def keys(self) -> Path:
        """Passwords and keys, one a file, readable by the owner only."""
        return self.root / "keys"

    @property
    def logs(self) -> Path:
        """One log file for each process."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """Process ids of the running children, for a person who looks."""
        return self.root / "run"

    @property
    def postgres(self) -> Path:
        """The directory given to PostgreSQL's user: `data` and the socket lie in it."""
        return self.root / "postgres"

    @property
    def valkey(self) -> Path:
        """The directory given to Valkey: its append-only file and the socket lie in it."""
        return self.root / "valkey"

    def sockets(self, server: Path) -> Path:
        """Return the directory for a server's socket: inside its own one, or a short one where the path is too long."""
        if len(os.fsencode(server)) <= SOCKET_DIRECTORY_LIMIT:
            return server
        name = hashlib.sha256(os.fsencode(server)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"clinic-{os.getuid()}-{name}"

    def password(self, role: str) -> str:
        """Return the password of an embedded database role; empty until the cluster has been made."""
        return self.known_secret(f"database-{role}")

    def known_secret(self, name: str) -> str:
        """Return the secret of that name, or an empty text where none has been made."""
        path = self.keys / name
        return path.read_text().strip() if path.is_file() else ""

    def secret(self, name: str) -> str:
        """Return the secret of that name; make it (43 random characters, file mode 0600) where there is none."""
        path = self.keys / name
        if path.is_file():
            return path.read_text().strip()
        self.keys.mkdir(parents=True, exist_ok=True, mode=0o700)
        value = secrets.token_urlsafe(32)
        partial = path.with_name(f".{name}.{os.getpid()}")
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:  # noqa: PTH123
            file.write(value + "\n")
        try:
            # A link, not a rename: of two processes that make the same secret at once, the first one wins.
            os.link(partial, path)
        except FileExistsError:
            return path.read_text().strip()
        finally:
            partial.unlink()
        return value

    def database_url(self, role: str, *, database: str = DATABASE) -> str:
        """Return the URL of the embedded PostgreSQL for one role, over its Unix socket."""
        host = quote(str(self.sockets(self.postgres)), safe="/")
        return f"postgresql://{role}:{quote(self.password(role), safe='')}@/{database}?host={host}"

    def redis_url(self, *, number: int = 0) -> str:
        """Return the URL of the embedded Valkey's database `number`, over its Unix socket."""
        return f"redis+socket://{self.sockets(self.valkey)}/valkey.sock?virtual_host={number}"
