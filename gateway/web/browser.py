"""What the browser sent, read without belief: parameters, preferences, and whether this is a navigation."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import unquote, unquote_to_bytes

from aiohttp.web_exceptions import HTTPRequestEntityTooLarge
from aiohttp.web_protocol import RequestPayloadError
from aiohttp.web_request import BaseRequest

from gateway.errors import (
    GatewayError,
    MalformedLogout,
    MalformedResponse,
    MalformedStart,
    NotANavigation,
    PrefetchRefused,
    RequestTooLarge,
)
from gateway.model import Binding, Channel, IdpResponse, LogoutMessage
from gateway.protocol.saml import MAX_ENCODED

MOST_PARAMETERS = 32
LARGEST_FORM = {Binding.FORM_POST: 64 * 1024, Binding.SAML_POST: 600 * 1024}
"""Bytes of a form: an authorization response, or a SAML response, percent-encoded."""
LONGEST_QUERY = 8192
LONGEST_FIELD = {Binding.FORM_POST: 8192, Binding.SAML_POST: MAX_ENCODED}
LARGEST_LOGOUT = 128 * 1024
"""Bytes of a form about a logout: a message of 64 KiB in base64, percent-encoded."""
FORM_SECONDS = 10.0
"""How long the body of a form may take to arrive."""
FORM_TYPE = "application/x-www-form-urlencoded"
FRAMES = frozenset({"iframe", "frame", "embed", "object", "fencedframe"})
NAVIGATED = FRAMES | {"document"}
LONGEST_ADDRESS = 64
OWN = "qgw-"
OWN_NAMES = (OWN, f"__Host-{OWN}")
BLANKS = " \t"
LONG = 1024
"""Characters from which a search from one end to the next is faster than a split, which looks at each of them."""
_WITH_PORT = re.compile(r"\[([^\]]+)\](?::[0-9]+)?|([0-9.]+):[0-9]+")
Pairs = Sequence[tuple[str, str]]


def query_pairs(request: BaseRequest) -> Pairs:
    """The query's parameters in order, doubled ones too. Raises `MalformedStart`."""
    return _pairs(request.rel_url.raw_query_string, MalformedStart)


def own_cookies(headers: Mapping[str, str]) -> Mapping[str, str]:
    """The gateway's own among the cookies that came, as they were set (RFC 6265 §4.2.1); of two with one name the last."""
    own = {}
    for part in headers.get("Cookie", "").split(";"):
        if OWN in part:
            name, _, value = part.strip(BLANKS).partition("=")
            if name.startswith(OWN_NAMES):
                own[name] = value
    return own


def single(pairs: Pairs, name: str) -> str | None:
    """The one value of an optional parameter. Raises `MalformedStart` where it is doubled."""
    values = [value for key, value in pairs if key == name]
    if len(values) > 1:
        raise MalformedStart(f"{name} came {len(values)} times")
    return values[0] if values else None


def query_response(request: BaseRequest) -> IdpResponse:
    """An identity provider's answer in the query. Raises `MalformedResponse`."""
    return IdpResponse(
        binding=Binding.QUERY,
        fields=_fields(_pairs(request.rel_url.raw_query_string, MalformedResponse), MalformedResponse, LONGEST_QUERY),
    )


async def form_response(request: BaseRequest, binding: Binding = Binding.FORM_POST) -> IdpResponse:
    """An identity provider's answer in a form that the browser posted. Raises `MalformedResponse`, `RequestTooLarge`."""
    text = await _form_text(request, MalformedResponse, largest=LARGEST_FORM[binding])
    return IdpResponse(binding=binding, fields=_fields(_pairs(text, MalformedResponse), MalformedResponse, LONGEST_FIELD[binding]))


def query_message(request: BaseRequest, channel: Channel) -> LogoutMessage:
    """What came to a logout address in the query. Raises `MalformedLogout`."""
    query = request.rel_url.raw_query_string
    return LogoutMessage(channel=channel, fields=_fields(_pairs(query, MalformedLogout), MalformedLogout, LONGEST_QUERY), raw_query=query)


