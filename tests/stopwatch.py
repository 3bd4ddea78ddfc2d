"""How long something took, without the time that this thread was ready to run and other processes had the processor.

A promise like "noticed within a second and a half" is about the product, not about what else the machine does meanwhile.
"""

from __future__ import annotations

import time
from pathlib import Path

SCHEDULE = Path("/proc/thread-self/schedstat")
"""Nanoseconds on a processor, nanoseconds of waiting for one, turns (Linux, Documentation/scheduler/sched-stats)."""


class Stopwatch:
    """Starts when made. Where the system does not tell the waiting, it counts."""

    def __init__(self) -> None:
        self._began = time.monotonic() - _waited()

    def seconds(self) -> float:
        return time.monotonic() - _waited() - self._began


def _waited() -> float:
    return int(SCHEDULE.read_text().split()[1]) / 1e9 if SCHEDULE.exists() else 0.0
