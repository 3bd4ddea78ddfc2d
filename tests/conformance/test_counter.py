"""Every counter keeps the same promises."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from gateway.stores.counting import MemoryCounter
from tests.conformance.kinds import Kind
from tests.fakes import NOON, FixedClock

MINUTE = timedelta(minutes=1)


async def test_it_counts_each_key_for_itself(kind: Kind) -> None:
    counter = kind.first.counter
    assert [await counter.add(key, MINUTE) for key in ("a", "a", "b", "a")] == [1, 2, 1, 3]


async def test_replicas_count_together(kind: Kind) -> None:
    here, there = (stores.counter for stores in kind.replicas)
    assert [await here.add("a", MINUTE), await there.add("a", MINUTE), await here.add("a", MINUTE)] == [1, 2, 3]


async def test_many_at_once_are_counted_one_by_one(kind: Kind) -> None:
    counts = await asyncio.gather(*(kind.replicas[number % 2].counter.add("a", MINUTE) for number in range(100)))
    assert sorted(counts) == list(range(1, 101))


async def test_a_window_begins_with_its_first_count_and_ends_by_itself(kind: Kind) -> None:
    counter = kind.first.counter
    await counter.add("a", MINUTE)
    kind.pass_time(timedelta(seconds=59))
    assert await counter.add("a", MINUTE) == 2
    kind.pass_time(timedelta(seconds=2))
    assert await counter.add("a", MINUTE) == 1


async def test_windows_of_different_lengths_live_side_by_side(kind: Kind) -> None:
    counter = kind.first.counter
    await counter.add("long", timedelta(hours=1))
    await counter.add("short", MINUTE)
    kind.pass_time(timedelta(minutes=2))
    assert await counter.add("long", timedelta(hours=1)) == 2
    assert await counter.add("short", MINUTE) == 1


async def test_memory_is_bounded_and_the_oldest_count_goes_first() -> None:
    counter = MemoryCounter(FixedClock(), capacity=3)
    for key in "abcd":
        await counter.add(key, MINUTE)
    assert len(counter) == 3
    assert await counter.add("d", MINUTE) == 2
    assert await counter.add("a", MINUTE) == 1


async def test_windows_that_are_over_leave_nothing_behind() -> None:
    clock = FixedClock()
    counter = MemoryCounter(clock)
    for number in range(100):
        await counter.add(str(number), MINUTE)
    clock.advance(60)
    await counter.add("a", MINUTE)
    assert len(counter) == 1


async def test_a_clock_that_is_set_back_keeps_no_window_open_for_longer_than_it_is_long() -> None:
    clock = FixedClock()
    counter = MemoryCounter(clock)
    await counter.add("a", MINUTE)
    clock.set(NOON - timedelta(hours=1))
    assert await counter.add("a", MINUTE) == 1
    assert await counter.add("a", MINUTE) == 2
    clock.set(NOON)
    assert await counter.add("a", MINUTE) == 1
