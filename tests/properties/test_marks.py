"""The packed marks of the memory store against the plain thing that they stand for."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from hypothesis import event, given
from hypothesis import strategies as st

from gateway.errors import StoreFull
from gateway.stores.memory import DRAWERS, MemoryReplayStore
from tests.fakes import NOON, FixedClock

CLAIMS = st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 20), st.integers(0, 3)), max_size=60)
"""Which mark is claimed, for how many seconds, and how many pass afterwards."""


@given(claims=CLAIMS, drawers=st.sampled_from([1, 2, DRAWERS]))
def test_a_mark_is_held_until_its_end_and_not_longer(claims: list[tuple[str, int, int]], drawers: int) -> None:
    clock, ends = FixedClock(), dict[str, datetime]()
    store = MemoryReplayStore(clock)
    store._drawers = store._drawers[:drawers]
    for key, seconds, pause in claims:
        now = clock.now()
        until = now + timedelta(seconds=seconds)
        free = ends.get(key, NOON) <= now
        assert asyncio.run(store.claim(key, until)) is free
        if free:
            ends[key] = until
        assert len(store) >= sum(end > now for end in ends.values())
        clock.advance(pause)


@given(claims=CLAIMS)
def test_a_full_store_forgets_no_live_mark_and_has_room_again_when_all_have_ended(claims: list[tuple[str, int, int]]) -> None:
    clock, ends, refused = FixedClock(), dict[str, datetime](), 0
    store = MemoryReplayStore(clock, capacity=3)
    store._drawers = store._drawers[:2]
    for key, seconds, pause in claims:
        now = clock.now()
        until = now + timedelta(seconds=seconds)
        try:
            claimed = asyncio.run(store.claim(key, until))
        except StoreFull:
            refused += 1
        else:
            assert claimed is (ends.get(key, NOON) <= now)
            ends[key] = until if claimed else ends[key]
        assert len(store) <= 3
        clock.advance(pause)
    clock.advance(30)
    assert asyncio.run(store.claim("another", clock.now() + timedelta(seconds=1)))
    event("refused" if refused else "never full")


def test_a_mark_that_ends_after_all_seconds_that_can_be_told_is_held() -> None:
    store = MemoryReplayStore(FixedClock())
    assert asyncio.run(store.claim("one", datetime.max.replace(tzinfo=UTC)))
    assert not asyncio.run(store.claim("one", NOON))
