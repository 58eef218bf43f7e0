"""A compressed answer in two parts: the first can be read at once, the second is not compressed."""

from __future__ import annotations

import gzip
import random
import zlib

import brotli
import pytest

from clinic.lib.packing import ENCODINGS, Encoding, encoding_for, open_with, pack

SHELL = "<p>Kyphoplasty, vertebroplasty, kifoplasti, şırınga.</p>".encode() * 200
SIZES = [0, 1, 2, 65_535, 65_536, 65_537, 200_000]


def whole(packed: bytes, encoding: Encoding) -> bytes:
    if encoding == "br":
        return bytes(brotli.decompress(packed))
    return gzip.decompress(packed) if encoding else packed


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("encoding", ["", *ENCODINGS])
def test_both_parts_are_one_stream(encoding: Encoding, size: int) -> None:
    data = random.Random(size).randbytes(size)  # noqa: S311 - any bytes
    opening = open_with(SHELL, encoding)
    assert whole(opening.packed + opening.rest(data), encoding) == SHELL + data
    # One opening serves many answers.
    assert whole(opening.packed + opening.rest(b"another"), encoding) == SHELL + b"another"


def test_the_first_part_can_be_read_before_the_second_is_known() -> None:
    assert brotli.Decompressor().process(open_with(SHELL, "br").packed) == SHELL
    unpacked = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(open_with(SHELL, "gzip").packed)
    assert unpacked == SHELL


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_only_the_first_part_is_compressed(encoding: Encoding) -> None:
    opening = open_with(SHELL, encoding)
    assert len(opening.packed) < len(SHELL) / 20
    # What repeats the shell, or itself, gets no shorter: nobody can guess at it from the length.
    assert SHELL in opening.rest(SHELL)
    assert len(opening.rest(b"a" * 1000)) == len(opening.rest(random.Random(1).randbytes(1000)))  # noqa: S311


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [("gzip, deflate, br, zstd", "br"), ("gzip, deflate", "gzip"), ("", ""), ("identity", ""), ("xbrx", "")],
)
def test_the_best_encoding_that_is_accepted(accepted: str, encoding: str) -> None:
    assert encoding_for(accepted) == encoding


@pytest.mark.parametrize("encoding", ["", *ENCODINGS])
def test_a_whole_text_in_one(encoding: Encoding) -> None:
    assert whole(pack(SHELL, encoding), encoding) == SHELL
