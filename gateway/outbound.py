"""The only way out to identity providers: one hardened HTTP client per provider.

Follows no redirect, caps size and time, keeps no cookies, believes no proxy variable of the environment. Every address
that a connection is about to be made to is checked, after name resolution, by the socket factory: aiohttp's resolver
hook would not see IP literals. Loopback and private addresses are refused unless `outbound.allow_private` lists their
network or the provider's configured URL names them.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

from gateway.connector import NotingConnector, begin_exchange, was_reused
from gateway.errors import AddressRefused, ProviderAnswer, ProviderUnreachable
from gateway.model import HttpRequest, HttpResponse

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
CONNECT_SECONDS = 3.0
KEEPALIVE_SECONDS = 30.0
CONNECTIONS_PER_HOST = 64
MOST_CHECKED = 64
"""URLs of one provider that are remembered as good; it has a handful."""
GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
NOT_GLOBAL = tuple(map(ipaddress.ip_network, ("3fff::/20", "192.0.0.0/24")))
"""Ranges that `is_global` lets through on some versions although they lead nowhere public (documentation, IETF assignments)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressPolicy:
    """What may be reached besides the public Internet: listed networks, and addresses that a configured URL names."""

    networks: tuple[IpNetwork, ...] = ()
    addresses: frozenset[IpAddress] = frozenset()
    loopback: bool = False
    http: bool = False

    def permits(self, address: IpAddress) -> bool:
        address = unwrap(address)
        if address in self.addresses or any(address in network for network in self.networks if network.version == address.version):
            return True
        if address.is_loopback:
            return self.loopback
        if isinstance(address, ipaddress.IPv6Address) and address not in GLOBAL_UNICAST:
            return False
        return address.is_global and not address.is_multicast and not any(address in n for n in NOT_GLOBAL if n.version == address.version)


def policy_for(urls: Iterable[str], networks: Sequence[IpNetwork] = ()) -> AddressPolicy:
    """The policy of a provider whose configuration names `urls`."""
    addresses: set[IpAddress] = set()
    loopback = http = False
    for parts in map(urlsplit, urls):
        host = parts.hostname or ""
        literal = read_address(host)
        if host == "localhost" or (literal is not None and literal.is_loopback):
            loopback = True
            http = http or parts.scheme == "http"
        elif literal is not None:
            addresses.add(unwrap(literal))
    return AddressPolicy(networks=tuple(networks), addresses=frozenset(addresses), loopback=loopback, http=http)


def read_address(host: str) -> IpAddress | None:
    """The address that a URL's host spells out, if it does."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def unwrap(address: IpAddress) -> IpAddress:
    """The IPv4 address inside a mapped or 6to4 one: that is where a connection would end."""
    if isinstance(address, ipaddress.IPv6Address):
        return address.ipv4_mapped or address.sixtofour or address
    return address


def tls_towards_providers(ca: bytes | None) -> ssl.SSLContext:
    """The system's roots, and `ca` (PEM) besides. Takes 20 ms."""
    context = ssl.create_default_context()
    if ca is not None:
        context.load_verify_locations(cadata=ca.decode("ascii"))
    return context


