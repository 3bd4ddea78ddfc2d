"""What an examination finds: a status, a sentence, and, where something is wrong, a code and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gateway.config.diagnostics import Coded
from gateway.errors import (
    AddressRefused,
    CertificateRejected,
    DiscoveryRefused,
    GatewayError,
    NodeAnswer,
    NodeNotVerified,
    NodeUnreachable,
    PrefixUnknown,
    ProviderAnswer,
    ProviderError,
    ProviderUnreachable,
    QlikError,
    StoreError,
    StoreFull,
    StoreRefused,
    StoreUnavailable,
)


class Status(StrEnum):
    """An error keeps people from signing in; a warning will, or may."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


class FindingCode(Coded):
    """What only an examination finds. Everything else has the code that a login would end with."""

    CLOCK = "QGW-557", "The clocks of a peer and of this machine differ"
    NO_KEY = "QGW-558", "A provider publishes no key for an algorithm that the configuration expects"
    MAY_FORGET = "QGW-559", "The shared store may throw marks away when it is full"
    ENDS_SOON = "QGW-523", "A certificate that expires soon"
    ENDED = "QGW-512", "A certificate or key that cannot be used"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One result. `about` is a peer (`identity provider entra`, `node https://…`), `step` what was looked at."""

    about: str
    step: str
    status: Status
    message: str
    code: str | None = None
    hint: str | None = None


HINTS: dict[type[GatewayError], str] = {
    ProviderUnreachable: "may this machine go there? Look at firewall, name servers, outbound.proxy and outbound.ca",
    ProviderAnswer: "open the address from this machine: it must answer with the document itself, without a redirect",
    DiscoveryRefused: "compare issuer with the provider's own document, to the letter",
    AddressRefused: "list its network in outbound.allow_private if it may be reached",
    ProviderError: "ask the provider's administrators",
    NodeUnreachable: "is the port open for this machine, is reach_at right? A node that hangs up may be refusing the certificate",
    NodeNotVerified: "compare ca, server_name and server_certificate with the certificate that the node shows",
    CertificateRejected: "export a client certificate with its secret key from this site's QMC: certs/README.md",
    PrefixUnknown: "compare prefix with the QMC, and see that the virtual proxy is linked to this node's proxy service",
    NodeAnswer: "look into the proxy's log of this moment",
    QlikError: "ask the site's administrators",
    StoreUnavailable: "does the store run, and may this machine go there?",
    StoreRefused: "look at user, password and rights, and whether the address is that of a primary",
    StoreFull: "give the store more memory, or see what else fills it",
    StoreError: "look at the store's own log",
}


def hint_for(error: GatewayError) -> str | None:
    """What to do about an error: the hint of its class, or of the nearest one above."""
    return next((HINTS[kind] for kind in type(error).__mro__ if kind in HINTS), None)
