"""Every replay store keeps the same promises."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from gateway.errors import StoreFull
from gateway.stores.memory import MemoryReplayStore
from tests.conformance.kinds import Kind
from tests.fakes import NOON, FixedClock

SOON = NOON + timedelta(minutes=15)


async def test_the_first_claim_wins_and_every_other_loses(kind: Kind) -> None:
    store = kind.first.replay
    assert await store.claim("a", SOON)
    assert not await store.claim("a", SOON)
    assert await store.claim("b", SOON)


async def test_what_one_replica_claimed_another_cannot(kind: Kind) -> None:
    here, there = (stores.replay for stores in kind.replicas)
    assert await here.claim("a", SOON)
    assert not await there.claim("a", SOON)


async def test_of_500_claims_at_once_exactly_one_wins(kind: Kind) -> None:
    claims = [kind.replicas[number % 2].replay.claim("a", SOON) for number in range(500)]
    assert sum(await asyncio.gather(*claims)) == 1


async def test_a_mark_holds_until_its_time_and_is_forgotten_within_a_minute_more(kind: Kind) -> None:
    store = kind.first.replay
    await store.claim("a", SOON)
    kind.pass_time(timedelta(minutes=14, seconds=59))
    assert not await store.claim("a", SOON)
    kind.pass_time(timedelta(seconds=62))
    assert await store.claim("a", SOON + timedelta(minutes=15))


async def test_a_claim_whose_time_is_over_is_a_claim_all_the_same(kind: Kind) -> None:
    assert await kind.first.replay.claim("a", NOON - timedelta(minutes=1))


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
