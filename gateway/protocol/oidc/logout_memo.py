"""What a session's end at the provider will need: the ID token as a hint, or else a name for the session.

An ID token with hundreds of groups would not fit into the address that it must travel in, and a gateway remembers many
sessions. Such a token is left out; the provider then gets the session's name, and may ask the user once more.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from gateway.errors import UnreadableLogin
from gateway.model import Claims, Memo, Secret
from gateway.protocol.oidc.strict_json import NotStrictJson, read_object

_MAX_TOKEN: Final = 4_000  # characters; with the other parameters it stays below what servers accept as one line
_MAX_HINT: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutHints:
    """How a logout request names the session (RP-Initiated Logout 1.0 §2); either may be missing."""

    id_token: Secret | None
    logout_hint: str | None


def write_logout_memo(token: Secret, claims: Claims) -> Memo:
    """`login_hint` is the claim by which Entra knows the account to sign out, `sid` the session by which others do."""
    text = token.reveal()
    fits = len(text) <= _MAX_TOKEN
    named = (claims.get("login_hint"), None if fits else claims.get("sid"))
    hint = next((one for one in named if isinstance(one, str) and 0 < len(one) <= _MAX_HINT), None)
    return Memo(json.dumps({"id_token": text if fits else None, "hint": hint}))


def read_logout_memo(memo: Memo) -> LogoutHints:
    """The hints again. Raises `UnreadableLogin`: another version of the gateway wrote the memo."""
    try:
        kept = read_object(memo.encode())
        token, hint = kept["id_token"], kept["hint"]
    except (NotStrictJson, KeyError, ValueError) as error:
        raise UnreadableLogin("the memo is not one of an OpenID Connect logout") from error
    return LogoutHints(
        id_token=Secret(token) if isinstance(token, str) else None,
        logout_hint=hint if isinstance(hint, str) else None,
    )
