"""How fast the machine is: the same piece of work ten times a second, on the core of the system under test.

A host's core is faster at one second and slower at the next (its clock, its caches, its neighbours), and what was too much by three then is
too much by five.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean

PAUSE_SECONDS = 0.1
ROUNDS = 20
PIECE = {f"claim {number}": [f"group {member}" for member in range(number % 7)] for number in range(30)}
ROOT = Path(__file__).parents[2]


class Speed:
    """What has been noted."""

    def __init__(self, notes: Path) -> None:
        self._notes = notes

    def between(self, began: float, ended: float) -> float:
        """Pieces per second of CPU time, on average, between two moments of `time.perf_counter`; or of the piece next to them."""
        noted = [(float(moment), float(took)) for moment, took in map(str.split, self._whole_lines())]
        meanwhile = [took for moment, took in noted if began <= moment <= ended]
        return fmean(1 / took for took in meanwhile or [min(noted, key=lambda one: abs(one[0] - began))[1]])

    def _whole_lines(self) -> list[str]:
        return self._notes.read_text().rpartition("\n")[0].splitlines()


@contextmanager
def watched_speed(folder: Path, core: int | None) -> Iterator[Speed]:
    """Note it in a process of its own meanwhile. It takes half a hundredth of the core."""
    notes = folder / "speed"
    with notes.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.speed", *([] if core is None else [str(core)])], cwd=ROOT, stdout=out
        )
    try:
        while not notes.stat().st_size:
            if process.poll() is not None:
                raise RuntimeError(f"it ended with {process.returncode}")
            time.sleep(PAUSE_SECONDS)
        yield Speed(notes)
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Work and note, on the core that was named, until killed."""
    if sys.argv[1:]:
        os.sched_setaffinity(0, {int(sys.argv[1])})
    while True:
        began = time.thread_time()
        for _ in range(ROUNDS):
            json.loads(json.dumps(PIECE))
        sys.stdout.write(f"{time.perf_counter()} {time.thread_time() - began}\n")
        sys.stdout.flush()
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main()
