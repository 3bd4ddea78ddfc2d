"""The simulated site as a whole: its nodes, their servers, and what a test or the demo needs to know about them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence

from aiohttp import web

from gateway.demo.certificates import SiteCertificates, make_site
from gateway.demo.loopback import GRACE, LOOPBACK, Party
from gateway.demo.site.browser import BrowserFace
from gateway.demo.site.memory import Memory
from gateway.demo.site.node import Node, VirtualProxy
from gateway.demo.site.rest import PARSER_LIMIT, RestFace
from gateway.demo.site.tls import RestTls, server_context
from gateway.demo.watching import Watch, nobody
from gateway.ports import Clock

KEEP_ALIVE = 300.0
"""`keepAliveTimeoutMilliseconds` 300000 [D QRS "Get local proxy service"]."""


class QlikSimulator(Party):
    """A Qlik Sense site on loopback, on ports of its own choice.

    `virtual_proxies` maps prefixes to authentication module redirect URIs (`link` changes one later). `browser_tls`
    makes the browser's face https; `browser_host` is the name that `url` gives it. `certificates` default to fresh ones
    for `nodes`; a node's REST face presents the pair that stands under the node's name.
    """

    def __init__(  # noqa: PLR0913 -- one keyword for each thing that a test may want otherwise
        self,
        *,
        clock: Clock,
        nodes: Sequence[str] = ("qlik1.corp.example",),
        virtual_proxies: Mapping[str, str],
        certificates: SiteCertificates | None = None,
        tls: RestTls | None = None,
        browser_host: str = LOOPBACK,
        browser_tls: ssl.SSLContext | None = None,
        watch: Watch = nobody,
    ) -> None:
        self.certificates = certificates or make_site(nodes, host_of_root=nodes[0])
        self.virtual_proxies = {prefix: VirtualProxy(prefix=prefix, module_uri=uri) for prefix, uri in virtual_proxies.items()}
        self._tls = tls or RestTls()
        self._browser_host = browser_host
        self._browser_tls = browser_tls
        self._nodes = {
            name: Node(
                name=name,
                virtual_proxies=self.virtual_proxies,
                memory=Memory(clock),
                watch=watch,
                late_certificate=self._tls.late,
            )
            for name in nodes
        }
        self._listeners: list[tuple[asyncio.Server, web.Server]] = []

    async def start(self) -> None:
        """Open every node's two ports."""
        scheme = "https" if self._browser_tls else "http"
        for node in self._nodes.values():
            certificate, key = self.certificates.servers[node.name]
            context = server_context(certificate, key, client=self.certificates.client, tls=self._tls)
            node.rest_port = await self._serve(node, "rest_connections", RestFace(node).handle, context)
            port = await self._serve(node, "browser_connections", BrowserFace(node).handle, self._browser_tls)
            node.browser_origin = f"{scheme}://{self._browser_host}:{port}"

    async def close(self) -> None:
        """Close everything; who hangs, is let go."""
        for node in self._nodes.values():
            node.faults.clear()
        for listener, server in self._listeners:
            listener.close()
            await server.shutdown(GRACE)
        self._listeners.clear()

    @property
    def nodes(self) -> tuple[str, ...]:
        """The names of the nodes."""
        return tuple(self._nodes)

    def node(self, name: str | None = None) -> Node:
        """A node by its name; the first one without."""
        return self._nodes[name] if name else next(iter(self._nodes.values()))

    def url(self, node: str | None = None) -> str:
        """The browser's face of a node: an origin."""
        return self.node(node).browser_origin

    def hub(self, prefix: str, node: str | None = None) -> str:
        """The hub of a virtual proxy."""
        return f"{self.url(node)}{self.virtual_proxies[prefix].path}/hub/"

    def proxy_rest_uri(self, prefix: str, node: str | None = None) -> str:
        """What the node writes into `proxyRestUri`."""
        return self.node(node).proxy_rest_uri(prefix)

    def reach_at(self, node: str | None = None) -> str:
        """Where the REST face of a node really listens, without a prefix."""
        return f"https://{LOOPBACK}:{self.node(node).rest_port}/qps/"

    def link(self, prefix: str, module_uri: str) -> None:
        """Enter a virtual proxy's authentication module redirect URI, as an administrator does in the QMC."""
        self.virtual_proxies[prefix].module_uri = module_uri

    def count(self, name: str) -> int:
        """One counter, over all nodes."""
        return sum(node.counters[name] for node in self._nodes.values())

    async def _serve(
        self, node: Node, counter: str, handle: Callable[[web.BaseRequest], Awaitable[web.Response]], tls: ssl.SSLContext | None
    ) -> int:
        """Serve one face of one node; returns its port."""
        server = web.Server(handle, access_log=None, keepalive_timeout=KEEP_ALIVE, max_line_size=PARSER_LIMIT, max_field_size=PARSER_LIMIT)

        def accept() -> asyncio.BaseProtocol:
            node.counters[counter] += 1
            return server()

        listener = await asyncio.get_running_loop().create_server(accept, LOOPBACK, 0, ssl=tls)
        self._listeners.append((listener, server))
        port: int = listener.sockets[0].getsockname()[1]
        return port
