"""Which identity provider a user chose last, per virtual proxy: one cookie for all, thirty days, with no identity in it.

It holds ids of the configuration alone, so nothing is sealed; what comes back only selects among the providers that a
virtual proxy offers. SameSite=Lax: the redirect of a Qlik proxy is a navigation from another site.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

REMEMBERED_FOR: Final = timedelta(days=30)
MOST: Final = 16
"""Virtual proxies in one cookie; the one chosen for longest ago is forgotten first."""
LONGEST: Final = 2048

_ENTRY: Final = re.compile(r"([a-z0-9][a-z0-9-]{0,62}):([a-z0-9][a-z0-9-]{0,62})?(:ask)?")


@dataclass(frozen=True, slots=True)
class LastChoice:
    """`idp`: the provider of the last choice, if any. `ask`: the user wants to choose anew next time."""

    idp: str | None = None
    ask: bool = False


NO_CHOICE: Final = LastChoice()


def cookie_name(*, secure: bool) -> str:
    """The `__Host-` prefix keeps other hosts of the domain from setting it (RFC 6265bis §4.1.3.2)."""
    return "__Host-qgw-choice" if secure else "qgw-choice"


def last_choice(cookies: Mapping[str, str], virtual_proxy: str, *, secure: bool) -> LastChoice:
    """What this browser remembers for one virtual proxy."""
    return _read(cookies, secure=secure).get(virtual_proxy, NO_CHOICE)


def remember(cookies: Mapping[str, str], virtual_proxy: str, choice: LastChoice, *, secure: bool) -> str:
    """The Set-Cookie value that remembers one choice more, the others kept."""
    kept = {name: old for name, old in _read(cookies, secure=secure).items() if name != virtual_proxy}
    entries = [(virtual_proxy, choice), *kept.items()][:MOST]
    value = ".".join(f"{name}:{entry.idp or ''}{':ask' if entry.ask else ''}" for name, entry in entries)
    flag = "; Secure" if secure else ""
    seconds = int(REMEMBERED_FOR.total_seconds())
    return f"{cookie_name(secure=secure)}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{flag}"


def _read(cookies: Mapping[str, str], *, secure: bool) -> dict[str, LastChoice]:
    """The newest first. What is not of our making is left out."""
    value = cookies.get(cookie_name(secure=secure))
    found: dict[str, LastChoice] = {}
    if not value:
        return found
    for match in filter(None, map(_ENTRY.fullmatch, value[:LONGEST].split("."))):
        found.setdefault(match[1], LastChoice(idp=match[2], ask=match[3] is not None))
    return found
