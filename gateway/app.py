"""Composition root: a running gateway, its two servers, and its life from start to stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from itertools import zip_longest
from pathlib import Path

from gateway import config, mapping
from gateway.building import Builder
from gateway.config.settings import Configuration, GatewaySettings, Listen, TlsPair
from gateway.ending import Ending
from gateway.errands import Errands
from gateway.errors import GatewayError
from gateway.journal import LogJournal
from gateway.lines import start_logging
from gateway.metrics import Metrics
from gateway.ports import Clock, Entropy
from gateway.qlik.trust import as_file
from gateway.reload import Reloader
from gateway.routing import Live, RoutingTable
from gateway.sealing import KEY_SIZE
from gateway.serving import Shared
from gateway.stores.opening import Stores, open_stores
from gateway.system import SystemClock, SystemEntropy, collect_less, have_files, tend
from gateway.web import pages
from gateway.web.door import Door, Runner
from gateway.web.handlers.management import Management
from gateway.web.pressure import Pressure
from gateway.web.server import MOST_CONNECTIONS, for_browsers, for_the_platform

LOOPBACK = "127.0.0.1"
IN_FLIGHT_SECONDS = 20.0
"""How long requests in hand may take after the listener is closed."""

SETTLE_SECONDS = 1.0
"""From the start until what could wait is done: time for those who ask whether it is ready."""
TLS_BUFFER = 16 * 1024
"""Bytes that each connection over TLS reads into, as many as a record has. asyncio takes 256 KiB, all of it in use from the first byte."""
OPEN_FILES = MOST_CONNECTIONS + 1_000
"""Browsers', and what goes to nodes, providers, the store and the disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where a running gateway listens."""

    gateway: tuple[str, int]
    management: tuple[str, int]


class Gateway:
    """A running gateway. `start`, `adopt` as often as its configuration changes, `stop`; `serve` adds the watch and the signals."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        clock: Clock | None = None,
        entropy: Entropy | None = None,
        stores: Stores | None = None,
    ) -> None:
        mapping.self_test()
        clock, entropy = clock or SystemClock(), entropy or SystemEntropy()
        self.settings = self._started_with = configuration.gateway
        self.metrics = Metrics()
        self.journal = LogJournal(self.metrics)
        self.pressure = Pressure()
        self.metrics.behind.set_function(lambda: max(self.pressure.standing(), self.pressure.overdue()))
        self.metrics.in_hand.set_function(lambda: self.pressure.in_hand)
        self._stores = stores or open_stores(self.settings.store, clock=clock, entropy=entropy, journal=self.journal)
        self._errands = Errands(clock, crash=self.journal.crash)
        self.metrics.errands.set_function(lambda: len(self._errands))
        self._builder = Builder(
            Shared(
                clock=clock,
                entropy=entropy,
                stores=self._stores,
                errands=self._errands,
                pressure=self.pressure,
                journal=self.journal,
                own_key=secrets.token_bytes(KEY_SIZE),
            )
        )
        self._state = self._builder.build(configuration)
        self._services = Live(self._state.services)
        self._front = front_tls(configuration.gateway.listen.tls)
        self._ready = Live(False)
        self._doors: list[Door] = []
        self._errands_task: asyncio.Task[None] | None = None
        management = Management(self._ready, self.metrics, self._services)
        self._runners = [
            Runner(partial(for_browsers, self._services, self._ready), shutdown_timeout=IN_FLIGHT_SECONDS),
            Runner(partial(for_the_platform, self._services, management), shutdown_timeout=IN_FLIGHT_SECONDS),
        ]

    async def start(self) -> Addresses:
        """Open both listeners. Raises `OSError` where an address cannot be had."""
        settings, ports = self.settings, []
        for runner, listen, tls in zip(self._runners, (settings.listen, settings.management), (self._front, None), strict=True):
            host = (listen.host, LOOPBACK) if runner is self._runners[1] and hides_from_this_machine(listen) else listen.host
            door = Door(runner, host=host, port=listen.port, tls=tls)
            ports.append(await door.open())
            self._doors.append(door)
        self.pressure.start()
        self._stores.start(self._tended)
        self._errands_task = self._tended(lambda: self._errands.run(self._in_use))
        self._mark_ready(True)
        addresses = Addresses(gateway=ports[0], management=ports[1])
        self.journal.note("started", gateway=addresses.gateway, management=addresses.management, public_url=settings.public_url)
        return addresses

    def adopt(self, configuration: Configuration) -> tuple[str, ...]:
        """Serve by another configuration from the next request on; requests in hand end as they began.

        Gives the changed settings that wait for a restart. Raises `ValueError` or `OSError` on material that cannot be used;
        then nothing has changed.
        """
        state = self._builder.build(configuration)
        try:
            self._renew_front(configuration.gateway.listen.tls)
        except (ValueError, OSError):
            self._builder.retire(state)
            raise
        before, self._state = self._state, state
        self._services.swap(state.services, when_free=lambda: self._builder.retire(before))
        if configuration.gateway.store != self.settings.store and configuration.gateway.store.place == self._started_with.store.place:
            self._stores.renew(configuration.gateway.store)
        self.settings = configuration.gateway
        return needs_restart(self._started_with, configuration.gateway)

    async def stop(self, *, drain: float = 0.0, hurry: asyncio.Event | None = None) -> None:
        """Not ready any more; serve on for `drain` seconds, or until `hurry`, so that nobody sends new logins; finish what is in hand."""
        self._mark_ready(False)
        self.journal.note("draining", seconds=drain)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for((hurry or asyncio.Event()).wait(), drain)
        for runner, door in zip_longest(self._runners, self._doors):
            if door is not None:
                await door.close()
            await runner.cleanup()
        self.pressure.stop()
        await self._drop_errands()
        await self._builder.close()
        await self._stores.close()
        self.journal.note("stopped")

    def _tended(self, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """Work in the background that a fault of ours must not end in silence."""
        return asyncio.create_task(tend(work, self.journal.crash))

    @contextlib.contextmanager
    def _in_use(self) -> Iterator[tuple[RoutingTable, Ending]]:
        """The configuration of now, for what is done in the background."""
        with self._services.hold() as services:
            yield services.table, services.logout.ending

    async def _drop_errands(self) -> None:
        """One more try of what nodes have not done; what they do not do now is lost, and told."""
        if self._errands_task is not None:
            self._errands_task.cancel()
            await asyncio.wait([self._errands_task])
        users = await self._errands.run_all(self._in_use)
        if users:
            self.journal.warn("sessions_abandoned", users=users)

    def _renew_front(self, tls: TlsPair | None) -> None:
        """New connections get the new certificate. One that OpenSSL does not take is found on a context of its own."""
        if self._front is not None and tls is not None and tls != self.settings.listen.tls:
            front_tls(tls)
            load_pair(self._front, tls)

    def _mark_ready(self, ready: bool) -> None:  # noqa: FBT001
        self._ready.swap(ready)
        self.metrics.ready.set(int(ready))


def hides_from_this_machine(listen: Listen) -> bool:
    """Whether a program beside us could not reach it by loopback: a pod's own address. `test-login` and `revoke` need that."""
    with contextlib.suppress(ValueError):
        address = ip_address(listen.host)
        return listen.port != 0 and not (address.is_loopback or address.is_unspecified)
    return False


