"""Every peer of a configuration, all at once, within a bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack, suppress
from typing import Any, Final, TypeAlias

from gateway.config.settings import Configuration, OidcSettings, ProviderSettings, SiteSettings
from gateway.doctor.findings import Finding
from gateway.doctor.notes import Ended, Notes
from gateway.doctor.providers import Outside, examine_openid, examine_saml
from gateway.doctor.sites import examine_certificates, examine_node
from gateway.doctor.store import examine_store
from gateway.errors import InternalError
from gateway.outbound import tls_towards_providers
from gateway.ports import Clock, Entropy
from gateway.qlik import QlikSite

AT_ONCE: Final = 16
PEER_SECONDS: Final = 30.0
"""For all steps of one peer. An examination takes at most this, times the peers, by `AT_ONCE`."""

Examination: TypeAlias = tuple[Notes, Coroutine[Any, Any, None]]


async def examine(configuration: Configuration, *, clock: Clock, entropy: Entropy) -> list[Finding]:
    """What is found, peer by peer in the order of the configuration."""
    outbound = configuration.gateway.outbound
    outside = Outside(outbound=outbound, tls=tls_towards_providers(outbound.ca), entropy=entropy)
    free = asyncio.Semaphore(AT_ONCE)
    async with AsyncExitStack() as open_sites:
        peers: list[Examination] = []
        for name, provider in configuration.providers.items():
            peers.append(_provider(Notes(f"identity provider {name}", clock), provider, outside))
        for settings in configuration.sites.values():
            peers += _site(settings, configuration, open_sites, clock, entropy)
        if configuration.gateway.store.shared:
            notes = Notes("store", clock)
            peers.append((notes, examine_store(notes, configuration.gateway.store)))
        await asyncio.gather(*(_bounded(free, notes, examination) for notes, examination in peers))
    return [finding for notes, _ in peers for finding in notes.findings]


def _provider(notes: Notes, settings: ProviderSettings, outside: Outside) -> Examination:
    if isinstance(settings, OidcSettings):
        return notes, examine_openid(notes, settings, outside)
    return notes, examine_saml(notes, settings, outside)


def _site(
    settings: SiteSettings, configuration: Configuration, open_sites: AsyncExitStack, clock: Clock, entropy: Entropy
) -> Iterator[Examination]:
    """The site's own certificates, and each of its nodes."""
    site = QlikSite(
        name=settings.name,
        client_certificate=settings.client_certificate,
        client_key=settings.client_key,
        client_key_password=settings.client_key_password,
        ca=settings.ca,
        pins=settings.pins,
        entropy=entropy,
    )
    open_sites.push_async_callback(site.close)
    notes = Notes(f"site {settings.name}", clock)
    examine_certificates(notes, settings)
    yield notes, _nothing()
    here = [virtual_proxy for virtual_proxy in configuration.virtual_proxies.values() if virtual_proxy.site == settings.name]
    for node in settings.nodes:
        notes = Notes(f"node {node.name}", clock)
        yield notes, examine_node(notes, site, node, here)


async def _nothing() -> None:
    """What needed no network is written down already."""


async def _bounded(free: asyncio.Semaphore, notes: Notes, examination: Coroutine[Any, Any, None]) -> None:
    async with free:
        try:
            async with asyncio.timeout(PEER_SECONDS):
                with suppress(Ended):
                    await examination
        except TimeoutError:
            notes.refuse("time", InternalError(f"the examination took more than {PEER_SECONDS:.0f} s and was broken off"))
