from __future__ import annotations

import hashlib
import warnings
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from authlib.oidc.core import CodeIDToken

from gateway.errors import GatewayError, SignInTooOld, TokenError, TokenKeyUnknown, TokenTimes
from gateway.model import IdpSession, Secret, VerifiedIdentity
from gateway.protocol import oidc
from gateway.protocol.oidc.second_opinion import check_second_opinion
from tests.protocol.oidc.forge import (
    ACCESS_TOKEN,
    CLIENT_ID,
    CODE,
    EXPECTED,
    ISSUER,
    NONCE,
    NOW,
    base64url,
    ec_key,
    ed448_key,
    ed_key,
    good_claims,
    good_token,
    half_hash,
    jwk,
    jwks,
    relying_party,
    rsa_key,
)

T = int(NOW.timestamp())
KEYS = jwks(jwk(rsa_key()))


def verify(
    token: object, *, keys: oidc.PublicKeys = KEYS, now: datetime = NOW, rp: oidc.RelyingParty | None = None, **changes: Any
) -> VerifiedIdentity:
    return oidc.verify_id_token(Secret(str(token)), EXPECTED, rp=rp or relying_party(**changes), keys=keys, now=now)


def test_a_good_token_proves_its_claims_and_session() -> None:
    identity = verify(good_token(sid="s-1"))
    assert identity.claims == good_claims(sid="s-1")
    assert identity.session == IdpSession(issuer=ISSUER, subject="alice", session_id="s-1")
    assert identity.logout_memo is not None
    assert identity.name_id is None


def test_a_session_id_that_is_no_string_names_no_session() -> None:
    assert verify(good_token(sid=7)).session.session_id is None


@pytest.mark.parametrize(
    ("algorithm", "key", "digest"),
    [("RS256", rsa_key(), "sha256"), ("PS256", rsa_key(), "sha256"), ("ES256", ec_key(), "sha256"), ("Ed25519", ed_key(), "sha512")],
    ids=["RS256", "PS256", "ES256", "Ed25519"],
)
def test_each_algorithm_that_can_be_pinned_verifies_with_its_own_hash(algorithm: str, key: Any, digest: str) -> None:
    """OIDC Core §3.1.3.6: the hash of `at_hash` is that of the algorithm; SHA-512 for Ed25519."""
    token = good_token(algorithm, key, at_hash=half_hash(ACCESS_TOKEN, digest), c_hash=half_hash(CODE, digest))
    assert verify(token, keys=jwks(jwk(key)), id_token_algorithms=(algorithm,))


def test_ed448_hashes_with_114_bytes_of_shake256() -> None:
    at_hash = base64url(hashlib.shake_256(ACCESS_TOKEN.encode()).digest(57))
    token = good_token("Ed448", ed448_key(), at_hash=at_hash)
    assert verify(token, keys=jwks(jwk(ed448_key())), id_token_algorithms=("Ed448",))


@pytest.mark.parametrize("pinned", ["EdDSA", "Ed25519"])
@pytest.mark.parametrize("said", ["EdDSA", "Ed25519"])
@pytest.mark.parametrize("published", [None, "EdDSA", "Ed25519"])
def test_the_old_and_the_new_name_of_ed25519_mean_the_same(pinned: str, said: str, published: str | None) -> None:
    """RFC 9864: providers change the name with an update; the key decides."""
    key = jwk(ed_key()) if published is None else jwk(ed_key(), alg=published)
    token = good_token(said, ed_key(), at_hash=half_hash(ACCESS_TOKEN, "sha512"))
    assert verify(token, keys=jwks(key), id_token_algorithms=(pinned,))


def test_the_old_name_also_covers_ed448() -> None:
    token = good_token("EdDSA", ed448_key(), at_hash=...)
    assert verify(token, keys=jwks(jwk(ed448_key())), id_token_algorithms=("EdDSA",))


