"""Every way to bring a wrong logout token, each a good one with one thing changed, and the code that it ends in.

The rules are those of Back-Channel Logout 1.0 §2.4 and §2.6, by whose numbers the tests are sorted.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import (
    GatewayError,
    LogoutEvent,
    LogoutSubject,
    LogoutUnmarked,
    TokenAlgorithm,
    TokenAudience,
    TokenIssuer,
    TokenKeyUnknown,
    TokenMalformed,
    TokenSignature,
    TokenSubject,
    TokenTimes,
    TokenType,
)
from gateway.model import LogoutNotice, Secret
from gateway.protocol import oidc
from gateway.strength import Strength
from tests.protocol.oidc.forge import (
    ISSUER,
    LOGOUT_EVENT,
    NONCE,
    NOW,
    base64url,
    ec_key,
    ed_key,
    good_logout_claims,
    good_logout_token,
    good_token,
    jwk,
    jwks,
    relying_party,
    rsa_key,
    signing_input,
)

T = int(NOW.timestamp())
KEYS = jwks(jwk(rsa_key()))


def verify(token: object, *, keys: oidc.PublicKeys = KEYS, **changes: Any) -> LogoutNotice:
    return oidc.verify_logout_token(Secret(str(token)), rp=relying_party(**changes), keys=keys, now=NOW)


def refused(error: type[GatewayError], token: object, **how: Any) -> None:
    with pytest.raises(GatewayError) as caught:
        verify(token, **how)
    assert caught.value.code == error.code, caught.value.detail


def test_the_good_token_passes() -> None:
    notice = verify(good_logout_token())
    assert (notice.issuer, notice.subject, notice.session_ids, notice.reply) == (ISSUER, "alice", ("session-1",), None)


# ---- rules 2 and 3: signed like an ID token, never unsigned --------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE"])
@pytest.mark.parametrize("end", [".", ".AAAA"])
def test_an_unsigned_token_is_refused(algorithm: str, end: str) -> None:
    refused(TokenAlgorithm, signing_input({"alg": algorithm, "kid": "k1", "typ": "logout+jwt"}, good_logout_claims()) + end)


def test_a_token_signed_with_the_public_key_as_a_shared_secret_is_refused() -> None:
    message = signing_input({"alg": "HS256", "kid": "k1", "typ": "logout+jwt"}, good_logout_claims())
    secret = rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    refused(TokenAlgorithm, f"{message}.{base64url(hmac.digest(secret, message.encode(), hashlib.sha256))}")


def test_a_token_of_another_algorithm_than_the_pinned_one_is_refused() -> None:
    keys = jwks(jwk(rsa_key()), jwk(ec_key(), "k2"))
    refused(TokenAlgorithm, good_logout_token("ES256", ec_key(), {"kid": "k2"}), keys=keys)


def test_a_token_of_another_key_is_refused() -> None:
    refused(TokenSignature, good_logout_token(key=rsa_key("evil")))


def test_a_token_of_a_key_that_nobody_published_is_refused() -> None:
    refused(TokenKeyUnknown, good_logout_token(key=rsa_key("evil"), header={"kid": "evil"}))


def test_a_token_that_brings_its_own_key_is_refused() -> None:
    refused(TokenSignature, good_logout_token(key=rsa_key("evil"), header={"jwk": jwk(rsa_key("evil"))}))


def test_claims_that_were_changed_after_signing_are_refused() -> None:
    head, _, tail = str(good_logout_token()).split(".")
    refused(TokenSignature, f"{head}.{base64url(json.dumps(good_logout_claims(sub='bob')).encode())}.{tail}")


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
def test_every_pinned_algorithm_verifies(algorithm: str) -> None:
    key: Any = {"ES256": ec_key(), "EdDSA": ed_key()}.get(algorithm, rsa_key())
    assert verify(good_logout_token(algorithm, key), keys=jwks(jwk(key)), id_token_algorithms=(algorithm,)).subject == "alice"


# ---- §2.4: what kind of token it says that it is ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["logout+jwt", "LOGOUT+JWT", "application/logout+jwt", "JWT", "jwt", ...])
def test_a_token_that_says_what_it_is_or_nothing_passes(kind: Any) -> None:
    """Explicit typing is recommended, not required."""
    assert verify(good_logout_token(header={"typ": kind}))


@pytest.mark.parametrize("kind", ["at+jwt", "secevent+jwt", "dpop+jwt", "JOSE", "", 7, None, ["logout+jwt"]])
def test_a_token_that_says_it_is_something_else_is_refused(kind: Any) -> None:
    refused(TokenType, good_logout_token(header={"typ": kind}))


def test_a_token_whose_header_demands_an_extension_is_refused() -> None:
    refused(TokenMalformed, good_logout_token(header={"crit": ["x"], "x": 1}))


# ---- rules 4 to 7: claims, one changed at a time -----------------------------------------------------------------------------

OTHER_CLAIMS = [
    pytest.param({"iss": "https://evil.example"}, TokenIssuer, id="iss of another provider"),
    pytest.param({"iss": ...}, TokenIssuer, id="iss missing"),
    pytest.param({"iss": [ISSUER]}, TokenIssuer, id="iss as a list"),
    pytest.param({"iss": ISSUER + "/"}, TokenIssuer, id="iss with a slash more"),
    pytest.param({"aud": "other"}, TokenAudience, id="aud another client"),
    pytest.param({"aud": ...}, TokenAudience, id="aud missing"),
    pytest.param({"aud": []}, TokenAudience, id="aud empty"),
    pytest.param({"aud": ["gateway", "other"]}, TokenAudience, id="aud us and another, azp missing"),
    pytest.param({"aud": "other", "azp": "gateway"}, TokenAudience, id="aud another client, azp us"),
    pytest.param({"azp": "other"}, TokenAudience, id="azp another client"),
    pytest.param({"iat": ...}, TokenTimes, id="iat missing"),
    pytest.param({"iat": str(T)}, TokenTimes, id="iat a string"),
    pytest.param({"iat": True}, TokenTimes, id="iat a boolean"),
    pytest.param({"iat": T + 61}, TokenTimes, id="issued in the future"),
    pytest.param({"iat": T - 601}, TokenTimes, id="issued more than ten minutes ago"),
    pytest.param({"iat": 10**400}, TokenTimes, id="iat beyond any date"),
    pytest.param({"exp": ...}, TokenTimes, id="exp missing"),
    pytest.param({"exp": None}, TokenTimes, id="exp null"),
    pytest.param({"exp": str(T + 60)}, TokenTimes, id="exp a string"),
    pytest.param({"exp": T - 60}, TokenTimes, id="expired to the second of the skew"),
    pytest.param({"nbf": T + 61}, TokenTimes, id="not valid yet"),
    pytest.param({"sub": ..., "sid": ...}, LogoutSubject, id="neither sub nor sid"),
    pytest.param({"sub": ""}, TokenSubject, id="sub empty"),
    pytest.param({"sub": ["alice"]}, TokenSubject, id="sub a list"),
    pytest.param({"sub": None}, TokenSubject, id="sub null"),
    pytest.param({"sub": "a" * 256}, TokenSubject, id="sub too long"),
    pytest.param({"sid": ""}, LogoutSubject, id="sid empty"),
    pytest.param({"sid": None}, LogoutSubject, id="sid null"),
    pytest.param({"sid": 7}, LogoutSubject, id="sid a number"),
    pytest.param({"sid": ["session-1"]}, LogoutSubject, id="sid a list"),
    pytest.param({"sid": "s" * 1001}, LogoutSubject, id="sid too long"),
    pytest.param({"events": ...}, LogoutEvent, id="events missing"),
    pytest.param({"events": None}, LogoutEvent, id="events null"),
    pytest.param({"events": {}}, LogoutEvent, id="events empty"),
    pytest.param({"events": LOGOUT_EVENT}, LogoutEvent, id="events a string"),
    pytest.param({"events": [LOGOUT_EVENT]}, LogoutEvent, id="events a list"),
    pytest.param({"events": {LOGOUT_EVENT + "/": {}}}, LogoutEvent, id="another event"),
    pytest.param({"events": {LOGOUT_EVENT.replace("http:", "https:"): {}}}, LogoutEvent, id="the event by https"),
    pytest.param({"events": {LOGOUT_EVENT: None}}, LogoutEvent, id="the event null"),
    pytest.param({"events": {LOGOUT_EVENT: []}}, LogoutEvent, id="the event a list"),
    pytest.param({"events": {LOGOUT_EVENT: True}}, LogoutEvent, id="the event true"),
    pytest.param({"events": {LOGOUT_EVENT: "{}"}}, LogoutEvent, id="the event a string"),
    pytest.param({"nonce": NONCE}, LogoutEvent, id="a nonce"),
    pytest.param({"nonce": ""}, LogoutEvent, id="an empty nonce"),
    pytest.param({"nonce": None}, LogoutEvent, id="a nonce of null"),
    pytest.param({"jti": ...}, LogoutUnmarked, id="jti missing"),
    pytest.param({"jti": ""}, LogoutUnmarked, id="jti empty"),
    pytest.param({"jti": 7}, LogoutUnmarked, id="jti a number"),
    pytest.param({"jti": "j" * 1001}, LogoutUnmarked, id="jti too long"),
]


@pytest.mark.parametrize(("change", "error"), OTHER_CLAIMS)
def test_a_wrong_claim_is_refused(change: dict[str, Any], error: type[GatewayError]) -> None:
    refused(error, good_logout_token(**change))


def test_an_id_token_is_no_logout_token() -> None:
    refused(LogoutEvent, good_token(sid="session-1", jti="j"))


def test_a_logout_token_is_no_id_token() -> None:
    """§2.4: that is what the missing nonce is for."""
    expected = oidc.Expected(nonce="", code=Secret("c"), access_token=Secret("a"), strength=Strength(), asked_at=NOW)
    for header in ({}, {"typ": "JWT"}):
        with pytest.raises(GatewayError):
            oidc.verify_id_token(Secret(str(good_logout_token(header=header))), expected, rp=relying_party(), keys=KEYS, now=NOW)


@pytest.mark.parametrize(
    "payload", [b"[]", b"7", b"{", b'{"iss": "a", "iss": "b"}', b'{"exp": NaN}', b"\xff", b"{" * 5000, b""], ids=lambda one: str(one[:20])
)
def test_a_payload_that_is_not_one_strict_object_is_refused(payload: bytes) -> None:
    token = good_logout_token()
    token.payload = payload
    refused(TokenMalformed, token)


@pytest.mark.parametrize("token", ["", ".", "..", "a.b", "a.b.c.d", "a.b.c.d.e", "é.é.é", "x" * 64_001, "\x00"])
def test_what_is_no_token_is_refused(token: str) -> None:
    refused(TokenMalformed, token)


@given(st.text(max_size=200))
def test_whatever_is_sent_ends_in_a_refusal_and_nothing_else(token: str) -> None:
    with pytest.raises(GatewayError):
        verify(token)


# ---- rule 8: used once ---------------------------------------------------------------------------------------------------------


def test_the_same_token_has_the_same_mark_whatever_its_signature() -> None:
    """An ECDSA signature differs from time to time; the claims are the token."""
    keys, how = jwks(jwk(ec_key())), {"id_token_algorithms": ("ES256",)}
    first, second = good_logout_token("ES256", ec_key()), good_logout_token("ES256", ec_key(), {"typ": "JWT"})
    assert str(first) != str(second)
    assert verify(first, keys=keys, **how).proof_id == verify(second, keys=keys, **how).proof_id


def test_another_token_has_another_mark() -> None:
    assert verify(good_logout_token()).proof_id != verify(good_logout_token(jti="logout-2")).proof_id


def test_two_clients_of_one_provider_have_marks_of_their_own() -> None:
    other = verify(good_logout_token(aud="other"), client_id="other")
    assert verify(good_logout_token()).proof_id != other.proof_id


def test_the_mark_lives_as_long_as_the_token_could_be_sent_again() -> None:
    """To the last second that `exp` and the skew allow, and no longer than ten minutes after `iat`, whatever `exp` says."""
    assert verify(good_logout_token(iat=T, exp=T + 120)).proof_expires_at.timestamp() == T + 181
    assert verify(good_logout_token(iat=T, exp=T + 10**9)).proof_expires_at.timestamp() == T + 601


# ---- tolerance, by a setting that says so ------------------------------------------------------------------------------------------


def test_a_token_without_exp_is_taken_for_two_minutes_where_the_registration_allows_it() -> None:
    tolerant: dict[str, Any] = {"allow_logout_token_without_exp": True}
    assert verify(good_logout_token(exp=..., iat=T - 100), **tolerant).proof_expires_at.timestamp() == T - 100 + 120 + 61
    refused(TokenTimes, good_logout_token(exp=..., iat=T - 181), **tolerant)
    refused(TokenTimes, good_logout_token(exp=..., iat=...), **tolerant)
    refused(TokenTimes, good_logout_token(exp=..., iat="now"), **tolerant)
    refused(TokenTimes, good_logout_token(exp=None), **tolerant)
    refused(TokenTimes, good_logout_token(exp=T - 60), **tolerant)
