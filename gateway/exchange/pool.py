"""Connections to one place: kept while they are of use, bounded in number."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from weakref import WeakSet

from gateway.exchange.connection import Connection
from gateway.exchange.messages import MalformedAnswer
from gateway.exchange.names import look_up, reach
from gateway.model import HttpResponse


class Pool:
    """At most `most` at a time, each kept for `idle_seconds` after its last answer.

    `opened` opens one more; `answered` is called after the first answer on it. `again`: whether what broke a kept connection says that
    the request was not read there.
    """

    def __init__(
        self,
        opened: Callable[[], Awaitable[Connection]],
        *,
        most: int,
        idle_seconds: float,
        answered: Callable[[], None] = lambda: None,
        again: Callable[[OSError], bool] = lambda _: True,
    ) -> None:
        self._opened = opened
        self._answered = answered
        self._again = again
        self._idle_seconds = idle_seconds
        self._room = asyncio.Semaphore(most)
        self._idle: deque[Connection] = deque()
        self._all: WeakSet[Connection] = WeakSet()
        self._closed = False
        self._sweep: asyncio.TimerHandle | None = None
        self._deadlines: dict[Connection, float] = {}
        self._alarm: asyncio.TimerHandle | None = None

    async def exchange(self, message: bytes, limit: int, seconds: float) -> HttpResponse:
        """The answer to `message` within that time, in all. Where a kept connection turns out to be dead, once more on one of its own.

        Raises TimeoutError, and what `Connection.exchange` and `opened` raise.
        """
        deadline = asyncio.get_running_loop().time() + seconds
        if self._room.locked():
            async with asyncio.timeout_at(deadline):
                await self._room.acquire()
        else:
            await self._room.acquire()  # at once
        try:
            return await self._exchange(message, limit, deadline)
        finally:
            self._room.release()

    async def close(self) -> None:
        """End all of them, whatever is under way, for good."""
        self._closed = True
        for timer in (self._sweep, self._alarm):
            if timer is not None:
                timer.cancel()
        connections = list(self._all)
        for connection in connections:
            connection.drop()
        for connection in connections:
            await connection.gone()

    async def _exchange(self, message: bytes, limit: int, deadline: float) -> HttpResponse:
        connection = self._idle_connection()
        if connection is not None:
            try:
                return await self._over(connection, message, limit, deadline)
            except OSError as error:  # it ended while it lay idle, or just now: nothing was answered
                if isinstance(error, TimeoutError) or not self._again(error):
                    raise
        async with asyncio.timeout_at(deadline):
            connection = await self._new_connection()
        response = await self._over(connection, message, limit, deadline)
        self._answered()
        return response

    async def _over(self, connection: Connection, message: bytes, limit: int, deadline: float) -> HttpResponse:
        """When time is up, the connection is ended: it costs less than to give up the task, as `asyncio.timeout` does, at each exchange."""
        self._deadlines[connection] = deadline
        if self._alarm is None or self._alarm.when() > deadline:
            self._set_alarm(deadline)
        try:
            response = await connection.exchange(message, limit)
        except (OSError, MalformedAnswer) as error:
            if asyncio.get_running_loop().time() >= deadline:
                raise TimeoutError from error
            raise
        finally:
            del self._deadlines[connection]
        if connection.lasts:
            self._keep(connection)
        return response

    def _set_alarm(self, when: float) -> None:
        """One for all exchanges under way, at the first deadline: most are over by then, and none had to set one of its own."""
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = asyncio.get_running_loop().call_at(when, self._drop_late)

    def _drop_late(self) -> None:
        self._alarm, now = None, asyncio.get_running_loop().time()
        for connection, deadline in list(self._deadlines.items()):
            if deadline <= now:
                connection.drop()
        if ahead := [deadline for deadline in self._deadlines.values() if deadline > now]:
            self._set_alarm(min(ahead))

    async def _new_connection(self) -> Connection:
        self._check_open()
        connection = await self._opened()
        self._all.add(connection)
        self._check_open(connection)
        return connection

    def _check_open(self, connection: Connection | None = None) -> None:
        if self._closed:
            if connection is not None:
                connection.drop()
            raise ConnectionAbortedError("the connections are closed")

    def _idle_connection(self) -> Connection | None:
        """The one that was used last."""
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
        return None

    def _keep(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        self._idle.append(connection)
        if self._sweep is None:
            self._sweep = loop.call_later(self._idle_seconds, self._drop_stale)

    def _drop_stale(self) -> None:
        """The deque is in order: who was used last was put there last."""
        loop = asyncio.get_running_loop()
        while self._idle and self._idle[0].idle_since + self._idle_seconds <= loop.time():
            self._idle.popleft().drop()
        self._sweep = loop.call_at(self._idle[0].idle_since + self._idle_seconds, self._drop_stale) if self._idle else None


async def open_connection(host: str, port: int, *, tls: ssl.SSLContext, server_name: str) -> Connection:
    """A new connection, after its handshake. Raises OSError (ssl.SSLError is one)."""
    reached = await reach(await look_up(host, port))
    _, connection = await asyncio.get_running_loop().create_connection(Connection, sock=reached, ssl=tls, server_hostname=server_name)
    return connection
