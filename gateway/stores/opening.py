"""Which stores a configuration means: in this process, or shared by all replicas."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.ports import Clock, Counter, Entropy, Journal, ReplayStore, SessionIndex
from gateway.stores.address import StoreAddress
from gateway.stores.counting import MemoryCounter
from gateway.stores.memory import MemoryReplayStore
from gateway.stores.memory_index import MemorySessionIndex

CANCEL_SECONDS = 0.1


class Shared(Protocol):
    """A shared store's connections, and the eye on it."""

    async def run(self) -> None:
        """Watch until cancelled."""

    def renew(self, address: StoreAddress) -> None:
        """Go on by another password, or other roots."""

    async def close(self) -> None:
        """Close every connection."""


@dataclass(slots=True, kw_only=True)
class Stores:
    """Everything that a gateway keeps outside its cookies. No network before `start`.

    `index_under`: the index of sign-ins, sealed under a key ring where it is shared. `shared`: None where all is in this process.
    """

    replay: ReplayStore
    counter: Counter
    index_under: Callable[[Sequence[bytes]], SessionIndex]
    shared: Shared | None = None
    _watching: asyncio.Task[None] | None = field(default=None, init=False)

    def start(self, tended: Callable[[Callable[[], Awaitable[None]]], asyncio.Task[None]]) -> None:
        """Watch the shared store from now on. Whether it works or not, this does. `tended` keeps the watch alive."""
        if self.shared is not None:
            self._watching = tended(self.shared.run)

    def renew(self, address: StoreAddress) -> None:
        """The same store by another password or other roots, from now on."""
        if self.shared is not None:
            self.shared.renew(address)

    async def close(self) -> None:
        """No request is in hand any more."""
        while self._watching is not None and not self._watching.done():
            self._watching.cancel()  # and again: a client library that swallows one must not hold us up
            await asyncio.wait([self._watching], timeout=CANCEL_SECONDS)
        if self.shared is not None:
            await self.shared.close()


def open_stores(address: StoreAddress, *, clock: Clock, entropy: Entropy, journal: Journal) -> Stores:
    """The stores of one gateway."""
    counter = MemoryCounter(clock)
    if not address.shared:
        index = MemorySessionIndex(clock, journal=journal)
        return Stores(replay=MemoryReplayStore(clock), counter=counter, index_under=lambda _: index)
    # The client library takes a third of a second and some memory to import, and most gateways have no shared store.
    from gateway.stores.health import Health  # noqa: PLC0415
    from gateway.stores.link import Link  # noqa: PLC0415
    from gateway.stores.redis import RedisCounter, RedisReplayStore  # noqa: PLC0415
    from gateway.stores.redis_index import RedisSessionIndex  # noqa: PLC0415
    from gateway.stores.watch import Watch  # noqa: PLC0415

    link = Link(address, Health(journal))
    return Stores(
        replay=RedisReplayStore(link, clock=clock, entropy=entropy),
        counter=RedisCounter(link, local=counter),
        index_under=lambda ring: RedisSessionIndex(link, ring=ring, clock=clock, entropy=entropy),
        shared=Watch(link, journal),
    )
