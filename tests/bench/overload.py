"""Three times as many logins as the gateway can do: `./dev bench overload`.

Users arrive at their own pace, whatever becomes of those before them (an open loop), as they do at nine in the morning. They
come back from the provider at once, or after some seconds, when those who began with them do. Told is how soon everybody has an
answer of whatever kind, how many logins end, that every ticket that was bought belongs to a login that ended, and how soon
somebody gets in who comes when the flood is over. The provider signs on P-256, for one core has to be enough for all users,
the provider and the node; how late that core was is told, for it is part of each time.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from gateway.system import have_files
from tests.bench import wire
from tests.bench.accounting import spent
from tests.bench.browser import Browser, Journey, LoginFailed, Step, drive
from tests.bench.identity_provider import IdentityProvider
from tests.bench.logins import DRIVER_CORE, GROUPS, SYSTEM_CORE
from tests.bench.signing import by_p256
from tests.bench.stage import Stage, open_stage
from tests.bench.systems import Running, product, started

JOURNEYS = "OIDC", "SAML, own engine"
RETRY_SECONDS = 1.0
"""After which a user whose return was turned away reloads the page."""
MOST_TRIES = 30
FILES = 20_000
LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """`times`: the pace of arrivals, by the capacity. `thinking`: seconds that users take at the provider, each a kind of flood."""

    floods: int = 3
    times: float = 3.0
    seconds: float = 8.0
    thinking: Sequence[float] = (0.0, 3.0)
    logins: int = 2000
    """That tell the capacity before each flood."""
    pinned: bool = True


@dataclass(slots=True)
class Flood:
    """What became of the users. Seconds until each had an answer, by kind."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One flood. Times in milliseconds; shares of a core by the flood's seconds."""

    kind: str
    capacity: float
    per_second: float
    turned_away: int
    turned_away_p50: float
    turned_away_p99: float
    returns_p50: float
    returns_p99: float
    asked_to_wait: int
    slowest: float
    tickets: int
    finished: int
    unfinished: int
    failed: int
    again: float
    gateway: float
    driver: float
    driver_late: float


@dataclass(slots=True)
class Users:
    """Users behind a proxy that keeps connections: as many as there are exchanges at once."""

    journey: Journey
    provider: IdentityProvider
    thinking: float = 0.0
    connections: list[wire.ClientSide] = field(default_factory=list)
    chance: random.Random = field(default_factory=lambda: random.Random(9))  # noqa: S311 (nobody is to be surprised)

    async def one(self, flood: Flood) -> None:
        """A user who goes away when turned away at the beginning, and reloads when asked to wait at the end."""
        browser = Browser(self.journey, self.provider, self.connections)
        try:
            step = await self._leave(browser, flood)
            if step is not None:
                await asyncio.sleep(self.thinking * self.chance.uniform(0.5, 1.5))
                await self._come_back(browser, step, flood)
        except (LoginFailed, OSError) as error:
            flood.failures[f"{type(error).__name__}: {error}"[:100]] += 1

    def go(self) -> None:
        """Close all connections."""
        Browser(self.journey, self.provider, self.connections).close()

    async def _leave(self, browser: Browser, flood: Flood) -> Step | None:
        began = time.perf_counter()
        try:
            step = await browser.leave()
        except LoginFailed as error:
            if not str(error).startswith("503"):
                raise
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
    """So many a second, evenly, whatever becomes of them. Also the seconds from the last of them until somebody who comes then is in."""
    flood, tasks = Flood(), set[asyncio.Task[None]]()
    began = time.perf_counter()
    count = 0
    async with watched(flood):
        while (passed := time.perf_counter() - began) < seconds:
            for _ in range(int(passed * per_second) - count):
                task = asyncio.create_task(users.one(flood))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                count += 1
            await asyncio.sleep(0.002)
        flood.in_time = flood.count("finished")
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


async def run(effort: Effort) -> AsyncIterator[Outcome]:
    """One flood after the other, of each kind in turn."""
    have_files(FILES)
    if effort.pinned:
        os.sched_setaffinity(0, {DRIVER_CORE})
    with TemporaryDirectory() as folder:
        stage = await open_stage(Path(folder), groups=GROUPS, signing=by_p256())
        async with started(product(stage), stage.folder, core=SYSTEM_CORE if effort.pinned else None) as running:
            for _ in range(effort.floods):
                for title in JOURNEYS:
                    for thinking in effort.thinking:
                        yield await flooded(stage, running, title, thinking, effort)
        await stage.close()


