"""The service's own signature (Ed25519, RFC 8032): under checkpoints of the audit trail and manifests of exports."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings

#: The key's file in the data directory: 32 random bytes in base64url.
KEY = "audit-signing"


@cache
def _private(root: Path) -> Ed25519PrivateKey:
    seed = settings.PLACES.secret(KEY)
    return Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(seed + "="))


def public_key() -> bytes:
    """Return the 32 bytes of the public key; the first use makes the key."""
    return _private(settings.PLACES.root).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def trusted_key() -> bytes | None:
    """Return the public key of this installation, None where none has been made."""
    return public_key() if settings.PLACES.known_secret(KEY) else None


def key_id(public: bytes) -> str:
    """Return the name of a public key: the first 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(public).hexdigest()[:16]


def sign(message: bytes) -> bytes:
    """Return the signature of `message` (64 bytes)."""
    return _private(settings.PLACES.root).sign(message)


def verifies(message: bytes, signature: bytes, public: bytes) -> bool:
    """Return whether `signature` over `message` was made with the key whose public half is `public`."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
