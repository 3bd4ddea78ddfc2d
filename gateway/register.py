"""The register of sign-ins: what a login leaves behind for its logout, and how the logout reads it.

What a provider's logout needs (an ID token, or a NameID with its session) is sealed: neither a store's dump nor a backup
of it shows one. This module knows nothing of who asks, or what is ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gateway.digests import digest
from gateway.errors import BrowserError
from gateway.model import LoginTransaction, Memo, QlikUser, SignedIn, VerifiedIdentity
from gateway.ports import Entropy, SessionIndex
from gateway.sealing import NONCE_SIZE, Sealer

PURPOSE: Final = "logout memo"
LONGEST_MEMO: Final = 12 * 1024
"""Bytes: a longer one is not kept, and the provider's logout goes without."""
LONGEST_SEALED_MEMO: Final = 17 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """One index, with the ring that seals in it. `lifetime`: how long a logout finds a sign-in."""

    index: SessionIndex
    sealer: Sealer
    entropy: Entropy
    lifetime: timedelta

    async def remember(self, transaction: LoginTransaction, identity: VerifiedIdentity, user: QlikUser, now: datetime) -> None:
        """Enter one sign-in. Raises `StoreError`."""
        await self.index.remember(
            SignedIn(
                browser=browser_digest(transaction.browser),
                virtual_proxy=transaction.virtual_proxy,
                idp=transaction.idp,
                registration=transaction.registration,
                session=identity.session,
                user=QlikUser(directory=user.directory, user_id=user.user_id),
                memo=self._sealed(identity.logout_memo, transaction.registration),
                signed_in_at=now,
                expires_at=now + self.lifetime,
            )
        )

    def memo(self, entry: SignedIn) -> Memo | None:
        """The provider's logout memo; None: there is none, or it was sealed with a key that is gone."""
        if entry.memo is None:
            return None
        try:
            return Memo(self.sealer.open(entry.memo, context=entry.registration).decode())
        except (BrowserError, UnicodeDecodeError):
            return None

    def _sealed(self, memo: Memo | None, registration: str) -> str | None:
        if memo is None or len(memo.encode()) > LONGEST_MEMO:
            return None
        return self.sealer.seal(memo.encode(), context=registration, nonce=self.entropy.token(NONCE_SIZE))


def browser_digest(handle: str) -> str:
    """How the index names a browser."""
    return digest(f"browser:{handle}")
