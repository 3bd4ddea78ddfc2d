"""HTTP/1.1 as the driver speaks it on both of its sides: just enough, and cheap, so that the driver never is the bottleneck."""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.web import rounds

ANSWER_SECONDS = 15.0


@dataclass(slots=True)
class Message:
    """A request or an answer. Header names are lower case; the last of equal ones counts, but `cookies` holds every Set-Cookie."""

    first: str
    headers: dict[str, str]
    cookies: list[str]
    body: bytes = b""

    @property
    def status(self) -> int:
        return int(self.first.split(" ", 2)[1])

    @property
    def keeps_alive(self) -> bool:
        return self.headers.get("connection", "").lower() != "close"


def take(buffer: bytearray) -> Message | None:
    """The first whole message, cut off the buffer; None while it is not there."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    message = _head(buffer[:end].decode("latin1"))
    start = end + 4
    if message.headers.get("transfer-encoding", "").lower() == "chunked":
        found = _chunks(buffer, start)
        if found is None:
            return None
        message.body, stop = found
    else:
        stop = start + int(message.headers.get("content-length", 0))
        if len(buffer) < stop:
            return None
        message.body = bytes(buffer[start:stop])
    del buffer[:stop]
    return message


def _head(text: str) -> Message:
    first, *lines = text.split("\r\n")
    pairs = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    return Message(first, dict(pairs), [value for name, value in pairs if name == "set-cookie"])


def _chunks(buffer: bytearray, at: int) -> tuple[bytes, int] | None:
    """The body and where it ends; trailers are not expected."""
    body = b""
    while (end := buffer.find(b"\r\n", at)) >= 0:
        size, at = int(buffer[at:end].split(b";")[0], 16), end + 2
        if len(buffer) < at + size + 2:
            return None
        body += buffer[at : at + size]
        at += size + 2
        if not size:
            return body, at
    return None


def request(method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """A request as bytes."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin1") + body


def answer(status: int, body: bytes = b"", content_type: str = "application/json", **headers: str) -> bytes:
    """An answer as bytes."""
    lines = [f"HTTP/1.1 {status} -", f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin1") + body


class ServerSide(asyncio.Protocol):
    """One connection from the system under test. `respond` gives the whole answer at once; `connections` counts under `name`."""

    def __init__(self, respond: Callable[[Message], bytes], connections: Counter[str], name: str) -> None:
        self._respond, self._connections, self._name = respond, connections, name
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._connections[self._name] += 1

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (message := take(self._buffer)) is not None:
            self._transport.write(self._respond(message))  # type: ignore[attr-defined]
            if not message.keeps_alive:
                self._transport.close()


class ClientSide(asyncio.Protocol):
    """One connection to the system under test, for one exchange at a time."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._waiting: asyncio.Future[Message] | None = None
        self.open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self.open = True
        rounds.turns().let_wait(transport.get_extra_info("socket").fileno())

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        self._fail(exc or ConnectionError("closed"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._waiting is not None and (message := take(self._buffer)) is not None:
            waiting, self._waiting = self._waiting, None
            if not message.keeps_alive:
                self.close()
            if not waiting.done():
                waiting.set_result(message)

    async def exchange(self, data: bytes) -> Message:
        """Send a request and wait for its answer."""
        loop = asyncio.get_running_loop()
        self._waiting = waiting = loop.create_future()
        timer = loop.call_later(ANSWER_SECONDS, self._fail, TimeoutError("no answer"))
        self._transport.write(data)  # type: ignore[attr-defined]
        try:
            return await waiting
        finally:
            timer.cancel()

    def close(self) -> None:
        self.open = False
        self._transport.close()

    def _fail(self, error: Exception) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)
        self._waiting = None


def encoded(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
