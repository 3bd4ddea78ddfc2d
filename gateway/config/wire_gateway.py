"""The wire shape of `gateway.yaml`: the gateway, the Qlik sites, the virtual proxies.

The descriptions are what editors show (`qlikgw schema gateway`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from gateway.config import provider_values, values
from gateway.config.settings import Network
from gateway.config.wire import AsMapping, AsText, Id, PathText, Reads, SchemaVersion, SecretReference, TextOrMapping, Wire
from gateway.config.wire_acknowledge import ACKNOWLEDGE, Acknowledgements
from gateway.config.wire_authentication import AnyAuthenticationWire
from gateway.config.wire_mapping import OverridesWire
from gateway.mapping import Expression, Scope
from gateway.protocol.qps import Target

_DURATION = {"pattern": f"^{values.DURATION}$", "examples": ["60s", "15m"]}
SessionLifetime = Annotated[timedelta, Reads(values.duration(timedelta(hours=1), timedelta(days=30)), _DURATION)]
LoginLifetime = Annotated[timedelta, Reads(values.duration(timedelta(minutes=1), timedelta(hours=1)), _DURATION)]
Drain = Annotated[timedelta, Reads(values.duration(timedelta(0), timedelta(minutes=5)), _DURATION)]
ClockSkew = Annotated[timedelta, Reads(values.duration(timedelta(0), timedelta(seconds=180)), _DURATION)]
NetworkText = Annotated[Network, Reads(values.read_network, {"examples": ["10.0.0.0/8"]})]
PerMinute = Annotated[int, Field(ge=1)] | None
_INTEGER_OR_NULL: JsonDict = {"type": ["integer", "null"]}
Host = Annotated[str, Reads(values.read_listen_host)]
Port = Annotated[int, Field(ge=0, le=65535)]
Domain = Annotated[str, Reads(provider_values.read_domain, {"examples": ["example.com"]})]
AccessExpression = Annotated[Expression, Reads(provider_values.expression(Scope.ACCESS), {"description": "A CEL expression."})]

DOMAINS = "Domains of its users' mail addresses: the chooser page asks for the address and finds this provider by it."
DENY = "Who may not sign in, rule by rule. All rules of the identity provider and of the virtual proxy must pass; one that fails refuses."
ALLOW = "Who may sign in: a CEL expression over claims, idp, user and groups_overage. Only true lets pass; left out, everybody may."


class DenyWire(Wire):
    """One rule that refuses."""

    id: Id = Field(description="Told with the refusal: on the page, in the log, as a label of a metric.")
    when: AccessExpression = Field(description="A CEL expression, as in allow. true refuses, false lets pass, anything else refuses.")
    message: Annotated[str, Reads(provider_values.read_message)] | None = Field(
        default=None, description="What the refused user reads on the page: one line of plain text."
    )


class TlsWire(Wire):
    """TLS at the gateway's own front."""

    certificate: PathText = Field(description="The certificate with its chain, PEM.")
    key: PathText = Field(description="Its private key, PEM, not encrypted.")


class ListenWire(Wire):
    """Where browsers (or the proxy in front) reach the gateway."""

    host: Host = Field(default="0.0.0.0", description="The address to listen on.")  # noqa: S104 - behind a proxy or in a container; loopback is a choice
    port: Port = Field(default=8080, description="The port; 0 takes a free one.")
    tls: TlsWire | None = Field(default=None, description="Left out, the gateway speaks plain http and TLS ends in front of it.")


class ManagementWire(Wire):
    """Where probes and metrics are."""

    host: Host = Field(default="127.0.0.1", description="The address of /livez, /readyz and /metrics. QLIKGW_MANAGEMENT_HOST overrides it.")
    port: Port = Field(default=8081, description="The port; 0 takes a free one.")


class StoreWire(Wire):
    """Where one-time marks are kept."""

    url: Annotated[Annotated[str, Reads(values.read_store), AsText] | Annotated[SecretReference, AsMapping], TextOrMapping] = Field(
        default="memory:",
        description="memory: for one replica; redis://, redis+sentinel:// or redis+cluster:// (over TLS: rediss…) to share one. "
        "With a password: {env: …}.",
    )
    ca: PathText | None = Field(default=None, description="More root certificates to trust in a store over TLS, PEM.")


