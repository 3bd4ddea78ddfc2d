"""Web addresses, read strictly and compared as parsed values.

The grammar is a subset of RFC 3986 that every browser reads in the same way as we do (WHATWG URL): visible ASCII, no
backslash, `//` always there, no userinfo, no number in disguise as host. What is outside is refused, never repaired.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address

DEFAULT_PORTS = {"http": 80, "https": 443}
LONGEST_ADDRESS = 8192
"""Characters; ours. Browsers and proxies give up at about the same length."""

_ADDRESS = re.compile(
    r"(?P<scheme>[A-Za-z]+)://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?"
)
_READABLE = re.compile(r"[!-\[\]-~]+")  # visible ASCII without the backslash, which browsers take for a slash
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
_LONGEST_HOST = 253
_LARGEST_PORT = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One absolute address. Scheme and host are lower case, the port is explicit; the rest is raw, None where absent."""

    scheme: str
    host: str
    port: int
    path: str
    query: str | None
    fragment: str | None

    @property
    def origin(self) -> tuple[str, str, int]:
        return (self.scheme, self.host, self.port)


@lru_cache(maxsize=256)
def read_address(text: str) -> Address:
    """Read an http or https address. Raises ValueError with a sentence that does not repeat it."""
    if len(text) > LONGEST_ADDRESS or not _READABLE.fullmatch(text):
        raise ValueError("an address is visible ASCII without a backslash, of bounded length (a name with other letters in its xn-- form)")
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise ValueError("an address has the form https://host[:port]/path, without user name or password")
    scheme = match["scheme"].lower()
    if scheme not in DEFAULT_PORTS:
        raise ValueError("an address begins with https:// (or http://)")
    port = int(match["port"] or DEFAULT_PORTS[scheme])
    if port > _LARGEST_PORT:
        raise ValueError("a port is a number up to 65535")
    return Address(
        scheme=scheme,
        host=read_host(match["host"]),
        port=port,
        path=match["path"] or "",
        query=match["query"],
        fragment=match["fragment"],
    )


def read_host(text: str) -> str:
    """A host name, an IPv4 address or a bracketed IPv6 address in its canonical form. Raises ValueError with a sentence."""
    if text.startswith("["):
        return _read_ipv6(text)
    if len(text) > _LONGEST_HOST or not _HOST_NAME.fullmatch(text):
        raise ValueError("a host is a name of letters, digits, hyphens and dots, or an IP address")
    if _NUMBER.fullmatch(text.rpartition(".")[2]):  # browsers take such a host for an IPv4 address, however it is written
        return _read_ipv4(text)
    return text.lower()


def _read_ipv4(text: str) -> str:
    try:
        return str(IPv4Address(text))
    except AddressValueError:
        raise ValueError("an IPv4 address is written as four decimal numbers") from None


def _read_ipv6(text: str) -> str:
    try:
        return f"[{IPv6Address(text[1:-1]).compressed}]"
    except AddressValueError:
        raise ValueError("an IPv6 address is written as [2001:db8::1]") from None


def is_loopback(host: str) -> bool:
    """True for a canonical host that never leaves this machine."""
    if host in ("localhost", "[::1]"):
        return True
    try:
        return IPv4Address(host).is_loopback
    except AddressValueError:
        return False


def origin_text(scheme: str, host: str, port: int) -> str:
    """An origin as browsers write it: the default port is left out."""
    return f"{scheme}://{host}" if port == DEFAULT_PORTS[scheme] else f"{scheme}://{host}:{port}"
