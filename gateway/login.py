"""THE PIPELINE: one login, from the proxy's redirect to the ticket, in this order and no other.

Start: the redirect selects one of the virtual proxy's nodes, the routing a provider, the provider says where to send
the browser. Finish: `finish` below, to be read aloud. It decides nothing by itself that has a room of its own
(`protocol`, `mapping`, `protocol.qps`), and knows nothing of HTTP servers, cookies or files.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gateway import mapping
from gateway.digests import base64url
from gateway.errors import (
    LinkRefused,
    LoginAlreadyUsed,
    LoginExpired,
    LoginLoop,
    LoginMismatch,
    Overloaded,
    ProofAlreadyUsed,
    SignInTooWeak,
    StoreError,
    StoreFailedLate,
    StoreFull,
    StoreRefused,
    StoreUnavailable,
)
from gateway.events import LoginStarted, LoginSucceeded
from gateway.mapping import AccessRule, Mapped, Subject
from gateway.model import (
    AuthModuleRedirect,
    IdpRequest,
    IdpResponse,
    LoginTransaction,
    Purpose,
    QlikUser,
    Ticket,
    TransactionId,
    VerifiedIdentity,
    Visitor,
)
from gateway.ports import Clock, Entropy, Journal, ReplayStore
from gateway.register import Register
from gateway.routing import NodeRoute, Provider, RoutingTable, VirtualProxy
from gateway.sealing import TrialLink
from gateway.strength import Strength

STATE_BYTES = 16
MOST_TICKETS = 3
LOOP_WINDOW = timedelta(minutes=1)
"""One browser gets so many tickets for a virtual proxy in this time, by logins that began one after the other."""
UNTOUCHED = (LoginExpired, LoginMismatch, Overloaded, StoreUnavailable, StoreFull, StoreRefused)
"""Errors of `finish` that leave the transaction unused, as far as anybody knows: all others have used it up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """Who signed in in a test, and by whose rules a login would go on."""

    provider: Provider
    virtual_proxy: VirtualProxy
    identity: VerifiedIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginPipeline:
    """What every login needs, whoever signs in where. `lifetime`: how long a user may take at the provider."""

    replay: ReplayStore
    clock: Clock
    entropy: Entropy
    journal: Journal
    lifetime: timedelta
    register: Register

    async def begin(
        self, table: RoutingTable, virtual_proxy: VirtualProxy, idp: str, redirect: AuthModuleRedirect, visitor: Visitor
    ) -> tuple[LoginTransaction, IdpRequest]:
        """Where to send the browser, and the login in flight to seal into its cookie. Raises `GatewayError`."""
        if visitor.tickets:
            check_loop(visitor.tickets, self.clock.now())
        node = virtual_proxy.match(redirect)
        provider = table.provider(idp)
        name, strength = self._new_id(), demanded(provider, virtual_proxy)
        request, memo = await provider.port.begin(name, strength.stepped_up() if visitor.fresh else strength)
        transaction = LoginTransaction(
            id=name,
            purpose=Purpose.LOGIN,
            virtual_proxy=virtual_proxy.name,
            node=node.name,
            idp=idp,
            registration=provider.port.registration,
            target_id=redirect.target_id,
            expires_at=self.clock.now() + self.lifetime,
            memo=memo,
            browser=visitor.browser,
            chosen=visitor.chosen,
            fresh=visitor.fresh,
            tickets=visitor.tickets,
        )
        self.journal.record(LoginStarted(virtual_proxy=virtual_proxy.name, idp=idp, transaction=name.reference))
        return transaction, request

    async def step_up(self, table: RoutingTable, transaction: LoginTransaction, weak: SignInTooWeak) -> tuple[LoginTransaction, IdpRequest]:
        """Send the browser to the provider once more, for a stronger sign-in. Raises `weak` where that was the second time."""
        if transaction.step_up:
            raise weak
        provider, virtual_proxy = table.provider(transaction.idp), table.virtual_proxy(transaction.virtual_proxy)
        name = self._new_id()
        request, memo = await provider.port.begin(name, demanded(provider, virtual_proxy).stepped_up())
        again = replace(transaction, id=name, memo=memo, expires_at=self.clock.now() + self.lifetime, step_up=True)
        if again.purpose is Purpose.LOGIN:
            started = LoginStarted(virtual_proxy=virtual_proxy.name, idp=again.idp, transaction=name.reference, step_up=True)
            self.journal.record(started)
        return again, request

    def _new_id(self) -> TransactionId:
        return TransactionId(base64url(self.entropy.token(STATE_BYTES)))

    async def finish(self, table: RoutingTable, idp: str, response: IdpResponse, transaction: LoginTransaction) -> Ticket:
        """The user's ticket. Raises `GatewayError`; except for `UNTOUCHED`, the transaction cannot be used again.

        After `SignInTooWeak`, `step_up` gives the user a second chance.
        """
        check_fresh(transaction, Purpose.LOGIN, self.clock.now())
        provider, virtual_proxy, route = check_route(table, idp, response, transaction)
        await self._claim_transaction(transaction)
        identity = await provider.port.finish(response, transaction.id, transaction.memo, demanded(provider, virtual_proxy))
        await self._claim_proof(transaction, identity)
        user = decide(provider, virtual_proxy, identity, idp).user
        await self._remember(transaction, identity, user)  # before the ticket: there is none that no logout would find
        ticket = await route.proxy.issue_ticket(user, transaction.target_id)
        self.journal.record(
            LoginSucceeded(virtual_proxy=virtual_proxy.name, idp=idp, transaction=transaction.id.reference, node=ticket.node, user=user)
        )
        return ticket

    async def begin_trial(self, table: RoutingTable, link: TrialLink) -> tuple[LoginTransaction, IdpRequest]:
        """Like `begin`, for a test sign-in: it names no node and no target, so that no ticket could come of it.

        Raises `LinkRefused`; from then on the link is used up.
        """
        provider, virtual_proxy = self.check_link(table, link)
        name = self._new_id()
        request, memo = await provider.port.begin(name, demanded(provider, virtual_proxy))
        if not await self.replay.claim(f"link:{link.id}", link.expires_at):
            raise LinkRefused("the link was used before")
        transaction = LoginTransaction(
            id=name,
            purpose=Purpose.TEST,
            virtual_proxy=link.virtual_proxy,
            node="",
            idp=link.idp,
            registration=provider.port.registration,
            target_id="",
            expires_at=self.clock.now() + self.lifetime,
            memo=memo,
        )
        return transaction, request

    async def prove(self, table: RoutingTable, idp: str, response: IdpResponse, transaction: LoginTransaction) -> Proven:
        """The first half of `finish`, for a test sign-in: who the user is, proven as strictly, and with nothing decided. Raises alike."""
        check_fresh(transaction, Purpose.TEST, self.clock.now())
        provider, virtual_proxy = check_provider(table, idp, response, transaction)
        await self._claim_transaction(transaction)
        identity = await provider.port.finish(response, transaction.id, transaction.memo, demanded(provider, virtual_proxy))
        await self._claim_proof(transaction, identity)
        return Proven(provider=provider, virtual_proxy=virtual_proxy, identity=identity)

    def check_link(self, table: RoutingTable, link: TrialLink) -> tuple[Provider, VirtualProxy]:
        """The link is not too old, and its virtual proxy offers its provider. Raises `LinkRefused`."""
        if self.clock.now() >= link.expires_at:
            raise LinkRefused(f"expired at {link.expires_at.isoformat()}")
        virtual_proxy = table.virtual_proxies.get(link.virtual_proxy)
        if virtual_proxy is None or link.idp not in virtual_proxy.identity_providers:
            raise LinkRefused(f"there is no virtual proxy {link.virtual_proxy[:63]!r} that offers {link.idp[:63]!r}")
        return table.provider(link.idp), virtual_proxy

    async def _claim_transaction(self, transaction: LoginTransaction) -> None:
        if not await self.replay.claim(f"transaction:{transaction.id.mark}", transaction.expires_at):
            raise LoginAlreadyUsed("this transaction was finished before")

    async def _claim_proof(self, transaction: LoginTransaction, identity: VerifiedIdentity) -> None:
        try:
            first = await self.replay.claim(f"proof:{transaction.registration}:{identity.proof_id}", identity.proof_expires_at)
        except StoreError as error:
            raise spent(error) from error
        if not first:
            raise ProofAlreadyUsed("the same ID token or assertion ended a login before")

    async def _remember(self, transaction: LoginTransaction, identity: VerifiedIdentity, user: QlikUser) -> None:
        try:
            await self.register.remember(transaction, identity, user, self.clock.now())
        except StoreError as error:
            raise spent(error) from error


