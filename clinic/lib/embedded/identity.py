"""As whom a server runs: never as root.

PostgreSQL refuses to run as root, and a broker should not. There are two ways out, tried in this order: another user
of the system, if it can reach the binaries and the data; a user namespace of one's own, if not (a project below a
home directory that only root may enter).
"""

import ctypes
import os
import pwd
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clinic.lib.embedded.errors import EmbeddedError

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
UNPRIVILEGED = ("postgres", "nobody")
INSIDE = 65534


@dataclass(frozen=True)
class Identity:
    """How to start a server: `uid` and `gid` to change to (None: stay), or a user namespace."""

    uid: int | None = None
    gid: int | None = None
    namespace: bool = False

    def own(self, *paths: Path) -> None:
        """Give directories to the user that the server will run as."""
        if self.uid is not None and self.gid is not None:
            for path in paths:
                os.chown(path, self.uid, self.gid)

    def popen_arguments(self) -> dict[str, object]:
        """Return the keyword arguments of subprocess.Popen that change the user."""
        if self.uid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def _libc() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(None, use_errno=True)
    except (OSError, TypeError):
        return None


LIBC = _libc()


def child_setup(identity: Identity | None, death_signal: signal.Signals) -> Callable[[], None]:
    """Return what a child does between fork and exec: its user namespace, and to die with its parent.

    The order matters: a change of credentials clears the death signal. Where prctl does not exist (macOS), the child
    outlives a parent that is killed, and the next start finds its process id in the data directory.
    """
    parent = os.getpid()

    def setup() -> None:
        if identity is not None and identity.namespace:
            _enter_user_namespace()
        if LIBC is not None and hasattr(LIBC, "prctl"):
            LIBC.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    return setup


def _enter_user_namespace() -> None:
    uid, gid = os.geteuid(), os.getegid()
    if LIBC is None or LIBC.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{INSIDE} {uid} 1"), ("gid_map", f"{INSIDE} {gid} 1")):
        descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY)
        os.write(descriptor, text.encode())
        os.close(descriptor)


def _works(identity: Identity, command: Sequence[str], directory: Path) -> bool:
    """Tell whether that identity can enter the directory and run the command."""
    try:
        done = subprocess.run(  # noqa: S603
            ["/bin/sh", "-c", 'cd "$0" && exec "$@"', str(directory), *command],
            preexec_fn=child_setup(identity, signal.SIGKILL),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            timeout=20,
            check=False,
            **identity.popen_arguments(),  # type: ignore[call-overload]
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return bool(done.returncode == 0)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _candidates(owner: int | None) -> list[pwd.struct_passwd]:
    """Return the users to try: whoever owns the data (none, where root does), else the usual ones that exist here."""
    found = []
    for name in UNPRIVILEGED if owner is None else (_name(owner),) if owner else ():
        try:
            found.append(pwd.getpwnam(name))
        except KeyError:
            continue
    return found


def unprivileged(binary: Path, directory: Path) -> Identity:
    """Return the identity under which `binary` runs with its data in `directory` (which exists).

    A directory that holds data already stays with the user who owns it. Raise EmbeddedError where the data belong to
    somebody else, or where the caller is root and neither way out works.
    """
    owner = directory.stat().st_uid
    if os.geteuid() != 0:
        if owner != os.geteuid():
            raise EmbeddedError(
                f"{directory} belongs to user {_name(owner)}.",
                f"Start as {_name(owner)} or as root, or with another DATA_DIR.",
            )
        return Identity()
    command = [str(binary), "--version"]
    used = any(directory.iterdir())
    for entry in _candidates(owner if used else None):
        identity = Identity(entry.pw_uid, entry.pw_gid)
        if _works(identity, command, directory.parent):
            return identity
    identity = Identity(namespace=True)
    if _works(identity, command, directory):
        return identity
    raise EmbeddedError(
        f"Started as root, and no unprivileged user can reach {directory}.",
        "Start as another user, put DATA_DIR where others may enter (/var/lib/clinic), or set DATABASE_URL.",
    )
