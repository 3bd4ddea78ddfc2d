"""What nodes did not do at once: held in this process, and done when it is due, until it is done or given up.

A stop loses what is left, and says so: the sign-ins stay in the index, so that the next logout of that browser or user
finds them. This module decides nothing of its own: how long to wait and when to give up is `ending`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from dataclasses import replace
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
    """`ending.Later`, bounded: a full queue refuses. One user has one errand in a virtual proxy, and one for a late ticket."""

    def __init__(self, clock: Clock, *, crash: Callable[[BaseException], None], capacity: int = CAPACITY) -> None:
        self._clock = clock
        self._crash = crash
        self._capacity = capacity
        self._waiting: dict[Hashable, Errand] = {}
        self._running = 0

    def __len__(self) -> int:
        return len(self._waiting) + self._running

    def add(self, errand: Errand) -> bool:
        key = _key(errand)
        known = self._waiting.get(key)
        if known is None and len(self) >= self._capacity:
            return False
        self._waiting[key] = errand if known is None else _joined(known, errand)
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
                    outcomes = await asyncio.gather(*(ending.again(table, errand) for errand in due), return_exceptions=True)
            except asyncio.CancelledError:  # a stop: what may not be done yet has its last turn with the rest
                self._waiting.update({_key(errand): errand for errand in due if _key(errand) not in self._waiting})
                raise
            finally:
                self._running = 0
            for fault in filter(None, outcomes):  # of ours: it must not keep the others from their turn
                self._crash(fault)

    async def run_all(self, using: Using) -> int:
        """One more turn before a stop, whether due or not; how many users have sessions left after it.

        Late tickets are not counted: their time is over soon, and there may be none.
        """
        names = list(self._waiting)
        with using() as (table, ending):
            outcomes = await asyncio.gather(*(ending.again(table, self._waiting.pop(name)) for name in names), return_exceptions=True)
        for fault in filter(None, outcomes):
            self._crash(fault)
        return sum(not errand.late for errand in self._waiting.values())

    def _take(self) -> list[Errand]:
        now = self._clock.now()
        keys = [key for key, errand in self._waiting.items() if errand.due_at <= now][:AT_ONCE]
        return [self._waiting.pop(key) for key in keys]


def _key(errand: Errand) -> Hashable:
    return errand.virtual_proxy, errand.user.directory.casefold(), errand.user.user_id.casefold(), errand.late


def _joined(one: Errand, other: Errand) -> Errand:
    """Both, by the newer one's words, at the earlier time."""
    return replace(
        other,
        entries=tuple(dict.fromkeys((*one.entries, *other.entries))),
        nodes=None if one.nodes is None or other.nodes is None else tuple(dict.fromkeys((*one.nodes, *other.nodes))),
        attempt=max(one.attempt, other.attempt),
        due_at=min(one.due_at, other.due_at),
    )