async def form_message(request: BaseRequest, channel: Channel) -> LogoutMessage:
    """What came to a logout address in a form. Raises `MalformedLogout`, `RequestTooLarge`."""
    text = await _form_text(request, MalformedLogout, largest=LARGEST_LOGOUT)
    return LogoutMessage(channel=channel, fields=_fields(_pairs(text, MalformedLogout), MalformedLogout, LARGEST_LOGOUT))


async def _form_text(request: BaseRequest, error: type[GatewayError], *, largest: int) -> str:
    if request.content_type != FORM_TYPE or "Content-Encoding" in request.headers:
        raise error("not a form, or a compressed one")
    if (request.content_length or 0) > largest:
        raise RequestTooLarge("form, by its own word")
    try:
        body = await read_body(request)
        text = body.decode("ascii")
    except HTTPRequestEntityTooLarge as problem:
        raise RequestTooLarge("form") from problem
    except (UnicodeDecodeError, TimeoutError, RequestPayloadError, ConnectionError) as problem:
        raise error(f"the form did not arrive whole: {type(problem).__name__}") from problem
    if len(body) > largest:
        raise RequestTooLarge("form")
    return text


async def read_body(request: BaseRequest) -> bytes:
    """All of it, within the time that it may take: none where it is here already. Raises `TimeoutError` and what aiohttp raises."""
    if request.content.is_eof():
        return await request.read()
    async with asyncio.timeout(FORM_SECONDS):
        return await request.read()


async def form_pairs(request: BaseRequest) -> Pairs:
    """The fields of a form of ours, in order. Raises `MalformedStart`, `RequestTooLarge`."""
    return _pairs(await _form_text(request, MalformedStart, largest=LARGEST_FORM[Binding.FORM_POST]), MalformedStart)


def _pairs(text: str, error: type[GatewayError]) -> Pairs:
    """What `urllib.parse.parse_qsl` makes of it, blank values kept (a test compares), in a third of the time."""
    fields = _parted(text)
    if len(fields) > MOST_PARAMETERS:
        raise error("too many parameters")
    try:
        return [_pair(field) for field in fields if field]
    except ValueError as problem:
        raise error("not UTF-8") from problem


def _pair(field: str) -> tuple[str, str]:
    name, _, value = field.partition("=")
    return (_decoded(name), _decoded(value)) if "%" in field or "+" in field else (name, value)


def _parted(text: str) -> list[str]:
    """`text.split("&", MOST_PARAMETERS)`."""
    if len(text) < LONG:
        return text.split("&", MOST_PARAMETERS)
    fields: list[str] = []
    start = 0
    while (end := text.find("&", start)) >= 0 and len(fields) < MOST_PARAMETERS:
        fields.append(text[start:end])
        start = end + 1
    return [*fields, text[start:]]


def _decoded(text: str) -> str:
    """The percent-encoding taken away. Raises `ValueError` where UTF-8 does not come of it."""
    if "+" in text:
        text = text.replace("+", " ")
    if "%" not in text:
        return text
    plain = text.replace("%2B", "+").replace("%2F", "/")
    rest = plain.find("%")
    if rest >= 0:  # of a whole SAML response the padding at its end
        plain = plain[:rest] + plain[rest:].replace("%3D", "=").replace("%3A", ":")
    if "%" not in plain:  # nor has an address any other
        return plain
    return unquote_to_bytes(text).decode() if text.isascii() else unquote(text, errors="strict")


def _fields(pairs: Pairs, error: type[GatewayError], longest: int) -> Mapping[str, str]:
    """RFC 6749 §3.1: a parameter must not come twice."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise error("a parameter came twice")
    if any(len(value) > longest for value in fields.values()):
        raise error("a parameter is too long")
    return fields


def is_frame(headers: Mapping[str, str]) -> bool:
    """A navigation, but inside a frame, where the provider's pages and our cookies would not work."""
    return headers.get("Sec-Fetch-Mode", "navigate") == "navigate" and headers.get("Sec-Fetch-Dest", "") in FRAMES


