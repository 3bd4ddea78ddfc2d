"""Something fetched from a provider and kept: its metadata, its keys.

A provider that fails for a while must not stop logins that what we hold can still serve, and a hundred logins that need
the same document at once must fetch it once. Nothing runs in the background: a login that finds its copy old refreshes
it, the others go on with the old one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

from gateway.errors import GatewayError
from gateway.ports import Clock

T = TypeVar("T")

_PATIENCE: Final = timedelta(minutes=1)  # between two tries to refresh what can still be used


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held(Generic[T]):
    value: T
    since: datetime
    fresh_until: datetime


class Kept(Generic[T]):
    """The last good copy of what `fetch` gives.

    Fresh for `fresh_for`, which may depend on the copy; then refreshed by the next login, and served on when that fails,
    until it is as old as `usable_for`. `on_trouble` hears of each failed refresh.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[T]],
        *,
        clock: Clock,
        fresh_for: timedelta | Callable[[T], timedelta],
        usable_for: timedelta,
        on_trouble: Callable[[GatewayError], None],
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._fresh_for = fresh_for
        self._usable_for = usable_for
        self._on_trouble = on_trouble
        self._held: _Held[T] | None = None
        self._retry_at: datetime | None = None
        self._lock = asyncio.Lock()
        self._landings = 0
        self._outcome: _Held[T] | GatewayError = GatewayError("nothing was fetched yet")

    def seed(self, value: T) -> None:
        """A copy from before, to be served when the first refresh fails. Does nothing when there is one already."""
        if self._held is None:
            now = self._clock.now()
            self._held = _Held(value=value, since=now, fresh_until=now)

    def fresh(self, now: datetime) -> T | None:
        """The copy that need not be asked for again, if there is one: what `current` would give."""
        held = self._held
        return held.value if held is not None and now < held.fresh_until else None

    async def current(self) -> T:
        """A copy that may be used. Raises what `fetch` raises when there is none."""
        now, held = self._clock.now(), self._held
        if held is not None and self._serves_at_once(held, now):
            return held.value
        try:
            return await self._land()
        except GatewayError:
            if held is None or now - held.since >= self._usable_for:
                raise
            return held.value

    async def newer(self, than: T, *, allowed: Callable[[], bool]) -> T:
        """A copy fetched after `than`, if one is at hand or a fetch is `allowed`; else `than` itself. Raises what `fetch` raises."""
        held = self._held
        if held is not None and held.value is not than:
            return held.value
        return await self._land() if self._lock.locked() or allowed() else than

    def _serves_at_once(self, held: _Held[T], now: datetime) -> bool:
        waiting = self._lock.locked() or (self._retry_at is not None and now < self._retry_at)
        return now < held.fresh_until or (waiting and now - held.since < self._usable_for)

    async def _land(self) -> T:
        """One fetch at a time: who comes while one is under way gets its outcome, good or bad, not a fetch of their own.

        A caller that is cancelled leaves the fetch to the next in line.
        """
        seen = self._landings
        async with self._lock:
            if self._landings == seen:
                self._outcome = await self._attempt()
                self._landings += 1
            outcome = self._outcome
        if isinstance(outcome, GatewayError):
            raise type(outcome)(outcome.detail)  # an instance for each: a shared one would gather every task's traceback
        return outcome.value

    async def _attempt(self) -> _Held[T] | GatewayError:
        try:
            value = await self._fetch()
            now = self._clock.now()
            fresh_for = self._fresh_for(value) if callable(self._fresh_for) else self._fresh_for
            self._held = _Held(value=value, since=now, fresh_until=now + fresh_for)
        except GatewayError as error:
            if self._held is not None:
                self._retry_at = self._clock.now() + _PATIENCE
                self._on_trouble(error)
            return error
        return self._held


@dataclass(slots=True, kw_only=True)
class Bucket:
    """Permits: `size` at once, then one more each `refill`."""

    size: int
    refill: timedelta
    _left: float | None = None
    _at: datetime | None = None

    def take(self, now: datetime) -> bool:
        """Take a permit, if there is one."""
        gained = 0.0 if self._at is None else max(timedelta(), now - self._at) / self.refill
        left = min(self.size, (self.size if self._left is None else self._left) + gained)
        granted = left >= 1
        self._left, self._at = left - granted, now
        return granted
