from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway import lines
from gateway.demo.certificates import SiteCertificates, make_site
from gateway.system import SystemClock
from tests.flow.world import World, start_world, stop_world

Worlds = Callable[..., Awaitable[World]]


@pytest.fixture(autouse=True)
def lines_of_a_test_are_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that sends them elsewhere takes none from the next one in this process."""
    monkeypatch.setattr(lines.Destination, "lines", lines.Destination.lines)


@pytest.fixture(scope="session")
def certificates() -> SiteCertificates:
    return make_site(["qlik1.corp.example", "qlik2.corp.example"], host_of_root="qlik1")


@pytest.fixture
async def worlds(tmp_path: Path, certificates: SiteCertificates) -> AsyncIterator[Worlds]:
    """Makes worlds, and ends them after the test."""
    made: list[World] = []

    async def make(**options: Any) -> World:
        folder = tmp_path / f"world{len(made)}"
        folder.mkdir()
        world = await start_world(folder, certificates, **options)
        made.append(world)
        return world

    yield make
    for world in made:
        await stop_world(world)


@pytest.fixture
async def world(worlds: Worlds) -> World:
    """One virtual proxy, one provider, two nodes."""
    return await worlds()


@pytest.fixture
def real_clock() -> SystemClock:
    """For worlds whose gateway is another process: all parties must have the same time."""
    return SystemClock()
