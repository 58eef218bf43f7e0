"""Compressed answers in two parts: a first one that many share, packed once, and a second one that is sent as it lies.

What names a patient or holds a token must not pass a compressor: from how short the answer gets, a stranger could guess at
it (BREACH). Within the same stream it therefore stands in blocks that are stored, not packed.
"""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import dataclass
from typing import Literal

import brotli

Encoding = Literal["br", "gzip", ""]
ENCODINGS: tuple[Encoding, ...] = ("br", "gzip")
# RFC 1952: deflate, no flags, no time, best compression, system unknown.
GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
# RFC 7932, 9.2: the last meta-block, and empty.
BROTLI_END = b"\x03"
# What a meta-block takes whose length is written in 16 bits.
BLOCK = 1 << 16


def encoding_for(accepted: str) -> Encoding:
    """Return the best encoding that an `Accept-Encoding` header names; empty for none."""
    return next((one for one in ENCODINGS if re.search(rf"\b{one}\b", accepted)), "")


def pack(text: bytes, encoding: Encoding) -> bytes:
    """Return all of `text` in that encoding."""
    packed: bytes = brotli.compress(text) if encoding == "br" else gzip.compress(text) if encoding else text
    return packed


@dataclass(frozen=True)
class Opening:
    """The first part of an answer, which may be sent before the second one is known."""

    encoding: Encoding
    packed: bytes
    size: int
    checksum: int

    def rest(self, text: bytes) -> bytes:
        """Return `text` and the end of the stream; nothing of it is compressed."""
        if self.encoding == "br":
            return b"".join(_stored(text[at : at + BLOCK]) for at in range(0, len(text), BLOCK)) + BROTLI_END
        if self.encoding == "gzip":
            stored = zlib.compressobj(0, zlib.DEFLATED, -zlib.MAX_WBITS)
            size = (self.size + len(text)) % (1 << 32)
            tail = zlib.crc32(text, self.checksum).to_bytes(4, "little") + size.to_bytes(4, "little")
            return stored.compress(text) + stored.flush() + tail
        return text


def open_with(text: bytes, encoding: Encoding) -> Opening:
    """Return `text` packed so that a reader can unpack all of it before anything else has come."""
    packed = text
    if encoding == "br":
        best = brotli.Compressor()
        packed = best.process(text) + best.flush()
    elif encoding == "gzip":
        deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        packed = GZIP_HEAD + deflate.compress(text) + deflate.flush(zlib.Z_SYNC_FLUSH)
    return Opening(encoding, packed, len(text), zlib.crc32(text))


def _stored(text: bytes) -> bytes:
    """Return one meta-block of brotli that holds up to 64 KiB as they are (RFC 7932, 9.2: MNIBBLES 4, ISUNCOMPRESSED)."""
    return ((len(text) - 1) << 3 | 1 << 19).to_bytes(3, "little") + text
