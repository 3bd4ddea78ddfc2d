"""Instructions in user space of whole logins, counted by valgrind: `./dev bench instructions`.

The processor's mood and neighbours change nothing here: figures are good to half a percent, and say nothing of the kernel or of caches.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.browser import Journey, drive
from tests.bench.logins import GROUPS
from tests.bench.stage import Stage, open_stage
from tests.bench.systems import Running, product, started, yardstick
from tests.bench.telling import tell

LOGINS, AT_ONCE = 60, 3
SETTLES = 14.0
"""Seconds after which a system has done, under valgrind, what it does behind its start."""
TOTAL = re.compile(r"^(?:totals|summary): (\d+)", re.MULTILINE)


async def run() -> AsyncIterator[str]:
    """Lines for people."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise RuntimeError("apt-get install valgrind")
    with TemporaryDirectory() as folder:
        stage = await open_stage(Path(folder), groups=GROUPS)
        for system in (product(stage), yardstick(stage)):
            counts = stage.folder / f"{system.name}.count"
            watched = [valgrind, "--tool=callgrind", f"--callgrind-out-file={counts}", "--instr-atstart=no", "-q", *system.command]
            under = replace(system, command=watched, environment={"PYTHONHASHSEED": "0"})
            async with started(under, stage.folder, core=None, patience=120) as running:
                await asyncio.sleep(SETTLES)
                for title, journey in system.journeys.items():
                    count = await counted(running, journey, stage, counts)
                    yield f"{system.name.partition('-')[0]:12}{title:22}{count / 1000:10.0f} thousand instructions"
        await stage.close()


async def counted(running: Running, journey: Journey, stage: Stage, counts: Path) -> float:
    """Of one login."""
    await good(journey, stage)
    await control("--zero", running)
    await control("--instr=on", running)
    await good(journey, stage)
    await control("--instr=off", running)
    await control("--dump", running)
    parts = list(counts.parent.glob(f"{counts.name}*"))
    total = max(int(figure) for part in parts for figure in TOTAL.findall(part.read_text(errors="replace")))
    for part in parts:
        part.unlink()
    return total / LOGINS


async def good(journey: Journey, stage: Stage) -> None:
    """Some logins, all of which end."""
    round_ = await drive(journey, stage.provider, at_once=AT_ONCE, logins=LOGINS)
    if round_.failures:
        raise RuntimeError(f"{round_.failures.most_common(2)}")


async def control(order: str, running: Running) -> None:
    """Tell the counting what to do."""
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec("callgrind_control", order, str(running.pid), stdout=quiet, stderr=quiet)
    await process.wait()


if __name__ == "__main__":
    tell(run())
