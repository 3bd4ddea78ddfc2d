"""What the core asks of the outside world. No port method takes an aiohttp object; a security collaborator is always required."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from gateway.events import Event
from gateway.model import (
    Binding,
    HttpRequest,
    HttpResponse,
    IdpRequest,
    IdpResponse,
    JsonValue,
    LogoutMessage,
    LogoutNotice,
    Memo,
    QlikUser,
    SignedIn,
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


class SingleLogout(Protocol):
    """The way back at one identity provider, whatever its protocol."""

    async def begin(self, memo: Memo | None, transaction: TransactionId) -> tuple[IdpRequest, Memo] | None:
        """Where to send the browser to end its session at the provider, and what to remember for `finish`; None: there is no such place.

        `memo`: what the sign-in left for this (`VerifiedIdentity.logout_memo`); None: it is not there any more. The browser
        comes back to `/idp/{idp}/slo` with `transaction` as OIDC `state` or SAML `RelayState`. Raises `GatewayError`.
        """

    async def finish(self, message: LogoutMessage, transaction: TransactionId, memo: Memo) -> None:
        """The browser is back: prove what the provider answers, if it does. Raises `GatewayError`; nothing else.

        A message, because a SAML answer by redirect is signed over the query as it came.
        """

    async def notice(self, message: LogoutMessage) -> LogoutNotice:
        """Prove a provider's own word that sessions ended. Raises `GatewayError`; nothing else."""

    async def answer(self, notice: LogoutNotice, *, complete: bool) -> IdpRequest | None:
        """What the browser takes back to the provider; None: nothing. `complete`: all sessions have ended here. Raises `GatewayError`."""


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

    @property
    def logout(self) -> SingleLogout | None:
        """Its logout; None: it has none."""

    def jwks(self) -> Mapping[str, JsonValue] | None:
        """The public keys that the provider needs from us (RFC 7517 §5); None: it needs none."""

    def metadata_document(self) -> str | None:
        """Our SAML metadata for this provider (SAML Metadata §2.4.4); None: its protocol has none."""

    def is_unsolicited(self, response: IdpResponse) -> bool:
        """Whether the answer claims to answer no request of ours. Read without belief: it is never an identity. Raises `GatewayError`."""

    def check_room(self, response: IdpResponse) -> None:
        """That there is time for an answer like this one, before anything is used up by it. Raises `Overloaded`."""

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

    async def end_sessions(self, user: QlikUser) -> int:
        """End all sessions of the user on this node, under this virtual proxy; how many there were. Raises `QlikError`."""


class ReplayStore(Protocol):
    """One-time marks, shared by all replicas. Keys are kept as digests: what a provider sent may stand in them."""

    async def claim(self, key: str, until: datetime) -> bool:
        """Mark `key` as used until `until`, in one atomic step. False: seen before. Raises `StoreError`: then nothing may go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What stands counted under a key: in its window now, which goes on for `rest` seconds, and in the one before. `taken`: one was now."""

    taken: bool
    previous: int
    current: int
    rest: float


class Counter(Protocol):
    """Counts that all replicas share, in windows that slide: of the one before counts the share that the present one has still to go."""

    async def take(self, key: str, most: int, window: timedelta) -> Tally:
        """Count one more under `key`, in one atomic step, unless there are `most` already: then nothing is counted.

        A key's first window begins with its first count. Never raises: alone, it counts for itself.
        """


class SessionIndex(Protocol):
    """Who was signed in for whom: from a browser, a provider's session or a user to what a logout has to end.

    Bounded and expiring: where it is full, the oldest entry goes. Shared by all replicas where the store is. Handles, subjects and
    session ids stand there as digests. Every method raises `StoreError`.
    """

    async def remember(self, entry: SignedIn) -> None:
        """Keep until `expires_at`. It takes the place of one of the same browser, virtual proxy, registration, session and user."""

    async def of_browser(self, browser: str) -> tuple[SignedIn, ...]:
        """The live entries of one browser (`SignedIn.browser`), the newest first."""

    async def of_session(self, registration: str, notice: LogoutNotice) -> tuple[SignedIn, ...]:
        """Whom a logout at the provider means.

        With session ids: the entries of those sessions (of that subject, if it is named), and those of the subject that know no
        session id. Without: all entries of the subject. A notice that names neither means nobody.
        """

    async def of_user(self, virtual_proxy: str, user: QlikUser) -> tuple[SignedIn, ...]:
        """The live entries of one user in one virtual proxy; directory and id compare without case, as Qlik Sense compares them."""

    async def forget(self, entry: SignedIn) -> None:
        """Once all sessions of the entry have ended."""
