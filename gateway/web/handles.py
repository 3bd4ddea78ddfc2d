"""The handle of a browser: random, with no identity in it, so that a logout finds who signed in with it.

One sealed cookie per browser, `SameSite=Lax`, read and set when a login starts; the answer of a provider may be a POST from
another site, where it stays behind, so each login in flight carries the handle, too. After a logout the cookie says so until the
next login has succeeded: that one asks the provider for a fresh sign-in. RFC 6265bis §4.1.3.2 for the `__Host-` prefix.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from gateway.digests import base64url
from gateway.errors import BrowserError
from gateway.ports import Entropy
from gateway.sealing import NONCE_SIZE, Sealer

PURPOSE: Final = "browser handle"
LONGEST: Final = 80
"""Characters of the sealed cookie."""
KEPT_FOR: Final = timedelta(days=30)
_KEPT_SECONDS: Final = int(KEPT_FOR.total_seconds())
SIZE: Final = 16

_PLAIN: Final = re.compile(rb"([A-Za-z0-9_-]{22})(\.out)?")


@dataclass(frozen=True, slots=True)
class Handle:
    """`value`: 128 random bits, base64url. `signed_out`: nobody has signed in since the last logout."""

    value: str = field(repr=False)
    signed_out: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserCookie:
    """Reads and writes it. `secure`: false only for a public URL that is http on loopback, where there is no `__Host-`."""

    sealer: Sealer
    entropy: Entropy
    secure: bool

    @property
    def name(self) -> str:
        return "__Host-qgw-browser" if self.secure else "qgw-browser"

    def read(self, cookies: Mapping[str, str]) -> Handle | None:
        """What this browser shows; None: nothing, or nothing that a key of ours has sealed."""
        name = self.name
        if name not in cookies:
            return None
        try:
            match = _PLAIN.fullmatch(self.sealer.open(cookies[name], context=name))
        except BrowserError:
            return None
        return None if match is None else Handle(match[1].decode(), signed_out=match[2] is not None)

    def mint(self) -> Handle:
        """For a browser that shows none."""
        return Handle(base64url(self.entropy.token(SIZE)))

    def issue(self, handle: Handle) -> str:
        """The Set-Cookie value, sealed anew with the key of now."""
        plain, name = handle.value + (".out" if handle.signed_out else ""), self.name
        value = self.sealer.seal(plain.encode(), context=name, nonce=self.entropy.token(NONCE_SIZE))
        return f"{name}={value}; Path=/; Max-Age={_KEPT_SECONDS}; HttpOnly; SameSite=Lax{'; Secure' if self.secure else ''}"


def signed_out(handle: Handle) -> Handle:
    """The same browser after a logout."""
    return replace(handle, signed_out=True)
