"""One-time marks in this process: enough for one replica.

A restart forgets them. With a random sealing key it forgets every login in flight as well; with configured
`cookie_keys` a login finished just before the restart could be finished again for what is left of `login_lifetime`,
by the same browser, if its provider took the same code twice.
"""

from __future__ import annotations

import hashlib
import heapq
from datetime import datetime

from gateway.errors import StoreFull
from gateway.ports import Clock

CAPACITY = 400_000
"""Marks held at most: about 90 MiB, enough for 200 logins a second that take 15 minutes each."""


class MemoryReplayStore:
    """Bounded: drops only expired marks and refuses (`StoreFull`, 503) rather than forget a live one."""

    def __init__(self, clock: Clock, *, capacity: int = CAPACITY) -> None:
        self._clock = clock
        self._capacity = capacity
        self._marks: set[bytes] = set()
        self._expiry: list[tuple[float, bytes]] = []

    async def claim(self, key: str, until: datetime) -> bool:
        mark = hashlib.blake2b(key.encode(), digest_size=16).digest()
        self._drop_expired(self._clock.now().timestamp())
        if mark in self._marks:
            return False
        if len(self._marks) >= self._capacity:
            raise StoreFull(f"{self._capacity} live marks")
        self._marks.add(mark)
        heapq.heappush(self._expiry, (until.timestamp(), mark))
        return True

    def _drop_expired(self, now: float) -> None:
        while self._expiry and self._expiry[0][0] <= now:
            self._marks.discard(heapq.heappop(self._expiry)[1])

    def __len__(self) -> int:
        return len(self._marks)
