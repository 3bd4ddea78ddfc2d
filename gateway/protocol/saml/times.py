"""Instants as SAML writes them (SAML Core §1.3.3): UTC with a `Z`, fractions allowed."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from gateway.errors import GatewayError, SamlTimes

_INSTANT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?Z")

_TO_THE_SECOND: Final = len("2026-03-02T12:00:00")


def read_instant(text: str | None, error: type[GatewayError] = SamlTimes) -> datetime:
    """Parse a required instant; aware, UTC, to the microsecond. Raises `error`."""
    if text is None:
        raise error("a time is missing")
    if not _INSTANT.fullmatch(text):
        raise error(f"not a time in UTC: {text[:40]!r}")
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise error(f"no such time: {text[:40]!r}") from None


def read_optional_instant(text: str | None, error: type[GatewayError] = SamlTimes) -> datetime | None:
    """Parse an instant that may be absent. Raises `error`."""
    return None if text is None else read_instant(text, error)


def write_instant(instant: datetime) -> str:
    """To the second. `instant`: aware, UTC."""
    return instant.isoformat()[:_TO_THE_SECOND] + "Z"
