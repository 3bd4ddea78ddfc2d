"""The ID token: what a provider proves about a user (OIDC Core §2, §3.1.3.7).

`verify_id_token` reads like the specification's list. Its order is part of it: nothing is looked at before what it rests
on is proven, so that a code in the log names the first thing that was wrong.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime
from typing import Final

from gateway.errors import TokenAudience, TokenHash, TokenIssuer, TokenNonce, TokenSubject, TokenTimes
from gateway.model import Claims, IdpSession, JsonValue, Secret, VerifiedIdentity
from gateway.noun import noun
from gateway.protocol.oidc.keys import PublicKeys
from gateway.protocol.oidc.logout_memo import write_logout_memo
from gateway.protocol.oidc.registration import RelyingParty
from gateway.protocol.oidc.schemes import Scheme
from gateway.protocol.oidc.second_opinion import check_second_opinion
from gateway.protocol.oidc.signed import verify_signed
from gateway.protocol.oidc.strength import check_sign_in_time, check_strength
from gateway.strength import Strength

_WINDOW: Final = 600  # seconds: an ID token comes straight from the token endpoint; an older one comes from elsewhere
_MAX_SUBJECT: Final = 255


@noun
class Expected:
    """What this login knows, and its ID token must fit. `asked_at`: when the browser was sent to the provider.

    `logout`: the provider can be asked to end the session, so a memo for that is left: the largest part of what is kept.
    """

    nonce: str = field(repr=False)
    code: Secret
    access_token: Secret
    strength: Strength
    asked_at: datetime
    logout: bool = True


def verify_id_token(token: Secret, expected: Expected, *, rp: RelyingParty, keys: PublicKeys, now: datetime) -> VerifiedIdentity:
    """Who the user is. Raises `TokenError`; `TokenKeyUnknown` and `TokenSignature` may mean that `keys` are out of date.

    Raises `SignInTooWeak` last of all: everything else about such a token was good. The proof is known by its nonce, which
    no token of another login has, and which stays the same where somebody changes an ECDSA signature into another valid one.
    """
    signed = verify_signed(token, keys=keys, algorithms=rp.id_token_algorithms)
    claims, at, skew = signed.claims, now.timestamp(), rp.clock_skew.total_seconds()
    check_issuer(claims, rp)
    check_audience(claims, rp)
    check_authorized_party(claims, rp)
    check_times(claims, at, skew)
    check_nonce(claims, expected.nonce)
    check_hash(claims, "at_hash", expected.access_token, signed.scheme)
    check_hash(claims, "c_hash", expected.code, signed.scheme)
    subject = read_subject(claims)
    check_second_opinion(claims, rp, nonce=expected.nonce, at=at, skew=skew)
    check_strength(claims, expected.strength)
    check_sign_in_time(claims, rp, expected.strength, asked_at=expected.asked_at, now=now)
    return VerifiedIdentity(
        session=IdpSession(issuer=rp.issuer, subject=subject, session_id=_session_id(claims)),
        claims=claims,
        proof_id=expected.nonce,
        proof_expires_at=last_use(claims, skew),
        logout_memo=write_logout_memo(token, claims) if expected.logout else None,
    )


def check_issuer(claims: Claims, rp: RelyingParty) -> None:
    """OIDC Core §3.1.3.7 rule 2: `iss` is the configured issuer, to the byte."""
    if claims.get("iss") != rp.issuer:
        raise TokenIssuer(f"iss is {str(claims.get('iss'))[:200]!r}")


def check_audience(claims: Claims, rp: RelyingParty) -> None:
    """OIDC Core §3.1.3.7 rule 3: `aud` names us; it is one string or a list of strings.

    Others may be named beside us only where `azp` says that the token was issued to us (rule 4).
    """
    audience = claims.get("aud")
    if audience == rp.client_id:
        return
    named = audience if isinstance(audience, list) else [audience]
    if not all(isinstance(name, str) for name in named) or rp.client_id not in named:
        raise TokenAudience(f"aud is {str(audience)[:200]!r}")
    if any(name != rp.client_id for name in named) and claims.get("azp") is None:
        raise TokenAudience("aud names others beside us, and azp is missing")


def check_authorized_party(claims: Claims, rp: RelyingParty) -> None:
    """OIDC Core §3.1.3.7 rule 5: `azp`, where it is given, is us."""
    if claims.get("azp", rp.client_id) != rp.client_id:
        raise TokenAudience(f"azp is {str(claims.get('azp'))[:200]!r}")


def check_times(claims: Claims, at: float, skew: float) -> None:
    """OIDC Core §3.1.3.7 rules 9 and 10, RFC 7519 §4.1.4 to §4.1.6: valid now, and issued within the last ten minutes.

    `at`, `skew`: the time and what clocks may differ by, in seconds.
    """
    expires, issued = read_time(claims, "exp"), read_time(claims, "iat")
    if expires <= at - skew:
        raise TokenTimes("expired (exp)")
    if issued > at + skew:
        raise TokenTimes("issued in the future (iat)")
    if issued < at - _WINDOW:
        raise TokenTimes("issued more than ten minutes ago (iat)")
    if "nbf" in claims and read_time(claims, "nbf") > at + skew:
        raise TokenTimes("not valid yet (nbf)")


def check_nonce(claims: Claims, nonce: str) -> None:
    """OIDC Core §3.1.3.7 rule 11: the token was issued for this login. One string: a list that holds it is another thing."""
    claimed = claims.get("nonce")
    if not isinstance(claimed, str) or not _same(claimed, nonce):
        raise TokenNonce("nonce is missing or of another login")


def check_hash(claims: Claims, name: str, value: Secret, scheme: Scheme) -> None:
    """OIDC Core §3.1.3.8 (`at_hash`), §3.3.2.10 (`c_hash`): optional here, but right where it is given."""
    if name not in claims:
        return
    claimed = claims[name]
    if not isinstance(claimed, str) or not _same(claimed, scheme.half_hash(value.reveal())):
        raise TokenHash(f"{name} does not fit")


def read_subject(claims: Claims) -> str:
    """OIDC Core §2: `sub` is a string of at most 255 characters."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _MAX_SUBJECT:
        raise TokenSubject("sub is missing, empty, too long or no string")
    return subject


def _session_id(claims: Claims) -> str | None:
    sid = claims.get("sid")
    return sid if isinstance(sid, str) and sid else None


def read_time(claims: Mapping[str, JsonValue], name: str) -> int | float:
    """A NumericDate in seconds (RFC 7519 §2). Raises `TokenTimes`."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenTimes(f"{name} is missing or no number")
    return value


def _same(claimed: str, ours: str) -> bool:
    return hmac.compare_digest(claimed.encode("utf-8", "surrogatepass"), ours.encode("ascii"))


def last_use(claims: Claims, skew: float) -> datetime:
    """The first full second in which `check_times` refuses the token for good: its one-time mark need not live longer.

    The smaller is taken before anything is added: `exp` may be a number that no date can hold.
    """
    last = min(read_time(claims, "exp"), read_time(claims, "iat") + _WINDOW - skew) + skew
    return datetime.fromtimestamp(int(last) + 1, UTC)
