"""Sign what the audit trail says, and keep it where the database's masters cannot change it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from django.db import connection, transaction

from clinic.actions.audit import rfc3339
from clinic.lib.checkpoint_files import CheckpointFile, path_of, statement_of, write
from clinic.lib.signing import key_id, public_key, sign
from clinic.models import AuditCheckpoint, AuditCheckpointHead

LOCK = 0x434B5054

GROWN = """
SELECT stream, seq, hash FROM clinic_audithead AS head
WHERE seq > 0 AND NOT EXISTS (
    SELECT 1 FROM clinic_auditcheckpointhead AS known WHERE known.stream = head.stream AND known.seq = head.seq
) ORDER BY stream COLLATE "C"
"""


def write_checkpoint(*, directory: Path, now: datetime) -> AuditCheckpoint | None:
    """Sign the heads that grew since the last checkpoint; return None where none did.

    The row is written first and the file after its commit. A file that a crash left out is written by the next call.
    Raise FileExistsError where the directory holds another checkpoint of that number: then this database is an older
    copy, and its trail must be looked at before anything is signed.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        cursor.execute(GROWN)
        heads = tuple((stream, seq, bytes(digest)) for stream, seq, digest in cursor.fetchall())
        if heads:
            last = AuditCheckpoint.objects.order_by("-number").first()
            number, public = (last.number + 1 if last else 1), public_key()
            if path_of(directory, number).exists():
                raise FileExistsError(
                    f"{path_of(directory, number)} is there already: this database is older than its checkpoints."
                )
            statement = statement_of(
                number=number,
                at=rfc3339(now),
                heads=heads,
                previous=last.sha256 if last else None,
                key_id=key_id(public),
            )
            written = CheckpointFile(statement, sign(statement.encode()).hex(), public.hex(), heads)
            row = AuditCheckpoint.objects.create(
                number=number,
                at=now,
                statement=statement,
                sha256=written.sha256,
                signature=written.signature,
                public_key=written.public_key,
            )
            AuditCheckpointHead.objects.bulk_create(
                (
                    AuditCheckpointHead(checkpoint=row, stream=stream, seq=seq, hash=digest)
                    for stream, seq, digest in heads
                ),
                batch_size=5000,
            )
    write_files(directory)
    return row if heads else None


def write_files(directory: Path) -> None:
    """Write the file of every checkpoint that has none."""
    for row in AuditCheckpoint.objects.order_by("number"):
        if not path_of(directory, row.number).exists():
            write(directory, file_of(row))


def file_of(row: AuditCheckpoint) -> CheckpointFile:
    """Return a checkpoint as its file holds it."""
    heads = row.heads.order_by("id").values_list("stream", "seq", "hash")
    return CheckpointFile(
        statement=row.statement,
        signature=row.signature,
        public_key=row.public_key,
        heads=tuple((stream, seq, bytes(digest)) for stream, seq, digest in heads),
    )
