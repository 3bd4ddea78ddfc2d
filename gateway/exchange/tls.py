"""TLS on a connection, over memory buffers: the few calls that a message takes, where a layer made for streams takes dozens.

It is what Python offers to whoever moves the bytes himself (ssl "Memory BIO Support"). What the other side has to prove is
its context's business, and proven before anything is told.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import ExitStack
from typing import Final

from gateway.exchange.connection import BrokenOff, Connection

_MOST: Final = 16_384
"""Bytes that are read at once, as many as a record may hold."""


async def open_secured(reached: socket.socket, *, tls: ssl.SSLContext, server_name: str) -> Connection:
    """A connection over a socket that leads where it should, after its handshake. Raises OSError (ssl.SSLError is one) and ValueError."""
    connection = Connection()
    with ExitStack() as failed:
        failed.callback(reached.close)
        layer = TlsLayer(tls, server_name, connection)
        failed.pop_all()
    await asyncio.get_running_loop().create_connection(lambda: layer, sock=reached)
    await layer.handshake()
    return connection


class TlsLayer(asyncio.BufferedProtocol):
    """Between a transport of bytes and a `Connection`, whose channel it is once the handshake is done."""

    def __init__(self, context: ssl.SSLContext, server_name: str, upper: Connection) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self._upper = upper
        self._transport: asyncio.Transport | None = None
        self._shaken = False
        self._unsent = b""
        self._error: Exception | None = None
        self._settled = asyncio.Event()
        self._buffer = memoryview(bytearray(_MOST))

    async def handshake(self) -> None:
        """Wait for its end. Raises OSError (ssl.SSLError is one)."""
        with ExitStack() as given_up:
            given_up.callback(self.abort)
            await self._settled.wait()
            given_up.pop_all()
        if not self._shaken:
            raise self._error or BrokenOff

    def write(self, data: bytes) -> None:
        self._unsent += data
        self._go_on()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # what is opened for a Protocol reads and writes
        self._go_on()

    def get_buffer(self, _sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._incoming.write(self._buffer[:nbytes])
        self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._error = self._error or exc
        self._settled.set()
        if self._shaken:
            self._upper.connection_lost(self._error)

    def _go_on(self) -> None:
        """As far as what has come allows: handshake, what is to be sent, what can be read; then out with all that this led to."""
        try:
            if not self._shaken:
                self._shake()
            while self._unsent:
                self._unsent = self._unsent[self._tls.write(self._unsent) :]
            self._read()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self._error = error
            self.abort()
            return
        if self._outgoing.pending and self._transport is not None:
            self._transport.write(self._outgoing.read())

    def _shake(self) -> None:
        self._tls.do_handshake()
        self._shaken = True
        self._upper.use(self)
        self._settled.set()

    def _read(self) -> None:
        while self._incoming.pending or self._tls.pending():
            data = self._tls.read(_MOST)
            if not data:  # the other side has said that it is done
                self._close()
                return
            self._upper.data_received(data)

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()