async def flooded(stage: Stage, running: Running, title: str, thinking: float, effort: Effort) -> Outcome:
    """Tell the capacity, and exceed it."""
    journey = running.system.journeys[title]
    await drive(journey, stage.provider, at_once=8, logins=effort.logins // 10)
    quiet = await drive(journey, stage.provider, at_once=16, logins=effort.logins)
    if not quiet.seconds:
        raise RuntimeError(f"nobody can sign in: {dict(quiet.failures)}")
    capacity = len(quiet.seconds) / quiet.wall
    tickets, before, began = stage.qlik.counts["tickets"], spent(running.pid), time.perf_counter()
    users = Users(journey, stage.provider, thinking)
    flood, again = await arrive(users, per_second=effort.times * capacity, seconds=effort.seconds)
    took, seconds = spent(running.pid).since(before), time.perf_counter() - began
    users.go()
    return Outcome(
        kind=title if not thinking else f"{title}, {thinking:g} s at the provider",
        capacity=capacity,
        per_second=flood.in_time / effort.seconds,
        turned_away=flood.count("turned away"),
        turned_away_p50=flood.quantile(0.5, "turned away"),
        turned_away_p99=flood.quantile(0.99, "turned away"),
        returns_p50=flood.quantile(0.5, "finished"),
        returns_p99=flood.quantile(0.99, "finished"),
        asked_to_wait=flood.count("asked to wait"),
        slowest=flood.quantile(1.0),
        tickets=stage.qlik.counts["tickets"] - tickets - 1,
        finished=flood.count("finished"),
        unfinished=flood.count("begun") - flood.count("finished"),
        failed=sum(flood.failures.values()),
        again=again * 1000,
        gateway=took.tree / seconds,
        driver=took.driver / seconds,
        driver_late=flood.late * 1000,
    )


def line(one: Outcome) -> str:
    """For people."""
    return (
        f"{one.kind}: capacity {one.capacity:.0f}/s, {one.per_second:.0f}/s meanwhile; {one.turned_away} turned away, half within"
        f" {one.turned_away_p50:.0f} ms, 99 % {one.turned_away_p99:.0f}; returns {one.returns_p50:.0f} ms, 99 % {one.returns_p99:.0f},"
        f" {one.asked_to_wait} asked to wait; slowest answer {one.slowest:.0f} ms; {one.tickets} tickets, {one.finished} logins ended,"
        f" {one.unfinished} not; {one.failed} failed; in again after {one.again:.0f} ms; CPU {one.gateway:.2f}, driver {one.driver:.2f},"
        f" late by {one.driver_late:.0f} ms"
    )


SAID = {
    "capacity": "logins a second without the flood",
    "per_second": "logins a second that ended before the last user came",
    "turned_away": "turned away with 503 and `Retry-After`",
    "turned_away_p50": "half of them within (ms)",
    "turned_away_p99": "all but one in a hundred within (ms)",
    "returns_p50": "returns, half of them within (ms)",
    "returns_p99": "all but one in a hundred within (ms)",
    "asked_to_wait": "returns asked to wait",
    "slowest": "the slowest answer of any kind (ms)",
    "unfinished": "logins begun and not finished",
    "failed": "failures",
    "again": "who comes right behind the flood is in after (ms)",
    "driver_late": "of these times, the driver's own lateness at most (ms)",
}
LESS_IS_WORSE = "capacity", "per_second"


def heads_and_rows(outcomes: Iterable[Outcome]) -> tuple[list[str], list[list[str]]]:
    """A table: what is measured, and for each kind of flood the median and the worst."""
    kinds: dict[str, list[Outcome]] = {}
    for one in outcomes:
        kinds.setdefault(one.kind, []).append(one)
    rows = []
    for name, said in SAID.items():
        worst = min if name in LESS_IS_WORSE else max
        found = [[getattr(one, name) for one in floods] for floods in kinds.values()]
        rows.append([said, *(f"{median(figures):,.0f}; {worst(figures):,.0f}" for figures in found)])
    return ["median; worst", *kinds], rows
