"""The way back at an OpenID provider: RP-Initiated, Back-Channel and Front-Channel Logout 1.0, by the steps of `protocol.oidc`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeAlias

from gateway.errors import LogoutUnproven, MalformedResponse, TokenError
from gateway.model import Channel, IdpRequest, LogoutMessage, LogoutNotice, Memo, Secret, TransactionId
from gateway.ports import Clock
from gateway.protocol import oidc

WithKeys: TypeAlias = Callable[[Callable[[oidc.PublicKeys, datetime], LogoutNotice]], Awaitable[LogoutNotice]]
"""Calls with the provider's keys and the time, once more with newer ones where the known ones do not do."""


class OidcLogout:
    """A `SingleLogout` that speaks OpenID Connect."""

    def __init__(
        self, *, relying_party: oidc.RelyingParty, metadata: Callable[[], Awaitable[oidc.Metadata]], keys: WithKeys, clock: Clock
    ) -> None:
        self._rp = relying_party
        self._metadata = metadata
        self._with_keys = keys
        self._clock = clock

    async def begin(self, memo: Memo | None, transaction: TransactionId) -> tuple[IdpRequest, Memo] | None:
        """RP-Initiated Logout §2; None where the provider names no address for it."""
        endpoint = (await self._metadata()).end_session_endpoint
        if endpoint is None:
            return None
        return oidc.logout_request(endpoint, rp=self._rp, memo=memo, state=transaction), Memo("")

    async def finish(self, message: LogoutMessage, transaction: TransactionId, memo: Memo) -> None:
        """RP-Initiated Logout §3: the provider says no more than that the browser is back."""
        del memo
        oidc.verify_logout_return(message.fields, state=transaction)

    async def notice(self, message: LogoutMessage) -> LogoutNotice:
        """A logout token from the back, or a frame of the provider's sign-out page. `LogoutUnproven` stands for every `TokenError`."""
        if message.channel is Channel.FRONT:
            return oidc.verify_front_channel(message.fields, rp=self._rp, now=self._clock.now())
        token = message.fields.get("logout_token")
        if message.channel is not Channel.BACK or not token:
            raise MalformedResponse("no logout_token")
        try:
            return await self._with_keys(lambda keys, now: oidc.verify_logout_token(Secret(token), rp=self._rp, keys=keys, now=now))
        except TokenError as error:
            raise LogoutUnproven(f"{error.code}: {error.detail}") from error

    async def answer(self, notice: LogoutNotice, *, complete: bool) -> IdpRequest | None:
        """Nothing goes back through the browser."""
        del notice, complete
        return None
