"""The way through a forward proxy: it is asked to connect, and then stands aside (RFC 9110 §9.3.6)."""

from __future__ import annotations

import asyncio
import re
import ssl
from base64 import b64encode
from contextlib import ExitStack
from urllib.parse import SplitResult, unquote

from gateway.exchange.connection import BrokenOff, Connection
from gateway.exchange.names import look_up, reach

LONGEST_WORD = 16_384
"""Bytes that a proxy may say before it stands aside."""

_STATUS = re.compile(rb"HTTP/1\.[01] ([1-9][0-9][0-9])[ \r]")
_OK = 200


class ProxyRefusal(Exception):
    """The proxy does not connect us."""

    def __init__(self, status: int | None) -> None:
        super().__init__(f"the forward proxy answered {status or 'something that is not HTTP'}")


async def open_tunnel(proxy: SplitResult, host: str, port: int, *, tls: ssl.SSLContext, secure: bool) -> Connection:
    """A connection to `host` through `proxy`, after the handshakes with both. Raises OSError and `ProxyRefusal`."""
    loop = asyncio.get_running_loop()
    by_tls, name = proxy.scheme == "https", proxy.hostname or ""
    reached = await reach(await look_up(name, proxy.port or (443 if by_tls else 80)))
    transport, spoken = await loop.create_connection(
        _ProxysWord, sock=reached, ssl=tls if by_tls else None, server_hostname=name if by_tls else None
    )
    with ExitStack() as failed:
        failed.callback(transport.abort)
        transport.write(_connect(proxy, host, port))
        _check(await spoken.word)
        connection = Connection()
        transport.set_protocol(connection)
        inner = await loop.start_tls(transport, connection, tls, server_hostname=host.rstrip(".")) if secure else transport
        failed.pop_all()
    if inner is None:
        raise BrokenOff
    connection.connection_made(inner)
    return connection


def _connect(proxy: SplitResult, host: str, port: int) -> bytes:
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    named = ""
    if proxy.username is not None:
        user = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}".encode()
        named = f"Proxy-Authorization: Basic {b64encode(user).decode('ascii')}\r\n"
    return f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\nUser-Agent: qlikgw\r\n{named}\r\n".encode(
        "idna" if not place.isascii() else "ascii"
    )


def _check(word: bytes) -> None:
    """RFC 9110 §9.3.6: any 2xx connects; we take what everybody sends, and nothing after it before we spoke."""
    status = _STATUS.match(word)
    if status is None or int(status[1]) != _OK or not word.endswith(b"\r\n\r\n"):
        raise ProxyRefusal(None if status is None else int(status[1]))


class _ProxysWord(asyncio.Protocol):
    """What the proxy says until its head ends."""

    def __init__(self) -> None:
        self.word: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._held = b""

    def data_received(self, data: bytes) -> None:
        self._held += data
        if not self.word.done() and (b"\r\n\r\n" in self._held or len(self._held) > LONGEST_WORD):
            self.word.set_result(self._held)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.word.done():
            self.word.set_exception(exc or BrokenOff())
