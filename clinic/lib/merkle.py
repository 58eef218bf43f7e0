"""The Merkle tree of RFC 6962 section 2.1, over the heads of the audit chains."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

LEAF, NODE = b"\x00", b"\x01"


def leaf(stream: str, seq: int, digest: bytes) -> bytes:
    """Return sha256(0x00 ‖ sha256(stream) ‖ u64be(seq) ‖ hash): the leaf of one stream's head."""
    name = hashlib.sha256(stream.encode()).digest()
    return hashlib.sha256(LEAF + name + seq.to_bytes(8, "big") + digest).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over `leaves`, which are hashed already; sha256 of nothing where there are none.

    A tree of n leaves splits at the largest power of two below n. Computed level by level, as RFC 9162 allows: an odd
    last node is carried up, which gives the same tree.
    """
    if not leaves:
        return hashlib.sha256(b"").digest()
    level = list(leaves)
    while len(level) > 1:
        pairs = [
            hashlib.sha256(NODE + level[place] + level[place + 1]).digest() for place in range(0, len(level) - 1, 2)
        ]
        level = pairs + level[len(pairs) * 2 :]
    return level[0]
