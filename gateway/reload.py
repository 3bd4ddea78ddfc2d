"""Configuration that lives: look at the folder and at every file that it names, and use what changed, or keep the last good one.

Nothing half: a folder is read, checked and built as a whole, and what comes of it goes into use by one swap. What cannot be
used is told in log and metrics, and the last good one serves on. Adapters with open connections are carried over where their
settings stayed the same (`Stock`). Knows nothing of servers: `app` gives it the two things to do, load and adopt.

Looks once a second (`gateway.config.sources`) instead of waiting for the kernel to tell: see docs/decisions/0008.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from gateway.config import Loaded, Problem, Severity
from gateway.config.reporting import shown
from gateway.config.settings import Configuration
from gateway.config.sources import Sources
from gateway.events import ConfigRefused, ConfigReloaded
from gateway.journal import LogJournal

LOOK_SECONDS: Final = 1.0
"""Between two looks at the files."""
SETTLE_SECONDS: Final = 0.25
"""How long nothing may change before the files are read: an editor, a copy or `git pull` may be in the midst of them."""
TURN_SECONDS: Final = 0.0005
"""How long the reading of the folder may keep a request waiting at a time; the interpreter's own 5 ms add up."""
MOST_TRIES: Final = 20
"""Files that never come to rest are read all the same."""


class Adapter(Protocol):
    """Something with connections."""

    async def close(self) -> None: ...


S = TypeVar("S")
A = TypeVar("A", bound=Adapter)


class Stock(Generic[S, A]):
    """Adapters by name, each with the settings that it was made of, for all editions of the configuration that are in use."""

    def __init__(self, make: Callable[[str, S], A]) -> None:
        self._make = make
        self._editions: list[Edition[S, A]] = []

    def edition(self, wanted: Mapping[str, S]) -> Edition[S, A]:
        """An adapter for each name: that of the newest edition where its settings are equal, else a new one. Raises what `make` raises."""
        newest = self._editions[-1].entries if self._editions else {}
        kept = {name: newest[name] for name, settings in wanted.items() if name in newest and newest[name][0] == settings}
        return Edition({name: kept.get(name) or (settings, self._make(name, settings)) for name, settings in wanted.items()})

    def keep(self, edition: Edition[S, A]) -> None:
        """It goes into use: what it is made of stays open until it is retired."""
        self._editions.append(edition)

    async def retire(self, edition: Edition[S, A]) -> None:
        """Close what no other edition uses."""
        self._editions.remove(edition)
        used = {id(adapter) for other in self._editions for adapter in other.adapters()}
        for adapter in edition.adapters():
            if id(adapter) not in used:
                await adapter.close()

    async def close(self) -> None:
        """Close everything."""
        for edition in list(self._editions):
            await self.retire(edition)


@dataclass(frozen=True, slots=True, eq=False)
class Edition(Generic[S, A]):
    """What one configuration uses of a stock."""

    entries: Mapping[str, tuple[S, A]]

    def __getitem__(self, name: str) -> A:
        return self.entries[name][1]

    def adapters(self) -> Iterator[A]:
        return (adapter for _, adapter in self.entries.values())


class Reloader:
    """Keeps a running gateway's configuration what its folder says.

    `load` reads the folder (in a thread: it may take a second). `adopt` puts a configuration into use and tells which
    changed settings wait for a restart; what it raises as `ValueError` or `OSError` refuses the configuration.
    """

    def __init__(  # noqa: PLR0913 - one call, in the composition root: each by its name
        self,
        loaded: Loaded,
        *,
        load: Callable[[], Loaded],
        adopt: Callable[[Configuration], tuple[str, ...]],
        journal: LogJournal,
        look_seconds: float = LOOK_SECONDS,
        settle_seconds: float = SETTLE_SECONDS,
    ) -> None:
        self._sources = loaded.sources
        self._in_use = loaded.configuration
        self._load = load
        self._adopt = adopt
        self._journal = journal
        self._look_seconds = look_seconds
        self._settle_seconds = settle_seconds
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Reload at once, whether or not a file changed (SIGHUP)."""
        self._asked.set()

    async def run(self) -> None:
        """Look and reload until cancelled. A fault of ours, also in looking, is told and tried again; it does not end the watch."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), self._look_seconds)
            attempt = asyncio.create_task(self._attempt())
            try:
                await asyncio.wait([attempt])
            finally:
                attempt.cancel()
            if (fault := attempt.exception()) is not None:
                self._journal.crash(fault)
                self._journal.record(ConfigRefused(errors=(f"a fault of the gateway itself: {type(fault).__name__}",)))
                self._sources = Sources(self._sources.folder)

    async def _attempt(self) -> None:
        if self._asked.is_set() or await self._look(self._sources) != self._sources:
            self._asked.clear()
            await self.reload()

    async def reload(self) -> bool:
        """Read the folder, and use it if it is good and says something new. False: it was refused."""
        loaded = await self._settled()
        self._sources = loaded.sources
        found, before = loaded.configuration, self._in_use
        if found is None:
            errors = (sentence(problem) for problem in loaded.problems if problem.severity is Severity.ERROR)
            return self._refuse(*errors)
        changed = changes(before, found)
        try:
            needs_restart = self._adopt(found)
        except (ValueError, OSError) as error:
            return self._refuse(str(error))
        self._in_use = found
        warnings = tuple(sentence(problem) for problem in loaded.problems)
        self._journal.record(ConfigReloaded(changed=changed, needs_restart=needs_restart, warnings=warnings))
        return True

    def _refuse(self, *errors: str) -> bool:
        self._journal.record(ConfigRefused(errors=errors))
        return False

    async def _settled(self) -> Loaded:
        """What the folder says when nothing moves in it: files of two states are never mixed."""
        for _ in range(MOST_TRIES):
            self._sources = await self._at_rest()
            with _in_small_steps():
                loaded = await asyncio.to_thread(self._load)
            if await self._look(loaded.sources) == loaded.sources:
                break
        return loaded

    async def _at_rest(self) -> Sources:
        """Wait until two looks in a row see the same."""
        sources = await self._look(self._sources)
        for _ in range(MOST_TRIES):
            await asyncio.sleep(self._settle_seconds)
            before, sources = sources, await self._look(sources)
            if before == sources:
                break
        return sources

    async def _look(self, sources: Sources) -> Sources:
        """In a thread: a network's file system may take its time."""
        return await asyncio.to_thread(sources.again)


@contextlib.contextmanager
def _in_small_steps() -> Iterator[None]:
    """Reading a large folder takes turns with the requests being served: shorter ones, so that these hardly wait."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(TURN_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def changes(before: Configuration | None, after: Configuration) -> tuple[str, ...]:
    """What differs, by name: the gateway itself, sites, virtual proxies and identity providers, also those that came or went."""
    if before is None:
        return ("gateway",)
    kinds: tuple[tuple[str, Mapping[str, object], Mapping[str, object]], ...] = (
        ("site", before.sites, after.sites),
        ("virtual proxy", before.virtual_proxies, after.virtual_proxies),
        ("identity provider", before.providers, after.providers),
    )
    named = (f"{kind} {name}" for kind, old, new in kinds for name in {**old, **new} if old.get(name) != new.get(name))
    return (*(["gateway"] if before.gateway != after.gateway else []), *named)


def sentence(problem: Problem) -> str:
    """A problem in one line, without the line of the file that it is about."""
    return f"{shown(problem.file)}:{problem.line}:{problem.column}: {problem.code.value}: {shown(problem.message)}"
