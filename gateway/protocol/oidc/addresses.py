"""Which URLs may be used at all: https, and http on loopback where the configuration itself says so."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

_CHARACTERS: Final = re.compile(r"[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]{1,2048}")  # RFC 3986 §2, without the fragment's mark


def split_url(url: str) -> SplitResult | None:
    """An absolute URL with a host, without user information and fragment; None for anything else."""
    if not _CHARACTERS.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
    except ValueError:  # a port out of range, a broken IPv6 literal
        return None
    return parts if usable else None


def is_https(url: str) -> bool:
    """Whether the URL can be used and is https."""
    parts = split_url(url)
    return parts is not None and parts.scheme == "https"


def is_loopback_http(url: str) -> bool:
    """Whether the URL can be used and is plain http on this machine."""
    parts = split_url(url)
    if parts is None or parts.scheme != "http" or parts.hostname is None:
        return False
    try:
        return ip_address(parts.hostname).is_loopback
    except ValueError:
        return parts.hostname == "localhost"
