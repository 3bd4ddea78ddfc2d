"""What nodes did not do at once: held in this process, and done when it is due, until it is done or given up.

A stop loses what is left, and says so: the sign-ins stay in the index, so that the next logout of that browser or user
finds them. This module decides nothing of its own: how long to wait and when to give up is `ending`'s.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from gateway.ending import Ending, Errand
from gateway.ports import Clock
from gateway.routing import RoutingTable

CAPACITY: Final = 1000
AT_ONCE: Final = 20
LOOK_EVERY: Final = 0.5
"""Seconds."""

Using = Callable[[], AbstractContextManager[tuple[RoutingTable, Ending]]]
"""The configuration of now, kept usable until the end of the block."""


class Errands:
    """`ending.Later`, bounded: a full queue refuses."""

    def __init__(self, clock: Clock, *, capacity: int = CAPACITY) -> None:
        self._clock = clock
        self._capacity = capacity
        self._waiting: list[tuple[float, int, Errand]] = []
        self._running = 0
        self._number = 0

    def __len__(self) -> int:
        return len(self._waiting) + self._running

    def add(self, errand: Errand) -> bool:
        if len(self) >= self._capacity:
            return False
        self._number += 1
        heapq.heappush(self._waiting, (errand.due_at.timestamp(), self._number, errand))
        return True

    async def run(self, using: Using) -> None:
        """For ever: whatever is due."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            await self.run_due(using)

    async def run_due(self, using: Using) -> None:
        """Everything that is due now, a few at a time."""
        while due := self._take():
            self._running = len(due)
            try:
                with using() as (table, ending):
                    await asyncio.gather(*(ending.again(table, errand) for errand in due))
            finally:
                self._running = 0

    def _take(self) -> list[Errand]:
        now = self._clock.now().timestamp()
        due: list[Errand] = []
        while self._waiting and self._waiting[0][0] <= now and len(due) < AT_ONCE:
            due.append(heapq.heappop(self._waiting)[2])
        return due
