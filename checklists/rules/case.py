"""The check characters of a case: short enough to read aloud, and stored with every tick of it."""

from __future__ import annotations

import hashlib
from uuid import UUID

_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


def case_check(procedure: UUID | str) -> str:
    """Return four characters that follow from a procedure's id: a queue that mixed two cases up is noticed by them."""
    number = int.from_bytes(hashlib.sha256(str(procedure).encode()).digest()[:8], "big")
    letters = []
    for _ in range(4):
        number, place = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[place])
    return "".join(letters)
