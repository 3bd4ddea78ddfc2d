"""The real clock, the real randomness and the real simultaneity: the only place that has them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

T = TypeVar("T")


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
