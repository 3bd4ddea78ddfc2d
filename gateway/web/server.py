"""The server in front of the application: limits on what is read at all, and an answer of ours to what is no request.

aiohttp answers bytes that it cannot parse by itself, before any middleware, and quotes them; here they get the same page
as every other error. Bodies are never inflated: nothing that talks to the gateway compresses what it sends.
"""

from __future__ import annotations

import asyncio
import fcntl
import termios
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from socket import socket
from typing import Any, cast

from aiohttp import StreamReader
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_request import BaseRequest
from aiohttp.web_response import StreamResponse
from aiohttp.web_server import Server

from gateway import lines
from gateway.errors import GatewayError, InternalError, UnreadableRequest
from gateway.routing import Live
from gateway.web import pages, rounds
from gateway.web.answers import Answer, page_response
from gateway.web.browser import LARGEST_FORM
from gateway.web.context import Services
from gateway.web.handlers.management import Management
from gateway.web.handlers.this_machine import SMALL
from gateway.web.middleware import HSTS, Front, correlation_id

KEEPALIVE_SECONDS = 75.0
"""How long a connection may rest between requests, and how long the head of a further one may take."""
FIRST_HEAD_SECONDS = 10.0
"""How long the head of a connection's first request may take."""
LINGERING_SECONDS = 1.0
"""How long the rest of a body is read after its answer."""
LONGEST_HEADER = 32 * 1024
"""Bytes of one header line: a browser that restored many tabs sends more than the usual 8 KiB of cookies."""
LARGEST_HEAD = 48 * 1024
"""Bytes that may arrive without becoming a request."""
MOST_CONNECTIONS = 4_000
"""Beyond these, the one that has asked for nothing for longest, or has not sent its form or read its answer, makes room."""
FULL_SECONDS = 0.02
"""Between looks whether one can make room, while new ones are left to the system."""
LOOK_SECONDS = 0.1
"""How often all connections are looked through at most for those that may go: with all of them busy, each new one would else cost that."""
ENOUGH = 1_000
"""That may go within this time."""
LARGE_FORM = 64 * 1024
"""Bytes of a body beyond which it counts as large."""
MOST_LARGE_FORMS = 100
"""Large ones that may be on their way at once, each up to 600 KiB; beyond these, the one that has taken longest is given up."""
READ_BYTES = 256 * 1024
"""Read at once at most, as asyncio does; but it makes room for all of them at each read, which costs more than the reading."""
LARGEST_BODY = max(LARGEST_FORM.values())
Refuse = Callable[[int, BaseException | None], Answer]


OPTIONS: dict[str, Any] = {
    "access_log": None,
    "keepalive_timeout": KEEPALIVE_SECONDS,
    "auto_decompress": False,
    "lingering_time": LINGERING_SECONDS,
    "max_field_size": LONGEST_HEADER,
}


def for_browsers(services: Live[Services], ready: Live[bool], loop: asyncio.AbstractEventLoop) -> Connections:
    """The server for browsers and identity providers."""
    return Connections(_refusals(services), Front(services, ready), largest=LARGEST_BODY, loop=loop)


def for_the_platform(services: Live[Services], management: Management, loop: asyncio.AbstractEventLoop) -> Connections:
    """The server for probes, metrics and programs on this machine."""
    return Connections(_refusals(services), management, largest=SMALL, loop=loop)


