"""The kinds of stores that must keep the same promises, each with a way to let time pass."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from gateway.stores.address import IN_MEMORY, read_store_address
from gateway.stores.opening import Stores, open_stores
from tests.fakes import CountingEntropy, FixedClock, MemoryJournal
from tests.peers.redis import RedisCluster, RedisServer, Watched

KINDS = ("memory", *(pytest.param(kind, marks=pytest.mark.needs("redis")) for kind in ("redis", "sentinel", "cluster")))
"""For parametrized fixtures."""
SHORTEN = "for _, k in ipairs(redis.call('KEYS', '*')) do redis.call('PEXPIRE', k, redis.call('PTTL', k) - ARGV[1]) end"


@dataclass
class Kind:
    """One kind of store, and several replicas that use it. Time stands still but for `pass_time`."""

    replicas: list[Stores]
    clock: FixedClock
    servers: tuple[RedisServer, ...] = ()

    @property
    def first(self) -> Stores:
        return self.replicas[0]

    def pass_time(self, duration: timedelta) -> None:
        """For us and for the servers: what they keep for a time, they keep that much shorter."""
        self.clock.advance(duration)
        for server in self.servers:
            server.ask("eval", SHORTEN, "0", str(duration // timedelta(milliseconds=1)))


def provider_of(kind: str) -> Any:
    """The servers of a kind; None for memory, which needs none."""
    return {"redis": RedisServer, "sentinel": Watched, "cluster": RedisCluster}.get(kind, lambda: None)()


def running(kind: str) -> Iterator[Any]:
    """The servers of a kind, started, until the end."""
    servers = provider_of(kind)
    if servers is None:
        yield None
        return
    try:
        yield servers.start()
    finally:
        servers.stop()


@asynccontextmanager
async def opened(servers: Any, *, replicas: int = 2) -> AsyncIterator[Kind]:
    """Empty stores of a kind, for some replicas."""
    writable = {RedisServer: lambda: (servers,), Watched: lambda: (servers.primary,), RedisCluster: lambda: tuple(servers.nodes)}
    asked = writable[type(servers)]() if servers is not None else ()
    for server in asked:
        server.ask("flushall")
    address = IN_MEMORY if servers is None else read_store_address(servers.url)
    clock, entropy = FixedClock(), CountingEntropy()
    first = open_stores(address, clock=clock, entropy=entropy, journal=MemoryJournal())
    more = [
        first if servers is None else open_stores(address, clock=clock, entropy=entropy, journal=MemoryJournal())
        for _ in range(replicas - 1)
    ]
    kind = Kind(replicas=[first, *more], clock=clock, servers=asked)
    try:
        yield kind
    finally:
        for stores in {id(stores): stores for stores in kind.replicas}.values():
            await stores.close()
