"""One site's connections: pooled, kept alive, and sparing in what they believe of an answer."""

from __future__ import annotations

import asyncio

import aiohttp
import yarl

from gateway.connector import NotingConnector, begin_exchange, was_reused
from gateway.errors import NodeAnswer, NodeUnreachable
from gateway.model import HttpRequest, HttpResponse
from gateway.protocol.qps import Node
from gateway.qlik.failures import BROKEN_OFF, failure
from gateway.qlik.trust import SiteTrust

CONNECT_SECONDS = 3.0
"""TCP and TLS together. The whole request has the seconds that it says itself, pool and a retry included."""

KEEP_ALIVE_SECONDS = 60.0
"""Well below the proxy's own keepAliveTimeoutMilliseconds of 300,000 (Qlik "Get local proxy service")."""

CONNECTIONS_PER_NODE = 32


class SiteConnections:
    """Sends requests to the nodes of one site, each under its own context. Opens its pool at the first request."""

    def __init__(self, trust: SiteTrust) -> None:
        self._trust = trust
        self._pool: aiohttp.ClientSession | None = None
        self._closed = False

    async def send(self, request: HttpRequest, node: Node) -> HttpResponse:
        """One answer, read in full. Raises `QlikError`: `NodeUnreachable`, `NodeNotVerified`, `CertificateRejected`, `NodeAnswer`.

        A kept-alive connection that turns out to be dead costs one more try, on a connection of its own.
        """
        if self._closed:
            raise NodeUnreachable(f"{node.name}: the connections of this site are closed")
        try:
            async with asyncio.timeout(request.timeout):
                return await self._send_or_retry(request, node)
        except (aiohttp.ClientError, OSError) as error:  # time-outs are OSErrors
            raise failure(error, node) from error

    async def close(self) -> None:
        """Close the pool for good. Nothing can be sent any more."""
        self._closed = True
        if self._pool is not None:
            await self._pool.close()

    async def _send_or_retry(self, request: HttpRequest, node: Node) -> HttpResponse:
        if self._pool is None:
            self._pool = _open_session(keep_alive=True)
        begin_exchange()
        try:
            answer = await self._send_once(self._pool, request, node)
        except BROKEN_OFF:
            if not was_reused():
                raise
        else:
            if not was_reused():
                self._trust.context(node).learn(node.server_name)
            return answer
        async with _open_session(keep_alive=False) as fresh:
            return await self._send_once(fresh, request, node)

    async def _send_once(self, session: aiohttp.ClientSession, request: HttpRequest, node: Node) -> HttpResponse:
        async with session.request(
            request.method,
            yarl.URL(request.url, encoded=True),
            headers=request.headers,
            data=request.body,
            ssl=self._trust.context(node),
            server_hostname=node.server_name,
            allow_redirects=False,
        ) as response:
            return HttpResponse(
                status=response.status,
                headers={name.lower(): value for name, value in response.headers.items()},
                body=await _read_body(response, request.limit, node),
            )


async def _read_body(response: aiohttp.ClientResponse, limit: int, node: Node) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > limit:
            response.close()  # with its connection: the rest is not wanted
            raise NodeAnswer(f"{node.name} answers with status {response.status} and more than {limit} bytes")
    return bytes(body)


def _open_session(*, keep_alive: bool) -> aiohttp.ClientSession:
    connector = (
        NotingConnector(limit=0, limit_per_host=CONNECTIONS_PER_NODE, keepalive_timeout=KEEP_ALIVE_SECONDS)
        if keep_alive
        else aiohttp.TCPConnector(force_close=True)
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        headers={"User-Agent": "qlikgw", "Accept-Encoding": "identity"},
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
    )
