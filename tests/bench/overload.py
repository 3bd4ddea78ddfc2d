"""Three times as many logins as the gateway can do: `./dev bench overload`.

Told is how soon everybody has an answer of whatever kind, how many logins end, that every ticket that was bought belongs to a
login that ended, and how soon somebody gets in who comes when the flood is over. The provider signs on P-256, for one core has to
be enough for all users, the provider and the node; how late that core was is told, for it is part of each time. And what the
overload became: the machine may be slower during the flood than it was when the capacity was measured.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from gateway.system import have_files
from tests.bench.accounting import spent
from tests.bench.browser import drive
from tests.bench.flood import Users, arrive
from tests.bench.logins import DRIVER_CORE, GROUPS, SYSTEM_CORE
from tests.bench.signing import by_p256
from tests.bench.speed import Speed, watched_speed
from tests.bench.stage import Stage, open_stage
from tests.bench.systems import Running, product, started

JOURNEYS = "OIDC", "SAML, both opinions", "SAML, own engine"
FILES = 20_000
SETTLE_SECONDS = 2.0
"""Until a gateway that has just started has done what could wait until it was ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """`times`: the pace of arrivals, by the capacity before. `thinking`: seconds that users take at the provider, each a kind of flood.

    `alone`: each user has a connection of their own, as where no proxy is in front.
    """

    floods: int = 3
    times: float = 3.0
    seconds: float = 8.0
    thinking: Sequence[float] = (0.0, 3.0)
    alone: bool = False
    logins: int = 2000
    """That tell the capacity before each flood."""
    pinned: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One flood. Times in milliseconds; shares of a core by the flood's seconds."""

    kind: str
    capacity: float
    times: float
    """Arrivals, by the capacity as it was at the speed that the machine had meanwhile."""
    fresh: bool
    """Whether the gateway had just started: it knows nothing yet of what logins cost."""
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
    stood_still: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What floods come over."""

    stage: Stage
    core: int | None
    known: Running
    """A gateway that tells the capacity, and knows it."""
    speed: Speed


async def run(effort: Effort) -> AsyncIterator[Outcome]:
    """One flood after the other, of each kind in turn; every second one of a kind over a gateway that has just started."""
    have_files(FILES)
    if effort.pinned:
        os.sched_setaffinity(0, {DRIVER_CORE})
    core = SYSTEM_CORE if effort.pinned else None
    with TemporaryDirectory() as folder, watched_speed(Path(folder), core) as speed:
        stage = await open_stage(Path(folder), groups=GROUPS, signing=by_p256())
        async with started(product(stage), stage.folder, core=core) as known:
            scene = Scene(stage=stage, core=core, known=known, speed=speed)
            for number in range(effort.floods):
                for title in JOURNEYS:
                    for thinking in effort.thinking:
                        yield await flooded(scene, title, thinking, effort, fresh=number % 2 == 1)
        await stage.close()


async def flooded(scene: Scene, title: str, thinking: float, effort: Effort, *, fresh: bool) -> Outcome:
    """Tell the capacity, and exceed it."""
    journey, provider = scene.known.system.journeys[title], scene.stage.provider
    await drive(journey, provider, at_once=8, logins=effort.logins // 10)
    began = time.perf_counter()
    quiet = await drive(journey, provider, at_once=16, logins=effort.logins)
    if not quiet.seconds:
        raise RuntimeError(f"nobody can sign in: {dict(quiet.failures)}")
    capacity, speed = len(quiet.seconds) / quiet.wall, scene.speed.between(began, time.perf_counter())
    kind = title if not thinking else f"{title}, {thinking:g} s at the provider"
    async with AsyncExitStack() as stack:
        running = scene.known
        if fresh:
            running = await stack.enter_async_context(started(product(scene.stage), scene.stage.folder, core=scene.core))
            await asyncio.sleep(SETTLE_SECONDS)
        users = Users(running.system.journeys[title], provider, thinking, effort.alone)
        tickets, before, began = scene.stage.qlik.counts["tickets"], spent(running.pid), time.perf_counter()
        flood, again = await arrive(users, per_second=effort.times * capacity, seconds=effort.seconds)
        took, seconds = spent(running.pid).since(before), time.perf_counter() - began
        users.go()
    slower = speed / scene.speed.between(began, began + flood.wall)
    return Outcome(
        kind=kind,
        fresh=fresh,
        capacity=capacity,
        times=flood.came / flood.wall / capacity * slower,
        per_second=flood.in_time / flood.wall,
        turned_away=flood.count("turned away"),
        turned_away_p50=flood.quantile(0.5, "turned away"),
        turned_away_p99=flood.quantile(0.99, "turned away"),
        returns_p50=flood.quantile(0.5, "finished"),
        returns_p99=flood.quantile(0.99, "finished"),
        asked_to_wait=flood.count("asked to wait"),
        slowest=flood.quantile(1.0),
        tickets=scene.stage.qlik.counts["tickets"] - tickets - 1,
        finished=flood.count("finished"),
        unfinished=flood.count("begun") - flood.count("finished"),
        failed=sum(flood.failures.values()),
        again=again * 1000,
        gateway=took.tree / seconds,
        driver=took.driver / seconds,
        driver_late=flood.late * 1000,
        stood_still=flood.stood_still * 1000,
    )


def line(one: Outcome) -> str:
    """For people."""
    return (
        f"{one.kind}{', just started' * one.fresh}: capacity {one.capacity:.0f}/s, {one.times:.1f} times as many came,"
        f" {one.per_second:.0f}/s meanwhile; {one.turned_away} turned away, half within {one.turned_away_p50:.0f} ms,"
        f" 99 % {one.turned_away_p99:.0f}; returns {one.returns_p50:.0f} ms, 99 % {one.returns_p99:.0f},"
        f" {one.asked_to_wait} asked to wait; slowest answer {one.slowest:.0f} ms; {one.tickets} tickets,"
        f" {one.finished} logins ended, {one.unfinished} not; {one.failed} failed; in again after {one.again:.0f} ms;"
        f" CPU {one.gateway:.2f}, driver {one.driver:.2f}, late by {one.driver_late:.0f} ms"
    )


SAID = {
    "capacity": "logins a second without the flood",
    "times": "arrivals, by the capacity at the speed that the machine had meanwhile",
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
    "stood_still": "the driver stood still, and nobody came (ms)",
}
LESS_IS_WORSE = "capacity", "per_second"
DECIMALS = {"times": 1}


def heads_and_rows(outcomes: Iterable[Outcome]) -> tuple[list[str], list[list[str]]]:
    """A table: what is measured, and for each kind of flood the median and the worst."""
    kinds: dict[str, list[Outcome]] = {}
    for one in outcomes:
        kinds.setdefault(one.kind, []).append(one)
    rows = []
    for name, said in SAID.items():
        worst = min if name in LESS_IS_WORSE else max
        found = [[getattr(one, name) for one in floods] for floods in kinds.values()]
        form = f",.{DECIMALS.get(name, 0)}f"
        rows.append([said, *(f"{median(figures):{form}}; {worst(figures):{form}}" for figures in found)])
    return ["median; worst", *kinds], rows
