"""Three times as many logins as the gateway can do: `./dev bench overload`.

Users arrive at their own pace, whatever becomes of those before them (an open loop), as they do at nine in the morning.
What is told: how soon everybody has an answer of whatever kind, how many logins end, that every ticket that was bought
belongs to a login that ended, and how soon somebody gets in who comes when the flood is over, while those before still wait.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.browser import Browser, Journey, LoginFailed, Step, drive
from tests.bench.identity_provider import IdentityProvider
from tests.bench.logins import DRIVER_CORE, GROUPS, SYSTEM_CORE
from tests.bench.stage import open_stage
from tests.bench.systems import product, started

TIMES = 3.0
SECONDS = 8.0
RETRY_SECONDS = 1.0
"""After which a user whose return was turned away reloads the page."""
MOST_TRIES = 30


@dataclass(slots=True)
class Flood:
    """What became of the users. Seconds until each had an answer, by kind."""

    in_time: int = 0
    """Logins that ended before the last user arrived."""
    answers: dict[str, list[float]] = field(default_factory=lambda: {"begun": [], "turned away": [], "finished": [], "asked to wait": []})
    failures: Counter[str] = field(default_factory=Counter)

    def told(self, kind: str, began: float) -> None:
        self.answers[kind].append(time.perf_counter() - began)

    def quantile(self, share: float, *kinds: str) -> float:
        """Milliseconds."""
        ranked = sorted(second for kind in kinds or self.answers for second in self.answers[kind])
        return ranked[min(len(ranked) - 1, int(len(ranked) * share))] * 1000 if ranked else float("nan")


@dataclass(slots=True)
class Users:
    """Browsers, each with a connection that is kept; as many as are in hand at once."""

    journey: Journey
    provider: IdentityProvider
    resting: list[Browser] = field(default_factory=list)

    async def one(self, flood: Flood) -> None:
        """A user who goes away when turned away at the beginning, and reloads when asked to wait at the end."""
        browser = self.resting.pop() if self.resting else Browser(self.journey, self.provider)
        try:
            step = await self._leave(browser, flood)
            if step is not None:
                await self._come_back(browser, step, flood)
        except (LoginFailed, OSError) as error:
            flood.failures[f"{type(error).__name__}: {error}"[:100]] += 1
            browser.close()
        else:
            self.resting.append(browser)

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
    while (passed := time.perf_counter() - began) < seconds:
        for _ in range(int(passed * per_second) - count):
            task = asyncio.create_task(users.one(flood))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            count += 1
        await asyncio.sleep(0.002)
    flood.in_time = len(flood.answers["finished"])
    again = await first_success(users)
    await asyncio.gather(*tasks)
    return flood, again


async def first_success(users: Users) -> float:
    """Seconds until a login succeeds."""
    began = time.perf_counter()
    while True:
        flood = Flood()
        await users.one(flood)
        if flood.answers["finished"]:
            return time.perf_counter() - began
        await asyncio.sleep(0.01)


async def run(*, pinned: bool = True, times: float = TIMES, seconds: float = SECONDS, logins: int = 2000) -> Iterator[str]:
    """Measure each journey: lines for people."""
    if pinned:
        os.sched_setaffinity(0, {DRIVER_CORE})
    lines: list[str] = []
    with TemporaryDirectory() as folder:
        stage = await open_stage(Path(folder), groups=GROUPS)
        async with started(product(stage), stage.folder, core=SYSTEM_CORE if pinned else None) as running:
            for title in ("OIDC", "SAML, own engine"):
                journey = running.system.journeys[title]
                await drive(journey, stage.provider, at_once=8, logins=logins // 10)
                quiet = await drive(journey, stage.provider, at_once=16, logins=logins)
                capacity = len(quiet.seconds) / quiet.wall
                before = stage.qlik.counts["tickets"]
                users = Users(journey, stage.provider)
                flood, again = await arrive(users, per_second=times * capacity, seconds=seconds)
                tickets = stage.qlik.counts["tickets"] - before - 1
                lines += report(title, capacity, times, flood, tickets, again, seconds)
        await stage.close()
    return iter(lines)


def report(title: str, capacity: float, times: float, flood: Flood, tickets: int, again: float, seconds: float) -> Iterator[str]:  # noqa: PLR0917
    yield f"{title}: capacity {capacity:.0f} logins/s; {times:g} times that for {seconds:g} s"
    for kind, taken in flood.answers.items():
        yield f"  {kind:14}{len(taken):7}   p50 {flood.quantile(0.5, kind):6.0f} ms   p99 {flood.quantile(0.99, kind):6.0f} ms"
    half, most, all_ = (flood.quantile(share) for share in (0.5, 0.99, 1.0))
    yield f"  every answer            p50 {half:6.0f} ms   p99 {most:6.0f} ms   slowest {all_:.0f} ms"
    finished = len(flood.answers["finished"])
    lost = len(flood.answers["begun"]) - finished
    yield f"  logins per second meanwhile {flood.in_time / seconds:.0f}; tickets {tickets}; begun and not finished {lost}"
    yield f"  who comes after the last of them is in after {again * 1000:.0f} ms; failures: {dict(flood.failures) or 'none'}"


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in asyncio.run(run()))
