"""How the cost of a login grows: `./dev bench growth`. Milliseconds of CPU time per login, the best of some rounds at each point.

Groups in the token (20 of them are mapped), virtual proxies and providers configured, logins in flight while users take
their time at the provider, and the store of one-time marks by its size. A slope is fitted by least squares over all points
of a line: microseconds per login and unit.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gateway.stores.memory import MemoryReplayStore
from tests.bench.accounting import spent
from tests.bench.browser import Browser, Journey, drive
from tests.bench.identity_provider import IdentityProvider, Step
from tests.bench.logins import DRIVER_CORE, SYSTEM_CORE
from tests.bench.product import JOURNEYS, journey
from tests.bench.stage import group_names, open_stage
from tests.bench.systems import Running, product, started
from tests.fakes import FixedClock

AT_ONCE = 16
GROUPS = (1, 20, 100, 300, 1000)
VIRTUAL_PROXIES = (1, 10, 100, 1000)
PROVIDERS = (1, 10, 50, 200)
IN_FLIGHT = (1, 10, 100, 1000, 10_000)
MARKS = (1000, 10_000, 100_000, 300_000, 1_000_000)
MARK_CALLS = 50
"""At least, in each round: the smallest store grows by three quarters, the others by a hundredth."""


@dataclass(slots=True)
class Line:
    """One thing that grows. `points`: (how many, milliseconds of CPU time per login)."""

    what: str
    unit: str
    points: list[tuple[int, float]] = field(default_factory=list)

    @property
    def slope(self) -> float:
        """Microseconds per login and unit."""
        xs, ys = [x for x, _ in self.points], [y for _, y in self.points]
        middle_x, middle_y = sum(xs) / len(xs), sum(ys) / len(ys)
        across = sum((x - middle_x) ** 2 for x in xs)
        return 1000 * sum((x - middle_x) * (y - middle_y) for x, y in self.points) / across if across else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """`logins` in each of `rounds` at each point; `largest` leaves points out."""

    logins: int = 100
    rounds: int = 15
    largest: int = 1_000_000

    def points(self, all_of_them: Sequence[int]) -> list[int]:
        return [point for point in all_of_them if point <= self.largest]


async def run(effort: Effort, *, pinned: bool = True) -> list[Line]:
    """Measure all."""
    if pinned:
        os.sched_setaffinity(0, {DRIVER_CORE})
    core = SYSTEM_CORE if pinned else None
    lines = [await by_groups(effort, core, title) for title in JOURNEYS]
    lines.append(await by_size(effort, core, "virtual proxies", VIRTUAL_PROXIES))
    lines.append(await by_size(effort, core, "providers", PROVIDERS))
    lines.append(await by_in_flight(effort, core))
    lines.append(await by_marks(effort))
    return lines


async def by_groups(effort: Effort, core: int | None, title: str) -> Line:
    """Groups in the token or assertion; those beyond 20 have another prefix and fall out in the mapping."""
    with TemporaryDirectory() as folder:
        stage = await open_stage(Path(folder), groups=1)

        async def measure(groups: int) -> float:
            stage.provider.groups = group_names(min(groups, 20)) + [f"other-{number:04}" for number in range(20, groups)]
            return await cost(running, running.system.journeys[title], stage.provider, effort)

        async with started(product(stage), stage.folder, core=core) as running:
            line = await in_turns(Line(f"groups per user, {title}", "group"), effort.points(GROUPS), measure, effort)
        await stage.close()
    return line


async def by_size(effort: Effort, core: int | None, what: str, sizes: Sequence[int]) -> Line:
    """Virtual proxies, or providers, in the configuration, each number of them in a gateway of its own; the logins go by the last one."""
    with TemporaryDirectory() as folder:
        stage = await open_stage(Path(folder), groups=20)
        gateways: dict[int, tuple[Running, Journey]] = {}

        async def measure(size: int) -> float:
            running, at = gateways[size]
            return await cost(running, at, stage.provider, effort)

        async with AsyncExitStack() as running:
            for size in effort.points(sizes):
                many = {"virtual_proxies": size} if what == "virtual proxies" else {"virtual_proxies": size, "providers": size}
                system = product(stage, oidc_alone=True, **many)
                at = journey(f"vp-{size - 2}" if size > 1 else "oidc", system.journeys["OIDC"].address[1])
                gateways[size] = await running.enter_async_context(started(system, stage.folder, core=core)), at
            unit = {"virtual proxies": "virtual proxy", "providers": "provider"}[what]
            line = await in_turns(Line(what, unit), list(gateways), measure, effort)
        await stage.close()
    return line


async def by_in_flight(effort: Effort, core: int | None) -> Line:
    """So many users have left for the provider and take their time, while others sign in; in the end they come back, all of them.

    Each number of them has a gateway of its own.
    """
    with TemporaryDirectory() as folder:
        stage = await open_stage(Path(folder), groups=20)
        gateways: dict[int, Running] = {}
        away: list[tuple[Browser, Step]] = []

        async def measure(in_flight: int) -> float:
            running = gateways[in_flight]
            return await cost(running, running.system.journeys["OIDC"], stage.provider, effort)

        async with AsyncExitStack() as running:
            for in_flight in effort.points(IN_FLIGHT):
                gateways[in_flight] = await running.enter_async_context(started(product(stage), stage.folder, core=core))
                away += await leave(gateways[in_flight].system.journeys["OIDC"], stage.provider, in_flight)
            line = await in_turns(Line("logins in flight", "login"), list(gateways), measure, effort)
            await come_back(away)
        await stage.close()
    return line


async def in_turns(line: Line, sizes: Sequence[int], measure: Callable[[int], Awaitable[float]], effort: Effort) -> Line:
    """The least of some rounds for each size, one after the other: a host that is slow for a while is slow for all."""
    taken: dict[int, list[float]] = {size: [] for size in sizes}
    for size in sizes:
        await measure(size)  # to warm up
    for _ in range(effort.rounds):
        for size in sizes:
            taken[size].append(await measure(size))
    for size, milliseconds in taken.items():
        line.points.append((size, min(milliseconds)))
        sys.stderr.write(f"{line.what}: {size}: {min(milliseconds):.3f} ms\n")
    return line


async def leave(at: Journey, provider: IdentityProvider, users: int) -> list[tuple[Browser, Step]]:
    """Users who are at the provider now."""
    away: list[tuple[Browser, Step]] = []

    async def leaving(left: Iterator[int]) -> None:
        for _ in left:
            browser = Browser(at, provider)
            away.append((browser, await browser.leave()))
            browser.close()

    left = iter(range(users))
    await asyncio.gather(*(leaving(left) for _ in range(AT_ONCE)))
    return away


async def come_back(away: list[tuple[Browser, Step]]) -> None:
    """Raises `LoginFailed` where one of them does not get a ticket."""

    async def returning(left: Iterator[tuple[Browser, Step]]) -> None:
        for browser, step in left:
            await browser.come_back(step)
            browser.close()

    left = iter(away)
    await asyncio.gather(*(returning(left) for _ in range(AT_ONCE)))


async def by_marks(effort: Effort) -> Line:
    """Two claims, as in a login, at stores of this process alone, which hold so many live marks each."""
    clock, stores, turns = FixedClock(datetime(2026, 1, 1, tzinfo=UTC)), dict[int, MemoryReplayStore](), count()
    for marks in effort.points(MARKS):
        stores[marks] = MemoryReplayStore(clock, capacity=2 * max(MARKS))
        for number in range(marks):
            await stores[marks].claim(f"filler {number}", clock.now() + timedelta(seconds=900 + number % 900))

    async def measure(marks: int) -> float:
        return 2 * await claims_cost(stores[marks], clock, max(MARK_CALLS, marks // 100 // effort.rounds), next(turns))

    return await in_turns(Line("one-time marks in the store (two claims)", "mark"), list(stores), measure, effort)


async def claims_cost(store: MemoryReplayStore, clock: FixedClock, calls: int, turn: int) -> float:
    """Milliseconds for one."""
    keys = [f"{turn} {number}" for number in range(calls)]
    until = clock.now() + timedelta(seconds=60)
    began = time.thread_time_ns()
    for key in keys:
        await store.claim(key, until)
    return (time.thread_time_ns() - began) / calls / 1e6


async def cost(running: Running, at: Journey, provider: IdentityProvider, effort: Effort) -> float:
    """Milliseconds of CPU time for one login."""
    before = spent(running.pid).tree
    round_ = await drive(at, provider, at_once=AT_ONCE, logins=effort.logins)
    if round_.failures:
        raise RuntimeError(f"{round_.failures.most_common(2)}")
    return 1000 * (spent(running.pid).tree - before) / len(round_.seconds)


def lines_of(result: list[Line]) -> Iterator[str]:
    """For people."""
    for line in result:
        points = "  ".join(f"{size}: {milliseconds:.3f}" for size, milliseconds in line.points)
        yield f"{line.what}: {points} ms; {line.slope:.4f} µs per {line.unit}"


def as_json(result: list[Line]) -> list[dict[str, Any]]:
    return [asdict(line) | {"slope": line.slope} for line in result]
