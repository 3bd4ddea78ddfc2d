"""The real clock, the real randomness, the real simultaneity and what goes on behind it: the only place that has them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

T = TypeVar("T")
PAUSE: Final = 1.0
"""Seconds before work that ended by a fault begins again."""


class SystemClock:
    """Aware UTC now."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class SystemEntropy:
    """The operating system's random bytes."""

    def token(self, size: int) -> bytes:
        return os.urandom(size)


class SystemTogether:
    """Runs calls at the same time, on the event loop."""

    async def run(self, calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
        return list(await asyncio.gather(*calls))


async def tend(work: Callable[[], Awaitable[None]], told: Callable[[BaseException], None], *, pause: float = PAUSE) -> None:
    """Do work that has no end, until cancelled and put down. Where it ends by a fault of ours, that is told, and it begins again."""
    while True:
        attempt = asyncio.ensure_future(work())
        try:
            await asyncio.wait([attempt])
        finally:
            attempt.cancel()
            await asyncio.wait([attempt])  # it may have something to put down
        if (fault := attempt.exception()) is not None:
            told(fault)
        await asyncio.sleep(pause)
