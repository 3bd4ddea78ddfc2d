"""TLS below a connection: messages of any size, and every way to end."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from tempfile import NamedTemporaryFile

import pytest

from gateway.exchange import BrokenOff, Connection, MalformedAnswer, open_connection
from tests.peers.node import NAME, Answer, Reply, Request, TlsNode, site_certificates

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=site_certificates().servers[NAME][0].decode())
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


async def connected(port: int) -> Connection:
    return await open_connection("127.0.0.1", port, tls=trusting(), server_name=NAME)


def request(body: bytes = b"") -> bytes:
    return b"POST /qps HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


@pytest.mark.parametrize("version", VERSIONS)
async def test_messages_of_many_records_go_both_ways(version: ssl.TLSVersion) -> None:
    def echo(asked: Request) -> Answer:
        return Reply(200, asked.body)

    async with TlsNode(answers=echo, version=version) as node:
        connection = await connected(node.port)
        for size in (0, 1, 16_384, 16_385, 100_000, 400_000):
            assert (await connection.exchange(request(b"x" * size), 500_000)).body == b"x" * size
        connection.drop()


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_body_may_end_with_the_other_sides_farewell(version: ssl.TLSVersion) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        writer.close()

    async with serving(answer, tls=presenting(version)) as port:
        connection = await connected(port)
        assert (await connection.exchange(request(), 100)).body == b"all of it"
        await connection.gone()


async def test_a_connection_that_breaks_off_before_an_answer_is_told_from_one_within() -> None:
    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        writer.close()

    async with serving(close, tls=presenting()) as port:
        with pytest.raises(BrokenOff):
            await (await connected(port)).exchange(request(), 100)
    async with serving(half, tls=presenting()) as port:
        with pytest.raises(MalformedAnswer):
            await (await connected(port)).exchange(request(), 100)


async def test_a_listener_that_closes_instead_of_shaking_hands_is_no_connection() -> None:
    async def close(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with serving(close) as port:
        with pytest.raises(ConnectionError):
            await connected(port)


async def test_a_listener_that_speaks_something_else_is_no_connection() -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 smtp.corp.example ESMTP\r\n")

    async with serving(greet) as port:
        with pytest.raises(ssl.SSLError):
            await connected(port)


async def test_a_handshake_that_is_given_up_closes_its_connection() -> None:
    heard, ended = asyncio.Event(), asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        heard.set()
        with suppress(ConnectionError):
            await reader.read()
        ended.set()
        writer.close()

    async with serving(listen) as port:
        opening = asyncio.create_task(connected(port))
        await heard.wait()
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        await asyncio.wait_for(ended.wait(), 10)


async def test_what_is_no_tls_in_the_middle_ends_the_exchange() -> None:
    async def garbling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection("127.0.0.1", node.port)
        up = asyncio.create_task(pipe(reader, ours))
        while data := await theirs.read(65536):
            writer.write(b"\x17\x03\x03\x00\x20" + bytes(32) if node.requests else data)
        await up
        writer.close()

    async with TlsNode() as node, serving(garbling) as port:
        connection = await connected(port)
        with pytest.raises(ssl.SSLError):
            await connection.exchange(request(), 100)
        assert not connection.usable


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


@asynccontextmanager
async def serving(serve: Serve, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    writers: list[asyncio.StreamWriter] = []

    async def tracked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await serve(reader, writer)

    server = await asyncio.start_server(tracked, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]
    for writer in writers:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


def presenting(version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = version
    with NamedTemporaryFile() as file:
        file.write(b"".join(site_certificates().servers[NAME]))
        file.flush()
        context.load_cert_chain(file.name)
    return context
