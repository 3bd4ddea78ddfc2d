"""Whole logins at the full product, beside the yardstick: `./dev bench logins`.

The driver (browsers, identity provider, Qlik proxy) has one core for itself, the systems under test have another. Systems
are measured in short turns, so that whatever else the host does falls on all of them. The figure that counts is a system's
logins per second of its own CPU time, as a share of what the yardstick did in the same turn: the median of all turns. A row's
rate is that of its best turn, for what else goes on at the host can only lower it; its times are medians.
"""

from __future__ import annotations

import os
import platform
import shutil
import ssl
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from tests.bench import peers
from tests.bench.accounting import pss_mib, rss_mib, spent
from tests.bench.browser import Journey, drive
from tests.bench.identity_provider import IdentityProvider
from tests.bench.stage import HOST, Stage, open_stage
from tests.bench.systems import PYTHON, Running, System, product, started, yardstick
from tests.ports import unused_port

GROUPS = 20
DRIVER_CORE, SYSTEM_CORE = 0, 1
STARTS = 3
DISTURBED = 20.0
"""Percent of a core that others took: a row with more is marked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to measure. `at_once`: logins in hand; `memory_after`: logins before memory is looked at, 0: never.

    `logins`: of each round; so few that the host is the same for all systems in it. `pinned`: the driver has one core for
    itself, the systems another.
    """

    at_once: tuple[int, ...] = (1, 16, 64)
    logins: int = 400
    rounds: int = 15
    memory_after: int = 0
    redis: bool = False
    peers: bool = False
    warm_up: int = 200
    pinned: bool = True


@dataclass(slots=True, kw_only=True)
class Row:
    """One journey at one system with so many logins at once, of all its rounds. Milliseconds; percent of a core.

    `share`: of the yardstick's rate in the same round, where it was measured in turns with it.
    """

    system: str
    journey: str
    at_once: int
    per_cpu_second: float
    per_second: float
    p50: float
    p99: float
    driver: float
    others: float
    share: float | None = None
    errors: dict[str, int] = field(default_factory=dict)

    @property
    def disturbed(self) -> bool:
        return self.others > DISTURBED


@dataclass(slots=True, kw_only=True)
class Result:
    """All of one run. `memory`: MiB by measure and moment, of the product alone; `seconds`: of a start, of `qlikgw --help`.

    `floors`: microseconds by part; `about`: what it was measured with.
    """

    rows: list[Row] = field(default_factory=list)
    memory: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    floors: dict[str, float] = field(default_factory=dict)
    about: dict[str, str] = field(default_factory=dict)

    def figure(self, system: str, journey: str, at_once: int = 16) -> float | None:
        """Logins per CPU second, where that was measured."""
        found = (row for row in self.rows if (row.system, row.journey, row.at_once) == (system, journey, at_once))
        return next((row.per_cpu_second for row in found), None)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


async def run(options: Options) -> Result:
    """Measure all."""
    if options.pinned:
        os.sched_setaffinity(0, {DRIVER_CORE})
    core = SYSTEM_CORE if options.pinned else None
    result = Result(about=about(options))
    with TemporaryDirectory() as folder:
        stage = await open_stage(Path(folder), groups=GROUPS)
        await by_itself(result, stage, core, options)
        async with AsyncExitStack() as stack:
            systems = {"qlikgw": product(stage), "yardstick": yardstick(stage)}
            if options.redis:
                store = await stack.enter_async_context(redis(stage.folder))
                systems["qlikgw with Redis"] = product(stage, store=store)
            running = {name: await stack.enter_async_context(started(system, stage.folder, core=core)) for name, system in systems.items()}
            await warm_up(running, stage.provider, options.warm_up)
            for at_once in options.at_once:
                result.rows += await in_turns(running, stage.provider, at_once, options)
        if options.peers:
            async with started(yardstick(stage), stage.folder, core=core) as measure:
                for name, peer in peers.installed(stage):
                    result.rows += await beside(measure, name, peer, stage, options)
        await stage.close()
    return result


def about(options: Options) -> dict[str, str]:
    """What the figures belong to."""
    models = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "Python": platform.python_version(),
        "OpenSSL": ssl.OPENSSL_VERSION,
        "Linux": platform.release(),
        "processor": models[0] if models else platform.machine(),
        "turns": f"{options.rounds} of {options.logins} logins",
    }


async def by_itself(result: Result, stage: Stage, core: int | None, options: Options) -> None:
    """What the product takes while no other system shares its libraries' pages: to start, and of memory. `memory_after` logins end."""
    starts = []
    for _ in range(STARTS):
        async with started(product(stage), stage.folder, core=core) as running:
            starts.append(running.after)
            look_at_memory(result, running.pid, "at the start")
            if options.memory_after and len(starts) == STARTS:
                await drive(running.system.journeys["OIDC"], stage.provider, at_once=16, logins=options.memory_after)
                look_at_memory(result, running.pid, f"after {options.memory_after} logins")
    result.seconds = {"ready": median(starts), "help": min(seconds_of_help() for _ in range(5))}


def look_at_memory(result: Result, pid: int, moment: str) -> None:
    """Now."""
    result.memory |= {f"PSS {moment}": pss_mib(pid), f"RSS {moment}": rss_mib(pid)}


async def warm_up(running: dict[str, Running], provider: IdentityProvider, logins: int) -> None:
    """Keys fetched, connections open. A system that cannot even do this is not measured."""
    for name, system in running.items():
        for journey in system.system.journeys.values():
            round_ = await drive(journey, provider, at_once=min(8, logins), logins=logins)
            if not round_.seconds:
                raise RuntimeError(f"{name}: {round_.failures.most_common(1)}")


