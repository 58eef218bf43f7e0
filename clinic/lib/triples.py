"""The change triple: where a version stands in the order of all changes."""

from __future__ import annotations

import re
from typing import NamedTuple

_TEXT = re.compile(r"^(\d{1,9})\.(\d{1,19})\.(\d{1,19})$")


class Triple(NamedTuple):
    """(epoch, transaction, sequence), written `1.7423.99`; compared in that order.

    As `as_of` it bounds from above without being in: its sequence is 0 and real ones start at 1, so the same triple
    given as `since` takes up exactly where that pull ended.
    """

    epoch: int
    xid: int
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}.{self.xid}.{self.seq}"

    @classmethod
    def parse(cls, text: str) -> Triple:
        """Return the triple that `text` writes; raise ValueError for anything else."""
        match = _TEXT.match(text)
        if match is None:
            raise ValueError(f"not a change triple: {text[:40]!r}")
        return cls(*(int(part) for part in match.groups()))
