"""Every `Counter` counts the same way."""

from __future__ import annotations

from datetime import timedelta

from gateway.stores.counting import MemoryCounter
from tests.fakes import FixedClock

MINUTE = timedelta(minutes=1)


async def test_counts_go_up_by_one_key_by_key() -> None:
    counter = MemoryCounter(FixedClock())
    assert [await counter.add("a", MINUTE) for _ in range(3)] == [1, 2, 3]
    assert await counter.add("b", MINUTE) == 1


async def test_a_window_ends_and_begins_anew() -> None:
    clock = FixedClock()
    counter = MemoryCounter(clock)
    await counter.add("a", MINUTE)
    clock.advance(59)
    assert await counter.add("a", MINUTE) == 2
    clock.advance(1)
    assert await counter.add("a", MINUTE) == 1


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