class Connections(Server):
    """Makes a protocol of ours for each connection, and keeps their number in bounds."""

    def __init__(self, refuse: Refuse, front: Front | Management, *, largest: int, loop: asyncio.AbstractEventLoop) -> None:
        """`largest`: bytes of a body."""
        super().__init__(cast("Any", front), request_factory=partial(BaseRequest, loop=loop, client_max_size=largest), loop=loop)
        self._refuse = refuse
        self._running = loop
        self.turns = rounds.turns()
        self.read_into = memoryview(bytearray(READ_BYTES))
        """One for all connections: what was read is taken out before anything else is read."""
        self.listening: Sequence[int] = ()
        """Where connections come in: file descriptors."""
        self._full = False
        self.open: dict[_Protocol, None] = {}
        """The one first whose last request came first, or that came first itself."""
        self._spare: deque[_Protocol] = deque()
        """Those that could go when they were last looked through, in the order in which they shall."""
        self._look_again = 0.0
        self._large: list[_Protocol] = []
        """Those that send a large form, the longest first."""

    def __call__(self) -> RequestHandler:
        return _Protocol(self._refuse, self, loop=self._running, **OPTIONS)

    def make_room(self) -> None:
        """Where there are too many, end one that asks for nothing, or one whose form or answer is on its way; else let no more in."""
        if len(self.open) <= MOST_CONNECTIONS:
            return
        if (expendable := self._expendable()) is not None:
            expendable.give_up()
            return
        for fd in self.listening:  # also where it was full already: asyncio, out of file descriptors, watches them anew after a second
            self.turns.park(fd)
        if not self._full:
            self._full = True
            self._running.call_later(FULL_SECONDS, self._let_in_again)

    def _let_in_again(self) -> None:
        while len(self.open) > MOST_CONNECTIONS and (expendable := self._expendable()) is not None:
            expendable.give_up()
        if len(self.open) > MOST_CONNECTIONS:
            self._running.call_later(FULL_SECONDS, self._let_in_again)
            return
        self._full = False
        for fd in self.listening:
            self.turns.look_again(fd)

    def _expendable(self) -> _Protocol | None:
        if self._running.time() >= self._look_again:
            self._look_again = self._running.time() + LOOK_SECONDS
            kinds = _Protocol.is_idle, _Protocol.is_sending, _Protocol.is_receiving
            self._spare = deque(islice((connection for kind in kinds for connection in self.open if kind(connection)), ENOUGH))
        while self._spare:
            connection = self._spare.popleft()
            if connection in self.open and connection.may_go():
                return connection
        return None

    def take_large_form(self, sender: _Protocol) -> None:
        """One more large form is on its way: where there are too many, give one up."""
        self._large = [connection for connection in (*self._large, sender) if connection in self.open and connection.is_sending()]
        if len(self._large) > MOST_LARGE_FORMS:
            self._large.pop(0).give_up()


