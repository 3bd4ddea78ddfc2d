"""What `build` makes of a configuration: values of the core, ready to use.

No path, no reference and no environment name is left in here. Where the values came from is not known any more; that they
fit together has been checked. Equal settings are the same settings: a reload carries over what is made of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import TypeAlias

from gateway.mapping import AccessRule, Overrides, Rules
from gateway.model import Secret
from gateway.protocol.oidc import RelyingParty
from gateway.protocol.qps import Node, Targets
from gateway.protocol.saml import Certificate, IdentityProviderMetadata, ServiceProvider
from gateway.routing import NetworkDefault
from gateway.stores.address import IN_MEMORY, StoreAddress
from gateway.strength import ANY_SIGN_IN, Strength

Network: TypeAlias = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsPair:
    """The certificate of our own front with its chain, and its key: PEM, a pair when checked."""

    certificate: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """One address to listen on. Port 0 takes a free one; without `tls` it is plain http."""

    host: str
    port: int
    tls: TlsPair | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundSettings:
    """Towards identity providers: the forward proxy (it may hold credentials), more roots as PEM, networks that are not public."""

    proxy: str | None = field(default=None, repr=False)
    ca: bytes | None = None
    allow_private: tuple[Network, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggingSettings:
    """`level`: debug, info, warning or error. `format`: json or console."""

    level: str = "info"
    format: str = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    """Per minute; None: no limit. A client is an IPv4 address or the /64 of an IPv6 one."""

    starts_per_client: int | None = None
    requests_per_client: int | None = None
    starts_per_provider: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """The gateway itself.

    `public_url` is an origin without a slash at its end. `cookie_keys` are 32 bytes each; without any, one is drawn at start.
    """

    public_url: str
    secure: bool
    listen: Listen
    management: Listen
    cookie_keys: tuple[bytes, ...] = field(default=(), repr=False)
    store: StoreAddress = IN_MEMORY
    login_lifetime: timedelta = timedelta(minutes=15)
    session_lifetime: timedelta = timedelta(hours=24)
    trusted_proxies: tuple[Network, ...] = ()
    outbound: OutboundSettings = OutboundSettings()
    logging: LoggingSettings = LoggingSettings()
    cache_dir: Path | None = None
    limits: LimitSettings = LimitSettings()
    drain: timedelta = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSettings:
    """One Qlik Sense site: what the QMC exported, as PEM, and its proxy nodes. `pins`: node name -> the one certificate it may show."""

    name: str
    client_certificate: bytes
    client_key: bytes = field(repr=False)
    client_key_password: Secret | None = None
    ca: bytes | None = None
    nodes: tuple[Node, ...]
    pins: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualProxySettings:
    """One virtual proxy. `site` and `identity_providers` are names that exist; `prefix` is empty for the default virtual proxy.

    `overrides`: what it decides in the place of its providers' mappings.
    """

    name: str
    site: str
    prefix: str
    targets: Targets
    identity_providers: tuple[str, ...]
    overrides: Overrides | None = None
    access: tuple[AccessRule, ...] = ()
    strength: Strength = ANY_SIGN_IN
    network_defaults: tuple[NetworkDefault, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcSettings:
    """One OpenID provider."""

    name: str
    display_name: str
    relying_party: RelyingParty
    rules: Rules
    access: tuple[AccessRule, ...] = ()
    strength: Strength = ANY_SIGN_IN
    domains: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataSettings:
    """Where a SAML provider's description comes from: exactly one of `url`, `document` and `fixed`."""

    url: str | None = None
    document: bytes | None = None
    fixed: IdentityProviderMetadata | None = None
    signing_certificate: Certificate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SamlSettings:
    """One SAML identity provider. `idp_initiated`: the virtual proxy that an unsolicited response leads to."""

    name: str
    display_name: str
    service_provider: ServiceProvider
    metadata: MetadataSettings
    rules: Rules
    access: tuple[AccessRule, ...] = ()
    strength: Strength = ANY_SIGN_IN
    domains: frozenset[str] = frozenset()
    idp_initiated: str | None = None
    sign_metadata: bool = False


ProviderSettings: TypeAlias = OidcSettings | SamlSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Everything that one folder says."""

    gateway: GatewaySettings
    sites: Mapping[str, SiteSettings]
    virtual_proxies: Mapping[str, VirtualProxySettings]
    providers: Mapping[str, ProviderSettings]
