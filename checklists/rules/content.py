"""What a signature is over: the hash of exactly the answers that were shown, in the language in which they were shown."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import rfc8785

from checklists.rules.nodes import Key


def content_sha256(*, run: str, definition: str, language: str, answers: Iterable[tuple[Key, str]]) -> str:
    """Return the SHA-256 over the RFC 8785 form of run, definition hash, language and the sorted [key, head event id].

    Anybody can compute it again: `{"run", "definition", "language", "answers": [["PRE-PAI-01|rest|||", "<event id>"], …]}`.
    """
    content = {
        "run": run,
        "definition": definition,
        "language": language,
        "answers": sorted([key.text(), head] for key, head in answers),
    }
    return hashlib.sha256(rfc8785.dumps(content)).hexdigest()
