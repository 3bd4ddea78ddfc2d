"""Composition root: a configuration becomes providers, nodes, a routing table and two running servers."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
import ssl
from dataclasses import dataclass

from aiohttp import web

from gateway import mapping
from gateway.config.settings import (
    Configuration,
    GatewaySettings,
    Listen,
    OidcSettings,
    ProviderSettings,
    SamlSettings,
    VirtualProxySettings,
)
from gateway.errors import GatewayError
from gateway.idp.oidc import OidcProvider
from gateway.idp.saml import LargeResponses, SamlProvider
from gateway.idp.saml_metadata import Fixed, MetadataSource, Publication, Published
from gateway.journal import LogJournal, Metrics, start_logging
from gateway.login import LoginPipeline
from gateway.outbound import OutboundClient, policy_for
from gateway.ports import Clock, Entropy, ReplayStore
from gateway.protocol import saml
from gateway.qlik import QlikSite
from gateway.routing import Live, NodeRoute, Provider, RoutingTable, VirtualProxy
from gateway.sealing import KEY_SIZE, Sealer
from gateway.stores.memory import MemoryReplayStore
from gateway.system import SystemClock, SystemEntropy
from gateway.web.context import Services
from gateway.web.cookies import LoginCookies
from gateway.web.routes import gateway_application, management_application
from gateway.web.server import GatewayRunner

IN_FLIGHT_SECONDS = 20.0
"""How long requests in hand may take after the listener is closed."""
PORTS_OF_SCHEME = {"http": 80, "https": 443}


class Building:
    """One configuration, built: adapters with their sockets still closed, and the routing table over them. Needs no network."""

    def __init__(self, configuration: Configuration, *, clock: Clock, entropy: Entropy, journal: LogJournal) -> None:
        self._clock, self._entropy, self._journal = clock, entropy, journal
        self._tls = outbound_tls(configuration.gateway)
        self._clients: list[OutboundClient] = []
        self._large = LargeResponses()
        self._sites = {
            name: QlikSite(
                name=site.name,
                client_certificate=site.client_certificate,
                client_key=site.client_key,
                client_key_password=site.client_key_password,
                ca=site.ca,
                pins=site.pins,
                entropy=entropy,
            )
            for name, site in configuration.sites.items()
        }
        self.table = RoutingTable(
            virtual_proxies={name: self._virtual_proxy(configuration, vp) for name, vp in configuration.virtual_proxies.items()},
            providers={name: self._provider(configuration.gateway, settings) for name, settings in configuration.providers.items()},
        )

    async def close(self) -> None:
        """Close every pooled connection."""
        for site in self._sites.values():
            await site.close()
        for client in self._clients:
            await client.close()
        self._large.close()

    def _virtual_proxy(self, configuration: Configuration, settings: VirtualProxySettings) -> VirtualProxy:
        site = self._sites[settings.site]
        nodes = configuration.sites[settings.site].nodes
        return VirtualProxy(
            name=settings.name,
            prefix=settings.prefix,
            nodes={node.name: NodeRoute(node=node, proxy=site.proxy(node, settings.prefix, settings.targets)) for node in nodes},
            targets=settings.targets,
            identity_providers=settings.identity_providers,
            access=settings.access,
        )

    def _provider(self, gateway: GatewaySettings, settings: ProviderSettings) -> Provider:
        if isinstance(settings, SamlSettings):
            return Provider(
                port=self._saml(gateway, settings), rules=settings.rules, access=settings.access, idp_initiated=settings.idp_initiated
            )
        return Provider(port=self._oidc(gateway, settings), rules=settings.rules, access=settings.access)

    def _client(self, gateway: GatewaySettings, *urls: str) -> OutboundClient:
        """A client of its own for each provider: what one's configuration permits, another's does not."""
        policy = policy_for(urls, gateway.outbound.allow_private)
        client = OutboundClient(policy=policy, tls=self._tls, proxy=gateway.outbound.proxy)
        self._clients.append(client)
        return client

    def _oidc(self, gateway: GatewaySettings, settings: OidcSettings) -> OidcProvider:
        return OidcProvider(
            name=settings.name,
            display_name=settings.display_name,
            relying_party=settings.relying_party,
            http=self._client(gateway, settings.relying_party.issuer),
            clock=self._clock,
            entropy=self._entropy,
            journal=self._journal,
        )

    def _saml(self, gateway: GatewaySettings, settings: SamlSettings) -> SamlProvider:
        return SamlProvider(
            name=settings.name,
            display_name=settings.display_name,
            service_provider=settings.service_provider,
            metadata=self._metadata(gateway, settings),
            sign_metadata=settings.sign_metadata,
            large=self._large,
            clock=self._clock,
            entropy=self._entropy,
            journal=self._journal,
        )

    def _metadata(self, gateway: GatewaySettings, settings: SamlSettings) -> MetadataSource:
        source = settings.metadata
        if source.url is None:
            return Fixed(metadata=self._described(settings))
        publication = Publication(
            url=source.url,
            entity_id=settings.service_provider.idp_entity_id,
            signing_certificate=source.signing_certificate,
            allow_loopback=source.url.startswith("http://"),
            copy=None if gateway.cache_dir is None else gateway.cache_dir / f"{settings.name}.metadata.xml",
        )
        http = self._client(gateway, source.url)
        return Published(publication, name=settings.name, http=http, clock=self._clock, entropy=self._entropy, journal=self._journal)

    def _described(self, settings: SamlSettings) -> saml.IdentityProviderMetadata:
        """The description that the configuration itself holds. A document has been verified when it was checked; here it is parsed."""
        source = settings.metadata
        return source.fixed or saml.verify_metadata(
            source.document or b"",
            entity_id=settings.service_provider.idp_entity_id,
            now=self._clock.now(),
            signing_certificate=source.signing_certificate,
            allow_loopback=True,
        )


def outbound_tls(gateway: GatewaySettings) -> ssl.SSLContext:
    """The trust towards identity providers: the system's roots, and `outbound.ca` besides. Built once: it costs 20 ms."""
    context = ssl.create_default_context()
    if gateway.outbound.ca is not None:
        context.load_verify_locations(cadata=gateway.outbound.ca.decode("ascii"))
    return context


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where a running gateway listens."""

    gateway: tuple[str, int]
    management: tuple[str, int]


class Gateway:
    """A running gateway. `start`, then `stop`; tests and the demo drive it in process, `serve` adds the signals."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        clock: Clock | None = None,
        entropy: Entropy | None = None,
        replay: ReplayStore | None = None,
    ) -> None:
        mapping.self_test()
        settings = configuration.gateway
        clock, entropy = clock or SystemClock(), entropy or SystemEntropy()
        self._settings = settings
        self.metrics = Metrics()
        self.journal = LogJournal(self.metrics)
        self._building = Building(configuration, clock=clock, entropy=entropy, journal=self.journal)
        self._ready = Live(False)
        services = Services(
            public_url=settings.public_url,
            secure=settings.secure,
            table=Live(self._building.table),
            pipeline=LoginPipeline(
                replay=MemoryReplayStore(clock) if replay is None else replay,
                clock=clock,
                entropy=entropy,
                journal=self.journal,
                lifetime=settings.login_lifetime,
            ),
            cookies=LoginCookies(login_sealer(settings), clock=clock, entropy=entropy, secure=settings.secure),
            journal=self.journal,
            clock=clock,
            entropy=entropy,
            trusted_proxies=settings.trusted_proxies,
        )
        self._runners = [
            GatewayRunner(gateway_application(services), services, shutdown_timeout=IN_FLIGHT_SECONDS),
            GatewayRunner(management_application(self._ready, self.metrics), None, shutdown_timeout=IN_FLIGHT_SECONDS),
        ]

    async def start(self) -> Addresses:
        """Open both listeners. Raises `OSError` where an address cannot be had."""
        settings, ports = self._settings, []
        for runner, listen in zip(self._runners, (settings.listen, settings.management), strict=True):
            await runner.setup()
            await web.TCPSite(runner, listen.host, listen.port, ssl_context=server_tls(listen), backlog=1024).start()
            ports.append((str(runner.addresses[0][0]), int(runner.addresses[0][1])))
        self._mark_ready(True)
        addresses = Addresses(gateway=ports[0], management=ports[1])
        self.journal.note("started", gateway=addresses.gateway, management=addresses.management, public_url=settings.public_url)
        return addresses

    async def stop(self, *, drain: float = 0.0, hurry: asyncio.Event | None = None) -> None:
        """Not ready any more; serve on for `drain` seconds, or until `hurry`, so that nobody sends new logins; finish what is in hand."""
        self._mark_ready(False)
        self.journal.note("draining", seconds=drain)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for((hurry or asyncio.Event()).wait(), drain)
        for runner in self._runners:
            await runner.cleanup()
        await self._building.close()
        self.journal.note("stopped")

    def _mark_ready(self, ready: bool) -> None:  # noqa: FBT001
        self._ready.swap(ready)
        self.metrics.ready.set(int(ready))