def test_the_old_name_warns_nobody() -> None:
    """The library warns at each use of `EdDSA`; in a log that is one line per login."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        verify(good_token("EdDSA", ed_key(), at_hash=...), keys=jwks(jwk(ed_key())), id_token_algorithms=("EdDSA",))
    assert caught == []


# ---- what must pass although it looks odd ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"aud": [CLIENT_ID]}, id="aud a list of us"),
        pytest.param({"azp": CLIENT_ID}, id="azp us"),
        pytest.param({"aud": [CLIENT_ID, "other"], "azp": CLIENT_ID}, id="aud us and another, issued to us"),
        pytest.param({"at_hash": ...}, id="at_hash absent: optional in the code flow"),
        pytest.param({"c_hash": half_hash(CODE)}, id="c_hash from the token endpoint"),
        pytest.param({"exp": T + 100 * 365 * 86400}, id="exp in a hundred years"),
        pytest.param({"exp": 10**400}, id="exp beyond any date"),
        pytest.param({"exp": T - 59}, id="expired within the skew"),
        pytest.param({"exp": T + 0.5, "iat": T - 0.5}, id="fractions of a second"),
        pytest.param({"iat": T + 60}, id="issued ahead within the skew"),
        pytest.param({"iat": T - 600}, id="issued ten minutes ago"),
        pytest.param({"nbf": T}, id="nbf now"),
        pytest.param({"nbf": T + 60}, id="nbf ahead within the skew"),
        pytest.param({"sub": "a" * 255}, id="sub of 255 characters"),
        pytest.param({"sub": "Zoë"}, id="sub not ASCII"),
        pytest.param({"amr": "pwd"}, id="amr a string"),
        pytest.param({"auth_time": 0}, id="auth_time zero, as glewlwyd sends"),
        pytest.param({"https://x.example/roles": ["a"]}, id="a claim named by a URL"),
        pytest.param({"numeric_time": 1, "value": 2, "essential_keys": 3}, id="claims named like a library's insides"),
    ],
)
def test_what_the_standard_allows_is_accepted(change: dict[str, Any]) -> None:
    assert verify(good_token(**change)).claims == good_claims(**change)


@pytest.mark.parametrize("header", [{"typ": ...}, {"typ": "jwt"}, {"typ": "application/jwt"}, {"x5t": "abc"}, {"future": {"a": 1}}])
def test_a_plain_header_is_accepted(header: dict[str, Any]) -> None:
    assert verify(good_token(header=header))


def test_a_header_with_a_certificate_chain_fits() -> None:
    """The library's own limit is 512 characters."""
    assert verify(good_token(header={"x5c": ["A" * 2500]}))


# ---- keys without an id ------------------------------------------------------------------------------------------------


def test_a_token_without_key_id_verifies_with_the_only_key() -> None:
    """OIDC conformance: kid-absent-single-jwks."""
    assert verify(good_token(header={"kid": ...}), keys=jwks(jwk(rsa_key(), None)))


def test_a_token_without_key_id_verifies_with_whichever_key_signed() -> None:
    """OIDC conformance: kid-absent-multiple-jwks."""
    keys = jwks(jwk(ec_key(), "e"), jwk(rsa_key("two"), "k2"), jwk(rsa_key(), "k1"))
    assert verify(good_token(header={"kid": ...}), keys=keys)


def test_a_token_without_key_id_is_tried_with_four_keys_at_most() -> None:
    others = [jwk(rsa_key("two"), f"k{n}") for n in range(2, 6)]
    with pytest.raises(TokenError) as caught:
        verify(good_token(header={"kid": ...}), keys=jwks(*others, jwk(rsa_key())))
    assert caught.value.code == "QGW-215"


def test_an_rsa_and_an_ec_key_may_share_an_id() -> None:
    """The library's own key set would take the first and fail on its kind."""
    keys = jwks(jwk(ec_key()), jwk(rsa_key()))
    assert verify(good_token(), keys=keys)
    assert verify(good_token("ES256", ec_key()), keys=keys, id_token_algorithms=("ES256",))


def test_of_two_keys_with_one_id_either_may_have_signed() -> None:
    assert verify(good_token(), keys=jwks(jwk(rsa_key("two")), jwk(rsa_key())))


def test_several_algorithms_can_be_pinned() -> None:
    keys = jwks(jwk(rsa_key(), "k1"), jwk(ec_key(), "k1"))
    for algorithm, key in (("RS256", rsa_key()), ("ES256", ec_key())):
        assert verify(good_token(algorithm, key), keys=keys, id_token_algorithms=("RS256", "ES256"))


def test_no_algorithm_at_all_can_be_pinned_away() -> None:
    """A registration without algorithms, or with `none`, is not made in the first place."""
    for pins in ((), ("none",), ("RS256", "none"), ("HS256",)):
        with pytest.raises(ValueError, match="id_token_algorithms"):
            relying_party(id_token_algorithms=pins)


