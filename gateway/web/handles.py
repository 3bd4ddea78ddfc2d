"""The handle of a browser: random, with no identity in it, so that a logout finds who signed in with it.

One cookie per browser, `SameSite=Lax`, read and set when a login starts; the answer of a provider may be a POST from another
site, where it stays behind, so each login in flight carries the handle, too. After a logout the cookie says so until the next
login has succeeded: that one asks the provider for a fresh sign-in. RFC 6265bis §4.1.3.2 for the `__Host-` prefix.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from gateway.digests import base64url
from gateway.ports import Entropy

KEPT_FOR: Final = timedelta(days=30)
SIZE: Final = 16

_VALUE: Final = re.compile(r"([A-Za-z0-9_-]{22})(\.out)?")


@dataclass(frozen=True, slots=True)
class Handle:
    """`value`: 128 random bits, base64url. `signed_out`: nobody has signed in since the last logout."""

    value: str = field(repr=False)
    signed_out: bool = False


def cookie_name(*, secure: bool) -> str:
    """Without https, which is for loopback only, there is no `__Host-`."""
    return "__Host-qgw-browser" if secure else "qgw-browser"


def read_handle(cookies: Mapping[str, str], *, secure: bool) -> Handle | None:
    """What this browser shows; None: nothing of our making."""
    match = _VALUE.fullmatch(cookies.get(cookie_name(secure=secure), ""))
    return None if match is None else Handle(match[1], signed_out=match[2] is not None)


def new_handle(entropy: Entropy) -> Handle:
    """For a browser that shows none."""
    return Handle(base64url(entropy.token(SIZE)))


def set_cookie(handle: Handle, *, secure: bool) -> str:
    """The Set-Cookie value."""
    mark = ".out" if handle.signed_out else ""
    flag = "; Secure" if secure else ""
    seconds = int(KEPT_FOR.total_seconds())
    return f"{cookie_name(secure=secure)}={handle.value}{mark}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{flag}"


def signed_out(handle: Handle) -> Handle:
    """The same browser after a logout."""
    return replace(handle, signed_out=True)
