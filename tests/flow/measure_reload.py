"""How long a large configuration takes to load, to build and to look at, and what logins feel of a reload. Not a test.

    python -m tests.flow.measure_reload [VIRTUAL_PROXIES PROVIDERS]

Prints seconds of this machine; the reload is that of a gateway that serves logins meanwhile, in the same process.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from gateway import config
from gateway.demo.certificates import make_site
from gateway.lines import start_logging
from gateway.system import SystemClock
from tests.flow.living import edit, follow
from tests.flow.world import World, start_world, stop_world

T = TypeVar("T")


def timed(what: str, run: Callable[[], T], *, times: int = 5) -> T:
    """The best and the median of some runs, in seconds of the processor."""
    taken = []
    for _ in range(times):
        began = time.process_time()
        result = run()
        taken.append(time.process_time() - began)
    print(f"{what:44} best {min(taken) * 1000:8.1f} ms   median {statistics.median(taken) * 1000:8.1f} ms")  # noqa: T201
    return result


def grow(world: World, virtual_proxies: int, providers: int) -> None:
    """Many virtual proxies that differ in their target and rule, many providers that differ in their claims' rules."""
    provider = (world.folder / "entra.yaml").read_text()
    for number in range(providers - 1):
        (world.folder / f"p{number}.yaml").write_text(provider.replace("qlik-users", f"qlik-users-{number}"))

    def more(settings: dict[str, Any]) -> None:
        for number in range(virtual_proxies - 1):
            settings["virtual_proxies"][f"vp{number}"] = {
                "site": "prod",
                "targets": [f"https://qlik{number}.example.com"],
                "identity_providers": [f"p{number % (providers - 1)}"],
                "allow": f"user.directory == 'D{number}'",
            }

    edit(world, "gateway.yaml", more)


async def latencies(world: World, until: asyncio.Event, failed: list[int], turned_away: list[int]) -> list[float]:
    """The time of the gateway's part of each login, one login after the other."""
    taken = []
    while not until.is_set():
        browser = world.browser()
        page = await world.to_sign_in(browser)
        if page.status == 503:
            turned_away.append(page.status)
            continue
        callback = await browser.submit(page, user="alice")
        began = time.perf_counter()
        answer = await browser.get(callback.location)
        taken.append(time.perf_counter() - began)
        if answer.status != 302:
            failed.append(answer.status)
    return taken


async def measure(virtual_proxies: int, providers: int) -> None:
    """Everything, on a world of its own."""
    start_logging(level="error")
    with tempfile.TemporaryDirectory() as folder:
        site = make_site(["qlik1.corp.example"], host_of_root="qlik1")
        world = await start_world(Path(folder), site, clock=SystemClock())
        grow(world, virtual_proxies, providers)
        size = sum(file.stat().st_size for file in world.folder.iterdir())
        print(f"{virtual_proxies} virtual proxies, {providers} providers, {size // 1024} KiB of YAML")  # noqa: T201
        loaded = timed("load (read, check, build values)", lambda: config.load(world.folder, environ={}))
        assert loaded.configuration is not None, loaded.problems[:3]
        configuration = loaded.configuration
        timed("build adapters and table, and again", lambda: world.gateway._builder.build(configuration))
        timed("one look at all files", loaded.sources.again, times=20)
        await while_reloading(world)
        await stop_world(world)


async def while_reloading(world: World) -> None:
    """Logins without and with reloads."""
    life = follow(world)
    await life.reloader.reload()
    for what, reloads in (("login's callback, undisturbed", 0), ("login's callback, while it reloads", 4)):
        stop, failed, turned_away = asyncio.Event(), list[int](), list[int]()
        clients = [asyncio.create_task(latencies(world, stop, failed, turned_away)) for _ in range(4)]
        began = time.perf_counter()
        for number in range(reloads):
            edit(world, "entra.yaml", lambda provider, number=number: provider.update(display_name=f"Number {number}"))  # type: ignore[misc]
            assert await life.reloader.reload()
        if not reloads:
            await asyncio.sleep(3)
        stop.set()
        taken = sorted(second for client in await asyncio.gather(*clients) for second in client)
        seconds = time.perf_counter() - began
        tail = taken[int(len(taken) * 0.99)]
        print(  # noqa: T201
            f"{what:44} {len(taken)} in {seconds:.1f} s, median {statistics.median(taken) * 1000:.1f} ms, p99 {tail * 1000:.1f} ms, "
            f"worst {taken[-1] * 1000:.1f} ms, failed {len(failed)}, starts turned away {len(turned_away)}"
        )


if __name__ == "__main__":
    asyncio.run(measure(*map(int, sys.argv[1:3] or ("1000", "200"))))