# ---- max_age -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("max_age", "auth_time"),
    [("3600", T - 3661), ("3600", ...), ("0", T - 61), ("0", ...)],
)
def test_a_sign_in_older_than_max_age_is_refused(max_age: str, auth_time: Any) -> None:
    """OIDC Core §3.1.3.7 rule 13; zero asks for a sign-in just now."""
    with pytest.raises(SignInTooOld):
        verify(good_token(auth_time=auth_time), authorization_params={"max_age": max_age})


@pytest.mark.parametrize("auth_time", ["now", True, [T], {}])
def test_a_sign_in_time_that_is_no_number_is_refused(auth_time: Any) -> None:
    with pytest.raises(TokenTimes):
        verify(good_token(auth_time=auth_time), authorization_params={"max_age": "3600"})


@pytest.mark.parametrize(("max_age", "auth_time"), [("3600", T - 3660), ("0", T), ("0", T - 60)])
def test_a_sign_in_within_max_age_is_accepted(max_age: str, auth_time: int) -> None:
    assert verify(good_token(auth_time=auth_time), authorization_params={"max_age": max_age})


# ---- the one-time mark -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exp", "iat", "last"),
    [
        pytest.param(T + 60, T, T + 120, id="until it expires, and the skew"),
        pytest.param(T + 3600, T, T + 600, id="until it is ten minutes old"),
        pytest.param(10**400, T, T + 600, id="however long it says it lives"),
        pytest.param(T + 60.5, T, T + 120, id="to the second"),
    ],
)
def test_the_mark_lives_just_as_long_as_the_token_can_be_used(exp: float, iat: int, last: int) -> None:
    token = good_token(exp=exp, iat=iat)
    end = verify(token).proof_expires_at
    assert end == datetime.fromtimestamp(last + 1, UTC)
    assert verify(token, now=end - timedelta(seconds=2))
    with pytest.raises(TokenTimes):
        verify(token, now=end)


# ---- the second opinion ------------------------------------------------------------------------------------------------


def test_authlib_alone_would_take_a_token_for_another_client() -> None:
    """Why the second opinion is told what to compare: by default authlib looks at `azp` and not at `aud`."""
    claims = good_claims(aud="other", azp=CLIENT_ID)
    CodeIDToken(claims, {"alg": "RS256"}, {"iss": {"value": ISSUER}}, {"nonce": NONCE, "client_id": CLIENT_ID}).validate(now=T)


@pytest.mark.parametrize(
    "change",
    [
        {"aud": "other", "azp": CLIENT_ID},
        {"iss": "https://evil.example"},
        {"nonce": "another"},
        {"exp": T - 60},
        {"iat": T + 61},
        {"nbf": T + 61},
        {"sub": 7},
        {"azp": "other"},
        {"exp": ...},
    ],
)
def test_the_second_opinion_refuses_by_itself(change: dict[str, Any]) -> None:
    with pytest.raises(TokenError) as caught:
        check_second_opinion(good_claims(**change), relying_party(), nonce=NONCE, at=NOW.timestamp(), skew=60)
    assert caught.value.code == "QGW-210"


def test_the_second_opinion_is_heard() -> None:
    """The one case that only authlib objects to: it counts the names in `aud`, we look at them."""
    with pytest.raises(TokenError) as caught:
        verify(good_token(aud=[CLIENT_ID, CLIENT_ID]))
    assert caught.value.code == "QGW-210"
    assert verify(good_token(aud=[CLIENT_ID, CLIENT_ID], azp=CLIENT_ID))


def test_the_second_opinion_shares_our_edges() -> None:
    check_second_opinion(good_claims(exp=T - 59, nbf=T + 60, iat=T + 60), relying_party(), nonce=NONCE, at=NOW.timestamp(), skew=60)


# ---- what an error says ------------------------------------------------------------------------------------------------


def test_no_error_repeats_the_token() -> None:
    """Details go to the log; CVE-2025-65015 was an error that carried the whole token."""
    token = str(good_token(nonce="another"))
    for spoilt in (token, token + "x", token.replace(".", ".."), token[:-8]):
        with pytest.raises(GatewayError) as caught:
            verify(spoilt)
        for part in token.split("."):
            assert part not in caught.value.detail
        assert NONCE not in caught.value.detail


def test_an_unknown_key_is_named() -> None:
    with pytest.raises(TokenKeyUnknown, match="k9"):
        verify(good_token(header={"kid": "k9"}))
