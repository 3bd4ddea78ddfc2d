"""Looks at the shared store all the time, so that log and metric know before the next login does.

A look writes: a read-only replica and a full server answer every question and still take no mark.
"""

from __future__ import annotations

import asyncio
from typing import Final

from gateway.errors import StoreError
from gateway.events import StoreMayForget
from gateway.ports import Journal
from gateway.stores.address import StoreAddress
from gateway.stores.link import Link

EVERY: Final = 1.0
"""Seconds between two looks."""
KEEPS_ALL: Final = "noeviction"
"""The one `maxmemory-policy` under which a full server refuses what is new instead of forgetting marks."""


class Watch:
    """One replica's eye on its store."""

    def __init__(self, link: Link, journal: Journal, *, every: float = EVERY) -> None:
        self._link, self._journal, self._every = link, journal, every

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._every)

    async def close(self) -> None:
        """The connections, too."""
        await self._link.close()

    def renew(self, address: StoreAddress) -> None:
        """The same store, by another password or other roots."""
        self._link.renew(address)

    async def look(self) -> None:
        """Once. What is wrong is told by `Health`."""
        try:
            await self._link.check()
            if self._link.health.found():
                await self._check_policy()
        except StoreError:
            return

    async def _check_policy(self) -> None:
        """A store that was down may have come back with other settings."""
        try:
            policies = {policy for policy in await eviction_policies(self._link) if policy != KEEPS_ALL}
        except StoreError:  # not allowed to ask, or gone again: the next look will tell
            policies = {"unknown"}
        if policies:
            self._journal.record(StoreMayForget(policies=tuple(sorted(policies))))


async def eviction_policies(link: Link) -> tuple[str, ...]:
    """The `maxmemory-policy` of every primary. Raises `StoreError`."""
    answers = await link.send_everywhere("INFO", "memory")
    return tuple(str(answer.get("maxmemory_policy", "unknown")) if isinstance(answer, dict) else "unknown" for answer in answers)
