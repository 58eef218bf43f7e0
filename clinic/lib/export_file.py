"""Check a delivered export against its manifest.

Standard library alone, so that whoever received the file can run this one module: python export_file.py FILE MANIFEST
(the signature is checked where the package `cryptography` is there).
"""

from __future__ import annotations

import csv
import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

NEEDED = ("export", "dataset", "format", "rows", "bytes", "sha256", "columns")


@dataclass
class Finding:
    """What a check found: `faults` are differences, `notes` say what was not checked or is to be compared by eye."""

    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def check(file: Path, manifest_file: Path, trusted: bytes | None = None) -> Finding:
    """Compare size, hash, columns, rows and signature; `trusted` is the public key that must have signed.

    Raise ValueError or OSError where one of the two cannot be read.
    """
    manifest = read_manifest(manifest_file)
    found = Finding()
    size, digest = measure(file)
    if size != manifest["bytes"]:
        found.faults.append(f"the file has {size} bytes, the manifest says {manifest['bytes']}")
    if digest != manifest["sha256"]:
        found.faults.append(f"the file's SHA-256 is {digest}, the manifest says {manifest['sha256']}")
    try:
        columns, rows = shape(file, manifest["format"])
    except (ValueError, csv.Error) as error:
        found.faults.append(f"the file is not readable as {manifest['format']}: {error}")
    else:
        said = [column["name"] for column in manifest["columns"]]
        if columns is not None and columns != said:
            found.faults.append(f"the file's columns are {', '.join(columns)}; the manifest says {', '.join(said)}")
        if rows != manifest["rows"]:
            found.faults.append(f"the file has {rows} rows, the manifest says {manifest['rows']}")
    check_signature(manifest, trusted, found)
    return found


def read_manifest(path: Path) -> dict[str, Any]:
    """Return the manifest; raise ValueError where it is none."""
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise ValueError(f"{path} is not JSON.") from None
    missing = [name for name in NEEDED if not isinstance(manifest, dict) or name not in manifest]
    if missing:
        raise ValueError(f"{path} is not a manifest of an export: it lacks {', '.join(missing)}.")
    found: dict[str, Any] = manifest
    return found


def measure(path: Path) -> tuple[int, str]:
    """Return the size and SHA-256 of a file, read in pieces."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
            size += len(piece)
    return size, digest.hexdigest()


def shape(path: Path, kind: str) -> tuple[list[str] | None, int]:
    """Return the columns (None where the file is empty NDJSON) and the number of rows."""
    with path.open(encoding="utf-8-sig" if kind == "csv" else "utf-8", newline="") as file:
        if kind == "csv":
            csv.field_size_limit(1 << 30)
            reader = csv.reader(file, strict=True)
            columns = next(reader, [])
            return columns, sum(_as_wide(row, columns) for row in reader)
        if kind == "ndjson":
            lines = (list(json.loads(line)) for line in lines_of(file))
            first = next(lines, None)
            return first, 0 if first is None else 1 + sum(_as_wide(line, first) for line in lines)
    raise ValueError(f"unknown format {kind!r}")


def lines_of(file: TextIO) -> Iterator[str]:
    """Yield the lines, which end with LF and nothing else."""
    for line in file:
        if not line.endswith("\n"):
            raise ValueError("the last line is cut off")
        yield line


def _as_wide(row: list[str], columns: list[str]) -> int:
    if len(row) != len(columns):
        raise ValueError(f"a row has {len(row)} fields instead of {len(columns)}")
    return 1


def check_signature(manifest: dict[str, Any], trusted: bytes | None, found: Finding) -> None:
    """Check the signature over the RFC 8785 text of the other members (they hold no fractions, so sorted JSON is it)."""
    signature = manifest.get("signature")
    if not isinstance(signature, dict):
        found.faults.append("the manifest is not signed")
        return
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        found.notes.append("signature not checked: the Python package cryptography is not installed")
        return
    others = {name: value for name, value in manifest.items() if name != "signature"}
    text = json.dumps(others, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    try:
        public = bytes.fromhex(signature["public_key"])
        Ed25519PublicKey.from_public_bytes(public).verify(bytes.fromhex(signature["value"]), text)
    except (InvalidSignature, KeyError, ValueError, TypeError):
        found.faults.append("the manifest's signature does not match its content")
        return
    if trusted is None:
        found.notes.append(f"signed with the key {public.hex()}: compare it with the service's")
    elif public != trusted:
        found.faults.append("the manifest is signed with another key than the one trusted here")


def report(file: Path, manifest_file: Path, trusted: bytes | None = None) -> tuple[int, list[str]]:
    """Return the exit code (0 as exported, 1 differs, 2 cannot be read) and the lines to print."""
    try:
        found = check(file, manifest_file, trusted)
    except (OSError, ValueError) as error:
        return 2, [str(error)]
    if found.faults:
        return 1, [f"{file} is not as it was exported:", *(f"  {fault}" for fault in found.faults)]
    manifest = read_manifest(manifest_file)
    head = f"{file}: same bytes as exported; {manifest['dataset']}, {manifest['rows']} rows, {manifest['bytes']} bytes"
    return 0, [head, *found.notes]


if __name__ == "__main__":
    code, lines = report(Path(sys.argv[1]), Path(sys.argv[2])) if len(sys.argv) == 3 else (2, [str(__doc__)])
    print("\n".join(lines))  # noqa: T201 - this module is also a program
    sys.exit(code)
