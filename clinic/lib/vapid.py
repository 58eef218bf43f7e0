"""The key by which push services know this installation (VAPID, RFC 8292): P-256."""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

#: The order of P-256 (FIPS 186-5).
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def private_key(text: str) -> ec.EllipticCurvePrivateKey:
    """Return the key from 32 bytes in base64url; raise ValueError for anything else."""
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if len(raw) != 32:
        raise ValueError("a VAPID key has 32 bytes")
    return ec.derive_private_key(int.from_bytes(raw, "big") % (_ORDER - 1) or 1, ec.SECP256R1())


def application_server_key(text: str) -> str:
    """Return the public half as browsers take it: the uncompressed point in base64url."""
    point = private_key(text).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(point).rstrip(b"=").decode()
