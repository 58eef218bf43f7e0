"""Deliver an export: audit entry, stream, audit entry with rows and hash."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from datetime import datetime

from clinic.access import Caller
from clinic.actions.exports import abort_export, finish_export, start_export
from clinic.exports.manifest import manifest_of, pseudonym_key_id
from clinic.exports.selection import Format, Selection
from clinic.lib.problems import Denied, Invalid, Refused, TooMany
from clinic.lib.stream import Busy, Encoder, Reader
from clinic.lib.triples import Triple
from clinic.models import Actor, Export
from clinic.vocabulary import ExportStatus, Via

#: What a reader waits before it asks again, in seconds.
RETRY_AFTER = 15
UTF8_MARK = b"\xef\xbb\xbf"


class Delivery:
    """The bytes of one export, and the record of what became of it.

    Iterating sends; `close()` ends it at whatever point it stands. The export is finished before the last piece is
    followed by the end of the stream, so that a reader who has seen the end finds the manifest.
    """

    def __init__(
        self,
        reader: Reader,
        export: Export,
        selection: Selection,
        *,
        encoder: Encoder,
        by: Actor,
        clock: Callable[[], datetime],
    ) -> None:
        self.export = export
        self._reader, self._selection, self._encoder, self._by, self._clock = reader, selection, encoder, by, clock
        self._rows = self._size = 0
        self._pieces = self._send()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._pieces)
        except StopIteration:
            raise
        except BaseException as error:
            self._abort(type(error).__name__)
            raise

    def _send(self) -> Generator[bytes]:
        horizon = Triple(self.export.as_of_epoch, self.export.as_of_xid, 0)
        query, values = self._selection.query(site_id=self.export.site_id, horizon=horizon)
        digest = hashlib.sha256()
        heading = self._selection.format is Format.CSV
        mark = UTF8_MARK if heading and self._selection.bom else b""
        for piece, rows in self._reader.copy(query, values, options=self._selection.options):
            data = mark + piece
            mark = b""
            self._rows += rows
            self._size += len(data)
            digest.update(data)
            if ready := self._encoder.feed(data):
                yield ready
        if rest := self._encoder.end():
            yield rest
        self._reader.close()
        self._rows -= heading
        self._finish(digest.hexdigest())

    def _finish(self, sha256: str) -> None:
        rows, size, by, now = self._rows, self._size, self._by, self._clock()
        manifest = manifest_of(self.export, self._selection, rows=rows, size=size, sha256=sha256, by=by, now=now)
        finish_export(export=self.export, rows=rows, size=size, sha256=sha256, manifest=manifest, by=by, now=now)

    def _abort(self, why: str) -> None:
        self._reader.close()
        if self.export.status == ExportStatus.RUNNING.value:
            rows, size, now = self._rows, self._size, self._clock()
            with suppress(Refused):  # the sweep may have given it up before
                abort_export(export=self.export, rows=rows, size=size, why=why, by=self._by, now=now)

    def close(self) -> None:
        """End the export: a reader that went away before the end leaves an entry and no statement on the server."""
        self._pieces.close()
        self._abort("reader_gone")


def deliver(
    selection: Selection,
    *,
    caller: Caller,
    identified: bool,
    reason: str,
    encoder: Encoder,
    clock: Callable[[], datetime],
) -> Delivery:
    """Start an export and return its bytes.

    Raise Denied for a token without the dataset's scope, TooMany while every slot is taken, Invalid for an `as_of` that
    lies in the future, Refused `as_of_expired` where the same bytes can no longer be made.
    """
    check_scope(caller, selection)
    try:
        reader = Reader("export")
    except Busy:
        raise TooMany("exports_busy", "Other exports are running. Ask again in a moment.", RETRY_AFTER) from None
    try:
        horizon = as_of(selection, reader.horizon, caller)
        by = caller.actor()
        export = start_export(
            site=caller.place,
            dataset=selection.dataset.name,
            format=selection.format.value,
            params=selection.described(),
            as_of=horizon,
            identified=identified,
            reason=reason,
            user=caller.person,
            token=caller.token,
            by=by,
            now=clock(),
        )
        reader.hold(export.pk)
    except BaseException:
        reader.close()
        raise
    return Delivery(reader, export, selection, encoder=encoder, by=by, clock=clock)


def check_scope(caller: Caller, selection: Selection) -> None:
    """Raise Denied where a token may export, but not this dataset."""
    scope = selection.dataset.scope
    if caller.via == Via.TOKEN.value and str(scope) not in caller.scopes:
        raise Denied("scope_missing", f"The token needs the scope {scope} for this dataset.")


def as_of(selection: Selection, horizon: Triple, caller: Caller) -> Triple:
    """Return what bounds the export from above: now, or the earlier as-of that the reader asks for again."""
    asked = selection.as_of
    if asked is None:
        return horizon
    if asked > horizon:
        raise Invalid.field("as_of", "in_the_future", f"That change is not visible yet; the newest is {horizon}.")
    asked = Triple(asked.epoch, asked.xid, 0)  # an as-of bounds whole transactions
    before = (
        Export.objects.filter(
            site=caller.place,
            dataset=selection.dataset.name,
            as_of_epoch=asked.epoch,
            as_of_xid=asked.xid,
            status=ExportStatus.FINISHED.value,
        )
        .order_by("-id")
        .first()
    )
    if before is not None and before.manifest is not None:
        then = (before.manifest["schema_version"], before.manifest["pseudonym_key_id"])
        if then != (selection.dataset.schema, pseudonym_key_id()):
            raise Refused("as_of_expired", "The columns or the pseudonym key changed since. Pull the whole set again.")
    return asked


def count(selection: Selection, *, caller: Caller) -> tuple[int, Triple]:
    """Return how many rows the export would hold, and as of which change. Raise as `deliver` does; takes no slot."""
    check_scope(caller, selection)
    reader = Reader("export count", slot=False)
    try:
        horizon = as_of(selection, reader.horizon, caller)
        query, values = selection.count(site_id=caller.place.pk, horizon=horizon)
        return reader.one(query, values)[0], horizon
    finally:
        reader.close()
