"""A flood: users who arrive at their own pace, whatever becomes of those before them, as they do at nine in the morning (an open loop).

They come back from the provider at once, or after some seconds, when those who began with them do.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.bench import wire
from tests.bench.browser import Browser, Journey, LoginFailed, Step, TurnedAway
from tests.bench.identity_provider import IdentityProvider

RETRY_SECONDS = 1.0
"""After which a user whose return was turned away reloads the page."""
MOST_TRIES = 30
LOOK_SECONDS = 0.02
LONGEST_STEP = 0.05
"""Seconds of arrivals at once at most."""


@dataclass(slots=True)
class Flood:
    """What became of the users. Seconds until each had an answer, by kind."""

    came: int = 0
    wall: float = 0.0
    """Seconds over which they came."""
    stood_still: float = 0.0
    """Of them, those in which nobody came because the driver did not run."""
    in_time: int = 0
    """Logins that ended before the last user arrived."""
    answers: dict[str, list[float]] = field(default_factory=lambda: {"begun": [], "turned away": [], "finished": [], "asked to wait": []})
    failures: Counter[str] = field(default_factory=Counter)
    late: float = 0.0
    """Seconds that the driver was late at most."""

    def told(self, kind: str, began: float) -> None:
        self.answers[kind].append(time.perf_counter() - began)

    def count(self, kind: str) -> int:
        return len(self.answers[kind])

    def quantile(self, share: float, *kinds: str) -> float:
        """Milliseconds."""
        ranked = sorted(second for kind in kinds or self.answers for second in self.answers[kind])
        return ranked[min(len(ranked) - 1, int(len(ranked) * share))] * 1000 if ranked else 0.0


@dataclass(slots=True)
class Users:
    """Users behind a proxy that keeps connections, as many as there are exchanges at once. `alone`: each keeps one of their own."""

    journey: Journey
    provider: IdentityProvider
    thinking: float = 0.0
    alone: bool = False
    connections: list[wire.ClientSide] = field(default_factory=list)
    chance: random.Random = field(default_factory=lambda: random.Random(9))  # noqa: S311 (nobody is to be surprised)

    async def one(self, flood: Flood) -> None:
        """A user who goes away when turned away at the beginning, and reloads when asked to wait at the end."""
        browser = Browser(self.journey, self.provider, [] if self.alone else self.connections)
        try:
            step = await self._leave(browser, flood)
            if step is not None:
                await asyncio.sleep(self.thinking * self.chance.uniform(0.5, 1.5))
                await self._come_back(browser, step, flood)
        except (LoginFailed, OSError) as error:
            flood.failures[f"{type(error).__name__}: {error}"[:100]] += 1
        if self.alone:
            self.connections += browser.resting

    def go(self) -> None:
        """Close all connections."""
        Browser(self.journey, self.provider, self.connections).close()

    async def _leave(self, browser: Browser, flood: Flood) -> Step | None:
        began = time.perf_counter()
        try:
            step = await browser.leave()
        except TurnedAway:
            flood.told("turned away", began)
            return None
        flood.told("begun", began)
        return step

    async def _come_back(self, browser: Browser, step: Step, flood: Flood) -> None:
        for _ in range(MOST_TRIES):
            began = time.perf_counter()
            try:
                await browser.come_back(step)
            except LoginFailed as error:
                if "QGW-117" not in str(error):
                    raise
                flood.told("asked to wait", began)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                flood.told("finished", began)
                return
        raise LoginFailed("asked to wait again and again")


async def arrive(users: Users, *, per_second: float, seconds: float) -> tuple[Flood, float]:
    """So many a second, evenly, whatever becomes of them. Also the seconds from the last of them until somebody who comes then is in.

    Where the driver itself stands still nobody comes: all of them at once when it goes on would be another kind of flood.
    """
    flood, tasks = Flood(), set[asyncio.Task[None]]()
    passed, began = 0.0, time.perf_counter()
    now = began
    async with watched(flood):
        while passed < seconds:
            for _ in range(int(passed * per_second) - flood.came):
                task = asyncio.create_task(users.one(flood))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                flood.came += 1
            await asyncio.sleep(0.002)
            before, now = now, time.perf_counter()
            passed += min(now - before, LONGEST_STEP)
        flood.in_time, flood.wall, flood.stood_still = flood.count("finished"), now - began, now - began - passed
        again = await first_success(users)
        await asyncio.gather(*tasks)
    return flood, again


@asynccontextmanager
async def watched(flood: Flood) -> AsyncIterator[None]:
    """Tell the flood how late the driver is."""

    async def watch() -> None:
        while True:
            due = time.perf_counter() + LOOK_SECONDS
            await asyncio.sleep(LOOK_SECONDS)
            flood.late = max(flood.late, time.perf_counter() - due)

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()


async def first_success(users: Users) -> float:
    """Seconds until a login succeeds, of somebody who takes no time at the provider."""
    began = time.perf_counter()
    quick = Users(users.journey, users.provider)
    while True:
        flood = Flood()
        await quick.one(flood)
        if flood.count("finished"):
            quick.go()
            return time.perf_counter() - began
        await asyncio.sleep(0.01)
