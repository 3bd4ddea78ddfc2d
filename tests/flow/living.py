"""A world whose gateway follows its folder, and what it tells about that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
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
    watch = asyncio.create_task(life.reloader.run())
    try:
        yield life
    finally:
        watch.cancel()
        await asyncio.wait([watch])
