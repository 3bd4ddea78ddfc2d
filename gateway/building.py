"""A configuration becomes what serves requests: adapters, the routing table over them, and the services around it.

Needs no network. What the configuration before had in use is carried over where its settings stayed the same, so that
connections stay open and providers' keys stay known.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from gateway.config.settings import (
    Configuration,
    GatewaySettings,
    MetadataSettings,
    OidcSettings,
    OutboundSettings,
    ProviderSettings,
    SamlSettings,
    SiteSettings,
    VirtualProxySettings,
)
from gateway.errors import GatewayError
from gateway.idp.oidc import OidcProvider
from gateway.idp.saml import LargeResponses, SamlProvider
from gateway.idp.saml_metadata import Fixed, MetadataSource, Publication, Published
from gateway.outbound import OutboundClient, policy_for, tls_towards_providers
from gateway.ports import IdentityProvider
from gateway.protocol import saml
from gateway.protocol.oidc import RelyingParty
from gateway.qlik import QlikSite
from gateway.reload import Edition, Stock
from gateway.routing import NodeRoute, Provider, RoutingTable, VirtualProxy
from gateway.serving import Shared, services
from gateway.web.context import Services


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcPort:
    """What of an OpenID provider's settings its port is made of; its rules are not: they may change under it."""

    display_name: str
    relying_party: RelyingParty
    outbound: OutboundSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class SamlPort:
    """The same of a SAML provider's. `cache_dir`: where a copy of its metadata is kept, if that is fetched."""

    display_name: str
    service_provider: saml.ServiceProvider
    metadata: MetadataSettings
    sign_metadata: bool
    cache_dir: Path | None
    outbound: OutboundSettings


