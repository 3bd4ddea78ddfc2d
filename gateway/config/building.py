"""Wire shapes that passed every check to values of the core. Pure but for `Surroundings`, which has read everything before.

Nothing is decided here any more: a value that cannot be built has been reported by the checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from gateway.config.building_mapping import build_access, build_overrides, build_rules
from gateway.config.building_saml import metadata_settings, service_provider
from gateway.config.certificates import plain_pem
from gateway.config.folder import Surroundings
from gateway.config.named import decoded
from gateway.config.settings import (
    Configuration,
    GatewaySettings,
    LimitSettings,
    Listen,
    LoggingSettings,
    OidcSettings,
    OutboundSettings,
    ProviderSettings,
    SamlSettings,
    SiteSettings,
    TlsPair,
    VirtualProxySettings,
)
from gateway.config.values import read_cookie_key
from gateway.config.wire import SecretReference
from gateway.config.wire_gateway import (
    GatewayWire,
    ListenWire,
    ManagementWire,
    OutboundWire,
    SiteWire,
    StoreWire,
    TargetWire,
    VirtualProxyWire,
)
from gateway.config.wire_oidc import NoSecretWire, OidcWire, PrivateKeyWire, SecretBasicWire
from gateway.config.wire_saml import SamlWire
from gateway.model import Binding, Secret
from gateway.protocol import oidc, qps
from gateway.routing import NetworkDefault
from gateway.stores.address import IN_MEMORY, StoreAddress, read_store_address

MANAGEMENT_HOST = "QLIKGW_MANAGEMENT_HOST"


def build(gateway: GatewayWire, providers: Mapping[str, OidcWire | SamlWire], surroundings: Surroundings) -> Configuration:
    """The configuration. Everything given has passed the checks."""
    settings = _gateway(gateway, surroundings)
    return Configuration(
        gateway=settings,
        sites={name: _site(name, site, surroundings) for name, site in gateway.qlik_sites.items()},
        virtual_proxies={name: _virtual_proxy(name, wire, surroundings) for name, wire in gateway.virtual_proxies.items()},
        providers={name: _provider(name, wire, settings.public_url, surroundings) for name, wire in providers.items()},
    )


def _gateway(wire: GatewayWire, surroundings: Surroundings) -> GatewaySettings:
    return GatewaySettings(
        public_url=wire.public_url,
        secure=wire.public_url.startswith("https://"),
        listen=_listen(wire.listen, surroundings),
        management=_management(wire.management, surroundings),
        cookie_keys=tuple(read_cookie_key(_secret(key, surroundings)) for key in wire.cookie_keys or []) if surroundings.files else (),
        store=_store(wire.store, surroundings),
        login_lifetime=wire.login_lifetime,
        session_lifetime=wire.session_lifetime,
        trusted_proxies=tuple(wire.trusted_proxies),
        outbound=_outbound(wire.outbound, surroundings),
        logging=LoggingSettings(level=wire.logging.level, format=wire.logging.format),
        cache_dir=None if wire.cache_dir is None else Path(surroundings.path(wire.cache_dir)),
        limits=LimitSettings(**wire.limits.model_dump()),
        drain=wire.drain,
    )


def _store(wire: StoreWire, surroundings: Surroundings) -> StoreAddress:
    """With the named files unread, where an address in a variable leads is not known; such a configuration is never served."""
    if isinstance(wire.url, SecretReference) and not surroundings.files:
        return IN_MEMORY
    ca = plain_pem(surroundings.file(wire.ca)) if wire.ca is not None and surroundings.files else None
    return replace(read_store_address(_text(wire.url, surroundings)), ca=ca)


def _listen(wire: ListenWire, surroundings: Surroundings) -> Listen:
    if wire.tls is None:
        return Listen(host=wire.host, port=wire.port)
    tls = TlsPair(certificate=surroundings.file(wire.tls.certificate), key=surroundings.file(wire.tls.key))
    return Listen(host=wire.host, port=wire.port, tls=tls)


def _management(wire: ManagementWire, surroundings: Surroundings) -> Listen:
    return Listen(host=surroundings.environ.get(MANAGEMENT_HOST) or wire.host, port=wire.port)


def _outbound(wire: OutboundWire, surroundings: Surroundings) -> OutboundSettings:
    ca = plain_pem(surroundings.file(wire.ca)) if wire.ca is not None and surroundings.files else None
    proxy = None if wire.proxy is None else _text(wire.proxy, surroundings)
    return OutboundSettings(proxy=proxy, ca=ca, allow_private=tuple(wire.allow_private))


def _site(name: str, wire: SiteWire, surroundings: Surroundings) -> SiteSettings:
    nodes = [qps.read_node(node.proxy_rest_uri, reach_at=node.reach_at, server_name=node.server_name) for node in wire.nodes]
    pinned = [(node.name, item.server_certificate) for node, item in zip(nodes, wire.nodes, strict=True)]
    return SiteSettings(
        name=name,
        client_certificate=surroundings.file(wire.client_certificate),
        client_key=surroundings.file(wire.client_key),
        client_key_password=None if wire.client_key_password is None else Secret(_secret(wire.client_key_password, surroundings)),
        ca=None if wire.ca is None else surroundings.file(wire.ca),
        nodes=tuple(nodes),
        pins={node: surroundings.file(path) for node, path in pinned if path is not None},
    )


def _virtual_proxy(name: str, wire: VirtualProxyWire, surroundings: Surroundings) -> VirtualProxySettings:
    prefix = name if wire.prefix is None else wire.prefix
    allowed = tuple(_target(target) for target in wire.targets)
    default = wire.default_target or qps.default_target(allowed[0], prefix)
    return VirtualProxySettings(
        name=name,
        site=wire.site,
        prefix=prefix,
        targets=qps.Targets(allowed=allowed, default=default, ticket_parameter=wire.ticket_parameter),
        identity_providers=tuple(wire.identity_providers),
        overrides=build_overrides(wire.mapping, surroundings),
        access=build_access(f"virtual proxy {name}", wire.deny, wire.allow),
        strength=wire.authentication.strength(),
        network_defaults=tuple(NetworkDefault(networks=tuple(rule.networks), idp=rule.identity_provider) for rule in wire.network_defaults),
    )


def _target(wire: qps.Target | TargetWire) -> qps.Target:
    return replace(wire.url, redeem_first=wire.ticket == "redeem_first") if isinstance(wire, TargetWire) else wire


def _provider(name: str, wire: OidcWire | SamlWire, public_url: str, surroundings: Surroundings) -> ProviderSettings:
    return _saml(name, wire, public_url, surroundings) if isinstance(wire, SamlWire) else _oidc(name, wire, public_url, surroundings)


def _saml(name: str, wire: SamlWire, public_url: str, surroundings: Surroundings) -> SamlSettings:
    return SamlSettings(
        name=name,
        display_name=wire.display_name or name,
        service_provider=service_provider(name, wire, public_url, surroundings),
        metadata=metadata_settings(wire, surroundings),
        rules=build_rules(wire.mapping, surroundings),
        access=build_access(f"identity provider {name}", wire.deny, wire.allow),
        strength=wire.authentication.strength(),
        domains=frozenset(wire.domains),
        idp_initiated=wire.idp_initiated,
        sign_metadata=wire.sp.sign_metadata,
    )


def _oidc(name: str, wire: OidcWire, public_url: str, surroundings: Surroundings) -> OidcSettings:
    return OidcSettings(
        name=name,
        display_name=wire.display_name or name,
        relying_party=oidc.RelyingParty(
            issuer=wire.issuer,
            client_id=wire.client_id,
            redirect_uri=f"{public_url}/idp/{name}/callback",
            post_logout_redirect_uri=f"{public_url}/idp/{name}/slo",
            allow_logout_token_without_exp=wire.allow_logout_token_without_exp,
            client_auth=_client_auth(wire, surroundings),
            scopes=tuple(wire.scopes),
            response_mode=Binding(wire.response_mode),
            id_token_algorithms=tuple(wire.id_token_algorithms),
            userinfo=wire.userinfo,
            authorization_params=dict(wire.authorization_params),
            clock_skew=wire.clock_skew,
        ),
        rules=build_rules(wire.mapping, surroundings),
        access=build_access(f"identity provider {name}", wire.deny, wire.allow),
        strength=wire.authentication.strength(),
        domains=frozenset(wire.domains),
    )


def _client_auth(wire: OidcWire, surroundings: Surroundings) -> oidc.ClientAuth:
    auth = wire.client_auth
    if isinstance(auth, NoSecretWire):
        return oidc.NoClientAuth()
    if isinstance(auth, PrivateKeyWire):
        password = _secret(auth.key_password, surroundings).encode() if auth.key_password is not None else None
        # Without files there is no key; such a configuration is looked at and never served.
        return oidc.read_client_key(surroundings.file(auth.key), password) if surroundings.files else oidc.NoClientAuth()
    secret = Secret(_secret(auth.secret, surroundings))
    return oidc.ClientSecretBasic(secret=secret) if isinstance(auth, SecretBasicWire) else oidc.ClientSecretPost(secret=secret)


def _text(wire: str | SecretReference, surroundings: Surroundings) -> str:
    return wire if isinstance(wire, str) else _secret(wire, surroundings)


def _secret(reference: SecretReference, surroundings: Surroundings) -> str:
    if reference.env is not None:
        return surroundings.variable(reference.env)
    return decoded(surroundings.file(reference.file or "")) or ""
