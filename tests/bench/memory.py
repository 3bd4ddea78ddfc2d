"""Memory over 200,000 logins, every second one abandoned at the provider: `./dev bench memory`.

What may grow is what has a cap: marks against replay, the index for logouts. So the curve must become flat.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.accounting import pss_mib
from tests.bench.browser import Browser, LoginFailed
from tests.bench.logins import GROUPS
from tests.bench.stage import open_stage
from tests.bench.systems import product, started
from tests.bench.telling import tell

LOGINS = 200_000
STEP = 10_000
AT_ONCE = 32


async def some(browsers: list[Browser], count: int) -> Counter[str]:
    """So many logins; of each browser every second one is abandoned."""
    left, outcomes = iter(range(count)), Counter[str]()

    async def user(browser: Browser) -> None:
        for number in left:
            try:
                step = await browser.leave()
                if number % 2:
                    await browser.come_back(step)
                outcomes["finished" if number % 2 else "abandoned"] += 1
            except (LoginFailed, OSError) as error:
                outcomes[f"{type(error).__name__}: {error}"[:60]] += 1

    await asyncio.gather(*map(user, browsers))
    return outcomes


async def run(logins: int = LOGINS, step: int = STEP, journey: str = "OIDC") -> AsyncIterator[str]:
    """Lines for people."""
    with TemporaryDirectory() as folder:
        stage = await open_stage(Path(folder), groups=GROUPS)
        async with started(product(stage), stage.folder, core=None) as running:
            browsers = [Browser(running.system.journeys[journey], stage.provider) for _ in range(AT_ONCE)]
            yield f"{'logins':>9}{'PSS MiB':>9}"
            yield f"{0:9}{pss_mib(running.pid):9.1f}"
            for done in range(step, logins + step, step):
                outcomes = await some(browsers, step)
                yield f"{done:9}{pss_mib(running.pid):9.1f}  {dict(outcomes)}"
        await stage.close()


if __name__ == "__main__":
    tell(run())
