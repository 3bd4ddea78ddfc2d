"""A REST client for the simulated site, as an administrator's script would be, and a browser that follows nothing by itself."""

from __future__ import annotations

import ssl
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlsplit

import aiohttp
from yarl import URL

from gateway.demo.certificates import SiteCertificates
from gateway.demo.site import QlikSimulator
from gateway.demo.site.tls import load_pair

NODES = ("qlik1.corp.example", "qlik2.corp.example")
KEY = "0123456789abcdEF"
ALICE = {"UserDirectory": "CORP", "UserId": "alice"}


def client_context(certificates: SiteCertificates, node: str, *, certificate: bool = True, late: bool = True) -> ssl.SSLContext:
    """Pins the node's leaf; shows the site's client certificate unless told otherwise."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=certificates.servers[node][0].decode())
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.post_handshake_auth = late
    if certificate:
        load_pair(context, certificates.client, certificates.client_key)
    return context


class RestClient:
    """Calls the REST face of a node. Every answer is (status, text, JSON or None)."""

    def __init__(self, site: QlikSimulator, node: str | None = None, *, context: ssl.SSLContext | None = None) -> None:
        self.site = site
        self.node = site.node(node).name
        self.context = context or client_context(site.certificates, self.node)
        self.session = aiohttp.ClientSession()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.session.close()

    async def call(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        data: bytes | None = None,
        query: str = f"?Xrfkey={KEY}",
        headers: dict[str, str] | None = None,
    ) -> aiohttp.ClientResponse:
        """`path` follows /qps/."""
        response = await self.session.request(
            method,
            URL(self.site.reach_at(self.node) + path + query, encoded=True),
            headers={"X-Qlik-Xrfkey": KEY} | (headers or {}),
            json=json,
            data=data,
            ssl=self.context,
            server_hostname=self.node,
        )
        await response.read()
        return response

    async def ticket(self, prefix: str = "sales", **more: object) -> str:
        """Ask for a ticket of alice's."""
        response = await self.call("POST", f"{prefix}/ticket" if prefix else "ticket", json=ALICE | more)
        assert response.status == 201, await response.text()
        return str((await response.json())["Ticket"])


def location(response: aiohttp.ClientResponse) -> tuple[str, list[tuple[str, str]]]:
    """Where a redirect leads: the address without its query, and the query's parameters in order."""
    parts = urlsplit(response.headers["Location"])
    return f"{parts.scheme}://{parts.netloc}{parts.path}", parse_qsl(parts.query, keep_blank_values=True)


async def get(session: aiohttp.ClientSession, url: str, **more: object) -> aiohttp.ClientResponse:
    """One GET without following redirects; the address goes out as it is written."""
    response = await session.get(URL(url, encoded=True), allow_redirects=False, **more)
    await response.read()
    return response
