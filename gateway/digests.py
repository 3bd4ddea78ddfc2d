"""Digests that stand for what must not be shown or stored in clear."""

from __future__ import annotations

import base64
import hashlib

from gateway.model import TransactionId


def digest(value: str) -> str:
    """A key for the store: nothing that came from a provider stands there in clear."""
    return base64.urlsafe_b64encode(hashlib.sha256(value.encode()).digest()[:18]).decode()


def reference(transaction: TransactionId) -> str:
    """How logs name a login: tells two apart, gives neither away."""
    return digest(f"reference:{transaction}")[:12]
