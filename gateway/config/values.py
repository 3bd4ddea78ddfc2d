"""Texts of the configuration to values of the core. Every reader raises `Refusal` (or `ValueError` with a sentence).

A sentence says what is expected; it never repeats the text, which may have been meant for another key.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable
from datetime import timedelta
from difflib import get_close_matches
from ipaddress import ip_network

from gateway.config.diagnostics import Code
from gateway.config.settings import Network
from gateway.protocol.qps import Target, read_node, read_target
from gateway.protocol.qps.addresses import Address, is_loopback, origin_text, read_address, read_host
from gateway.sealing import KEY_SIZE
from gateway.stores.address import read_store_address

ID = r"[a-z0-9][a-z0-9-]{0,62}"
ENVIRONMENT_NAME = r"QLIKGW_[A-Z0-9_]+"
PREFIX = r"[a-z0-9._~-]{0,100}"
DURATION = r"[0-9]{1,6}(ms|s|m|h|d)"

_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}


class Refusal(ValueError):
    """A text that cannot be used. `line` and `column` count from 1 inside the text."""

    def __init__(self, code: Code, message: str, hint: str | None = None, *, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.hint, self.line, self.column = code, message, hint, line, column


def did_you_mean(text: str, known: object) -> str | None:
    """The likeliest of the known names."""
    names = {str(name).lower(): str(name) for name in known} if isinstance(known, (list, tuple, set, frozenset, dict)) else {}
    near = get_close_matches(text.lower(), names, n=1)
    return f"did you mean '{names[near[0]]}'?" if near else None


def read_id(text: str) -> str:
    """An id of any kind (INTERFACE: `[a-z0-9][a-z0-9-]{0,62}`)."""
    if not re.fullmatch(ID, text):
        slug = re.sub(r"[^a-z0-9-]+", "-", text.lower()).strip("-")[:63]
        hint = f"for instance: {slug}" if slug else None
        raise Refusal(Code.WRONG_VALUE, "an id is made of a-z, 0-9 and hyphens, at most 63, and does not begin with a hyphen", hint)
    return text


def read_path(text: str) -> str:
    """The path of a file; not its content."""
    if "\n" in text or "-----BEGIN" in text:
        raise Refusal(Code.INLINE_SECRET, "a file's content is never written in here: name the file", "for instance: ../certs/client.pem")
    if "\0" in text or len(text) > 4096:  # noqa: PLR2004 - the longest path of Linux
        raise Refusal(Code.WRONG_VALUE, "this is no path")
    return text


def duration(shortest: timedelta, longest: timedelta) -> Callable[[str], timedelta]:
    """A reader of durations within bounds."""

    def read(text: str) -> timedelta:
        match = re.fullmatch(r"([0-9]{1,6})(ms|s|m|h|d)", text)
        if match is None:
            raise Refusal(Code.WRONG_VALUE, "a duration is a whole number with its unit: ms, s, m, h or d", "for instance: 60s")
        value = int(match[1]) * _UNITS[match[2]]
        if not shortest <= value <= longest:
            raise Refusal(Code.WRONG_VALUE, f"from {show_duration(shortest)} to {show_duration(longest)} are possible")
        return value

    return read


def show_duration(value: timedelta) -> str:
    """As one writes it in the configuration."""
    unit = next(name for name in ("d", "h", "m", "s", "ms") if value % _UNITS[name] == timedelta(0))
    return "0s" if not value else f"{value // _UNITS[unit]}{unit}"


def read_network(text: str) -> Network:
    """A network in CIDR form, or one address."""
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        hint = f"did you mean {ip_network(text, strict=False)}?"
    except ValueError:
        hint = None
    raise Refusal(Code.WRONG_VALUE, "not a network such as 10.0.0.0/8 or 2001:db8::/32", hint)


def read_listen_host(text: str) -> str:
    """A name or an address to listen on."""
    read_host(f"[{text}]" if ":" in text else text)
    return text


def read_public_url(text: str) -> str:
    """An origin; http for loopback only."""
    address = _read_http(text, "public_url")
    if address.path not in ("", "/") or address.query is not None or address.fragment is not None:
        raise Refusal(Code.WRONG_VALUE, "public_url is an origin: scheme, host and port, no path", f"write {origin_text(*address.origin)}")
    return origin_text(*address.origin)


def read_default_target(text: str) -> str:
    """Where the browser goes when nobody says where."""
    _read_http(text, "a target")
    return text


def read_target_url(text: str) -> Target:
    """One listed target."""
    _read_http(text, "a target")
    return read_target(text)


def read_node_url(text: str) -> str:
    """A node's address, without a virtual proxy."""
    if _read_http(text, "a node").scheme != "https":
        raise Refusal(Code.INSECURE_URL, "a node is reached by https:// only: it has to prove who it is")
    read_node(text)
    return text


def read_server_name(text: str) -> str:
    """The name in a node's certificate."""
    read_node("https://node.invalid:4243/qps/", server_name=text)
    return text


def _read_http(text: str, what: str) -> Address:
    address = read_address(text)
    if address.scheme != "https" and not is_loopback(address.host):
        raise Refusal(Code.INSECURE_URL, f"{what} begins with https://; http:// is for loopback only")
    return address


def read_prefix(text: str) -> str:
    """A virtual proxy's prefix, in the characters that the QMC takes."""
    if not re.fullmatch(PREFIX, text) or set(text) == {"."}:
        near = text.lower().strip("/")
        hint = f"did you mean '{near}'?" if re.fullmatch(PREFIX, near) and set(near) != {"."} else None
        raise Refusal(Code.WRONG_VALUE, "a prefix is made of a-z, 0-9 and - . _ ~, without slashes", hint)
    return text


def read_ticket_parameter(text: str) -> str:
    """The query parameter that carries the ticket."""
    if not re.fullmatch(r"[A-Za-z0-9._~-]{1,64}", text):
        raise Refusal(Code.WRONG_VALUE, "a plain name such as qlikTicket")
    return text


def read_store(text: str) -> str:
    """The address of the store of one-time marks."""
    try:
        read_store_address(text)
    except ValueError as error:
        raise Refusal(Code.WRONG_VALUE, str(error)) from None
    return text


def read_proxy(text: str) -> str:
    """The forward proxy towards identity providers. It may hold credentials, so sentences stay general."""
    scheme, _, rest = text.partition("://")
    host = rest.rpartition("@")[2]
    try:
        address = read_address(f"{scheme}://{host}")
    except ValueError:
        raise Refusal(Code.WRONG_VALUE, "a proxy is an address such as http://proxy.example.com:3128") from None
    if address.path not in ("", "/") or address.query is not None or address.fragment is not None:
        raise Refusal(Code.WRONG_VALUE, "a proxy's address has no path")
    return text


def read_environment_name(text: str) -> str:
    """The name of a variable that a secret may be in."""
    if not re.fullmatch(ENVIRONMENT_NAME, text):
        raise Refusal(
            Code.INLINE_SECRET,
            "the environment variable of a secret has a name that begins with QLIKGW_",
            "for instance: QLIKGW_ENTRA_SECRET",
        )
    return text


def read_cookie_key(text: str) -> bytes:
    """32 bytes in base64url, with or without padding."""
    try:
        key = b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), altchars=b"-_", validate=True)
    except (NotBase64, ValueError):
        key = b""
    if len(key) != KEY_SIZE:
        raise Refusal(Code.COOKIE_KEYS, f"a cookie key is {KEY_SIZE} random bytes in base64url", "make one: qlikgw keygen cookie")
    return key
