"""One-time marks in this process: enough for one replica.

A restart forgets them. With a random sealing key it forgets every login in flight as well; with configured
`cookie_keys` a login finished just before the restart could be finished again for what is left of `login_lifetime`,
by the same browser, if its provider took the same code twice.
"""

from __future__ import annotations

import hashlib
import math
from datetime import datetime
from typing import Final

from gateway.errors import StoreFull
from gateway.ports import Clock
from gateway.stores.drawers import places

CAPACITY = 800_000
"""Marks held at most: about 12 MiB, enough for 400 logins a second that take 15 minutes each."""
SWEEP_SECONDS = 1.0
"""Between two looks through everything for marks that have expired, where the store is full. It takes twenty milliseconds."""
DRAWERS: Final = 1 << 15
_MARK: Final = 8
"""With the drawer 79 bits: the odds that a login meets a mark of another's, with all drawers full, are one to 10^18."""
_END: Final = 4
_LATEST: Final = (1 << 8 * _END) - 1
"""A second in 2106: nothing lives that long."""
_RECORD: Final = _MARK + _END


class MemoryReplayStore:
    """Bounded: drops only expired marks and refuses (`StoreFull`, 503) rather than forget a live one.

    Marks lie in drawers, of which each is one text of bytes: a mark in a set, with an object of its own, took four times the
    memory. A record is what of a digest does not say which drawer it lies in, and the second in which it ends.
    """

    def __init__(self, clock: Clock, *, capacity: int = CAPACITY) -> None:
        self._clock = clock
        self._capacity = capacity
        self._drawers = [b""] * DRAWERS
        self._held = 0
        self._swept = -math.inf

    async def claim(self, key: str, until: datetime) -> bool:
        digest = hashlib.blake2b(key.encode(), digest_size=_MARK + 2).digest()
        place, mark = int.from_bytes(digest[_MARK:]) % len(self._drawers), digest[:_MARK]
        now = self._clock.now().timestamp()
        if self._drawers[place]:
            self._drop_expired(place, now)
            if _holds(self._drawers[place], mark, now):
                return False
        if self._held >= self._capacity:
            self._make_room(now)
        self._drawers[place] += mark + min(max(0, math.ceil(until.timestamp())), _LATEST).to_bytes(_END)
        self._held += 1
        return True

    def _make_room(self, now: float) -> None:
        if abs(now - self._swept) >= SWEEP_SECONDS:
            self._swept = now
            for place in range(len(self._drawers)):
                self._drop_expired(place, now)
        if self._held >= self._capacity:
            raise StoreFull(f"{self._capacity} live marks")

    def _drop_expired(self, place: int, now: float) -> None:
        """Those at the drawer's beginning: marks come in the order of their ends, but for a few, and those wait for others."""
        drawer, at = self._drawers[place], 0
        while at < len(drawer) and _end(drawer, at) <= now:
            at += _RECORD
        if at:
            self._drawers[place] = drawer[at:]
            self._held -= at // _RECORD

    def __len__(self) -> int:
        return self._held


def _holds(drawer: bytes, mark: bytes, now: float) -> bool:
    """Whether the mark is there and has not expired."""
    return any(_end(drawer, at) > now for at in places(mark, drawer, _RECORD))


def _end(drawer: bytes, at: int) -> int:
    return int.from_bytes(drawer[at + _MARK : at + _RECORD])
