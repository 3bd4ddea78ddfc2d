"""The question before a logout that another site asked for: a token for this browser and virtual proxy, good for ten minutes.

That it is used once is the pipeline's to see to.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from gateway.errors import BrowserError, ConfirmationRefused
from gateway.ports import Clock, Entropy
from gateway.sealing import NONCE_SIZE, Sealer

PURPOSE: Final = "logout confirmation"
GOOD_FOR: Final = timedelta(minutes=10)
_ID_SIZE: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmations:
    """Makes tokens and reads them back. `browser` is its handle, '' where it shows none."""

    sealer: Sealer
    clock: Clock
    entropy: Entropy

    def mint(self, virtual_proxy: str, browser: str) -> str:
        """For the form."""
        name = urlsafe_b64encode(self.entropy.token(_ID_SIZE)).decode()
        until = int((self.clock.now() + GOOD_FOR).timestamp())
        return self.sealer.seal(
            json.dumps([name, until]).encode(), context=f"{virtual_proxy} {browser}", nonce=self.entropy.token(NONCE_SIZE)
        )

    def read(self, token: str, virtual_proxy: str, browser: str) -> tuple[str, datetime]:
        """Its name and its end. Raises `ConfirmationRefused`."""
        try:
            name, until = json.loads(self.sealer.open(token, context=f"{virtual_proxy} {browser}"))
        except BrowserError as error:
            raise ConfirmationRefused(f"{type(error).__name__}: {error.detail}") from error
        end = datetime.fromtimestamp(until, UTC)
        if self.clock.now() >= end:
            raise ConfirmationRefused(f"expired at {end.isoformat()}")
        return name, end
