"""One site's connections: kept alive, and sparing in what they believe of an answer."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from gateway.errors import NodeUnreachable
from gateway.exchange import Connection, MalformedAnswer, OversizeAnswer, Pool, encode, open_connection
from gateway.model import HttpRequest, HttpResponse
from gateway.protocol.qps import Node
from gateway.qlik.failures import failure
from gateway.qlik.resumption import ResumingContext
from gateway.qlik.trust import SiteTrust

CONNECT_SECONDS = 3.0
"""Name, TCP and TLS together. The whole request has the seconds that it says itself, waiting and a retry included."""

KEEP_ALIVE_SECONDS = 60.0
"""Well below the proxy's own keepAliveTimeoutMilliseconds of 300,000 (Qlik "Get local proxy service")."""

CONNECTIONS_PER_NODE = 32


class SiteConnections:
    """The way to each node of one site, each under its own context. Opens a connection at the first request."""

    def __init__(self, trust: SiteTrust) -> None:
        self._trust = trust
        self._nodes: dict[Node, NodeConnections] = {}

    def to(self, node: Node) -> NodeConnections:
        """The way to `node`. Raises `MaterialProblem`."""
        if node not in self._nodes:
            self._nodes[node] = NodeConnections(node, self._trust.context(node))
        return self._nodes[node]

    async def close(self) -> None:
        """Close every connection for good. Nothing can be sent any more."""
        for node in self._nodes.values():
            await node.close()


class NodeConnections:
    """Sends requests to one node."""

    def __init__(self, node: Node, context: ResumingContext) -> None:
        self._node = node
        self._context = context
        address = urlsplit(node.reach_at)
        self._host, self._port = address.hostname or "", address.port or 443
        self._pool = Pool(self._open, most=CONNECTIONS_PER_NODE, idle_seconds=KEEP_ALIVE_SECONDS, answered=self._learn)
        self._closed = False

    async def send(self, request: HttpRequest) -> HttpResponse:
        """`exchange` with a request."""
        return await self.exchange(encode(request), request.limit, request.timeout)

    async def exchange(self, message: bytes, limit: int, seconds: float) -> HttpResponse:
        """One answer, read in full. Raises `QlikError`: `NodeUnreachable`, `NodeNotVerified`, `CertificateRejected`, `NodeAnswer`.

        A kept-alive connection that turns out to be dead costs one more try, on a connection of its own.
        """
        if self._closed:
            raise NodeUnreachable(f"{self._node.name}: the connections of this site are closed")
        try:
            return await self._pool.exchange(message, limit, seconds)
        except (OSError, MalformedAnswer, OversizeAnswer) as error:  # time-outs are OSErrors
            self._context.forget(self._node.server_name)  # whatever it was, it shall not be a session that the node makes nothing of
            raise failure(error, self._node) from error

    async def close(self) -> None:
        self._closed = True
        await self._pool.close()

    async def _open(self) -> Connection:
        async with asyncio.timeout(CONNECT_SECONDS):
            return await open_connection(self._host, self._port, tls=self._context, server_name=self._node.server_name)

    def _learn(self) -> None:
        self._context.learn(self._node.server_name)
