"""What the simulated parties saw with their own eyes, for `qlikgw demo --once` to print: no hop is told from hearsay."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from gateway.model import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One thing that reached a simulated party. `at`: seconds of `time.perf_counter`; what must not be shown is a `Secret`."""

    what: str
    at: float
    facts: Mapping[str, str | Secret] = field(repr=False)


Watch: TypeAlias = Callable[[str, Mapping[str, str | Secret]], None]
"""Called with what was seen and its facts, at the moment it was seen."""


def nobody(_what: str, _facts: Mapping[str, str | Secret]) -> None:
    """The `Watch` of tests that look at the stores instead."""


class Watcher:
    """A `Watch` that keeps everything in order."""

    def __init__(self) -> None:
        self.sightings: list[Sighting] = []

    def __call__(self, what: str, facts: Mapping[str, str | Secret]) -> None:
        self.sightings.append(Sighting(what=what, at=time.perf_counter(), facts=facts))

    def first(self, what: str) -> Sighting | None:
        return next((sighting for sighting in self.sightings if sighting.what == what), None)
