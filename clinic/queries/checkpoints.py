"""Compare the audit trail with its signed checkpoints, in the database and in files kept elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from django.db import connection

from clinic.lib import checkpoint_files
from clinic.lib.checkpoint_files import CheckpointFile, Head
from clinic.models import AuditCheckpoint
from clinic.queries.audit import AuditFault

#: So many heads are looked up at once.
BATCH = 1000

DIFFERENT = """
SELECT want.stream, want.seq, entry.hash IS NULL
FROM unnest(%s::text[], %s::bigint[], %s::bytea[]) AS want (stream, seq, hash)
LEFT JOIN clinic_auditentry AS entry ON entry.stream = want.stream AND entry.seq = want.seq
WHERE entry.hash IS DISTINCT FROM want.hash ORDER BY want.stream, want.seq
"""


def verify_checkpoints(directory: Path, public: bytes | None) -> tuple[int, list[AuditFault]]:
    """Return how many checkpoints there are, and what is wrong with them or with the trail that they saw.

    A file counts more than the row of its number: the files are what lies outside the database. `public` is the key
    that is trusted; without one a signature is only checked against the key that the checkpoint itself names.
    """
    paths = {int(path.stem): path for path in checkpoint_files.files(directory)}
    numbers = set(AuditCheckpoint.objects.values_list("number", flat=True)) | set(paths)
    faults: list[AuditFault] = []
    expected, previous = 1, None
    for number in sorted(numbers):
        name = f"checkpoint {number}"
        for missing in range(expected, number):
            faults.append(AuditFault(f"checkpoint {missing}", 0, "missing", "it is neither in the database nor a file"))
            previous = None
        checkpoint, found = load(number, paths.get(number))
        faults += [AuditFault(name, 0, kind, what) for kind, what in found]
        expected = number + 1
        if checkpoint is None:
            previous = None
            continue
        if what := checkpoint.fault(public):
            faults.append(AuditFault(name, 0, "changed", what))
        elif checkpoint.said["number"] != number or (previous and checkpoint.said["previous"] != previous):
            faults.append(AuditFault(name, 0, "changed", "it does not follow the checkpoint before it"))
        else:
            faults += compared(name, checkpoint.heads)
        previous = checkpoint.sha256
    return len(numbers), faults


def load(number: int, path: Path | None) -> tuple[CheckpointFile | None, list[tuple[str, str]]]:
    """Return the checkpoint from its file, from its row where there is no file, and how the two differ."""
    row = AuditCheckpoint.objects.filter(number=number).first()
    kept = None
    if row is not None:
        heads = row.heads.order_by("id").values_list("stream", "seq", "hash")
        kept = CheckpointFile(
            row.statement,
            row.signature,
            row.public_key,
            tuple((stream, seq, bytes(digest)) for stream, seq, digest in heads),
        )
    if path is None:
        return kept, []
    try:
        written = checkpoint_files.read(path)
    except ValueError as error:
        return kept, [("changed", str(error))]
    if kept is None:
        return written, [("missing", f"{path.name} is not in the database: it was removed, or this is an older copy")]
    return written, [] if kept == written else [("changed", f"the database differs from {path.name}")]


def compared(name: str, heads: Sequence[Head]) -> list[AuditFault]:
    """Return the heads that the trail no longer has as the checkpoint saw them."""
    faults = []
    with connection.cursor() as cursor:
        for start in range(0, len(heads), BATCH):
            part = heads[start : start + BATCH]
            cursor.execute(DIFFERENT, [list(column) for column in zip(*part, strict=True)])
            for stream, seq, gone in cursor.fetchall():
                kind, what = ("missing", "saw this entry, and it is gone") if gone else ("changed", "saw another entry")
                faults.append(AuditFault(stream, seq, kind, f"{name} {what}"))
    return faults
