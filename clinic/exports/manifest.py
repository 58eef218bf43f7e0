"""Say what was delivered, so that the file can be checked by anybody and repeated by us."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

import rfc8785
from django.conf import settings

from clinic.actions.audit import rfc3339
from clinic.exports.selection import Selection
from clinic.lib.signing import key_id, public_key, sign
from clinic.models import Actor, AuditCheckpoint, AuditEntry, Export

#: Raised when a member changes its meaning.
MANIFEST_VERSION = 1


def pseudonym_key_id() -> str:
    """Return the name of the key that makes the pseudonyms; the key itself never leaves."""
    return hashlib.sha256(b"pseudonym-key\0" + settings.PSEUDONYM_KEY.encode()).hexdigest()[:16]


def manifest_of(
    export: Export, selection: Selection, *, rows: int, size: int, sha256: str, by: Actor, now: datetime
) -> dict[str, Any]:
    """Return the manifest of a delivered export, signed over its RFC 8785 text without the member `signature`."""
    dataset = selection.dataset
    manifest: dict[str, Any] = {
        "manifest": MANIFEST_VERSION,
        "export": str(export.public_id),
        "dataset": export.dataset,
        "schema_version": dataset.schema,
        "format": export.format,
        "file": file_name(export),
        "rows": rows,
        "bytes": size,
        "sha256": sha256,
        "columns": [
            {
                "name": column.name,
                "type": column.kind.value,
                "unit": column.unit,
                "source": column.source,
                "identifying": column.identifying,
            }
            for column in selection.columns
        ],
        "as_of": f"{export.as_of_epoch}.{export.as_of_xid}.0",
        **{name: value for name, value in selection.described().items() if name != "fields"},
        "identified": export.identified,
        "pseudonym_key_id": pseudonym_key_id(),
        "definitions": dict(dataset.definitions()),
        "site": export.site.code,
        "who": by.key,
        "role": by.role,
        "via": by.via,
        "why": export.reason,
        "started_at": rfc3339(export.started_at),
        "finished_at": rfc3339(now),
        "audit": audit_anchor(export),
    }
    public = public_key()
    signature = {"algorithm": "Ed25519", "key_id": key_id(public), "public_key": public.hex()}
    return {**manifest, "signature": {**signature, "value": sign(rfc8785.dumps(manifest)).hex()}}


def audit_anchor(export: Export) -> dict[str, Any]:
    """Return where the audit trail stood: the entry that started this export, and the last signed checkpoint."""
    stream = f"site:{export.site.public_id}"
    entry = (
        AuditEntry.objects.filter(stream=stream, action="export.started", subject=f"export:{export.public_id}")
        .order_by("-seq")
        .first()
    )
    checkpoint = AuditCheckpoint.objects.order_by("-number").first()
    return {
        "started": {"stream": stream, "seq": entry.seq, "hash": bytes(entry.hash).hex()} if entry else None,
        "checkpoint": {"number": checkpoint.number, "sha256": checkpoint.sha256} if checkpoint else None,
    }


def file_name(export: Export) -> str:
    """Return the name under which a browser keeps the file: dataset, day and the beginning of the export's id."""
    day = export.started_at.strftime("%Y-%m-%d")
    return f"{export.dataset}-{day}-{str(export.public_id)[:8]}.{export.format}"
