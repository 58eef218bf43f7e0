"""RFC 8785 (JCS) text of JSON values: what every hash of this service is taken over."""

from __future__ import annotations

from typing import Any

import msgspec
import rfc8785

# Beyond these an integer is no longer the same number in every reader of JSON (RFC 8785, 3.2.2.3).
_NUMBER_MOST = 2**53 - 1
_encode = msgspec.json.Encoder(order="sorted").encode


def canonical(value: Any) -> bytes:
    """Return the RFC 8785 form in UTF-8; raise rfc8785.CanonicalizationError for what JSON cannot hold.

    Values without floats and with ASCII names only (ticks and their audit entries) are written by msgspec, whose sorted
    form is then the same to the byte at a sixtieth of the time.
    """
    if _is_plain(value):
        try:
            return _encode(value)
        except UnicodeEncodeError:
            pass  # half of a surrogate pair: rfc8785 says it in its own words
    return rfc8785.dumps(value)


def _is_plain(value: Any) -> bool:
    """Tell whether msgspec writes this value as RFC 8785 asks; subclasses (enums, named tuples) are left to rfc8785."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is int:
        return bool(-_NUMBER_MOST <= value <= _NUMBER_MOST)
    if kind is list:
        return all(map(_is_plain, value))
    if kind is dict:
        # RFC 8785 sorts names by UTF-16 units, msgspec by UTF-8 bytes: they agree in ASCII.
        return all(type(name) is str and name.isascii() for name in value) and all(map(_is_plain, value.values()))
    return False