class _Protocol(RequestHandler, asyncio.BufferedProtocol):
    """One connection."""

    __slots__ = ("_refuse", "_server", "_socket", "_unread", "_way")

    def __init__(self, refuse: Refuse, server: Connections, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(server, **kwargs)
        self._refuse = refuse
        self._server = server
        self._unread = 0
        """Bytes of a head, or of a request with its body, that is not complete yet."""
        self._way: asyncio.WriteTransport | None = None
        self._socket: socket | None = None
        """Kept: over TLS, the transport tells it no more once the connection is lost."""

    @property
    def spoke(self) -> bool:
        """Whether a request has come."""
        return self._request_count > 0

    def is_idle(self) -> bool:
        """Whether it waits for a request."""
        return self._waiter is not None and not self._waiter.done()

    def is_sending(self) -> bool:
        """Whether the body of its request is on its way yet."""
        return any(not body.is_eof() for body in self._bodies())

    def is_receiving(self) -> bool:
        """Whether an answer is on its way yet, or the end of TLS: who never reads could keep it there for ever."""
        return self.writing_paused or (self._way is not None and (self._way.is_closing() or self._way.get_write_buffer_size() > 0))

    def may_go(self) -> bool:
        """Whether nobody waits for what the gateway does with it, or will do when its turn comes to be read."""
        return ((self.is_idle() or self.is_sending()) and not self.has_unread()) or self.is_receiving()

    def has_unread(self) -> bool:
        """Whether something has come that waits for its turn to be read."""
        fd = self._fd()
        return fd >= 0 and fcntl.ioctl(fd, termios.FIONREAD, bytes(4)) != bytes(4)

    def _fd(self) -> int:
        """Its file descriptor; -1 once that is closed."""
        return -1 if self._socket is None else self._socket.fileno()

    def give_up(self) -> None:
        """End it at once, also where something is on its way: to close would be to wait for that. It counts no more from now on."""
        self._server.open.pop(self, None)
        self.force_close()
        if self._way is not None:
            self._way.abort()

    def _bodies(self) -> list[StreamReader]:
        """Of the request in hand, and of those that wait behind it."""
        waiting = [body for _, body in self._messages]
        return waiting if self._current_request is None else [self._current_request.content, *waiting]

    def _is_one_request(self) -> bool:
        """Whether a whole request is all that is here, and its turn has not come: nothing is sent, left over or broken."""
        return self._current_request is None and len(self._messages) == 1 and self._messages[0][1].is_eof()

    def _is_broken(self) -> bool:
        """Whether something came behind a body that is not whole, and so never will be: a chunk that is none (RFC 9112 §7.1)."""
        return any(not body.is_eof() for body in self._bodies()[:-1])

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._way, self._socket = self.transport, transport.get_extra_info("socket")
        self._server.turns.let_wait(self._fd())
        self._server.open[self] = None
        self._server.make_room()
        if self._keepalive_handle is not None:
            self._keepalive_handle.cancel()
            self._next_keepalive_close_time = self._loop.time() + FIRST_HEAD_SECONDS
            self._keepalive_handle = self._loop.call_at(self._next_keepalive_close_time, self._process_keepalive)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._server.open.pop(self, None)
        self._server.turns.forget(self._fd())
        super().connection_lost(exc)

    def _resume_transport_reading(self) -> None:
        """It was watched no more for a while: else who sends many requests at once would be told at once for ever after."""
        super()._resume_transport_reading()
        if (fd := self._fd()) >= 0:
            self._server.turns.let_wait(fd)
            self._server.turns.forget(fd)  # where it is being closed already, it is watched no more: the number is the next one's

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        return self._server.read_into

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(self._server.read_into[:nbytes]))

    def data_received(self, data: bytes) -> None:
        before, requests = self._unread, self._request_count
        super().data_received(data)
        if self._request_count != requests and self in self._server.open:
            self._server.open[self] = self._server.open.pop(self)
        if self._is_one_request():
            self._unread = 0
            return
        if self._request_count != requests:
            before = 0
            if self._is_broken():
                self.force_close()
        sending = self.is_sending()
        self._unread = before + len(data) if sending or (self.is_idle() and self._request_count == requests) else 0
        if sending and before <= LARGE_FORM < self._unread:
            self._server.take_large_form(self)
        elif not sending and self._unread > LARGEST_HEAD:
            self.force_close()

    def handle_error(
        self, request: BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> StreamResponse:
        """What is no request, or failed outside every handler. What is told of it quotes what came: neither shown nor logged."""
        del message
        if request.writer.output_size > 0:
            raise ConnectionError("an answer was begun already") from exc
        response = self._refuse(status, exc)
        response.force_close()
        return cast("StreamResponse", response)


def _refusals(live: Live[Services]) -> Refuse:
    def refuse(status: int, fault: BaseException | None) -> Answer:
        error: type[GatewayError] = InternalError if status == InternalError.status else UnreadableRequest
        with live.hold() as services:
            reference = correlation_id(services.entropy)
            lines.bind(reference)
            if error is InternalError and fault is not None:
                services.journal.crash(fault)
            services.journal.request(route="unreadable", method="other", status=error.status, seconds=0.0, extra={"code": error.code})
            page = pages.error_page(error, correlation_id=reference, now=services.clock.now())
        return page_response(page, error.status, *([HSTS] if services.secure else []))

    return refuse