def check_loop(tickets: Sequence[datetime], now: datetime) -> None:
    """A browser that has got several tickets within a minute and begins anew goes round in circles. Raises `LoginLoop`.

    An invalid or lost session sends it back here (Qlik "Establishing a session"), and every ticket takes up one of the few
    sessions that Qlik allows a user at once.
    """
    last = recent(tickets, now)
    if len(last) >= MOST_TICKETS:
        until = last[-MOST_TICKETS] + LOOP_WINDOW
        raise LoginLoop(f"{len(last)} tickets since {last[0].isoformat()}", retry_after=math.ceil((until - now).total_seconds()))


def recent(tickets: Sequence[datetime], now: datetime) -> tuple[datetime, ...]:
    """Those that count for a loop. What lies further ahead was given before a clock was set back."""
    return tuple(ticket for ticket in tickets if abs(now - ticket) < LOOP_WINDOW)


def spent(error: StoreError) -> StoreFailedLate:
    """What the store's failure means once the provider's answer is used up: a reload does not help."""
    return StoreFailedLate(error.detail)


def check_fresh(transaction: LoginTransaction, purpose: Purpose, now: datetime) -> None:
    """It began less than `login_lifetime` ago, and for this purpose: raises `LoginExpired`, `LoginMismatch`."""
    if transaction.purpose is not purpose:
        raise LoginMismatch(f"begun as a {transaction.purpose}, not as a {purpose}")
    if now >= transaction.expires_at:
        raise LoginExpired(f"expired at {transaction.expires_at.isoformat()}")