PortSettings: TypeAlias = OidcPort | SamlPort


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """A provider's port with the client that it goes out by."""

    port: IdentityProvider
    http: OutboundClient

    async def close(self) -> None:
        await self.http.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One configuration, built."""

    services: Services
    sites: Edition[SiteSettings, QlikSite]
    ports: Edition[PortSettings, Connected]


class Builder:
    """Builds one state after the other, for one running gateway."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._clock, self._entropy, self._journal = shared.clock, shared.entropy, shared.journal
        self._large = LargeResponses()
        self._tls: dict[bytes | None, ssl.SSLContext] = {}
        self._sites: Stock[SiteSettings, QlikSite] = Stock(self._site)
        self._ports: Stock[PortSettings, Connected] = Stock(self._port)
        self._retiring: set[asyncio.Task[None]] = set()

    def build(self, configuration: Configuration) -> State:
        """Adapters with their sockets still closed, and what stands on them. Raises `ValueError` on material that cannot be used."""
        # A site's nodes are no part of its connections: one that comes or goes leaves those to the others open.
        sites = self._sites.edition({name: replace(site, nodes=()) for name, site in configuration.sites.items()})
        ports = self._ports.edition(
            {name: port_settings(settings, configuration.gateway) for name, settings in configuration.providers.items()}
        )
        table = RoutingTable(
            virtual_proxies={
                name: virtual_proxy(settings, sites[settings.site], configuration.sites[settings.site])
                for name, settings in configuration.virtual_proxies.items()
            },
            providers={
                name: Provider(
                    port=ports[name].port,
                    rules=settings.rules,
                    access=settings.access,
                    strength=settings.strength,
                    domains=settings.domains,
                    idp_initiated=settings.idp_initiated if isinstance(settings, SamlSettings) else None,
                )
                for name, settings in configuration.providers.items()
            },
        )
        self._sites.keep(sites)
        self._ports.keep(ports)
        return State(services=services(self._shared, configuration.gateway, table), sites=sites, ports=ports)

    def retire(self, state: State) -> None:
        """Nobody uses this state any more: close what no later one uses, in the background."""
        task = asyncio.get_running_loop().create_task(self._close(state))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def close(self) -> None:
        """Close every pooled connection."""
        await asyncio.gather(*self._retiring)
        await self._sites.close()
        await self._ports.close()
        self._large.close()

    async def _close(self, state: State) -> None:
        await self._sites.retire(state.sites)
        await self._ports.retire(state.ports)

    def _site(self, name: str, settings: SiteSettings) -> QlikSite:
        return QlikSite(
            name=name,
            client_certificate=settings.client_certificate,
            client_key=settings.client_key,
            client_key_password=settings.client_key_password,
            ca=settings.ca,
            pins=settings.pins,
            entropy=self._entropy,
        )

    def _port(self, name: str, settings: PortSettings) -> Connected:
        """With a client of its own: what one provider's configuration permits, another's does not."""
        if isinstance(settings, OidcPort):
            http = self._client(settings.outbound, settings.relying_party.issuer)
            return Connected(port=self._oidc(name, settings, http), http=http)
        url = settings.metadata.url
        http = self._client(settings.outbound, *([] if url is None else [url]))
        return Connected(port=self._saml(name, settings, http), http=http)

    def _client(self, outbound: OutboundSettings, *urls: str) -> OutboundClient:
        policy = policy_for(urls, outbound.allow_private)
        return OutboundClient(policy=policy, tls=self._outbound_tls(outbound.ca), proxy=outbound.proxy)

    def _oidc(self, name: str, settings: OidcPort, http: OutboundClient) -> OidcProvider:
        return OidcProvider(
            name=name,
            display_name=settings.display_name,
            relying_party=settings.relying_party,
            http=http,
            clock=self._clock,
            entropy=self._entropy,
            journal=self._journal,
        )

    def _saml(self, name: str, settings: SamlPort, http: OutboundClient) -> SamlProvider:
        return SamlProvider(
            name=name,
            display_name=settings.display_name,
            service_provider=settings.service_provider,
            metadata=self._metadata(name, settings, http),
            sign_metadata=settings.sign_metadata,
            large=self._large,
            clock=self._clock,
            entropy=self._entropy,
            journal=self._journal,
        )

    def _metadata(self, name: str, settings: SamlPort, http: OutboundClient) -> MetadataSource:
        source = settings.metadata
        if source.url is None:
            return Fixed(metadata=self._described(settings))
        publication = Publication(
            url=source.url,
            entity_id=settings.service_provider.idp_entity_id,
            signing_certificate=source.signing_certificate,
            allow_loopback=source.url.startswith("http://"),
            copy=None if settings.cache_dir is None else settings.cache_dir / f"{name}.metadata.xml",
        )
        return Published(publication, name=name, http=http, clock=self._clock, entropy=self._entropy, journal=self._journal)

    def _described(self, settings: SamlPort) -> saml.IdentityProviderMetadata:
        """The description that the configuration itself holds. A document has been verified when it was checked; here it is parsed."""
        source = settings.metadata
        try:
            return source.fixed or saml.verify_metadata(
                source.document or b"",
                entity_id=settings.service_provider.idp_entity_id,
                now=self._clock.now(),
                signing_certificate=source.signing_certificate,
                allow_loopback=True,
            )
        except GatewayError as error:
            raise ValueError(f"{error.code}: {error.detail}") from error

    def _outbound_tls(self, ca: bytes | None) -> ssl.SSLContext:
        """The trust towards identity providers, one for all."""
        if ca not in self._tls:
            self._tls = {ca: tls_towards_providers(ca)}
        return self._tls[ca]


def port_settings(settings: ProviderSettings, gateway: GatewaySettings) -> PortSettings:
    """What a provider's port is made of."""
    if isinstance(settings, OidcSettings):
        return OidcPort(display_name=settings.display_name, relying_party=settings.relying_party, outbound=gateway.outbound)
    return SamlPort(
        display_name=settings.display_name,
        service_provider=settings.service_provider,
        metadata=settings.metadata,
        sign_metadata=settings.sign_metadata,
        cache_dir=None if settings.metadata.url is None else gateway.cache_dir,
        outbound=gateway.outbound,
    )


def virtual_proxy(settings: VirtualProxySettings, site: QlikSite, site_settings: SiteSettings) -> VirtualProxy:
    """A virtual proxy with its way to each node of its site."""
    return VirtualProxy(
        name=settings.name,
        prefix=settings.prefix,
        nodes={node.name: NodeRoute(node=node, proxy=site.proxy(node, settings.prefix, settings.targets)) for node in site_settings.nodes},
        targets=settings.targets,
        identity_providers=settings.identity_providers,
        overrides=settings.overrides,
        access=settings.access,
        strength=settings.strength,
        network_defaults=settings.network_defaults,
    )
