"""What one login must keep from the request to the answer: when it was, and its code verifier.

One secret to keep and nothing to mix up: what the browser sees of it, nonce and challenge, are two hashes of it
(OIDC Core §15.5.2, RFC 7636 §4.2), and neither tells anything of the other or of the verifier.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import field
from datetime import UTC, datetime
from typing import Final

from gateway.digests import base64url
from gateway.errors import UnreadableLogin
from gateway.model import Memo
from gateway.noun import noun

SEED_SIZE: Final = 32
"""Bytes of entropy per login."""

_MEMO: Final = re.compile(r"([A-Za-z0-9_-]{43})\.([0-9]{1,11})")  # 43: the size of a verifier; eleven digits are a date


@noun
class LoginSecrets:
    """`code_verifier` ties the code to this login (RFC 7636 §4.1): 256 bits in base64url."""

    code_verifier: str = field(repr=False)

    @property
    def nonce(self) -> str:
        """What ties the ID token to this login (OIDC Core §15.5.2)."""
        return _hash(f"nonce {self.code_verifier}")

    @property
    def code_challenge(self) -> str:
        """The verifier's S256 challenge (RFC 7636 §4.2); there is no `plain`."""
        return _hash(self.code_verifier)


def login_secrets(seed: bytes) -> LoginSecrets:
    """The secrets of the login that begins with this seed."""
    return LoginSecrets(code_verifier=base64url(seed))


def write_memo(secrets: LoginSecrets, *, asked_at: datetime) -> Memo:
    """The verifier and the time, to the second, as they travel in the sealed login."""
    return Memo(f"{secrets.code_verifier}.{int(asked_at.timestamp())}")


def read_memo(memo: Memo) -> tuple[LoginSecrets, datetime]:
    """The secrets again, and when they were made. Raises `UnreadableLogin`: another version of the gateway wrote the memo."""
    written = _MEMO.fullmatch(memo)
    if written is None:
        raise UnreadableLogin("the memo holds no verifier or no time")
    return LoginSecrets(code_verifier=written[1]), datetime.fromtimestamp(int(written[2]), UTC)


def _hash(text: str) -> str:
    return base64url(hashlib.sha256(text.encode("ascii")).digest())
