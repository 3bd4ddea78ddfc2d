"""So many a minute, in a window that slides. The only module that knows `limits`, which takes 60 ms to import: only where there is a limit.

The library's strategy stands on counts of ours. Its own storages would bring a second client for the shared store, or
keep every key that a stranger makes up and look through all of them at every request.
"""

from __future__ import annotations

import math
import time
from datetime import timedelta
from typing import NoReturn

from limits import RateLimitItemPerMinute
from limits.aio.storage import SlidingWindowCounterSupport, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from gateway.ports import Counter, Tally


class SlidingRates:
    """`guard.Rates`."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    async def wait(self, what: str, most: int) -> int:
        limiter, item = SlidingWindowCounterRateLimiter(_Counts(self._counter)), RateLimitItemPerMinute(most)
        if await limiter.hit(item, what):
            return 0
        stats = await limiter.get_window_stats(item, what)
        return max(1, math.ceil(stats.reset_time - time.time()))


class _Counts(Storage, SlidingWindowCounterSupport):
    """What one request needs of the library's storage: what was found when it was counted need not be asked for again."""

    STORAGE_SCHEME = None
    base_exceptions = ()

    def __init__(self, counter: Counter) -> None:
        super().__init__()
        self._counter = counter
        self._found = Tally(taken=False, previous=0, current=0, rest=0)

    async def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:  # noqa: ARG002 - one at a time
        self._found = await self._counter.take(key, limit, timedelta(seconds=expiry))
        return self._found.taken

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:  # noqa: ARG002 - of the one that was counted
        rest = min(self._found.rest, math.nextafter(expiry, 0))  # the library would take all of a window for none of it
        return self._found.previous, rest, self._found.current, rest

    def _unused(self, *_: object, **__: object) -> NoReturn:
        raise NotImplementedError

    incr = get = get_expiry = check = reset = clear = clear_sliding_window = _unused
