"""Digests that stand for what must not be shown or stored in clear, and how they and others are written: base64url."""

from __future__ import annotations

import binascii
import hashlib
from typing import Final, Self

from pydantic_core import CoreConfig, SchemaValidator, core_schema

_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_QUICK: Final = SchemaValidator(core_schema.bytes_schema(), CoreConfig(val_json_bytes="base64", hide_input_in_errors=True))


def base64url(data: bytes) -> str:
    """RFC 4648 §5, without padding."""
    return binascii.b2a_base64(data).rstrip(b"=\n").translate(_URL_SAFE).decode()


def from_base64url(text: str) -> bytes:
    """RFC 4648 §5, without padding, in the one canonical way. Raises `ValueError`.

    The quick decoder takes the other alphabet, too, and padding, but no bits at the end that stand for nothing (a test compares).
    """
    if "+" in text or "/" in text or "=" in text:
        raise ValueError("not of the alphabet")
    data: bytes = _QUICK.validate_python(text)
    return data


def digest(value: str) -> str:
    """A key for the store: nothing that came from a provider stands there in clear."""
    return base64url(hashlib.sha256(value.encode()).digest()[:18])


class TransactionId(str):
    """One login's unguessable name (128 bits or more, base64url). It *is* the OIDC `state` and the SAML `RelayState`.

    Where it must not be shown, parts of one digest stand for it, none of which gives the name away.
    """

    __slots__ = ("_digest",)
    _digest: str

    def __new__(cls, name: str) -> Self:
        self = super().__new__(cls, name)
        self._digest = base64url(hashlib.sha256(name.encode()).digest())
        return self

    @property
    def cookie(self) -> str:
        """What its cookie is called by."""
        return self._digest[:16]

    @property
    def reference(self) -> str:
        """How logs name it: tells two apart."""
        return self._digest[16:28]

    @property
    def mark(self) -> str:
        """What stands in the store once it was used."""
        return self._digest[16:]
