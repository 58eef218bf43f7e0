"""Keyed pseudonyms: the same person has the same word, and nobody without the key can make or undo it."""

import hashlib
import hmac


def pseudonym(key: str, *parts: str) -> str:
    """Return 20 hex digits of HMAC-SHA256 over the parts (RFC 2104), separated by NUL so that they cannot run together."""
    return hmac.new(key.encode(), "\0".join(parts).encode(), hashlib.sha256).hexdigest()[:20]