def needs_restart(started_with: GatewaySettings, now: GatewaySettings) -> tuple[str, ...]:
    """The settings that cannot change under a running gateway and did: its sockets, and the store that holds its marks."""

    def socket(listen: Listen) -> tuple[str, int, bool]:
        return listen.host, listen.port, listen.tls is not None

    changed = {
        "listen": socket(started_with.listen) != socket(now.listen),
        "management": started_with.management != now.management,
        "store": started_with.store.place != now.store.place,
    }
    return tuple(name for name, differs in changed.items() if differs)


def front_tls(tls: TlsPair | None) -> ssl.SSLContext | None:
    """TLS at our own front, where a site wants it."""
    if tls is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load_pair(context, tls)
    return context


def load_pair(context: ssl.SSLContext, tls: TlsPair) -> None:
    """Show this certificate in every handshake from now on."""
    with as_file(tls.certificate) as certificate, as_file(tls.key) as key:
        context.load_cert_chain(certificate, key)


async def serve(folder: Path, loaded: config.Loaded) -> int:
    """Run until SIGTERM or SIGINT by what `folder` says; 0 after a graceful stop, 1 where it cannot start.

    SIGHUP reloads at once. A second SIGTERM or SIGINT ends the drain time.
    """
    if loaded.configuration is None:
        return 1
    use_logging(loaded.configuration.gateway)
    if (files := have_files(OPEN_FILES)) < OPEN_FILES:
        LogJournal(Metrics()).warn("few_open_files", allowed=files, wanted=OPEN_FILES)
    SSLProtocol.max_size = TLS_BUFFER
    try:
        gateway = Gateway(loaded.configuration)
    except GatewayError as error:
        LogJournal(Metrics()).warn("cannot_start", code=error.code, reason=error.detail)
        return 1

    def adopt(configuration: Configuration) -> tuple[str, ...]:
        waiting = gateway.adopt(configuration)
        use_logging(configuration.gateway)
        return waiting

    reloader = Reloader(loaded, load=lambda: config.load(folder, environ=os.environ), adopt=adopt, journal=gateway.journal)
    stopping, at_once = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _signalled, stopping, at_once)
    loop.add_signal_handler(signal.SIGHUP, reloader.ask)
    try:
        await gateway.start()
    except OSError as error:
        gateway.journal.warn("cannot_listen", reason=str(error))
        await gateway.stop()
        return 1
    collect_less()
    beside = [asyncio.create_task(reloader.run()), asyncio.create_task(settle())]
    await stopping.wait()
    for task in beside:
        task.cancel()
    await gateway.stop(drain=gateway.settings.drain.total_seconds(), hurry=at_once)
    return 0


async def settle() -> None:
    """What can wait until the gateway is ready, in small steps: the pages, which stay as what was loaded before them."""
    await asyncio.sleep(SETTLE_SECONDS)
    for _ in pages.prepare():
        await asyncio.sleep(0)
    collect_less()


def use_logging(settings: GatewaySettings) -> None:
    """Write lines as the configuration says."""
    start_logging(level=settings.logging.level, form=settings.logging.format)


def _signalled(stopping: asyncio.Event, at_once: asyncio.Event) -> None:
    (at_once if stopping.is_set() else stopping).set()
