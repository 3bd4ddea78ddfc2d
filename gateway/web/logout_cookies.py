"""The sealed cookie of a logout that has gone on to a provider: one per browser, for a quarter of an hour.

The answer may be a POST from the provider's site, so it is SameSite=None wherever that is possible: what it holds is sealed,
and good for nothing but to finish this one journey.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.errors import BrowserError, NoLogoutInFlight
from gateway.model import LogoutTransaction
from gateway.ports import Clock, Entropy
from gateway.sealing import NONCE_SIZE, Sealer, open_logout, seal_logout

PURPOSE: Final = "logout in flight"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutCookie:
    """Reads and writes it. `secure`: false only for a public URL that is http on loopback."""

    sealer: Sealer
    clock: Clock
    entropy: Entropy
    secure: bool

    @property
    def name(self) -> str:
        return ("__Host-" if self.secure else "") + "qgw-logout"

    def read(self, cookies: Mapping[str, str], state: str) -> LogoutTransaction:
        """The logout that this browser began under that state. Raises `NoLogoutInFlight`."""
        if self.name not in cookies:
            raise NoLogoutInFlight("no cookie of a logout in this browser")
        try:
            transaction = open_logout(self.sealer, cookies[self.name], context=self.name)
        except BrowserError as error:
            raise NoLogoutInFlight(f"{type(error).__name__}: {error.detail}") from error
        if transaction.id != state:
            raise NoLogoutInFlight("the cookie belongs to another state")
        return transaction

    def issue(self, transaction: LogoutTransaction) -> str:
        """The Set-Cookie value for a browser that goes on to a provider."""
        value = seal_logout(self.sealer, transaction, context=self.name, nonce=self.entropy.token(NONCE_SIZE))
        return self._line(value, int((transaction.expires_at - self.clock.now()).total_seconds()))

    def removal(self) -> str:
        """The Set-Cookie value once it is back."""
        return self._line("", 0)

    def _line(self, value: str, seconds: int) -> str:
        ending = "SameSite=None; Secure" if self.secure else "SameSite=Lax"
        return f"{self.name}={value}; Path=/; Max-Age={seconds}; HttpOnly; {ending}"