def check_navigation(headers: Mapping[str, str]) -> None:
    """Only a navigation starts a login (Fetch Metadata). Raises `PrefetchRefused`, `NotANavigation`."""
    for name in ("Sec-Purpose", "Purpose", "X-Moz"):
        if name in headers and "prefetch" in headers[name].lower():
            raise PrefetchRefused("Sec-Purpose")
    mode, destination = headers.get("Sec-Fetch-Mode"), headers.get("Sec-Fetch-Dest")
    if mode is not None and mode != "navigate":
        raise NotANavigation(f"Sec-Fetch-Mode {mode[:20]!r}")
    if destination is not None and destination not in NAVIGATED:
        raise NotANavigation(f"Sec-Fetch-Dest {destination[:20]!r}")
    if headers.get("Upgrade", "").lower() == "websocket" or headers.get("X-Requested-With", "").lower() == "xmlhttprequest":
        raise NotANavigation("a socket or a script")


def begins_login(headers: Mapping[str, str]) -> bool:
    """Whether a request to begin a login can: a navigation, and in no frame. All others are answered without one."""
    try:
        check_navigation(headers)
    except (NotANavigation, PrefetchRefused):
        return False
    return not is_frame(headers)


def prefers_json(accept: str) -> bool:
    """True when application/json has a higher quality than text/html (RFC 9110 §12.5.1); `*/*` and nothing mean HTML."""
    wanted = accept.lower()
    return ("json" in wanted or "application/*" in wanted) and _quality(accept, "application/json") > _quality(accept, "text/html")


def _quality(accept: str, wanted: str) -> float:
    best = (-1, 0.0)
    ranges = {wanted: 2, wanted.partition("/")[0] + "/*": 1, "*/*": 0}
    for item in accept.split(","):
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        if name in ranges:
            best = max(best, (ranges[name], _q(parameters)))
    return best[1]


def _q(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return min(1.0, max(0.0, float(parameter[2:])))
            except ValueError:
                return 0.0
    return 1.0


def client_address(request: BaseRequest, trusted: Sequence[IPv4Network | IPv6Network]) -> str:
    """`client_ip` as text. Empty: unknown."""
    return _shown(_short(_asking(request, trusted)))


def client_ip(request: BaseRequest, trusted: Sequence[IPv4Network | IPv6Network]) -> IPv4Address | IPv6Address | None:
    """Who asks: the peer, or, while that is a trusted proxy, the last address in X-Forwarded-For that is not. None: unknown."""
    return _address(_asking(request, trusted))


def _asking(request: BaseRequest, trusted: Sequence[IPv4Network | IPv6Network]) -> str:
    peer = request.remote or ""
    if not trusted or not is_trusted(peer, trusted):
        return peer
    hops = [hop for line in request.headers.getall("X-Forwarded-For", []) for hop in line.split(",")]
    while hops and is_trusted(peer, trusted):
        peer = hops.pop()
    return peer


def is_trusted(address: str, trusted: Sequence[IPv4Network | IPv6Network]) -> bool:
    """Whether an address is one of the proxies that are believed."""
    ip = _address(address)
    return ip is not None and _within(ip, trusted)


def _within(ip: IPv4Address | IPv6Address, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    return any(ip in network for network in networks if network.version == ip.version)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    return _read_address(_short(text))


def _short(text: str) -> str:
    return text.strip()[:LONGEST_ADDRESS]


@lru_cache(maxsize=1024)
def _shown(bare: str) -> str:
    address = _read_address(bare)
    return "" if address is None else str(address)


@lru_cache(maxsize=1024)
def _read_address(bare: str) -> IPv4Address | IPv6Address | None:
    """An address as proxies write it: with a port, in brackets; an IPv4 one also as a dual-stack socket shows it (RFC 4291 §2.5.5.2)."""
    if found := _WITH_PORT.fullmatch(bare):
        bare = found[1] or found[2]
    try:
        ip = ip_address(bare.partition("%")[0])  # a zone says nothing to others (RFC 4007 §11.2)
    except ValueError:
        return None
    return getattr(ip, "ipv4_mapped", None) or ip
