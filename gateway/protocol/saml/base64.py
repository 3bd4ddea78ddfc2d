"""Base64 as messages carry it (RFC 4648 §4). Knows neither XML nor SAML."""

from __future__ import annotations

import binascii
from typing import Final

from pydantic_core import CoreConfig, SchemaValidator, ValidationError, core_schema

_QUICK: Final = SchemaValidator(core_schema.bytes_schema(), CoreConfig(val_json_bytes="base64", hide_input_in_errors=True))


def unwrapped(text: str) -> str:
    """Without line ends."""
    if "\n" in text or "\r" in text:  # seldom, and looked for much faster than replaced
        return text.replace("\r", "").replace("\n", "")
    return text


def from_base64(text: str) -> bytes:
    """What `binascii.a2b_base64` makes of it in strict mode (a test compares), in a third of the time. Raises `ValueError`.

    The quick decoder takes the alphabet of URLs, too, and text without padding; and it refuses some that the other takes.
    """
    if len(text) % 4 or "-" in text or "_" in text:
        return binascii.a2b_base64(text, strict_mode=True)
    try:
        data: bytes = _QUICK.validate_python(text)
    except ValidationError:
        return binascii.a2b_base64(text, strict_mode=True)
    return data
