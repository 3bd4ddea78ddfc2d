"""A world whose gateway follows its folder, and what it tells about that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from gateway import config
from gateway.events import ConfigRefused, ConfigReloaded, Event
from gateway.journal import LogJournal
from gateway.reload import Reloader
from tests.flow.world import Edit, World, write

QUICK = 0.02
"""Seconds between looks, and of rest."""


class Told(LogJournal):
    """The gateway's journal, with each event at hand as it comes."""

    def __init__(self, world: World) -> None:
        super().__init__(world.gateway.metrics)
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.crashes: list[BaseException] = []

    def record(self, event: Event) -> None:
        super().record(event)
        self.events.put_nowait(event)

    def crash(self, error: BaseException) -> None:
        super().crash(error)
        self.crashes.append(error)


@dataclass
class Living:
    """A gateway that follows its folder."""

    world: World
    reloader: Reloader
    told: Told
    watch: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def at_once(self) -> AsyncIterator[None]:
        """What is written in the block is seen as one change, however long this machine takes over it."""
        await self.rest()
        yield
        self.go_on()

    async def rest(self) -> None:
        """Look no more."""
        if self.watch is not None:
            self.watch.cancel()
            await asyncio.wait([self.watch])

    def go_on(self) -> None:
        """Look from now on."""
        self.watch = asyncio.create_task(self.reloader.run())

    async def reloaded(self) -> ConfigReloaded:
        """The next reload, which succeeded."""
        event = await self._next()
        assert isinstance(event, ConfigReloaded), event
        return event

    async def refusal(self) -> ConfigRefused:
        """The next reload, which was refused."""
        event = await self._next()
        assert isinstance(event, ConfigRefused), event
        return event

    async def _next(self) -> Event:
        return await asyncio.wait_for(self.told.events.get(), 30)


def put(path: Path, content: bytes | str) -> None:
    """Write a file in one step: nobody ever sees half of it."""
    beside = path.with_name(f".{path.name}.new")
    beside.touch(mode=0o600)
    beside.write_bytes(content if isinstance(content, bytes) else content.encode())
    beside.rename(path)


def edit(world: World, name: str, change: Edit) -> None:
    """Write a YAML file of the folder anew."""
    content: dict[str, Any] = yaml.safe_load((world.folder / name).read_text())
    change(content)
    write(world.folder, name, content)


def follow(world: World, load: Callable[[], config.Loaded] | None = None) -> Living:
    """A reloader for the world's gateway, at rest."""
    told = Told(world)
    load = load or partial(config.load, world.folder, environ={})
    reloader = Reloader(load(), load=load, adopt=world.gateway.adopt, journal=told, look_seconds=QUICK, settle_seconds=QUICK)
    return Living(world, reloader, told)


@asynccontextmanager
async def living(world: World) -> AsyncIterator[Living]:
    """The gateway follows its folder until the end of the block."""
    life = follow(world)
    life.go_on()
    try:
        yield life
    finally:
        await life.rest()
