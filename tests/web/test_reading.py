"""All connections are read into one place: what one sends never reaches another, over TLS neither."""

from __future__ import annotations

import asyncio
import ssl
from tempfile import NamedTemporaryFile

import pytest
from aiohttp import web

from gateway.web.server import LARGEST_BODY, Connections
from tests.peers.node import NAME, site_certificates

SIZES = (0, 10, 70_000, 300_000)


async def echo(request: web.BaseRequest) -> web.Response:
    return web.Response(body=await request.read())


def presenting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with NamedTemporaryFile() as file:
        file.write(b"".join(site_certificates().servers[NAME]))
        file.flush()
        context.load_cert_chain(file.name)
    return context


def trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=site_certificates().servers[NAME][0].decode())
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


async def converse(port: int, letter: bytes, tls: ssl.SSLContext | None) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=NAME if tls else None)
    for size in SIZES:
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (size, letter * size))
        head = await reader.readuntil(b"\r\n\r\n")
        assert f"content-length: {size}\r\n".encode() in head.lower()
        assert await reader.readexactly(size) == letter * size
    writer.transport.abort()


@pytest.mark.parametrize("secure", [False, True])
async def test_what_many_send_at_once_stays_apart(*, secure: bool) -> None:
    loop = asyncio.get_running_loop()
    served = Connections(lambda status, _: web.Response(status=status), echo, largest=LARGEST_BODY, loop=loop)  # type: ignore[arg-type]
    server = await loop.create_server(served, "127.0.0.1", 0, ssl=presenting() if secure else None)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with asyncio.timeout(30):
            await asyncio.gather(*(converse(port, bytes([65 + number]), trusting() if secure else None) for number in range(12)))
    await served.shutdown(1)
