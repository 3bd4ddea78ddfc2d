"""The end of a session, both ways: RP-Initiated, Back-Channel and Front-Channel Logout 1.0 (OpenID Foundation, 2022).

A logout token is proven like an ID token and then by rules of its own; a front-channel call proves nothing, and is
believed as far as it names a session of the provider whose name only the provider and we know.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from gateway.errors import LogoutError, LogoutEvent, LogoutSubject, LogoutUnmarked
from gateway.model import Claims, LogoutNotice, Memo, Redirect, Secret, TransactionId
from gateway.protocol.oidc.authorization import check_state
from gateway.protocol.oidc.id_token import (
    check_audience,
    check_authorized_party,
    check_issuer,
    check_times,
    last_use,
    read_subject,
    read_time,
)
from gateway.protocol.oidc.keys import PublicKeys
from gateway.protocol.oidc.logout_memo import read_logout_memo
from gateway.protocol.oidc.registration import RelyingParty
from gateway.protocol.oidc.signed import JWT, verify_signed

LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
"""The member of `events` that makes a token a logout token (Back-Channel Logout §2.4)."""

_TYPES: Final = JWT | {"logout+jwt", "application/logout+jwt"}
_LIFETIME: Final = 120  # seconds: the longest that Back-Channel Logout §2.4 recommends
_MAX_ID: Final = 1_000  # characters of a `jti` or a `sid`


def logout_request(endpoint: str, *, rp: RelyingParty, memo: Memo | None, state: TransactionId) -> Redirect:
    """Send the browser to end its session at the provider (RP-Initiated Logout §2). Raises `UnreadableLogin`.

    By GET: a provider that knows its session by a SameSite=Lax cookie would not get that one with a POST.
    """
    hints = None if memo is None else read_logout_memo(memo)
    values = {
        "id_token_hint": None if hints is None or hints.id_token is None else hints.id_token.reveal(),
        "logout_hint": None if hints is None else hints.logout_hint,
        "client_id": rp.client_id,
        "post_logout_redirect_uri": rp.post_logout_redirect_uri,
        "state": None if rp.post_logout_redirect_uri is None else state,
    }
    query = urlencode({name: value for name, value in values.items() if value is not None})
    return Redirect(url=f"{endpoint}{'&' if '?' in endpoint else '?'}{query}")


def verify_logout_return(fields: Mapping[str, str], *, state: TransactionId) -> None:
    """The browser is back from the request with this `state` (RP-Initiated Logout §3). Raises `MalformedResponse`, `NoLoginInFlight`."""
    check_state(fields, state)


def verify_logout_token(token: Secret, *, rp: RelyingParty, keys: PublicKeys, now: datetime) -> LogoutNotice:
    """Whose session the provider has ended (Back-Channel Logout §2.6). `now`: aware, UTC.

    Raises `TokenError`, of which `TokenKeyUnknown` and `TokenSignature` may mean that `keys` are out of date; `LogoutEvent`,
    `LogoutSubject`, `LogoutUnmarked`. Whatever the bytes, nothing else. What is left to the caller: it is acted upon once (`proof_id`).
    """
    claims = verify_signed(token, keys=keys, algorithms=rp.id_token_algorithms, types=_TYPES).claims
    timed, skew = with_end(claims, rp), rp.clock_skew.total_seconds()
    check_issuer(claims, rp)
    check_audience(claims, rp)
    check_authorized_party(claims, rp)
    check_times(timed, now.timestamp(), skew)
    check_named(claims)
    check_event(claims)
    check_no_nonce(claims)
    return LogoutNotice(
        issuer=rp.issuer,
        subject=read_subject(claims) if "sub" in claims else None,
        session_ids=read_session_ids(claims),
        proof_id=read_proof_id(claims, rp),
        proof_expires_at=last_use(timed, skew),
    )


def with_end(claims: Claims, rp: RelyingParty) -> Claims:
    """The claims, with an `exp` where the registration tolerates that there is none (§2.4 requires it). Raises `TokenTimes`."""
    if "exp" in claims or not rp.allow_logout_token_without_exp:
        return claims
    return {**claims, "exp": read_time(claims, "iat") + _LIFETIME}


def check_named(claims: Claims) -> None:
    """§2.6 rule 5: `sub`, `sid` or both. Raises `LogoutSubject`."""
    if "sub" not in claims and "sid" not in claims:
        raise LogoutSubject("neither sub nor sid")


def check_event(claims: Claims) -> None:
    """§2.6 rule 6: `events` is an object with the logout event, whose value is an object (§2.4). Raises `LogoutEvent`."""
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
        raise LogoutEvent("events holds no logout event")


def check_no_nonce(claims: Claims) -> None:
    """§2.6 rule 7: whatever its value; so that no logout token can pass for an ID token. Raises `LogoutEvent`."""
    if "nonce" in claims:
        raise LogoutEvent("a nonce")


def read_session_ids(claims: Claims) -> tuple[str, ...]:
    """The provider's session (§2.4 `sid`); none: every session of that subject. Raises `LogoutSubject`."""
    if "sid" not in claims:
        return ()
    return (check_id("sid", claims["sid"], LogoutSubject),)


def read_proof_id(claims: Claims, rp: RelyingParty) -> str:
    """§2.4 `jti`: the token's mark for one-time use, as a digest with whose and for whom it is. Raises `LogoutUnmarked`."""
    mark = check_id("jti", claims.get("jti"), LogoutUnmarked)
    return hashlib.sha256(json.dumps([rp.issuer, rp.client_id, mark]).encode()).hexdigest()


def verify_front_channel(fields: Mapping[str, str], *, rp: RelyingParty, now: datetime) -> LogoutNotice:
    """Whose session a frame of the provider's sign-out page names (Front-Channel Logout §2). Raises `LogoutSubject`.

    Nothing is proven: without `iss` and `sid` nothing is done, and there is nothing to use up. `now`: aware, UTC.
    """
    issuer, session = fields.get("iss"), fields.get("sid")
    if issuer is None or session is None:
        raise LogoutSubject("iss or sid is missing")
    if issuer != rp.issuer:
        raise LogoutSubject(f"iss is {issuer[:200]!r}")
    return LogoutNotice(
        issuer=rp.issuer,
        subject=None,
        session_ids=(check_id("sid", session, LogoutSubject),),
        proof_id=None,
        proof_expires_at=now,
    )


def check_id(name: str, value: object, error: type[LogoutError]) -> str:
    """A value that can be used as a key: some characters, not too many. Raises `error`."""
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_ID:
        raise error(f"{name} is missing, empty, too long or no string")
    return value
