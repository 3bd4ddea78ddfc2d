"""A wire between a client and a server on loopback: slow, or one that loses what the server said."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Self


class Between:
    """Forwards to `port`. `delay`: seconds that each piece of an answer takes. `lose`: answers to cut off, with their connections."""

    def __init__(self, port: int) -> None:
        self._to = port
        self.delay = 0.0
        self.lose = 0
        self.lost = 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        assert self._server
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server
        self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._open.add(task)
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._to)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._forward(reader, back, answers=False))
                both.create_task(self._forward(there, writer, answers=True))
        except (OSError, ExceptionGroup):
            pass
        finally:
            self._open.discard(task)
            writer.close()

    async def _forward(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, answers: bool) -> None:
        with contextlib.closing(sink):
            while piece := await source.read(65_536):
                if answers and self.lose:
                    self.lose, self.lost = self.lose - 1, self.lost + 1
                    raise ConnectionResetError
                if answers and self.delay:
                    await asyncio.sleep(self.delay)
                sink.write(piece)
                await sink.drain()
