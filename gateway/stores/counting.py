"""Counts in this process: enough for one replica, and what is left while a shared store is away.

Bounded: beyond `capacity` keys the oldest count is forgotten first. A limit then lets more through; it never locks out.
"""

from __future__ import annotations

from datetime import timedelta

from gateway.ports import Clock, Tally

CAPACITY = 100_000
"""Keys held at most: about 30 MiB."""


class MemoryCounter:
    """`ports.Counter`."""

    def __init__(self, clock: Clock, *, capacity: int = CAPACITY) -> None:
        self._clock = clock
        self._capacity = capacity
        self._counts: dict[str, tuple[float, float, int, int]] = {}
        """End of the window, and of its weight in the next; count before, and in it. In the order in which windows began."""

    async def take(self, key: str, most: int, window: timedelta) -> Tally:
        now, length = self._clock.now().timestamp(), window.total_seconds()
        ends, previous, current = self._window(key, now, length)
        rest = ends - now
        taken = previous * rest / length + current < most
        if taken:
            current += 1
            self._keep(key, (ends, ends + length, previous, current), now)
        return Tally(taken=taken, previous=previous, current=current, rest=rest)

    def _window(self, key: str, now: float, length: float) -> tuple[float, int, int]:
        """End of the key's present window; counts before, and in it."""
        ends, fades, previous, current = self._counts.get(key, (now, now, 0, 0))
        if ends <= now < fades:
            ends, previous, current = fades, current, 0
        # A window that ends further off than it is long began before the clock was set back: it would lock out for too long.
        return (ends, previous, current) if now < ends <= now + length else (now + length, 0, 0)

    def _keep(self, key: str, count: tuple[float, float, int, int], now: float) -> None:
        if key not in self._counts or self._counts[key][0] != count[0]:
            self._counts.pop(key, None)
            self._make_room(now)
        self._counts[key] = count

    def _make_room(self, now: float) -> None:
        """Forget windows that are over, at least as far as those at the front are; at the cap, the oldest as well."""
        while self._counts:
            oldest = next(iter(self._counts))
            if self._counts[oldest][1] > now and len(self._counts) < self._capacity:
                return
            del self._counts[oldest]

    def __len__(self) -> int:
        return len(self._counts)
