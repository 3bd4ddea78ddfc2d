"""Digests that stand for what must not be shown or stored in clear."""

from __future__ import annotations

import binascii
import hashlib
from typing import Final

from gateway.model import TransactionId

_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


def base64url(data: bytes) -> str:
    """RFC 4648 §5, without padding."""
    return binascii.b2a_base64(data, newline=False).translate(_URL_SAFE, b"=").decode("ascii")


def digest(value: str) -> str:
    """A key for the store: nothing that came from a provider stands there in clear."""
    return base64url(hashlib.sha256(value.encode()).digest()[:18])


def reference(transaction: TransactionId) -> str:
    """How logs name a login: tells two apart, gives neither away."""
    return digest(f"reference:{transaction}")[:12]
