"""Shared stores with all that they tell."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gateway.events import Event
from gateway.ports import Clock
from gateway.stores.address import StoreAddress, read_store_address
from gateway.stores.opening import Stores, open_stores
from gateway.stores.watch import Watch
from tests.fakes import CountingEntropy, FixedClock, MemoryJournal


@dataclass
class Opened:
    """One replica's stores."""

    stores: Stores
    journal: MemoryJournal
    clock: Clock

    async def look(self) -> list[Event]:
        """What one look of the watch tells that was not told before."""
        before = len(self.journal.events)
        assert isinstance(self.stores.shared, Watch)
        await self.stores.shared.look()
        return self.journal.events[before:]


@asynccontextmanager
async def opened(address: str | StoreAddress) -> AsyncIterator[Opened]:
    """The stores at an address, closed at the end."""
    clock, journal = FixedClock(), MemoryJournal()
    parsed = read_store_address(address) if isinstance(address, str) else address
    stores = open_stores(parsed, clock=clock, entropy=CountingEntropy(), journal=journal)
    try:
        yield Opened(stores, journal, clock)
    finally:
        await stores.close()
