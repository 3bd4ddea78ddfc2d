"""Links to a test sign-in: minted on the management port, opened once by a browser within ten minutes.

A link holds all that it says, sealed: any replica can open it, and none keeps a list. That it is used once is the
pipeline's to see to.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from gateway.errors import BrowserError, LinkRefused
from gateway.ports import Clock, Entropy
from gateway.sealing import NONCE_SIZE, Sealer, TrialLink, open_link, seal_link

GOOD_FOR: Final = timedelta(minutes=10)
PURPOSE: Final = "test login link"
"""The sealing purpose: no cookie of a login opens as a link, and the other way round."""
_ID_SIZE: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialLinks:
    """Makes links and reads them back. `public_url`: the origin that browsers use."""

    sealer: Sealer
    public_url: str
    clock: Clock
    entropy: Entropy

    def mint(self, virtual_proxy: str, idp: str) -> tuple[str, TrialLink]:
        """A link that is good from now on, and what it says."""
        name = urlsafe_b64encode(self.entropy.token(_ID_SIZE)).rstrip(b"=").decode()
        link = TrialLink(id=name, virtual_proxy=virtual_proxy, idp=idp, expires_at=self.clock.now() + GOOD_FOR)
        token = seal_link(self.sealer, link, nonce=self.entropy.token(NONCE_SIZE))
        return f"{self.public_url}/test-login/{token}", link

    def read(self, token: str) -> TrialLink:
        """What a link says, if it is ours. Raises `LinkRefused`."""
        try:
            return open_link(self.sealer, token)
        except BrowserError as error:
            raise LinkRefused(f"{type(error).__name__}: {error.detail}") from error
