"""The only way out to identity providers: one hardened HTTP client per provider.

Follows no redirect, caps size and time, keeps no cookies, unpacks nothing, believes no proxy variable of the environment.
Every address that a connection is about to be made to is checked, after name resolution. Loopback and private addresses are
refused unless `outbound.allow_private` lists their network or the provider's configured URL names them.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import SplitResult, urlsplit

from gateway.errors import AddressRefused, ProviderAnswer, ProviderUnreachable
from gateway.exchange import Connection, MalformedAnswer, OversizeAnswer, Pool, ProxyRefusal, encode, look_up, open_tunnel, reach
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


def meant_address(host: str) -> IpAddress | None:
    """The address that a host means wherever it is looked up: `localhost`, and what resolvers take for one (`127.1`, `0x7f.1`)."""
    if host.rstrip(".") == "localhost":
        return ipaddress.IPv4Address("127.0.0.1")
    try:
        return read_address(host) or ipaddress.ip_address(socket.inet_aton(host))
    except (OSError, ValueError):
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
        self._proxy = None if proxy is None else urlsplit(proxy)
        self._pools: dict[str, Pool] = {}
        self._good: dict[str, Pool] = {}
        self._closed = False

    async def send(self, request: HttpRequest) -> HttpResponse:
        """One request; once more if a kept-alive connection was dead. Raises `ProviderUnreachable`, `ProviderAnswer`, `AddressRefused`."""
        pool = self._good.get(request.url) or self._pool(request.url)
        try:
            answer = await pool.exchange(encode(request), request.limit, request.timeout)
        except (OSError, ValueError, MalformedAnswer, OversizeAnswer, ProxyRefusal) as error:  # time-outs are OSErrors
            raise _failure(request, error) from error
        if answer.headers.get("content-encoding", "identity") != "identity":
            raise ProviderAnswer(f"{_place(request)}: packed, though nobody asked for that")
        return answer

    async def close(self) -> None:
        """End every connection for good. Nothing can be sent any more."""
        self._closed = True
        for pool in self._pools.values():
            await pool.close()

    def _pool(self, url: str) -> Pool:
        """The connections to where `url` leads, if it may be used. Raises `AddressRefused`, and `ProviderUnreachable` after the end."""
        if self._closed:
            raise ProviderUnreachable("this provider's client is closed")
        parts = urlsplit(url)
        self._check(parts)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in self._pools:
            opened = partial(self._open, parts)
            self._pools[origin] = Pool(opened, most=CONNECTIONS_PER_HOST, idle_seconds=KEEPALIVE_SECONDS, again=died_idle)
        if len(self._good) < MOST_CHECKED:
            self._good[url] = self._pools[origin]
        return self._pools[origin]

    def _check(self, parts: SplitResult) -> None:
        """https, or http where the configured URL is http on loopback; a literal address must be permitted (a proxy connects for us)."""
        literal = read_address(parts.hostname or "")
        named = literal if self._proxy is None else meant_address(parts.hostname or "")
        if named is not None and not self._policy.permits(named):
            raise AddressRefused(_refusal(named))
        if parts.username is not None or parts.fragment:
            raise AddressRefused(f"{parts.scheme}://{parts.hostname}: an address with a user's name or a fragment")
        local = parts.hostname == "localhost" or (literal is not None and literal.is_loopback)
        if parts.scheme != "https" and not (parts.scheme == "http" and local and self._policy.http):
            raise AddressRefused(f"{parts.scheme}://{parts.hostname}: only https leaves this gateway")

    async def _open(self, parts: SplitResult) -> Connection:
        """A new connection, after its handshake. Raises OSError and `ProxyRefusal`."""
        host, secure = parts.hostname or "", parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        async with asyncio.timeout(CONNECT_SECONDS):
            if self._proxy is not None:
                return await open_tunnel(self._proxy, host, port, tls=self._tls, secure=secure)
            _, connection = await asyncio.get_running_loop().create_connection(
                Connection,
                sock=await self._connected(host, port),
                ssl=self._tls if secure else None,
                server_hostname=host.rstrip(".") if secure else None,
            )
        return connection

    async def _connected(self, host: str, port: int) -> socket.socket:
        """A socket to an address of `host` that may be reached."""
        found = await look_up(host, port)
        addresses = [ipaddress.ip_address(str(end[0]).partition("%")[0]) for *_, end in found]
        permitted = [info for info, address in zip(found, addresses, strict=True) if self._policy.permits(address)]
        if not permitted:
            raise _Refused(addresses[0])
        return await reach(permitted)


class _Refused(OSError):
    """No address of the name may be reached."""

    def __init__(self, address: IpAddress) -> None:
        super().__init__(str(address))
        self.address = address


def died_idle(error: OSError) -> bool:
    """A kept-alive connection that the other side closed while it lay idle: the request was not read there."""
    return isinstance(error, ConnectionError)


def _failure(request: HttpRequest, error: Exception) -> ProviderUnreachable | ProviderAnswer | AddressRefused:
    """What went wrong, in words of ours: others' may quote a URL with its query, or the forward proxy's password."""
    if isinstance(error, _Refused):
        return AddressRefused(f"{_place(request)}: {_refusal(error.address)}")
    if isinstance(error, ProxyRefusal):
        return ProviderUnreachable(f"{_place(request)}: {error}")
    if isinstance(error, OversizeAnswer):
        return ProviderAnswer(f"{_place(request)}: more than {request.limit} bytes")
    if isinstance(error, TimeoutError):
        return ProviderUnreachable(f"{_place(request)}: no answer in time")
    if isinstance(error, OSError):
        return ProviderUnreachable(f"{_place(request)}: {type(error).__name__}{f': {error.strerror}' if error.strerror else ''}")
    return ProviderAnswer(f"{_place(request)}: {type(error).__name__}")


def _refusal(address: IpAddress) -> str:
    return f"{address} is not a public address; list its network in outbound.allow_private if it may be reached"


def _place(request: HttpRequest) -> str:
    parts = urlsplit(request.url)
    return f"{request.method} {parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
