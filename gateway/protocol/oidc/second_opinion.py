"""authlib's opinion on the claims of an ID token that our own checks let pass.

Two programs that read one specification seldom make the same mistake, so a login needs both. authlib is asked about the
claims of OIDC Core §3.1.3.7 only, and told what to compare with: left alone it compares no `aud`. It is not asked about
`at_hash` (it knows no hash for `Ed25519`) and about claims that decide nothing here.
"""

from __future__ import annotations

from typing import Final

from authlib.oidc.core import CodeIDToken
from joserfc.errors import JoseError

from gateway.errors import TokenError
from gateway.model import Claims
from gateway.protocol.oidc.registration import RelyingParty

_DECISIVE: Final = ("iss", "sub", "aud", "azp", "exp", "iat", "nbf", "nonce")


def check_second_opinion(claims: Claims, rp: RelyingParty, *, nonce: str, at: float, skew: float) -> None:
    """Raises `TokenError` when authlib would refuse what we would accept. `at`, `skew`: in seconds."""
    token = CodeIDToken(
        {name: claims[name] for name in _DECISIVE if name in claims},
        {},
        {"iss": {"essential": True, "value": rp.issuer}, "aud": {"essential": True, "value": rp.client_id}},
        {"nonce": nonce, "client_id": rp.client_id},
    )
    try:
        token.validate(now=at, leeway=skew)
    except JoseError as error:
        raise TokenError(f"the second opinion refuses the claims ({type(error).__name__}: {error.description[:100]})") from error