class OutboundClient:
    """`ports.HttpClient` for one provider. Connections are pooled and kept alive; opened lazily, so building needs no event loop."""

    def __init__(self, *, policy: AddressPolicy, tls: ssl.SSLContext, proxy: str | None = None) -> None:
        self._policy = policy
        self._tls = tls
        self._proxy = proxy
        self._session: aiohttp.ClientSession | None = None
        self._checked: set[str] = set()

    async def send(self, request: HttpRequest) -> HttpResponse:
        """One request; once more if a kept-alive connection was dead. Raises `ProviderUnreachable`, `ProviderAnswer`, `AddressRefused`."""
        if request.url not in self._checked:
            self._check_url(request.url)
        begin_exchange()
        try:
            return await self._exchange(request)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            if not (was_reused() and died_idle(error)):
                raise _failure(request, error) from error
        try:
            return await self._exchange(request)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _failure(request, error) from error

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _exchange(self, request: HttpRequest) -> HttpResponse:
        session = self._session or self._open()
        timeout = aiohttp.ClientTimeout(total=request.timeout, sock_connect=CONNECT_SECONDS)
        async with session.request(
            request.method,
            request.url,
            headers=request.headers,
            data=request.body,
            proxy=self._proxy,
            allow_redirects=False,
            timeout=timeout,
        ) as answer:
            body = await _read(answer, request)
            return HttpResponse(status=answer.status, headers={name.lower(): value for name, value in answer.headers.items()}, body=body)

    def _open(self) -> aiohttp.ClientSession:
        connector = NotingConnector(
            ssl=self._tls,
            limit=0,
            limit_per_host=CONNECTIONS_PER_HOST,
            keepalive_timeout=KEEPALIVE_SECONDS,
            socket_factory=None if self._proxy else self._socket,
        )
        self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
        return self._session

    def _socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, endpoint = info
        address = ipaddress.ip_address(str(endpoint[0]).partition("%")[0])
        if not self._policy.permits(address):
            raise _Refused(address)
        return socket.socket(family, kind, protocol)

    def _check_url(self, url: str) -> None:
        """https, or http where the configured URL is http on loopback; a literal address must be permitted (a proxy connects for us)."""
        parts = urlsplit(url)
        literal = read_address(parts.hostname or "")
        if literal is not None and not self._policy.permits(literal):
            raise AddressRefused(_refusal(literal))
        local = parts.hostname == "localhost" or (literal is not None and literal.is_loopback)
        if parts.scheme != "https" and not (parts.scheme == "http" and local and self._policy.http):
            raise AddressRefused(f"{parts.scheme}://{parts.hostname}: only https leaves this gateway")
        if len(self._checked) < MOST_CHECKED:
            self._checked.add(url)


class _Refused(OSError):
    """Raised inside aiohttp's connector, which passes an OSError on."""

    def __init__(self, address: IpAddress) -> None:
        super().__init__(str(address))
        self.address = address


def died_idle(error: BaseException) -> bool:
    """A kept-alive connection that the other side closed while it lay idle: the request was not read there."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return False
    return isinstance(error, (aiohttp.ServerDisconnectedError, ConnectionResetError, BrokenPipeError)) or (
        isinstance(error, aiohttp.ClientOSError) and error.errno in {errno.ECONNRESET, errno.EPIPE}
    )


async def _read(answer: aiohttp.ClientResponse, request: HttpRequest) -> bytes:
    body = bytearray()
    while chunk := await answer.content.read(request.limit + 1 - len(body)):
        body += chunk
        if len(body) > request.limit:
            answer.close()
            raise ProviderAnswer(f"{_place(request)}: more than {request.limit} bytes")
    return bytes(body)


def _failure(request: HttpRequest, error: BaseException) -> ProviderUnreachable | ProviderAnswer | AddressRefused:
    """What went wrong, in words of ours: aiohttp's may quote a URL with its query, or the forward proxy's password."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, _Refused):
            return AddressRefused(f"{_place(request)}: {_refusal(cause.address)}")
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return ProviderUnreachable(f"{_place(request)}: the forward proxy answered {error.status}")
    if isinstance(error, (aiohttp.ClientResponseError, aiohttp.ClientPayloadError, ValueError)):
        return ProviderAnswer(f"{_place(request)}: {type(error).__name__}")
    if isinstance(error, TimeoutError):
        return ProviderUnreachable(f"{_place(request)}: no answer in time")
    system = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    reason = system.strerror if isinstance(system, OSError) and system.strerror else type(system).__name__
    return ProviderUnreachable(f"{_place(request)}: {type(error).__name__}: {reason}")


def _refusal(address: IpAddress) -> str:
    return f"{address} is not a public address; list its network in outbound.allow_private if it may be reached"


def _place(request: HttpRequest) -> str:
    parts = urlsplit(request.url)
    return f"{request.method} {parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
