"""What a process tree and the machine have spent, from /proc (Linux)."""

from __future__ import annotations

import os
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")
_ALL_ITS_THREADS = 2
"""The clock of another process's CPU time, to the nanosecond (clock_getcpuclockid(3), CPUCLOCK_SCHED); `stat` counts ticks of 10 ms."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of CPU time: of a process tree with its reaped children, of this process, of all cores but idling, and stolen by the host."""

    tree: float
    driver: float
    machine: float
    stolen: float

    def since(self, before: Spent) -> Spent:
        return Spent(*(getattr(self, name) - getattr(before, name) for name in self.__slots__))


def spent(root: int) -> Spent:
    """Up to now."""
    busy = stolen = 0.0
    for line in (PROC / "stat").read_text().splitlines():
        name, *numbers = line.split()
        if re.fullmatch(r"cpu\d+", name):
            user, nice, system, _idle, _wait, irq, soft, steal = map(int, numbers[:8])
            busy += (user + nice + system + irq + soft) / TICKS
            stolen += steal / TICKS
    own = os.times()
    return Spent(sum(map(cpu_seconds, tree(root))), own.user + own.system, busy, stolen)


def tree(root: int) -> list[int]:
    """A process and all that came of it."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    for pid, fields in _processes():
        children[int(fields[1])].append(pid)
    found = [root]
    for pid in found:
        found += children[pid]
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time, that of reaped children (in whole ticks) included; 0 for a process that is gone."""
    try:
        return time.clock_gettime(~pid << 3 | _ALL_ITS_THREADS) + sum(map(int, _fields(pid)[13:15])) / TICKS
    except OSError:
        return 0.0


def pss_mib(root: int) -> float:
    """Resident memory of a tree, shared pages by their share: what it costs the machine."""
    return _mib(root, "Pss:")


def rss_mib(root: int) -> float:
    """Resident memory of a tree, shared pages counted whole: what it costs a machine where nothing else runs."""
    return _mib(root, "Rss:")


def _mib(root: int, kind: str) -> float:
    total = 0
    for pid in tree(root):
        try:
            lines = (PROC / f"{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith(kind))
    return total / 1024


def _processes() -> Iterator[tuple[int, list[str]]]:
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                yield int(entry.name), _fields(int(entry.name))
            except OSError:
                continue


def _fields(pid: int) -> list[str]:
    """The fields of `stat` after the name, which may hold blanks and brackets."""
    return (PROC / f"{pid}/stat").read_text().rpartition(")")[2].split()
