"""Recompute the audit trail."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.db import connection, transaction

from clinic.lib.audit_chain import GENESIS, entry_hash


@dataclass(frozen=True)
class AuditFault:
    """The first bad entry of a stream: `kind` is `changed` or `missing`."""

    stream: str
    seq: int
    kind: str
    what: str


@dataclass
class AuditResult:
    """What a verification found."""

    entries: int = 0
    streams: int = 0
    faults: list[AuditFault] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 whole, 1 tampered, 2 incomplete."""
        kinds = {fault.kind for fault in self.faults}
        return 1 if "changed" in kinds else 2 if "missing" in kinds else 0


@contextmanager
def one_snapshot() -> Iterator[None]:
    """Read everything as it stood at one instant: entries that are written meanwhile must not look forged."""
    with transaction.atomic():
        if len(connection.savepoint_ids) == 0:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                cursor.execute("SET LOCAL statement_timeout = 0")
        yield


def verify_audit(stream: str | None = None) -> AuditResult:
    """Recompute every chain from its first entry to its head; memory stays flat at any number of entries."""
    with one_snapshot():
        return _verify(stream)


def _verify(stream: str | None) -> AuditResult:
    result = AuditResult()
    heads: dict[str, tuple[int, bytes]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT stream, seq, hash FROM clinic_audithead WHERE %s::text IS NULL OR stream = %s", [stream, stream]
        )
        heads = {name: (seq, bytes(digest)) for name, seq, digest in cursor.fetchall()}
    current, last_seq, last_hash, broken = "", 0, GENESIS, False

    def close() -> None:
        head = heads.pop(current, None)
        if broken:
            return
        if head is None:
            result.faults.append(AuditFault(current, last_seq, "changed", "the stream has entries and no head"))
        elif head[0] > last_seq:
            result.faults.append(
                AuditFault(current, last_seq + 1, "missing", f"the chain ends at {last_seq}, its head says {head[0]}")
            )
        elif head != (last_seq, last_hash):
            result.faults.append(AuditFault(current, last_seq, "changed", "the head does not match the last entry"))

    with connection.connection.cursor("audit_verify") as cursor:
        cursor.execute(
            "SELECT stream, seq, prev, hash, canonical FROM clinic_auditentry"
            " WHERE %s::text IS NULL OR stream = %s ORDER BY stream, seq",
            [stream, stream],
        )
        for name, seq, prev, digest, canonical in cursor:
            if name != current:
                if current:
                    close()
                current, last_seq, last_hash, broken = name, 0, GENESIS, False
                result.streams += 1
            result.entries += 1
            if broken:
                continue
            fault = _entry_fault(name, seq, bytes(prev), bytes(digest), canonical, last_seq, last_hash)
            if fault:
                result.faults.append(fault)
                broken = True
            last_seq, last_hash = seq, bytes(digest)
    if current:
        close()
    result.faults += [
        AuditFault(name, 1, "missing", f"the stream's head says {seq} entries and none is there")
        for name, (seq, _) in heads.items()
        if seq
    ]
    return result


def _entry_fault(
    stream: str, seq: int, prev: bytes, digest: bytes, canonical: str, last_seq: int, last_hash: bytes
) -> AuditFault | None:
    if seq != last_seq + 1:
        return AuditFault(stream, last_seq + 1, "missing", f"entry {last_seq + 1} is missing, the next one is {seq}")
    if prev != last_hash:
        return AuditFault(stream, seq, "changed", "it does not follow its predecessor")
    if digest != entry_hash(stream, seq, prev, canonical):
        return AuditFault(stream, seq, "changed", "its content does not match its hash")
    return None
