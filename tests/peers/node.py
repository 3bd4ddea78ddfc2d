"""A small proxy node: real TLS, scripted answers, and an exact record of what each connection showed to it.

It drives TLS by hand over memory buffers, so that it can tell what a client gave away even when the handshake failed, and
can ask for the client certificate late (TLS 1.3 post-handshake authentication). Python cannot ask for a renegotiation, the
TLS 1.2 way to ask late: `tests/qlik/test_late_certificate.py` has OpenSSL's own server for that.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import ssl
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Self, TypeVar

from gateway.demo.certificates import Pair, SiteCertificates, make_site

T = TypeVar("T")

NAME = "qlik1.corp.example"
TICKET = "iokrVXS-IndQgEON"


@functools.cache
def site_certificates() -> SiteCertificates:
    """The site of these tests, made once per process."""
    return make_site([NAME, "QLIK_1", "127.0.0.1", "*.corp.example"], host_of_root="qlik1")


@functools.cache
def other_site_certificates() -> SiteCertificates:
    """Another site whose root has the same name, but of course another key."""
    return make_site([NAME], host_of_root="qlik1")


class Ask(Enum):
    """When the node asks for the client certificate."""

    NEVER = auto()
    IN_HANDSHAKE = auto()
    LATE = auto()


@dataclass(frozen=True)
class Reply:
    """An answer. `length` overrides the Content-Length; `closes` closes the connection afterwards."""

    status: int = 201
    body: bytes = b""
    headers: tuple[str, ...] = ()
    length: int | None = None
    closes: bool = False

    def encode(self) -> bytes:
        length = len(self.body) if self.length is None else self.length
        lines = [f"HTTP/1.1 {self.status} Said", f"Content-Length: {length}", *self.headers, "", ""]
        return "\r\n".join(lines).encode() + self.body


class Fault(Enum):
    """Ways not to answer."""

    DROP = auto()
    HANG = auto()
    TRICKLE = auto()


@dataclass
class Request:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Seen:
    """What one connection showed to the node. `wire`: every byte from the client; `said`: what TLS made of them."""

    handshake: bool = False
    resumed: bool = False
    certificate: bytes | None = None
    version: str | None = None
    server_name: str | None = None
    wire: bytes = b""
    said: bytes = b""
    failure: str = ""
    requests: list[Request] = field(default_factory=list)


Answer = Reply | Fault | bytes
Answers = Callable[[Request], Answer | Awaitable[Answer]]


def ticket_reply(ticket: str = TICKET, target_uri: str | None = None, status: int = 201) -> Reply:
    """The documented success."""
    body = {"UserDirectory": "CONTOSO", "UserId": "alice", "Attributes": [], "Ticket": ticket}
    if target_uri is not None:
        body["TargetUri"] = target_uri
    return Reply(status, json.dumps(body).encode(), ("Content-Type: application/json",))


def always(answer: Answer) -> Answers:
    return lambda _request: answer


def in_turn(answers: Sequence[Answer]) -> Answers:
    """One answer per request, whatever the connection."""
    rest = iter(answers)
    return lambda _request: next(rest)


class TlsNode:
    """`async with TlsNode(...) as node:` serves on a loopback port until the block ends."""

    def __init__(
        self,
        pair: Pair | None = None,
        *,
        answers: Answers | None = None,
        ask: Ask = Ask.IN_HANDSHAKE,
        version: ssl.TLSVersion | None = None,
    ) -> None:
        self.seen: list[Seen] = []
        self.port = 0
        self._ask = ask
        self._context = _server_context(pair or site_certificates().servers[NAME], ask, version)
        self._context.sni_callback = self._note_name
        self._answers = answers or always(ticket_reply())
        self._names: dict[int, str | None] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def requests(self) -> list[Request]:
        return [request for seen in self.seen for request in seen.requests]

    @property
    def reach_at(self) -> str:
        return f"https://127.0.0.1:{self.port}/qps/"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def settled(self) -> None:
        """Wait until every connection has ended, and with it what it showed is complete."""
        await asyncio.gather(*self._tasks)

    async def end_connections(self) -> None:
        """End every connection, whatever is under way on it."""
        for task in self._tasks:
            task.cancel()
        await self.settled()

    def _note_name(self, tls: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        self._names[id(tls)] = name

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        seen = Seen()
        self.seen.append(seen)
        connection = _Connection(reader, writer, self._context, seen)
        try:
            await self._converse(connection, seen)
        except (ssl.SSLError, ConnectionError) as error:
            seen.failure = str(error)
        except asyncio.CancelledError:
            seen.failure = "the test has ended"
        finally:
            seen.server_name = self._names.pop(id(connection.tls), None)
            writer.close()
            self._tasks.discard(task)

    async def _converse(self, connection: _Connection, seen: Seen) -> None:
        await connection.handshake()
        while (request := await connection.read_request()) is not None:
            if self._ask is Ask.LATE and seen.certificate is None:
                await connection.ask_for_certificate()
            if not await self._answer(connection, seen, request):
                return

    async def _answer(self, connection: _Connection, seen: Seen, request: Request) -> bool:
        """Answer one request. False: the connection ends here."""
        seen.requests.append(request)
        planned = self._answers(request)
        answer = await planned if isinstance(planned, Awaitable) else planned
        if answer is Fault.HANG:
            await asyncio.get_running_loop().create_future()
        if answer is Fault.TRICKLE:
            for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1000:
                await connection.write(bytes([byte]))
                await asyncio.sleep(0.02)
        if isinstance(answer, Fault):
            return False
        await connection.write(answer if isinstance(answer, bytes) else answer.encode())
        return not (isinstance(answer, Reply) and answer.closes)


class _Connection:
    """TLS over memory buffers: sees the wire, and can do in the middle of a request what a stream cannot."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext, seen: Seen) -> None:
        self._reader, self._writer, self._seen = reader, writer, seen
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._buffer = b""

    async def handshake(self) -> None:
        await self._pump(self.tls.do_handshake)
        self._seen.handshake = True
        self._seen.version = self.tls.version()
        self._seen.resumed = self.tls.session_reused or False
        self._seen.certificate = self.tls.getpeercert(binary_form=True)

    async def ask_for_certificate(self) -> None:
        self.tls.verify_client_post_handshake()
        self.tls.do_handshake()
        while self._seen.certificate is None:
            await self._flush()
            self._feed(await self._reader.read(65536))
            with contextlib.suppress(ssl.SSLWantReadError):
                self._buffer += self.tls.read(65536)
            self._seen.certificate = self.tls.getpeercert(binary_form=True)

    async def read_request(self) -> Request | None:
        """The next request, or None when the client has closed."""
        while b"\r\n\r\n" not in self._buffer:
            if not await self._read_more():
                return None
        head, _, rest = self._buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        length = int(headers.get("Content-Length", "0"))
        while len(rest) < length:
            if not await self._read_more():
                return None
            rest = self._buffer.partition(b"\r\n\r\n")[2]
        self._buffer = rest[length:]
        method, path, _ = first.split(" ")
        return Request(method, path, headers, rest[:length])

    async def write(self, data: bytes) -> None:
        self.tls.write(data)
        await self._flush()

    async def _read_more(self) -> bool:
        try:
            data = await self._pump(lambda: self.tls.read(65536))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return False
        self._seen.said += data
        self._buffer += data
        return bool(data)

    async def _pump(self, act: Callable[[], T]) -> T:
        while True:
            try:
                return act()
            except ssl.SSLWantReadError:
                await self._flush()
                self._feed(await self._reader.read(65536))
            finally:
                await self._flush()

    def _feed(self, data: bytes) -> None:
        self._seen.wire += data
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    async def _flush(self) -> None:
        if self._outgoing.pending:
            self._writer.write(self._outgoing.read())
            await self._writer.drain()


def _server_context(pair: Pair, ask: Ask, version: ssl.TLSVersion | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"".join(pair))
        file.flush()
        context.load_cert_chain(file.name)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    if ask is not Ask.NEVER:
        # The root is no CA to OpenSSL, so the client certificate is its own anchor. Optional: whoever sends none is still heard.
        context.load_verify_locations(cadata=site_certificates().client.decode())
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.verify_mode = ssl.CERT_OPTIONAL
        context.post_handshake_auth = ask is Ask.LATE
    return context
