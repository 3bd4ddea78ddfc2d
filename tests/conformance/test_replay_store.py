"""Every replay store keeps the same promises."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from gateway.errors import StoreFull
from gateway.ports import ReplayStore
from gateway.stores.memory import MemoryReplayStore
from tests.fakes import NOON, FixedClock

Make = Callable[[FixedClock], ReplayStore]
STORES: dict[str, Make] = {"memory": MemoryReplayStore}
SOON = NOON + timedelta(minutes=15)


@pytest.fixture(params=STORES)
def make(request: pytest.FixtureRequest) -> Make:
    return STORES[request.param]


async def test_the_first_claim_wins_and_every_other_loses(make: Make) -> None:
    store = make(FixedClock())
    assert await store.claim("a", SOON)
    assert not await store.claim("a", SOON)
    assert await store.claim("b", SOON)


async def test_of_many_claims_at_once_exactly_one_wins(make: Make) -> None:
    store = make(FixedClock())
    assert sum(await asyncio.gather(*(store.claim("a", SOON) for _ in range(500)))) == 1


async def test_a_mark_holds_until_its_time_and_not_longer(make: Make) -> None:
    clock = FixedClock()
    store = make(clock)
    await store.claim("a", SOON)
    clock.advance(timedelta(minutes=14, seconds=59))
    assert not await store.claim("a", SOON)
    clock.advance(1)
    assert await store.claim("a", SOON + timedelta(minutes=15))


async def test_the_memory_store_refuses_rather_than_forget_a_live_mark() -> None:
    clock = FixedClock()
    store = MemoryReplayStore(clock, capacity=3)
    for key in "abc":
        assert await store.claim(key, SOON)
    with pytest.raises(StoreFull):
        await store.claim("d", SOON)
    assert not await store.claim("a", SOON)
    clock.set(SOON)
    assert await store.claim("d", SOON + timedelta(minutes=1))
    assert len(store) == 1
