"""One embedded Valkey server: a broker on a Unix socket with an append-only file.

Losing it wholly loses nothing but wake-ups, since everything that is due stands in PostgreSQL; the file only spares
the queue a restart.
"""

import socket
import time
from dataclasses import dataclass, field
from pathlib import Path

from clinic.lib.embedded import binaries
from clinic.lib.embedded.identity import Identity, unprivileged
from clinic.lib.embedded.places import Places


@dataclass
class Broker:
    """An embedded broker in a data directory."""

    places: Places
    durable: bool = True
    identity: Identity = field(init=False, default_factory=Identity)

    @property
    def socket(self) -> Path:
        """The Unix socket that clients connect to."""
        return self.places.sockets(self.places.valkey) / "valkey.sock"

    def prepare(self) -> None:
        """Make the directories and choose the user; safe to repeat."""
        base = self.places.valkey
        base.mkdir(parents=True, exist_ok=True)
        self.identity = unprivileged(binaries.valkey(), base)
        sockets = self.places.sockets(base)
        sockets.mkdir(mode=0o700, exist_ok=True)
        for path in {base, sockets}:
            path.chmod(0o700)
            self.identity.own(path)

    def command(self) -> list[str]:
        """Return the command that runs the server in the foreground, without a TCP port."""
        return [
            str(binaries.valkey()),
            "--port", "0",
            "--unixsocket", str(self.socket),
            "--unixsocketperm", "700",
            "--dir", str(self.places.valkey),
            "--appendonly", "yes" if self.durable else "no",
            "--appendfsync", "everysec",
            "--save", "",
            "--maxmemory-policy", "noeviction",
        ]  # fmt: skip

    def mend(self) -> None:
        """Put aside an append-only file that a power cut left unreadable: it holds wake-ups, nothing that is due."""
        log = self.places.logs / "valkey.log"
        try:
            tail = log.read_text(errors="replace")[-4000:]
        except OSError:
            return
        folder = self.places.valkey / "appendonlydir"
        if (
            "Bad file format reading the append only file" in tail.rsplit("Server initialized", 1)[-1]
            and folder.is_dir()
        ):
            folder.rename(folder.with_name(f"appendonlydir.unreadable.{time.time_ns()}"))

    def ready(self) -> bool:
        """Tell whether the server answers PING; while it loads its file it does not."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
                client.settimeout(1)
                client.connect(str(self.socket))
                client.sendall(b"PING\r\n")
                return client.recv(64).startswith(b"+PONG")
        except OSError:
            return False
