"""What one login must keep from the request to the answer: when it was, and a seed for its nonce and its PKCE verifier.

One secret to keep and nothing to mix up: both are HMACs of the seed under their own label, 256 bits each.
"""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from authlib.oauth2.rfc7636 import create_s256_code_challenge

from gateway.digests import base64url
from gateway.errors import UnreadableLogin
from gateway.model import Memo
from gateway.protocol.oidc.strict_json import NotStrictJson, read_object

SEED_SIZE: Final = 32
"""Bytes of entropy per login."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginSecrets:
    """`nonce` ties the ID token to this login (OIDC Core §15.5.2), `code_verifier` the code (RFC 7636 §4.1)."""

    nonce: str = field(repr=False)
    code_verifier: str = field(repr=False)

    @property
    def code_challenge(self) -> str:
        """The verifier's S256 challenge (RFC 7636 §4.2); there is no `plain`."""
        challenge: str = create_s256_code_challenge(self.code_verifier)
        return challenge


def login_secrets(seed: bytes) -> LoginSecrets:
    """The secrets of the login that began with this seed."""
    return LoginSecrets(nonce=_derive(seed, b"nonce"), code_verifier=_derive(seed, b"pkce"))


def write_memo(seed: bytes, *, asked_at: datetime) -> Memo:
    """The seed and the time, to the second, as they travel in the sealed login."""
    return Memo(json.dumps({"seed": base64url(seed), "at": int(asked_at.timestamp())}))


def read_memo(memo: Memo) -> tuple[LoginSecrets, datetime]:
    """The secrets again, and when they were made. Raises `UnreadableLogin`: another version of the gateway wrote the memo."""
    try:
        kept = read_object(memo.encode())
        seed = urlsafe_b64decode(f"{kept['seed']}=")
        asked_at = datetime.fromtimestamp(int(str(kept["at"])), UTC)
    except (NotStrictJson, KeyError, ValueError, OverflowError, OSError) as error:
        raise UnreadableLogin("the memo holds no seed or no time") from error
    if len(seed) != SEED_SIZE:
        raise UnreadableLogin("the memo's seed has a wrong size")
    return login_secrets(seed), asked_at


def _derive(seed: bytes, label: bytes) -> str:
    return base64url(hmac.digest(seed, label, "sha256"))