class OutboundWire(Wire):
    """The way to identity providers."""

    proxy: Annotated[Annotated[str, Reads(values.read_proxy), AsText] | Annotated[SecretReference, AsMapping], TextOrMapping] | None = (
        Field(default=None, description="The forward proxy. With a password: {env: …}.")
    )
    ca: PathText | None = Field(default=None, description="More root certificates to trust, PEM.")
    allow_private: list[NetworkText] = Field(
        default=[],
        description="Networks that are not public and may be reached all the same. Loopback and private addresses are refused otherwise.",
    )


class LoggingWire(Wire):
    """Log lines."""

    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="The least level that is written.")
    format: Literal["json", "console"] = Field(default="json", description="json for machines, console for people.")


class LimitsWire(Wire):
    """Limits beside the overload guard, which is always there."""

    starts_per_client: PerMinute = Field(
        default=None,
        description="Requests that begin a login, per minute and client (an IPv4 address, an IPv6 /64); null: no limit.",
        json_schema_extra=_INTEGER_OR_NULL,
    )
    requests_per_client: PerMinute = Field(
        default=None,
        description="Requests of any other kind (returns from providers, logouts, the rest), each kind by itself; null: no limit.",
        json_schema_extra=_INTEGER_OR_NULL,
    )
    starts_per_provider: PerMinute = Field(
        default=None,
        description="Logins begun with one identity provider per minute; null: no limit.",
        json_schema_extra=_INTEGER_OR_NULL,
    )


class NodeWire(Wire):
    """One proxy node of a site."""

    proxy_rest_uri: Annotated[str, Reads(values.read_node_url, {"examples": ["https://qlik1.corp.example:4243/qps/"]})] = Field(
        description="The node's address as the proxy names itself in proxyRestUri, without a virtual proxy's prefix."
    )
    reach_at: Annotated[str, Reads(values.read_node_url)] | None = Field(
        default=None, description="Where the gateway reaches the node, if not under proxy_rest_uri."
    )
    server_name: Annotated[str, Reads(values.read_server_name)] | None = Field(
        default=None, description="The name in the node's certificate. Default: the host of proxy_rest_uri."
    )
    server_certificate: PathText | None = Field(
        default=None, description="The one certificate that the node may show, PEM, instead of the site's ca."
    )


class SiteWire(Wire):
    """One Qlik Sense installation."""

    client_certificate: PathText = Field(description="client.pem of the QMC's export.")
    client_key: PathText = Field(description="client_key.pem of the QMC's export.")
    client_key_password: SecretReference | None = Field(default=None, description="The password of client_key, if the export has one.")
    ca: PathText | None = Field(default=None, description="root.pem of the QMC's export. Not needed where nodes have a server_certificate.")
    nodes: list[NodeWire] = Field(min_length=1, description="The site's proxy nodes.")


class TargetWire(Wire):
    """A target with a choice of how the ticket gets there."""

    url: Annotated[Target, Reads(values.read_target_url)] = Field(description="An origin (all of it), or a path and what lies below it.")
    ticket: Literal["append", "redeem_first"] = Field(
        default="append",
        description="append: the ticket travels to the target. redeem_first: it is spent on a Qlik host before the browser goes on.",
    )


class NetworkDefaultWire(Wire):
    """Where users in some networks sign in, unless they chose otherwise. A convenience: it keeps nobody out."""

    networks: list[NetworkText] = Field(min_length=1, description="The networks that users come from, as seen through trusted_proxies.")
    identity_provider: Id = Field(description="One of the virtual proxy's identity_providers.")


Targets = Annotated[
    list[
        Annotated[
            Annotated[Target, Reads(values.read_target_url), AsText] | Annotated[TargetWire, AsMapping],
            TextOrMapping,
        ]
    ],
    Field(min_length=1),
]
Providers = Annotated[list[Id], Field(min_length=1)]

SITE = "The site that it belongs to: a key of qlik_sites."
TARGETS = "Where a ticket may go: the boundary against stolen tickets."
PROVIDERS = "The ids of identity providers: their file names without .yaml. Several: the user chooses."


