"""The userinfo endpoint: more claims about the user that the ID token proved (OIDC Core §5.3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from math import inf

from gateway.errors import ProviderAnswer, UserinfoRefused
from gateway.model import Claims, HttpRequest, HttpResponse, Secret, VerifiedIdentity
from gateway.protocol.oidc.answers import check_status, read_body
from gateway.protocol.oidc.keys import PublicKeys
from gateway.protocol.oidc.registration import RelyingParty
from gateway.protocol.oidc.signed import verify_signed


def userinfo_request(endpoint: str, access_token: Secret) -> HttpRequest:
    """OIDC Core §5.3.1: by GET, with the access token in the header (RFC 6750 §2.1)."""
    headers = {"Authorization": f"Bearer {access_token.reveal()}", "Accept": "application/json, application/jwt"}
    return HttpRequest(method="GET", url=endpoint, headers=headers)


def verify_userinfo(
    response: HttpResponse, identity: VerifiedIdentity, *, rp: RelyingParty, keys: PublicKeys, now: datetime
) -> VerifiedIdentity:
    """The identity with the claims that userinfo adds; none of the ID token's is replaced.

    Raises `UserinfoRefused`, and `TokenError` where a signed answer is refused.
    """
    claims = read_userinfo(response, rp=rp, keys=keys, now=now)
    check_same_subject(claims, identity)
    return replace(identity, claims={**claims, **identity.claims})


def read_userinfo(response: HttpResponse, *, rp: RelyingParty, keys: PublicKeys, now: datetime) -> Claims:
    """OIDC Core §5.3.2: a JSON object, or a JWT that is signed like an ID token."""
    try:
        check_status(response)
        if response.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/jwt":
            return read_body(response)
    except ProviderAnswer as error:
        raise UserinfoRefused(error.detail) from error
    token = Secret(response.body.decode("ascii", "replace").strip())
    claims = verify_signed(token, keys=keys, algorithms=rp.id_token_algorithms).claims
    check_signed_for_us(claims, rp)
    check_not_expired(claims, now, rp)
    return claims


def check_signed_for_us(claims: Claims, rp: RelyingParty) -> None:
    """OIDC Core §5.3.2: a signed answer names the issuer and us, for nothing else ties it to this provider and client."""
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    if claims.get("iss") != rp.issuer or rp.client_id not in named:
        raise UserinfoRefused("the signed answer is of another issuer or for another client")


def check_not_expired(claims: Claims, now: datetime, rp: RelyingParty) -> None:
    """RFC 7519 §4.1.4: a signed answer need not expire, but where it does, it has not."""
    expires = claims.get("exp", inf)
    if isinstance(expires, bool) or not isinstance(expires, int | float):
        raise UserinfoRefused("exp of the signed answer is no number")
    if expires <= now.timestamp() - rp.clock_skew.total_seconds():
        raise UserinfoRefused("the signed answer has expired")


def check_same_subject(claims: Claims, identity: VerifiedIdentity) -> None:
    """OIDC Core §5.3.4: `sub` is the ID token's; an answer without it says nothing about anybody."""
    if claims.get("sub") != identity.session.subject:
        raise UserinfoRefused("sub is missing or of another user")
