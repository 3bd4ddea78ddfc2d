"""Peers: what somebody would take instead, as far as it is installed. Filled in by `installed`."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.stage import Stage
from tests.bench.systems import System


def installed(stage: Stage) -> Iterator[tuple[str, System]]:
    """Peers that this machine has."""
    del stage
    yield from ()
