"""One-time marks in this process: enough for one replica.

A restart forgets them. With a random sealing key it forgets every login in flight as well; with configured
`cookie_keys` a login finished just before the restart could be finished again for what is left of `login_lifetime`,
by the same browser, if its provider took the same code twice.
"""

from __future__ import annotations

import hashlib
import heapq
import math
from datetime import datetime

from gateway.errors import StoreFull
from gateway.ports import Clock

CAPACITY = 400_000
"""Marks held at most: about 50 MiB, enough for 200 logins a second that take 15 minutes each."""


class MemoryReplayStore:
    """Bounded: drops only expired marks and refuses (`StoreFull`, 503) rather than forget a live one."""

    def __init__(self, clock: Clock, *, capacity: int = CAPACITY) -> None:
        self._clock = clock
        self._capacity = capacity
        self._marks: set[bytes] = set()
        self._ending: dict[int, list[bytes]] = {}
        self._seconds: list[int] = []

    async def claim(self, key: str, until: datetime) -> bool:
        mark = hashlib.blake2b(key.encode(), digest_size=16).digest()
        self._drop_expired(self._clock.now().timestamp())
        if mark in self._marks:
            return False
        if len(self._marks) >= self._capacity:
            raise StoreFull(f"{self._capacity} live marks")
        self._marks.add(mark)
        self._expect_end(mark, math.ceil(until.timestamp()))
        return True

    def _expect_end(self, mark: bytes, second: int) -> None:
        """Marks that end in one second are kept together: an entry of its own for each would take as much memory as the mark."""
        if second not in self._ending:
            self._ending[second] = []
            heapq.heappush(self._seconds, second)
        self._ending[second].append(mark)

    def _drop_expired(self, now: float) -> None:
        while self._seconds and self._seconds[0] <= now:
            self._marks.difference_update(self._ending.pop(heapq.heappop(self._seconds)))

    def __len__(self) -> int:
        return len(self._marks)
