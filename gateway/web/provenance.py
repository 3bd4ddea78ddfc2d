"""Where a request to log out comes from: what another site may ask for, and what it may only suggest.

A browser tells by Fetch Metadata (`Sec-Fetch-Site`) whether the page before was of our own site, and by `Origin` or `Referer`
which page it was. No page can forge either; it can leave the latter two out.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from gateway.protocol.qps import Targets

OURS = frozenset({"same-origin", "same-site"})
PORTS = {"https": 443, "http": 80}
Origin = tuple[str, str, int]


def is_wanted(headers: Mapping[str, str], targets: Targets, public_url: str) -> bool:
    """A same-site request, or one from a listed target. Of a target with a path its origin counts: browsers tell no more."""
    if headers.get("Sec-Fetch-Site") in OURS:
        return True
    named = headers.get("Origin", "null")
    source = origin_of(headers.get("Referer", "") if named == "null" else named)
    return source is not None and source in {origin_of(public_url), *(target.origin for target in targets.allowed)}


def is_no_browser(headers: Mapping[str, str]) -> bool:
    """Nothing tells where it comes from. A cookie that is `SameSite=Lax` comes with no POST of another site in any case."""
    return not any(name in headers for name in ("Sec-Fetch-Site", "Origin", "Referer"))


def origin_of(url: str) -> Origin | None:
    """Scheme, host and port; None where it is no http(s) URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in PORTS or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port or PORTS[parts.scheme]
