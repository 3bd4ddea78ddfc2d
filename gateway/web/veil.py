"""Takes out of what a test sign-in shows whatever opens something elsewhere: tokens, secrets, passwords.

A provider may put them into claims, such as the access token of a distributed claim (OIDC Core §5.6.2), and a mapping may
carry them on from there. Time grows with the length of what is shown, whoever wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

from gateway.model import Claims, JsonValue

HIDDEN: Final = "(not shown)"
TOO_DEEP: Final = "(nested too deep to be shown)"
DEEPEST: Final = 40
"""Levels; the gate before the rules refuses fewer."""

_CARRIERS: Final = ("token", "tokens", "jwt", "idtokenhint", "assertion", "secret", "secrets", "password", "apikey", "privatekey")
"""How a member's name ends that carries one, whatever stands before it and however its words are joined."""
_CODE: Final = frozenset({"code", "authorizationcode"})
_COMPACT: Final = re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*){2,}")
"""What may hold a JWS or JWE in compact form (RFC 7515 §7.1, RFC 7516 §7.1): begun at borders only, so that no text is slow."""
_HEADER: Final = re.compile(r"e[yw][A-Za-z0-9_-]{8}")
"""The first part of one is JSON, which begins like this in base64url."""
_SHORTEST_TOKEN: Final = 40
_SHORTEST_SECRET: Final = 6
_MOST_SECRETS: Final = 20
"""So many are looked for inside other texts; all of them where they stand alone."""


@dataclass(frozen=True, slots=True)
class Veil:
    """`secrets`: what the claims carried. `sought`: the longest of them."""

    secrets: frozenset[str]
    sought: tuple[str, ...]

    @classmethod
    def over(cls, claims: Claims) -> Self:
        """A veil for everything that these claims may come to."""
        secrets = frozenset(_carried(dict(claims)))
        return cls(secrets, tuple(sorted(secrets, key=lambda secret: (-len(secret), secret))[:_MOST_SECRETS]))

    def text(self, text: str) -> str:
        """A text as it may be shown; half a character, which no page can carry, as its number."""
        if text in self.secrets:
            return HIDDEN
        text = _COMPACT.sub(_uncover, text.encode("utf-8", "backslashreplace").decode())
        for secret in self.sought:
            text = text.replace(secret, HIDDEN)
        return text

    def value(self, value: JsonValue, name: str = "", depth: int = 1) -> JsonValue:
        """A claim, or what came of it, as it may be shown."""
        if _carries(name):
            return HIDDEN
        if depth > DEEPEST:
            return TOO_DEEP
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(key): self.value(inner, key, depth + 1) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.value(inner, depth=depth + 1) for inner in value]
        return value


def _uncover(found: re.Match[str]) -> str:
    return HIDDEN if len(found[0]) >= _SHORTEST_TOKEN and _HEADER.search(found[0]) else found[0]


def _carries(name: str) -> bool:
    plain = re.sub("[^a-z0-9]", "", name.lower())
    return plain in _CODE or plain.endswith(_CARRIERS)


def _carried(value: JsonValue, *, carried: bool = False, depth: int = 1) -> Iterator[str]:
    """Every text below a member that carries secrets."""
    if depth > DEEPEST:
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _carried(inner, carried=carried or _carries(name), depth=depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _carried(inner, carried=carried, depth=depth + 1)
    elif carried and isinstance(value, str) and len(value) >= _SHORTEST_SECRET:
        yield value
