"""The way back at a SAML provider: Single Logout by the steps of `protocol.saml` (Profiles §4.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from gateway.errors import LogoutUnproven, SamlError, SamlSignature
from gateway.idp.saml_metadata import MetadataSource
from gateway.model import IdpRequest, LogoutMessage, LogoutNotice, Memo, TransactionId
from gateway.ports import Clock, Entropy
from gateway.protocol import saml

T = TypeVar("T")

_ID_BYTES: Final = 20


class SamlLogout:
    """A `SingleLogout` that speaks SAML 2.0."""

    def __init__(self, *, service_provider: saml.ServiceProvider, metadata: MetadataSource, clock: Clock, entropy: Entropy) -> None:
        self._sp = service_provider
        self._metadata = metadata
        self._clock = clock
        self._entropy = entropy

    async def begin(self, memo: Memo | None, transaction: TransactionId) -> tuple[IdpRequest, Memo] | None:
        """Profiles §4.4.3.1; None where the provider has no address for it, or nobody knows any more whom to name."""
        if memo is None:
            return None
        return saml.logout_request(memo, transaction, sp=self._sp, idp=await self._metadata.current(), sent=self._stamp())

    async def finish(self, message: LogoutMessage, transaction: TransactionId, memo: Memo) -> None:
        """Profiles §4.4.3.5. `LogoutUnproven` stands for every `SamlError`."""
        sent, now = saml.read_memo(memo), self._clock.now()
        await self._judge(
            lambda idp: saml.verify_logout_response(message, transaction=transaction, sp=self._sp, idp=idp, sent=sent, now=now)
        )

    async def notice(self, message: LogoutMessage) -> LogoutNotice:
        """Profiles §4.4.3.3. `LogoutUnproven` stands for every `SamlError`."""
        now = self._clock.now()
        return await self._judge(lambda idp: saml.verify_logout_request(message, sp=self._sp, idp=idp, now=now))

    async def answer(self, notice: LogoutNotice, *, complete: bool) -> IdpRequest | None:
        """Profiles §4.4.3.4."""
        return saml.logout_response(notice, complete=complete, sp=self._sp, idp=await self._metadata.current(), sent=self._stamp())

    async def _judge(self, verify: Callable[[saml.IdentityProviderMetadata], T]) -> T:
        """A signature that does not verify may have been made with a key that is newer than our copy of the metadata."""
        try:
            known = await self._metadata.current()
            try:
                return verify(known)
            except SamlSignature:
                newer = await self._metadata.newer(known)
                if newer is known:
                    raise
            return verify(newer)
        except SamlError as error:
            raise LogoutUnproven(f"{error.code}: {error.detail}") from error

    def _stamp(self) -> saml.SentRequest:
        return saml.stamp(self._entropy.token(_ID_BYTES), self._clock.now())
