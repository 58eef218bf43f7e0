"""The preimage of the audit chain, free of any database, so that a third party can verify with the same lines."""

import hashlib

GENESIS = bytes(32)


def entry_hash(stream: str, seq: int, prev: bytes, canonical: str) -> bytes:
    """Return sha256(0x02 ‖ sha256(stream) ‖ u64be(seq) ‖ prev ‖ sha256(canonical)) of one entry.

    The prefix 0x02 keeps it apart from the leaves (0x00) and nodes (0x01) of a Merkle tree (RFC 6962 section 2.1).
    """
    return hashlib.sha256(
        b"\x02"
        + hashlib.sha256(stream.encode()).digest()
        + seq.to_bytes(8, "big")
        + prev
        + hashlib.sha256(canonical.encode()).digest()
    ).digest()
