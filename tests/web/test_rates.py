"""Limits in windows that slide: what is let through, and when who is refused may come back."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from gateway.stores.counting import MemoryCounter
from gateway.web.rates import SlidingRates
from tests.fakes import FixedClock

LIMITS = st.integers(min_value=1, max_value=12)
PAUSES = st.lists(st.one_of(st.just(0.0), st.floats(min_value=0, max_value=3), st.floats(min_value=0, max_value=150)), max_size=60)
INSTANT = 0.001


def one() -> tuple[SlidingRates, FixedClock]:
    clock = FixedClock()
    return SlidingRates(MemoryCounter(clock)), clock


@given(most=LIMITS, pauses=PAUSES)
def test_who_comes_back_when_told_is_let_through_and_seldom_told_too_long(most: int, pauses: list[float]) -> None:
    async def story() -> None:
        rates, clock = one()
        for pause in pauses:
            clock.advance(pause)
            if wait := await rates.wait("a", most):
                assert 1 <= wait <= 60
                clock.advance(wait + INSTANT)
                assert await rates.wait("a", most) == 0

    asyncio.run(story())


@given(most=LIMITS, pauses=PAUSES)
def test_no_more_pass_at_once_than_the_limit_and_then_as_fast_as_it_allows(most: int, pauses: list[float]) -> None:
    """In whatever time: the limit, one more, and its share of that time."""

    async def story() -> None:
        rates, clock = one()
        began, passed = clock.now(), []
        for pause in pauses:
            clock.advance(pause)
            if await rates.wait("a", most) == 0:
                passed.append((clock.now() - began).total_seconds())
        for (first, start), (last, end) in combinations(enumerate(passed), 2):
            assert last - first + 1 <= most + 1 + most * (end - start) / 60 + INSTANT

    asyncio.run(story())


async def test_each_is_counted_for_itself() -> None:
    rates, _ = one()
    assert [await rates.wait(what, 1) for what in ("a", "b", "a")] == [0, 0, 60]


async def test_requests_side_by_side_are_each_told_their_own() -> None:
    rates, _ = one()
    waits = await asyncio.gather(*(rates.wait(what, 2) for what in "aabab"))
    assert waits == [0, 0, 0, 60, 0]


def test_a_gateway_that_limits_nothing_does_not_import_the_library() -> None:
    program = """
import sys, gateway.app
from gateway.config.settings import LimitSettings
from gateway.serving import rates
assert rates(None, LimitSettings()) is None
assert "limits" not in sys.modules
assert rates(None, LimitSettings(starts_per_client=1))
"""
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0
