"""Every counter keeps the same promises."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from gateway.ports import Counter, Tally
from gateway.stores.counting import MemoryCounter
from tests.conformance.kinds import Kind
from tests.fakes import NOON, FixedClock

MINUTE = timedelta(minutes=1)
PLENTY = 1_000


async def taken(counter: Counter, key: str = "a", most: int = PLENTY, window: timedelta = MINUTE) -> bool:
    return (await counter.take(key, most, window)).taken


async def counts(counter: Counter, key: str = "a", window: timedelta = MINUTE) -> tuple[int, int]:
    """Count one more: how many there were in the window before, and are in this one."""
    tally = await counter.take(key, PLENTY, window)
    assert tally.taken
    return tally.previous, tally.current


async def test_it_counts_each_key_for_itself(kind: Kind) -> None:
    counter = kind.first.counter
    assert [await counts(counter, key) for key in ("a", "a", "b", "a")] == [(0, 1), (0, 2), (0, 1), (0, 3)]


async def test_replicas_count_together(kind: Kind) -> None:
    here, there = (stores.counter for stores in kind.replicas)
    assert [await taken(counter, most=2) for counter in (here, there, here, there)] == [True, True, False, False]


async def test_of_many_at_once_as_many_are_taken_as_may_be(kind: Kind) -> None:
    many = await asyncio.gather(*(taken(kind.replicas[number % 2].counter, most=40) for number in range(100)))
    assert many.count(True) == 40


async def test_what_is_refused_does_not_count_and_puts_nothing_off(kind: Kind) -> None:
    counter = kind.first.counter
    assert await taken(counter, most=1)
    for _ in range(3):
        assert await counter.take("a", 1, MINUTE) == Tally(taken=False, previous=0, current=1, rest=pytest.approx(60, abs=5))
    kind.pass_time(timedelta(seconds=59))
    assert not await taken(counter, most=1)
    kind.pass_time(timedelta(seconds=2))
    assert await taken(counter, most=1)


async def test_a_window_begins_with_its_first_count_and_weighs_less_and_less_in_the_next(kind: Kind) -> None:
    counter = kind.first.counter
    assert [await taken(counter, most=10) for _ in range(11)] == [True] * 10 + [False]
    kind.pass_time(timedelta(seconds=75))
    tally = await counter.take("a", 1, MINUTE)
    assert (tally.taken, tally.previous, tally.current) == (False, 10, 0)
    assert tally.rest == pytest.approx(45, abs=5)
    kind.pass_time(timedelta(seconds=15))
    # Of the ten before half count, or a little less, as the servers' time goes on.
    assert [await taken(counter, most=10) for _ in range(7)].count(True) in {5, 6}
    kind.pass_time(timedelta(seconds=31))
    tally = await counter.take("a", PLENTY, MINUTE)
    assert tally.previous in {5, 6}
    assert tally.current == 1


async def test_nothing_is_left_of_a_key_that_was_not_counted_for_two_windows(kind: Kind) -> None:
    counter = kind.first.counter
    for _ in range(3):
        await counts(counter)
    kind.pass_time(2 * MINUTE)
    assert await counts(counter) == (0, 1)


async def test_there_is_no_burst_of_twice_as_many_around_a_border(kind: Kind) -> None:
    counter = kind.first.counter
    await taken(counter, most=20)
    kind.pass_time(timedelta(seconds=58))
    assert [await taken(counter, most=20) for _ in range(20)].count(True) == 19
    kind.pass_time(timedelta(seconds=3))
    assert [await taken(counter, most=20) for _ in range(20)].count(True) <= 3


async def test_windows_of_different_lengths_live_side_by_side(kind: Kind) -> None:
    counter = kind.first.counter
    await counts(counter, "long", timedelta(hours=1))
    await counts(counter, "short")
    kind.pass_time(timedelta(minutes=2))
    assert await counts(counter, "long", timedelta(hours=1)) == (0, 2)
    assert await counts(counter, "short") == (0, 1)


async def test_memory_is_bounded_and_the_oldest_count_goes_first() -> None:
    counter = MemoryCounter(FixedClock(), capacity=3)
    for key in "abcd":
        await counts(counter, key)
    assert len(counter) == 3
    assert await counts(counter, "d") == (0, 2)
    assert await counts(counter, "a") == (0, 1)


async def test_a_count_that_goes_on_is_not_the_oldest() -> None:
    clock = FixedClock()
    counter = MemoryCounter(clock, capacity=2)
    await counts(counter, "a")
    await counts(counter, "b")
    clock.advance(61)
    await counts(counter, "a")
    await counts(counter, "c")
    assert await counts(counter, "a") == (1, 2)


async def test_windows_that_are_over_leave_nothing_behind() -> None:
    clock = FixedClock()
    counter = MemoryCounter(clock)
    for number in range(100):
        await counts(counter, str(number))
    clock.advance(120)
    await counts(counter)
    assert len(counter) == 1


async def test_a_clock_that_is_set_back_keeps_no_window_open_for_longer_than_it_is_long() -> None:
    clock = FixedClock()
    counter = MemoryCounter(clock)
    await counts(counter)
    clock.set(NOON - timedelta(hours=1))
    assert await counts(counter) == (0, 1)
    assert await counts(counter) == (0, 2)
    clock.set(NOON)
    assert await counts(counter) == (0, 1)


async def test_a_clock_that_is_set_back_a_little_locks_nobody_out_for_longer_than_a_window() -> None:
    clock = FixedClock()
    counter = MemoryCounter(clock)
    assert await taken(counter, most=1)
    clock.advance(50)
    clock.advance(-40)
    clock.advance(60)
    assert await taken(counter, most=1)
