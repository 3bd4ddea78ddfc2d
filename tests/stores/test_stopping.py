from __future__ import annotations

import asyncio
import contextlib

from gateway.stores.address import StoreAddress
from gateway.stores.counting import MemoryCounter
from gateway.stores.memory import MemoryReplayStore
from gateway.stores.memory_index import MemorySessionIndex
from gateway.stores.opening import Stores
from tests.fakes import FixedClock


class Deaf:
    """A store whose library swallows the first cancellation."""

    closed = False

    async def run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    def renew(self, address: StoreAddress) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        self.closed = True


async def test_a_library_that_swallows_a_cancellation_does_not_hold_up_the_stop() -> None:
    clock, deaf = FixedClock(), Deaf()
    stores = Stores(
        replay=MemoryReplayStore(clock), counter=MemoryCounter(clock), index_under=lambda _: MemorySessionIndex(clock), shared=deaf
    )
    stores.start(lambda work: asyncio.ensure_future(work()))
    await asyncio.sleep(0)
    await asyncio.wait_for(stores.close(), 10)
    assert deaf.closed