def check_route(
    table: RoutingTable, idp: str, response: IdpResponse, transaction: LoginTransaction
) -> tuple[Provider, VirtualProxy, NodeRoute]:
    """The login ends where it began, under the configuration of now. Raises `LoginMismatch`, `NotFound`."""
    provider, virtual_proxy = check_provider(table, idp, response, transaction)
    route = virtual_proxy.nodes.get(transaction.node)
    if route is None:
        raise LoginMismatch(f"{transaction.node} is no node of {transaction.virtual_proxy} any more")
    return provider, virtual_proxy, route


def check_provider(table: RoutingTable, idp: str, response: IdpResponse, transaction: LoginTransaction) -> tuple[Provider, VirtualProxy]:
    """The answer is of the provider that the login was sent to, as it is registered now, which has time for it.

    Raises `LoginMismatch`, `NotFound`, `Overloaded`.
    """
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
    provider.port.check_room(response)
    return provider, virtual_proxy


def demanded(provider: Provider, virtual_proxy: VirtualProxy) -> Strength:
    """How users of this provider must have signed in for this virtual proxy: what satisfies both."""
    return provider.strength.joined(virtual_proxy.strength)


def decide(provider: Provider, virtual_proxy: VirtualProxy, identity: VerifiedIdentity, idp: str) -> Mapped:
    """Who this is in Qlik Sense, and that they may come in. Raises `IdentityError`."""
    subject = Subject.of(identity)
    rules, access = virtual_proxy.rules(provider), access_rules(provider, virtual_proxy)
    mapping.check_complete(rules, access, subject)
    mapped = mapping.apply(rules, subject, idp=idp)
    mapping.check_access(access, subject, mapped.user, idp=idp)
    return mapped


def access_rules(provider: Provider, virtual_proxy: VirtualProxy) -> tuple[AccessRule, ...]:
    """All must pass: the provider's rules and the virtual proxy's."""
    return provider.access + virtual_proxy.access
