"""THE PIPELINE: one login, from the proxy's redirect to the ticket, in this order and no other.

Start: the redirect selects one of the virtual proxy's nodes, the routing a provider, the provider says where to send
the browser. Finish: `finish` below, to be read aloud. It decides nothing by itself that has a room of its own
(`protocol`, `mapping`, `protocol.qps`), and knows nothing of HTTP servers, cookies or files.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway import mapping
from gateway.errors import LoginAlreadyUsed, LoginExpired, LoginMismatch, ProofAlreadyUsed, StoreError
from gateway.mapping import AccessRule, Mapped, Subject
from gateway.model import (
    AuthModuleRedirect,
    IdpRequest,
    IdpResponse,
    LoginStarted,
    LoginSucceeded,
    LoginTransaction,
    Purpose,
    Ticket,
    TransactionId,
    VerifiedIdentity,
)
from gateway.ports import Clock, Entropy, Journal, ReplayStore
from gateway.routing import NodeRoute, Provider, RoutingTable, VirtualProxy

STATE_BYTES = 16
UNTOUCHED = (LoginExpired, LoginMismatch, StoreError)
"""Errors of `finish` that leave the transaction unused: all others have used it up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginPipeline:
    """What every login needs, whoever signs in where. `lifetime`: how long a user may take at the provider."""

    replay: ReplayStore
    clock: Clock
    entropy: Entropy
    journal: Journal
    lifetime: timedelta

    async def begin(
        self, table: RoutingTable, virtual_proxy: VirtualProxy, idp: str, redirect: AuthModuleRedirect
    ) -> tuple[LoginTransaction, IdpRequest]:
        """Where to send the browser, and the login in flight to seal into its cookie. Raises `GatewayError`."""
        node = virtual_proxy.match(redirect)
        provider = table.provider(idp).port
        name = TransactionId(base64.urlsafe_b64encode(self.entropy.token(STATE_BYTES)).rstrip(b"=").decode())
        request, memo = await provider.begin(name)
        transaction = LoginTransaction(
            id=name,
            purpose=Purpose.LOGIN,
            virtual_proxy=virtual_proxy.name,
            node=node.name,
            idp=idp,
            registration=provider.registration,
            target_id=redirect.target_id,
            expires_at=self.clock.now() + self.lifetime,
            memo=memo,
        )
        self.journal.record(LoginStarted(virtual_proxy=virtual_proxy.name, idp=idp, transaction=reference(name)))
        return transaction, request

    async def finish(self, table: RoutingTable, idp: str, response: IdpResponse, transaction: LoginTransaction) -> Ticket:
        """The user's ticket. Raises `GatewayError`; except for `UNTOUCHED`, the transaction cannot be used again."""
        check_fresh(transaction, self.clock.now())
        provider, virtual_proxy, route = check_route(table, idp, response, transaction)
        await self._claim_transaction(transaction)
        identity = await provider.port.finish(response, transaction.id, transaction.memo)
        await self._claim_proof(transaction, identity)
        mapped = decide(provider, virtual_proxy, identity, idp)
        ticket = await route.proxy.issue_ticket(mapped.user, transaction.target_id)
        self.journal.record(
            LoginSucceeded(
                virtual_proxy=virtual_proxy.name, idp=idp, transaction=reference(transaction.id), node=ticket.node, user=mapped.user
            )
        )
        return ticket

    async def _claim_transaction(self, transaction: LoginTransaction) -> None:
        if not await self.replay.claim(f"transaction:{digest(transaction.id)}", transaction.expires_at):
            raise LoginAlreadyUsed("this transaction was finished before")

    async def _claim_proof(self, transaction: LoginTransaction, identity: VerifiedIdentity) -> None:
        if not await self.replay.claim(f"proof:{transaction.registration}:{digest(identity.proof_id)}", identity.proof_expires_at):
            raise ProofAlreadyUsed("the same ID token or assertion ended a login before")


def check_fresh(transaction: LoginTransaction, now: datetime) -> None:
    """The login began less than `login_lifetime` ago, and is one (not a test): raises `LoginExpired`, `LoginMismatch`."""
    if transaction.purpose is not Purpose.LOGIN:
        raise LoginMismatch(f"begun as a {transaction.purpose}, not as a login")
    if now >= transaction.expires_at:
        raise LoginExpired(f"expired at {transaction.expires_at.isoformat()}")


def check_route(
    table: RoutingTable, idp: str, response: IdpResponse, transaction: LoginTransaction
) -> tuple[Provider, VirtualProxy, NodeRoute]:
    """The login ends where it began, under the configuration of now. Raises `LoginMismatch`, `NotFound`."""
    provider = table.provider(idp)
    if transaction.idp != idp:
        raise LoginMismatch(f"begun with {transaction.idp}, answered at {idp}")
    if transaction.registration != provider.port.registration:
        raise LoginMismatch(f"{idp} has another issuer or client id by now")
    if response.binding is not provider.port.binding:
        raise LoginMismatch(f"{idp} answers by {provider.port.binding}, this came by {response.binding}")
    virtual_proxy = table.virtual_proxies.get(transaction.virtual_proxy)
    if virtual_proxy is None or idp not in virtual_proxy.identity_providers:
        raise LoginMismatch(f"virtual proxy {transaction.virtual_proxy} does not offer {idp} any more")
    route = virtual_proxy.nodes.get(transaction.node)
    if route is None:
        raise LoginMismatch(f"{transaction.node} is no node of {transaction.virtual_proxy} any more")
    return provider, virtual_proxy, route


def decide(provider: Provider, virtual_proxy: VirtualProxy, identity: VerifiedIdentity, idp: str) -> Mapped:
    """Who this is in Qlik Sense, and that they may come in. Raises `IdentityError`."""
    subject = Subject.of(identity)
    mapped = mapping.apply(provider.rules, subject, idp=idp)
    mapping.check_access(access_rules(provider, virtual_proxy), subject, mapped.user, idp=idp)
    return mapped


def access_rules(provider: Provider, virtual_proxy: VirtualProxy) -> list[AccessRule]:
    """Both must pass: the provider's rule and the virtual proxy's."""
    return [rule for rule in (provider.access, virtual_proxy.access) if rule is not None]


def digest(value: str) -> str:
    """A key for the store: nothing that came from a provider stands there in clear."""
    return base64.urlsafe_b64encode(hashlib.sha256(value.encode()).digest()[:18]).decode()


def reference(transaction: TransactionId) -> str:
    """How logs name a login: tells two apart, gives neither away."""
    return digest(f"reference:{transaction}")[:12]
