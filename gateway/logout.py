"""THE WAY BACK: a browser, a provider or an operator ends Qlik sessions; a browser then goes on to the provider's own session.

What ends, and what happens where a node does not do its part, is `ending`'s; whether a message is true, the provider's port's.
This module joins them in order, and knows nothing of HTTP servers and cookies.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from gateway.ending import AtNode, Ending, Errand, Origin
from gateway.errors import GatewayError, LogoutAlreadyHeard, LogoutMismatch, LogoutNotDone, NotFound, StoreError
from gateway.events import ProviderTrouble
from gateway.model import (
    IdpRequest,
    Journey,
    LogoutMessage,
    LogoutNotice,
    LogoutTransaction,
    QlikUser,
    SignedIn,
    TransactionId,
)
from gateway.ports import Clock, Entropy, Journal, ReplayStore, SingleLogout
from gateway.protocol import qps
from gateway.register import Register
from gateway.routing import RoutingTable

STATE_BYTES: Final = 16
LIFETIME: Final = timedelta(minutes=15)
"""How long a browser may take at a provider."""

Onward = tuple[LogoutTransaction, IdpRequest]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A provider's notice, and whether all that it asks for is done."""

    notice: LogoutNotice
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutPipeline:
    """What every logout needs, whoever wants it."""

    register: Register
    ending: Ending
    replay: ReplayStore
    clock: Clock
    entropy: Entropy
    journal: Journal

    async def leave(self, table: RoutingTable, journey: Journey) -> tuple[Journey, Onward | None]:
        """End what was begun with this browser: all Qlik sessions, then the session at one provider after the other.

        Called again when the browser is back from one; None: there is no further one. Raises `StoreError`.
        """
        entries = self._in_order(await self.register.index.of_browser(journey.browser), journey)
        ahead = [entry for entry in entries if entry.idp not in journey.visited]
        keep = frozenset(entry for entry in ahead if entry.idp != ahead[0].idp)  # a later provider's logout needs them yet
        here = [entry for entry in entries if entry.virtual_proxy not in journey.ended + journey.left]
        left = await self.ending.end(table, here, Origin.BROWSER, keep=keep)
        for entry in entries:
            if entry.virtual_proxy in journey.ended and entry not in keep:
                await self.register.index.forget(entry)
        names = dict.fromkeys(entry.virtual_proxy for entry in here)
        journey = replace(
            journey,
            ended=(*journey.ended, *(name for name in names if name not in left)),
            left=(*journey.left, *(name for name in names if name in left)),
        )
        return await self._onward(table, journey, ahead)

    def _in_order(self, entries: Sequence[SignedIn], journey: Journey) -> list[SignedIn]:
        """Those of before this logout; first the ones of the virtual proxy that the user wanted to leave."""
        before = [entry for entry in entries if entry.signed_in_at <= journey.began_at]
        return sorted(before, key=lambda entry: entry.virtual_proxy != journey.virtual_proxy)

    async def _onward(self, table: RoutingTable, journey: Journey, ahead: Sequence[SignedIn]) -> tuple[Journey, Onward | None]:
        """To the next provider that can end its session; those that cannot, or do not answer now, stay open."""
        for entry in ahead:
            if entry.idp in journey.visited:
                continue
            journey = replace(journey, visited=(*journey.visited, entry.idp))
            onward = await self._begin(table, journey, entry)
            if onward is not None:
                return journey, onward
            journey = replace(journey, open=(*journey.open, entry.idp))
        return journey, None

    async def _begin(self, table: RoutingTable, journey: Journey, entry: SignedIn) -> Onward | None:
        port, name = single_logout(table, entry), self._new_id()
        if port is None:
            return None
        try:
            begun = await port.begin(self.register.memo(entry), name)
        except GatewayError as error:
            self.journal.record(ProviderTrouble(idp=entry.idp, code=error.code, detail=f"logout: {error.detail}"))
            return None
        if begun is None:
            return None
        request, memo = begun
        transaction = LogoutTransaction(
            id=name,
            journey=journey,
            idp=entry.idp,
            registration=entry.registration,
            expires_at=self.clock.now() + LIFETIME,
            memo=memo,
        )
        return transaction, request

    async def came_back(
        self, table: RoutingTable, idp: str, message: LogoutMessage, transaction: LogoutTransaction
    ) -> tuple[Journey, Onward | None]:
        """The browser is back from a provider, whose answer proves itself: on to the next one. Raises `GatewayError`.

        One that answers that it did not end its session stays open, and the last page says so.
        """
        port = table.provider(idp).port
        if self.clock.now() >= transaction.expires_at:
            raise LogoutMismatch(f"expired at {transaction.expires_at.isoformat()}")
        if port.logout is None or (transaction.idp, transaction.registration) != (idp, port.registration):
            raise LogoutMismatch(f"begun with {transaction.idp} as it was registered then, answered at {idp}")
        await self._claim(transaction.id, transaction.expires_at)
        journey = transaction.journey
        try:
            await port.logout.finish(message, transaction.id, transaction.memo)
        except LogoutNotDone as error:
            self.journal.record(ProviderTrouble(idp=idp, code=error.code, detail=f"logout: {error.detail}"))
            journey = replace(journey, open=(*journey.open, idp))
        return await self.leave(table, journey)

    async def hear(self, table: RoutingTable, idp: str, message: LogoutMessage) -> Heard:
        """A provider says that sessions of its own ended: end what was begun with them. Raises `GatewayError`."""
        port = table.provider(idp).port
        if port.logout is None:
            raise NotFound(f"{idp} has no logout")
        notice = await port.logout.notice(message)
        entries = await self.register.index.of_session(port.registration, notice)  # before: a store that fails here has marked nothing
        if notice.proof_id is not None:
            await self._claim(f"{port.registration}:{notice.proof_id}", notice.proof_expires_at)
        left = await self.ending.end(table, entries, Origin.PROVIDER)
        return Heard(notice=notice, complete=not left)

    async def revoke(self, table: RoutingTable, virtual_proxy: str, user: QlikUser) -> tuple[AtNode, ...]:
        """End all sessions of a user in one virtual proxy, known or not; what every node did. Raises `IdentityError`, `NotFound`."""
        qps.check_user(user)
        table.virtual_proxy(virtual_proxy)
        try:
            entries = await self.register.index.of_user(virtual_proxy, user)
        except StoreError:  # the nodes are asked by the user's name; nothing of the store is needed for that
            entries = ()
        now = self.clock.now()
        errand = Errand(origin=Origin.OPERATOR, virtual_proxy=virtual_proxy, user=user, entries=entries, began_at=now, due_at=now)
        return await self.ending.run(table, errand)

    async def confirm(self, name: str, until: datetime) -> None:
        """A confirmation is good for one use. Raises `LogoutAlreadyHeard`, `StoreError`."""
        await self._claim(f"confirmation:{name}", until)

    async def _claim(self, proof: str, until: datetime) -> None:
        if not await self.replay.claim(f"logout:{proof}", until):
            raise LogoutAlreadyHeard("the same came before")

    def _new_id(self) -> TransactionId:
        return TransactionId(base64.urlsafe_b64encode(self.entropy.token(STATE_BYTES)).rstrip(b"=").decode())


def single_logout(table: RoutingTable, entry: SignedIn) -> SingleLogout | None:
    """The logout of the provider that signed somebody in, if it is still the same one."""
    provider = table.providers.get(entry.idp)
    if provider is None or provider.port.registration != entry.registration:
        return None
    return provider.port.logout
