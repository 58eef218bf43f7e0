"""Keep the record of an export: its start and its end are transactions of their own around the stream."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from clinic.actions.audit import recording
from clinic.lib.stream import is_being_sent
from clinic.lib.transitions import move
from clinic.lib.triples import Triple
from clinic.models import EXPORT_ARROWS, Actor, ApiToken, Export, Site, User
from clinic.vocabulary import ExportStatus

#: An export younger than this is left alone when abandoned ones are looked for.
LATELY = timedelta(minutes=1)


def start_export(
    *,
    site: Site,
    dataset: str,
    format: str,
    params: Mapping[str, Any],
    as_of: Triple,
    identified: bool,
    reason: str,
    user: User,
    token: ApiToken | None,
    by: Actor,
    now: datetime,
) -> Export:
    """Write down what is asked, before the first row leaves; `params` as `Selection.described()` gives them."""
    with recording(by=by, now=now) as trail:
        export = Export.objects.create(
            site=site,
            dataset=dataset,
            format=format,
            identified=identified,
            reason=reason,
            params=dict(params),
            as_of_epoch=as_of.epoch,
            as_of_xid=as_of.xid,
            requested_by=user,
            token=token,
            started_at=now,
        )
        trail.add(
            stream=f"site:{site.public_id}",
            action="export.started",
            subject=f"export:{export.public_id}",
            data={
                "dataset": dataset,
                "format": format,
                "identified": identified,
                "reason": reason,
                "as_of": str(as_of),
                **params,
            },
        )
    return export


def finish_export(
    *, export: Export, rows: int, size: int, sha256: str, manifest: Mapping[str, Any], by: Actor, now: datetime
) -> None:
    """Write down what was delivered: rows, bytes, their hash, and the manifest."""
    with recording(by=by, now=now) as trail:
        move(
            export,
            to=ExportStatus.FINISHED.value,
            arrows=EXPORT_ARROWS,
            noun="export",
            ended_at=now,
            rows=rows,
            bytes=size,
            sha256=sha256,
            manifest=dict(manifest),
        )
        trail.add(
            stream=f"site:{export.site.public_id}",
            action="export.finished",
            subject=f"export:{export.public_id}",
            data={"dataset": export.dataset, "rows": rows, "bytes": size, "sha256": sha256},
        )


def end_abandoned(*, by: Actor, now: datetime) -> int:
    """Close the records of exports whose process was killed while it sent; return how many.

    Only those that began a while ago: an export holds its lock from just after its record was written.
    """
    ended = 0
    for export in Export.objects.filter(status=ExportStatus.RUNNING.value, started_at__lt=now - LATELY):
        with recording(by=by, now=now):
            if not is_being_sent(export.pk):
                abort_export(export=export, rows=None, size=None, why="service_stopped", by=by, now=now)
                ended += 1
    return ended


def abort_export(*, export: Export, rows: int | None, size: int | None, why: str, by: Actor, now: datetime) -> None:
    """Write down that the reader went away, or that the service failed: what left the house is said all the same."""
    with recording(by=by, now=now) as trail:
        move(
            export,
            to=ExportStatus.ABORTED.value,
            arrows=EXPORT_ARROWS,
            noun="export",
            ended_at=now,
            rows=rows,
            bytes=size,
        )
        trail.add(
            stream=f"site:{export.site.public_id}",
            action="export.aborted",
            subject=f"export:{export.public_id}",
            data={"dataset": export.dataset, "rows": rows, "bytes": size, "why": why},
        )
