"""Checkpoints of the audit trail as files: what a copy kept elsewhere holds, and how to check it alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rfc8785

from clinic.lib.merkle import leaf, root
from clinic.lib.signing import verifies

Head = tuple[str, int, bytes]


@dataclass(frozen=True)
class CheckpointFile:
    """One checkpoint with everything that checks it."""

    statement: str
    signature: str
    public_key: str
    heads: tuple[Head, ...]

    @property
    def said(self) -> dict[str, Any]:
        """The members of the statement: number, at, leaves, root, previous, key_id."""
        members: dict[str, Any] = json.loads(self.statement)
        return members

    @property
    def sha256(self) -> str:
        """The hash by which the next checkpoint names this one."""
        return hashlib.sha256(self.statement.encode()).hexdigest()

    def fault(self, public: bytes | None) -> str:
        """Return what is wrong with it in itself, "" where nothing is; `public` is the key that is trusted."""
        if public is not None and self.public_key != public.hex():
            return "it is signed with another key"
        if not verifies(self.statement.encode(), bytes.fromhex(self.signature), bytes.fromhex(self.public_key)):
            return "its signature does not match"
        if (self.said["leaves"], self.said["root"]) != (len(self.heads), tree_root(self.heads)):
            return "its heads do not match its root"
        return ""


def statement_of(*, number: int, at: str, heads: Sequence[Head], previous: str | None, key_id: str) -> str:
    """Return the RFC 8785 text that is signed."""
    members: dict[str, Any] = {
        "number": number,
        "at": at,
        "leaves": len(heads),
        "root": tree_root(heads),
        "previous": previous,
        "key_id": key_id,
    }
    return rfc8785.dumps(members).decode()


def tree_root(heads: Sequence[Head]) -> str:
    """Return the Merkle root over heads (sorted by stream) in hexadecimal."""
    return root([leaf(*head) for head in heads]).hex()


def path_of(directory: Path, number: int) -> Path:
    """Return the file of a checkpoint."""
    return directory / f"{number:08d}.json"


def write(directory: Path, checkpoint: CheckpointFile) -> Path:
    """Write the file whole or not at all, and return its path; raise FileExistsError where another content stands."""
    path = path_of(directory, checkpoint.said["number"])
    text = json.dumps(
        {
            "statement": checkpoint.statement,
            "signature": checkpoint.signature,
            "public_key": checkpoint.public_key,
            "heads": [[stream, seq, digest.hex()] for stream, seq, digest in checkpoint.heads],
        },
        indent=0,
    )
    if path.is_file():
        if read(path) != checkpoint:
            raise FileExistsError(f"{path} holds another checkpoint: this database is older than its checkpoints.")
        return path
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_suffix(".partial")
    partial.write_text(text)
    partial.rename(path)
    return path


def read(path: Path) -> CheckpointFile:
    """Return the checkpoint in a file; raise ValueError where it cannot be read as one."""
    try:
        members = json.loads(path.read_text())
        return CheckpointFile(
            statement=members["statement"],
            signature=members["signature"],
            public_key=members["public_key"],
            heads=tuple((stream, seq, bytes.fromhex(digest)) for stream, seq, digest in members["heads"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a checkpoint: {error}") from None


def files(directory: Path) -> list[Path]:
    """Return the checkpoint files of a directory in order."""
    return sorted(directory.glob("[0-9]*.json")) if directory.is_dir() else []
