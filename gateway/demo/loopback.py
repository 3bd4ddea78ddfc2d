"""What the simulated parties have in common: they are started and closed, and the providers are servers on a loopback port of their own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from aiohttp import web

LOOPBACK = "127.0.0.1"
GRACE = 0.1
"""Seconds that requests under way have to end when a party closes."""


class Party(ABC):
    """Somebody who can be started and closed; `async with` does both."""

    @abstractmethod
    async def start(self) -> None: ...

    @abstractmethod
    async def close(self) -> None: ...

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()


class LoopbackServer(Party):
    """Some routes on a port of their own choice. `url` is the origin, known once it is started."""

    def __init__(self, routes: list[web.RouteDef], *, largest_body: int) -> None:
        self.url = ""
        application = web.Application(client_max_size=largest_body)
        application.add_routes(routes)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=GRACE)

    async def start(self) -> None:
        """Listen; every address is known from then on."""
        await self._runner.setup()
        await web.TCPSite(self._runner, LOOPBACK, 0).start()
        self.url = f"http://{LOOPBACK}:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        await self._runner.cleanup()
