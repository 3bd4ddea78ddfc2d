"""One listening address: opened, and closed without losing anybody who has come in already.

Closing a listening socket resets the connections that the system has taken for us and that we have not picked up yet. A
proxy in front may not send a POST again that met such a reset, and a POST here carries a sign-in. So the last ones are
picked up first, through a second handle on the same socket, and each gets a moment to send its first request.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from typing import cast

from aiohttp.web_protocol import RequestHandler

from gateway.web.server import Connections

BACKLOG = 1024
"""Connections that the system takes for us until we pick them up."""
AT_ONCE = 64
"""Of them, picked up in one round of the loop."""
HANDSHAKE_SECONDS = 10.0
"""How long a client may take for TLS."""
FIRST_REQUEST_SECONDS = 1.0
"""How long connections that were open when the door closed may take to send their first request."""
TURN_SECONDS = 3.0
"""How long what has arrived may wait for its turn to be read, once the door has closed."""
LOOK_SECONDS = 0.01
TURNS = 3
"""Of the loop, until whoever it has picked up has a protocol, and what had arrived there was read."""


class Runner:
    """Serves from when it is set up until it is cleaned up. `make` gives its server, within the loop that it shall run in."""

    def __init__(self, make: Callable[[asyncio.AbstractEventLoop], Connections], *, shutdown_timeout: float) -> None:
        self._make, self._shutdown_timeout = make, shutdown_timeout
        self.server: Connections | None = None

    def setup(self) -> None:
        """From now on there are protocols."""
        self.server = self._make(asyncio.get_running_loop())

    def listens(self, *listening: int) -> None:
        """Where its connections come in: file descriptors."""
        if self.server is not None:
            self.server.listening = listening

    def factory(self) -> RequestHandler:
        """A protocol for a new connection."""
        return cast("Connections", self.server)()

    def expects_requests(self) -> bool:
        """Whether a connection is open that has not sent a request yet."""
        return self.server is not None and any(not connection.spoke for connection in self.server.open)

    async def cleanup(self) -> None:
        """Close connections, each once what is in hand there has ended, after the time for that in any case."""
        if self.server is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TURN_SECONDS):
                    while any(connection.is_idle() and connection.has_unread() for connection in self.server.open):  # noqa: ASYNC110
                        await asyncio.sleep(LOOK_SECONDS)
            await asyncio.sleep(0)  # so that what has arrived is begun
            self.server.pre_shutdown()
            await self.server.shutdown(self._shutdown_timeout)
        self.server = None


class Door:
    """Where one runner's clients come in. `tls` None: plain http."""

    def __init__(self, runner: Runner, *, host: str | Sequence[str], port: int, tls: ssl.SSLContext | None) -> None:
        self._runner, self._host, self._port, self._tls = runner, host, port, tls
        self._handshake = None if tls is None else HANDSHAKE_SECONDS
        self._server: asyncio.Server | None = None
        self._doubles: list[socket.socket] = []
        """Of the sockets that listen, had in time: there may be no file descriptor left when the door closes."""

    async def open(self) -> tuple[str, int]:
        """Begin to listen: the (first) address and port that it became. Raises `OSError`."""
        self._runner.setup()
        self._server = await asyncio.get_running_loop().create_server(
            self._runner.factory, self._host, self._port, ssl=self._tls, ssl_handshake_timeout=self._handshake, backlog=AT_ONCE
        )
        for listening in self._server.sockets:  # asyncio has one number for both
            self._doubles.append(listening.dup())
            self._doubles[-1].listen(BACKLOG)
        self._runner.listens(*(listening.fileno() for listening in self._server.sockets))
        name = self._server.sockets[0].getsockname()
        return str(name[0]), int(name[1])

    async def close(self) -> None:
        """Take nobody new; serve whoever is in, as far as their first request. What is in hand is the runner's to finish."""
        if self._server is None:
            return
        self._runner.listens()
        for listening in self._server.sockets:
            asyncio.get_running_loop().remove_reader(listening.fileno())
        for _ in range(TURNS):  # a server that is closed fails at those whom it has just picked up, and never tells them
            await asyncio.sleep(0)
        self._server.close()
        taken: list[socket.socket] = []
        while self._doubles:
            with self._doubles.pop() as double:
                taken += _waiting(double)
        await asyncio.gather(*map(self._take, taken))  # each in its own time: one may be slow with TLS on purpose
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_REQUEST_SECONDS):
                while self._runner.expects_requests():  # noqa: ASYNC110 (aiohttp tells nobody that a request came)
                    await asyncio.sleep(LOOK_SECONDS)

    async def _take(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().connect_accepted_socket(
                self._runner.factory, connection, ssl=self._tls, ssl_handshake_timeout=self._handshake
            )


def _waiting(listening: socket.socket) -> Iterator[socket.socket]:
    """The connections that nobody has picked up yet, as far as there are file descriptors for them."""
    listening.setblocking(False)
    with contextlib.suppress(OSError):
        while True:
            yield listening.accept()[0]
