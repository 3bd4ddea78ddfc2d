"""Counts in this process: enough for one replica, and what is left while a shared store is away.

Bounded: beyond `capacity` keys the oldest count is forgotten first. A limit then lets more through; it never locks out.
"""

from __future__ import annotations

from datetime import timedelta

from gateway.ports import Clock

CAPACITY = 100_000
"""Keys held at most: about 20 MiB."""


class MemoryCounter:
    """`ports.Counter`. A window begins with its first count."""

    def __init__(self, clock: Clock, *, capacity: int = CAPACITY) -> None:
        self._clock = clock
        self._capacity = capacity
        self._counts: dict[str, tuple[float, int]] = {}
        """End of the window and count, in the order in which windows began."""

    async def add(self, key: str, window: timedelta) -> int:
        now = self._clock.now().timestamp()
        ends, count = self._counts.get(key, (now, 0))
        # A window that ends further off than it is long began before the clock was set back: it would lock out for too long.
        if not now < ends <= now + window.total_seconds():
            self._counts.pop(key, None)
            self._make_room(now)
            ends, count = now + window.total_seconds(), 0
        self._counts[key] = ends, count + 1
        return count + 1

    def _make_room(self, now: float) -> None:
        """Forget windows that are over, at least as far as those at the front are; at the cap, the oldest as well."""
        while self._counts:
            oldest = next(iter(self._counts))
            if self._counts[oldest][0] > now and len(self._counts) < self._capacity:
                return
            del self._counts[oldest]

    def __len__(self) -> int:
        return len(self._counts)
