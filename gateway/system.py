"""The real clock, the real randomness, the real simultaneity and what goes on behind it: the only place that has them."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

T = TypeVar("T")
PAUSE: Final = 1.0
"""Seconds before work that ended by a fault begins again."""

COLLECT_AFTER: Final = 10_000
"""Objects made and kept until the collector looks through the young ones. With Python's 700 it takes a sixth of the core where thousands
of connections open within seconds, and stops the gateway for a tenth of one; next to nothing of what it looks at there is garbage."""


def have_files(wanted: int) -> int:
    """Let this process have so many files and sockets open, as far as the system allows: how many it may have now.

    A process begins with a limit that is often no more than 1,024, and may raise it by itself up to a harder one.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed


def collect_less() -> None:
    """What is here by now stays: the garbage collector need not look through it, nor through what is new as often as Python lets it."""
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, *gc.get_threshold()[1:])


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
