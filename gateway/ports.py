"""What the core asks of the outside world. No port method takes an aiohttp object; a security collaborator is always required."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from gateway.events import Event
from gateway.model import (
    Binding,
    HttpRequest,
    HttpResponse,
    IdpRequest,
    IdpResponse,
    JsonValue,
    Memo,
    QlikUser,
    Ticket,
    TransactionId,
    VerifiedIdentity,
)
from gateway.strength import Strength


class Clock(Protocol):
    """The time, passed in. Aware, UTC."""

    def now(self) -> datetime: ...


class Entropy(Protocol):
    """Unguessable bytes, passed in."""

    def token(self, size: int) -> bytes: ...


class Journal(Protocol):
    """Takes one event per outcome; fans out to audit lines and metrics. Never raises."""

    def record(self, event: Event) -> None: ...


class HttpClient(Protocol):
    """Sends one request to an identity provider. Follows no redirect; reads at most `request.limit` bytes.

    Raises `ProviderUnreachable` (no answer), `ProviderAnswer` (too large), `AddressRefused` (an address the configuration does not name).
    """

    async def send(self, request: HttpRequest) -> HttpResponse: ...


class IdentityProvider(Protocol):
    """One configured identity provider, whatever its protocol."""

    @property
    def name(self) -> str:
        """Its id: the file name without `.yaml`."""

    @property
    def display_name(self) -> str:
        """What people see."""

    @property
    def registration(self) -> str:
        """Digest of issuer (or entity id) and client id: changes when the provider becomes another one."""

    @property
    def binding(self) -> Binding:
        """How its answers arrive."""

    def jwks(self) -> Mapping[str, JsonValue] | None:
        """The public keys that the provider needs from us (RFC 7517 §5); None: it needs none."""

    def metadata_document(self) -> str | None:
        """Our SAML metadata for this provider (SAML Metadata §2.4.4); None: its protocol has none."""

    def is_unsolicited(self, response: IdpResponse) -> bool:
        """Whether the answer claims to answer no request of ours. Read without belief: it is never an identity. Raises `GatewayError`."""

    async def begin(self, transaction: TransactionId, strength: Strength) -> tuple[IdpRequest, Memo]:
        """Where to send the browser to sign in with that strength, and what to remember. Raises `GatewayError`."""

    async def finish(self, response: IdpResponse, transaction: TransactionId, memo: Memo, strength: Strength) -> VerifiedIdentity:
        """Prove who the user is, and that the sign-in was that strong: the only source of trust.

        Raises `SignInTooWeak` where all but the strength is proven; any other `GatewayError`; nothing else.
        """


class QlikProxy(Protocol):
    """One node of a site as one virtual proxy sees it."""

    async def issue_ticket(self, user: QlikUser, target_id: str) -> Ticket:
        """Ask the node for a ticket. Raises `IdentityError` (the last gate), `QlikError`."""


class ReplayStore(Protocol):
    """One-time marks, shared by all replicas."""

    async def claim(self, key: str, until: datetime) -> bool:
        """Mark `key` as used until `until`, in one atomic step. False: seen before. Raises `StoreError`: then nothing may go on."""