async def in_turns(running: dict[str, Running], provider: IdentityProvider, at_once: int, options: Options) -> list[Row]:
    """One level: every journey of every system, round after round."""
    pairs = [(name, system, title, journey) for name, system in running.items() for title, journey in system.system.journeys.items()]
    taken: dict[tuple[str, str], list[Row]] = {}
    for _ in range(options.rounds):
        for name, system, title, journey in pairs:
            taken.setdefault((name, title), []).append(await one_round(name, title, system.pid, journey, provider, at_once, options.logins))
    return [summed_up(rows, taken.get(("yardstick", title[:4]), [])) for (_, title), rows in taken.items()]


async def beside(measure: Running, name: str, peer: System, stage: Stage, options: Options) -> list[Row]:
    """A peer in turns with the yardstick, of which only the peer's protocol is asked for; the yardstick's rows are those from before."""
    protocols = {title[:4] for title in peer.journeys}
    asked = {title: journey for title, journey in measure.system.journeys.items() if title in protocols}
    measure = replace(measure, system=replace(measure.system, journeys=asked))
    async with started(peer, stage.folder, core=SYSTEM_CORE if options.pinned else None) as running:
        try:
            await warm_up({name: running}, stage.provider, options.warm_up)
        except RuntimeError as error:
            sys.stderr.write(f"left out: {error}\n")
            return []
        turns = {name: running, "yardstick": measure}
        rows = [row for at_once in options.at_once for row in await in_turns(turns, stage.provider, at_once, options)]
    return [row for row in rows if row.system == name]


async def one_round(  # noqa: PLR0917
    system: str, title: str, pid: int, journey: Journey, provider: IdentityProvider, at_once: int, logins: int
) -> Row:
    """Some hundred logins, and what they took."""
    before = spent(pid)
    round_ = await drive(journey, provider, at_once=at_once, logins=logins)
    used, good, wall = spent(pid).since(before), len(round_.seconds), round_.wall
    row = Row(
        system=system,
        journey=title,
        at_once=at_once,
        per_cpu_second=good / used.tree if used.tree else 0.0,
        per_second=good / wall,
        p50=round_.quantile(0.5),
        p99=round_.quantile(0.99),
        driver=100 * used.driver / wall,
        others=100 * max(0.0, used.machine - used.tree - used.driver + used.stolen) / wall,
        errors=dict(round_.failures),
    )
    sys.stderr.write(f"{system}, {title}, {at_once} at once: {row.per_cpu_second:.0f} per CPU second{' (disturbed)' * row.disturbed}\n")
    return row


def summed_up(rows: list[Row], yardstick: list[Row]) -> Row:
    """The best rate, the median share of the yardstick and the medians of the times; errors are added up."""
    figures = {name: median(getattr(row, name) for row in rows) for name in ("per_second", "p50", "p99", "driver", "others")}
    errors = sum((Counter(row.errors) for row in rows), Counter[str]())
    first, rate = rows[0], max(row.per_cpu_second for row in rows)
    shares = [row.per_cpu_second / theirs.per_cpu_second for row, theirs in zip(rows, yardstick, strict=False) if theirs.per_cpu_second]
    share = median(shares) if shares else None
    return Row(
        system=first.system, journey=first.journey, at_once=first.at_once, per_cpu_second=rate, share=share, errors=dict(errors), **figures
    )


@asynccontextmanager
async def redis(folder: Path) -> AsyncIterator[str]:
    """A Redis on the driver's core; its URL."""
    command = shutil.which("redis-server")
    if command is None:
        raise RuntimeError("--redis: apt-get install redis-server")
    port = unused_port()
    process = subprocess.Popen(  # noqa: ASYNC220
        [command, "--port", str(port), "--bind", HOST, "--save", "", "--dir", str(folder), "--maxmemory-policy", "noeviction"],
        stdout=subprocess.DEVNULL,
    )
    try:
        yield f"redis://{HOST}:{port}"
    finally:
        process.terminate()
        process.wait()


def seconds_of_help() -> float:
    """How long `qlikgw --help` takes."""
    began = perf_counter()
    subprocess.run([PYTHON, "-m", "gateway", "--help"], check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - began


COLUMNS = ("at once", "/CPU s", "of yardstick", "/s", "p50 ms", "p99 ms", "driver %", "others %")


def lines(result: Result) -> Iterator[str]:
    """The table, for people."""
    yield f"{'':42}" + "".join(f"{column:>13}" for column in COLUMNS)
    for row in result.rows:
        share = ratio(result, row)
        figures = [f"{row.at_once}", f"{row.per_cpu_second:.0f}", "" if share is None else f"{share:.2f}", f"{row.per_second:.0f}"]
        figures += [f"{row.p50:.1f}", f"{row.p99:.1f}", f"{row.driver:.0f}", f"{row.others:.0f}"]
        yield f"{row.system:20}{row.journey:22}" + "".join(f"{one:>13}" for one in figures) + f"  {row.errors or ''}"
    yield from (f"{moment}: {size:.0f} MiB" for moment, size in result.memory.items())
    yield from (f"{what}: {seconds * 1000:.0f} ms" for what, seconds in result.seconds.items())


def key(row: Row) -> tuple[str, str, int]:
    """What a row is told by in another run."""
    return row.system, row.journey, row.at_once


def ratio(result: Result, row: Row) -> float | None:
    """A row's share of what the yardstick does of the same protocol at the same level; of best rounds, where the two had no turns."""
    if row.share is not None:
        return row.share
    theirs = result.figure("yardstick", row.journey[:4], row.at_once)
    return None if not theirs else row.per_cpu_second / theirs
