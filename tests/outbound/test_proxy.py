"""The way through a forward proxy, with a real proxy and a real TLS peer on loopback."""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from gateway.demo.certificates import make_web
from gateway.errors import AddressRefused, ProviderAnswer, ProviderUnreachable
from gateway.exchange import tunnel
from gateway.model import HttpRequest
from gateway.outbound import AddressPolicy, OutboundClient, tls_towards_providers

Answer: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
WEB = make_web(["op.example"])
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell"


class Proxy:
    """Connects whoever asks to the one peer there is. `word`: what it says before it stands aside."""

    def __init__(self, peer: int, word: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n") -> None:
        self.peer, self.word = peer, word
        self.asked: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(self.word)
        there, onwards = await asyncio.open_connection("127.0.0.1", self.peer)
        await asyncio.gather(pipe(reader, onwards), pipe(there, writer))


async def pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65_536):
            sink.write(data)
    await ended(sink)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(asyncio.IncompleteReadError, OSError):
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(OK)
    await ended(writer)


async def ended(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()


@asynccontextmanager
async def serving(answer: Answer, **options: Any) -> AsyncIterator[int]:
    """The port of a server whose connections have all ended when it has."""
    under_way: list[asyncio.Future[None]] = []

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        under_way.append(asyncio.ensure_future(answer(reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1", 0, **options)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await asyncio.gather(*under_way)


@pytest.fixture
async def peer(tmp_path: Path) -> AsyncIterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (tmp_path / "server.pem").write_bytes(b"".join(WEB.servers["op.example"]))
    context.load_cert_chain(tmp_path / "server.pem")
    async with serving(answer, ssl=context) as port:
        yield port


async def through(proxy: Proxy, *urls: str, user: str = "", policy: AddressPolicy = AddressPolicy()) -> list[bytes]:  # noqa: B008 - frozen
    """The bodies that come back, one after the other, by one client."""
    async with serving(proxy.serve) as port:
        client = OutboundClient(policy=policy, tls=tls_towards_providers(WEB.ca), proxy=f"http://{user}127.0.0.1:{port}")
        try:
            return [(await client.send(HttpRequest(method="GET", url=url))).body for url in urls]
        finally:
            await client.close()


async def test_one_tunnel_serves_many_requests_and_the_proxy_sees_none_of_them(peer: int) -> None:
    proxy = Proxy(peer)
    assert await through(proxy, "https://op.example/jwks", "https://op.example/token?code=CANARY") == [b"well", b"well"]
    (asked,) = proxy.asked
    assert asked.startswith(b"CONNECT op.example:443 HTTP/1.1\r\nHost: op.example:443\r\n")
    assert b"CANARY" not in asked
    assert b"Proxy-Authorization" not in asked


async def test_plain_http_goes_through_the_proxy_as_well() -> None:
    async with serving(answer) as port:
        proxy = Proxy(port)
        assert await through(proxy, f"http://localhost:{port}/jwks", policy=AddressPolicy(loopback=True, http=True)) == [b"well"]
        assert proxy.asked[0].startswith(f"CONNECT localhost:{port} HTTP/1.1\r\n".encode())


async def test_the_proxys_credentials_are_given_to_it_decoded(peer: int) -> None:
    proxy = Proxy(peer)
    await through(proxy, "https://op.example:8443/", user="us%40er:p%3Aw@")
    (asked,) = proxy.asked
    assert asked.startswith(b"CONNECT op.example:8443 HTTP/1.1\r\n")
    sent = asked.partition(b"Proxy-Authorization: Basic ")[2].split(b"\r\n")[0]
    assert b64decode(sent) == b"us@er:p:w"


async def test_who_answers_behind_the_proxy_must_prove_the_name(peer: int) -> None:
    with pytest.raises(ProviderUnreachable, match="CertVerification"):
        await through(Proxy(peer), "https://other.example/jwks")


@pytest.mark.parametrize("host", ["localhost", "localhost.", "127.0.0.1", "127.1", "0x7f.1", "2130706433", "10.1", "[::1]"])
async def test_the_proxy_is_asked_for_no_address_inside_however_it_is_written(peer: int, host: str) -> None:
    """It looks names up where we do not see it."""
    proxy = Proxy(peer)
    with pytest.raises(AddressRefused, match="allow_private"):
        await through(proxy, f"https://{host}/jwks")
    assert not proxy.asked


@pytest.mark.parametrize(
    "word",
    [
        b"HTTP/1.1 403 Forbidden\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"well, well\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * tunnel.LONGEST_WORD,
    ],
    ids=["refused", "an answer of its own", "no status", "not HTTP", "no end"],
)
async def test_a_proxy_that_does_not_stand_aside_is_no_way(peer: int, word: bytes) -> None:
    with pytest.raises(ProviderUnreachable, match="the forward proxy answered"):
        await through(Proxy(peer, word), "https://op.example/jwks")


async def test_a_name_that_no_proxy_could_be_asked_for_is_a_wrong_answer(peer: int) -> None:
    proxy = Proxy(peer)
    with pytest.raises(ProviderAnswer):
        await through(proxy, "https://op.example\r\nX: y/jwks")
    with pytest.raises(ProviderAnswer):
        await through(proxy, "https://\u00f6p.example/jwks")
    assert not proxy.asked