class VirtualProxyDefaultsWire(Wire):
    """What virtual proxies have in common. Each key holds for every virtual proxy that does not have it itself."""

    site: Id | None = Field(default=None, description=SITE)
    targets: Targets | None = Field(default=None, description=TARGETS)
    default_target: Annotated[str, Reads(values.read_default_target)] | None = Field(
        default=None, description="Where the browser goes when Qlik Sense names no target. Default: the hub under the first target."
    )
    ticket_parameter: Annotated[str, Reads(values.read_ticket_parameter)] = Field(
        default="qlikTicket", description="The query parameter that carries the ticket."
    )
    identity_providers: Providers | None = Field(default=None, description=PROVIDERS)
    mapping: OverridesWire | None = Field(
        default=None, description="What this virtual proxy decides in the place of its identity providers' mappings."
    )
    deny: list[DenyWire] = Field(default=[], description=DENY)
    allow: AccessExpression | None = Field(default=None, description=ALLOW)
    authentication: AnyAuthenticationWire = Field(
        default=AnyAuthenticationWire(), description="How users must have signed in. What their identity provider demands comes on top."
    )
    network_defaults: list[NetworkDefaultWire] = Field(
        default=[], description="Providers that users in some networks are sent to without being asked. The first that fits counts."
    )


def _without_required(schema: JsonDict) -> None:
    """Every key of a virtual proxy may come from the defaults: an editor cannot know that one is missing."""
    schema.pop("required", None)


class VirtualProxyWire(VirtualProxyDefaultsWire):
    """One virtual proxy. What it does not say, virtual_proxy_defaults may."""

    model_config = ConfigDict(json_schema_extra=_without_required)

    site: Id = Field(description=SITE)
    prefix: Annotated[str, Reads(values.read_prefix, {"pattern": f"^{values.PREFIX}$"}, may_be_empty=True)] | None = Field(
        default=None, description='Its prefix in the QMC. Default: the id; "" is the default virtual proxy.'
    )
    targets: Targets = Field(description=TARGETS)
    identity_providers: Providers = Field(description=PROVIDERS)


class GatewayWire(Wire):
    """gateway.yaml: the gateway, the Qlik sites and the virtual proxies."""

    schema_version: SchemaVersion
    public_url: Annotated[str, Reads(values.read_public_url, {"examples": ["https://sso.example.com"]})] = Field(
        description="How browsers reach the gateway: an origin. http:// for loopback only."
    )
    listen: ListenWire = Field(default=ListenWire(), description="Where browsers (or the proxy in front) reach the gateway.")
    management: ManagementWire = Field(default=ManagementWire(), description="Where probes and metrics are.")
    cookie_keys: list[SecretReference] | None = Field(
        default=None,
        min_length=1,
        description="The keys that seal logins in flight: the first seals, all open. 32 random bytes in base64url: qlikgw keygen cookie.",
    )
    store: StoreWire = Field(default=StoreWire(), description="Where one-time marks are kept.")
    login_lifetime: LoginLifetime = Field(default=timedelta(minutes=15), description="How long a user may take to sign in: 1m to 1h.")
    session_lifetime: SessionLifetime = Field(
        default=timedelta(hours=24), description="How long a logout finds a sign-in: 1h to 30d. Qlik sessions end by their own time-outs."
    )
    trusted_proxies: list[NetworkText] = Field(default=[], description="Networks whose X-Forwarded-For is believed.")
    outbound: OutboundWire = Field(default=OutboundWire(), description="The way to identity providers.")
    logging: LoggingWire = Field(default=LoggingWire(), description="Log lines.")
    cache_dir: PathText | None = Field(default=None, description="A folder for the last good metadata of identity providers.")
    limits: LimitsWire = Field(default=LimitsWire(), description="Limits beside the overload guard.")
    drain: Drain = Field(default=timedelta(seconds=5), description="How long the gateway goes on serving after SIGTERM: 0s to 5m.")
    qlik_sites: dict[Id, SiteWire] = Field(min_length=1, description="The Qlik Sense installations, by id.")
    acknowledge: Acknowledgements | None = Field(default=None, description=ACKNOWLEDGE)
    virtual_proxy_defaults: VirtualProxyDefaultsWire = Field(
        default=VirtualProxyDefaultsWire(), description="What virtual proxies share. A virtual proxy's own key replaces the whole key here."
    )
    virtual_proxies: dict[Id, VirtualProxyWire] = Field(
        min_length=1, description="The virtual proxies, by id: /vp/{id}/login is the address."
    )