def login_sealer(settings: GatewaySettings) -> Sealer:
    """Seals logins in flight; with a random key per start where none is configured (the configuration's check has warned)."""
    return Sealer(settings.cookie_keys or (secrets.token_bytes(KEY_SIZE),), purpose="login in flight")


def server_tls(listen: Listen) -> ssl.SSLContext | None:
    """TLS at our own front, where a site wants it."""
    if listen.tls is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(listen.tls.certificate, listen.tls.key)
    return context


async def serve(configuration: Configuration) -> int:
    """Run until SIGTERM or SIGINT; exit code 0 after a graceful stop. A second signal ends the drain time at once."""
    settings = configuration.gateway
    start_logging(level=settings.logging.level, form=settings.logging.format)
    stopping, at_once = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _signalled, stopping, at_once)
    try:
        gateway = Gateway(configuration)
    except GatewayError as error:
        LogJournal(Metrics()).warn("cannot_start", code=error.code, reason=error.detail)
        return 1
    try:
        await gateway.start()
    except OSError as error:
        gateway.journal.warn("cannot_listen", reason=str(error))
        await gateway.stop()
        return 1
    await stopping.wait()
    await gateway.stop(drain=settings.drain.total_seconds(), hurry=at_once)
    return 0


def _signalled(stopping: asyncio.Event, at_once: asyncio.Event) -> None:
    (at_once if stopping.is_set() else stopping).set()
